// The field over two coordinates: pixels from the core, and what is drawn over them.

const MOVING = 256, STILL = 512, VEIL = 192, BUDGET = 13; // pixels; ms for a picture while things move
const MARGIN = { left: 48, right: 14, top: 22, bottom: 40 };

class FieldMap {
  constructor(app) {
    this.app = app;
    this.plot = byId("plot");
    this.field = byId("field");
    this.veil = byId("veil");
    this.over = byId("over");
    this.pad = byId("pad");
    this.veilColors = veilTable();
    this.cost = 0; // ms a pixel, of the last picture
    this.times = [];
  }

  /** What is looked at: two inputs and their ranges, the others fixed. */
  get window() {
    const { facts, state } = this.app, { across, up } = state;
    const [x, y] = [facts.inputs[across], facts.inputs[up]];
    return { across, up, fixed: state.point, box: [x.lower, x.upper, y.lower, y.upper] };
  }

  /** Width that the stage has for a drawing. */
  get room() {
    const stage = this.plot.parentElement, style = getComputedStyle(stage);
    return Math.max(240, stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  }

  /** Two lengths of one unit are drawn to one scale; time and parameters fill the width. */
  layout() {
    const { facts, state } = this.app, { across, up, box } = this.window;
    const room = this.room - MARGIN.left - MARGIN.right;
    const most = Math.max(220, Math.min(560, 0.52 * window.innerHeight));
    const ratio = (box[3] - box[2]) / (box[1] - box[0]);
    const timelike = [across, up].some((k) => /^(t|time|tau)$/.test(facts.inputs[k].name));
    const alike = !timelike && facts.inputs[across].unit === facts.inputs[up].unit && ratio > 0.2 && ratio < 5;
    const width = alike ? Math.min(room, (1.2 * most) / ratio) : room;
    const height = state.flat ? 0 : alike ? width * ratio : Math.min(most, 0.6 * width);
    this.frame = { left: MARGIN.left + Math.floor((room - width) / 2), top: MARGIN.top, width: Math.floor(width), height: Math.floor(height) };
    this.plot.hidden = Boolean(state.flat);
    this.plot.style.height = `${this.frame.top + this.frame.height + MARGIN.bottom}px`;
    for (const layer of [this.field, this.veil, this.pad]) {
      layer.style.left = `${this.frame.left}px`;
      layer.style.top = `${this.frame.top}px`;
      layer.style.width = `${this.frame.width}px`;
      layer.style.height = `${this.frame.height}px`;
    }
    this.over.setAttribute("viewBox", `0 0 ${this.room} ${this.frame.top + this.frame.height + MARGIN.bottom}`);
    this.shown = this.drawn = "";
  }

  /** Pixels of a side: as many as fit the time while things move. */
  side(moving) {
    if (this.app.state.resolution) return this.app.state.resolution;
    const affordable = (n) => this.cost * n * n <= BUDGET;
    if (!moving) return this.cost * STILL * STILL <= 20 * BUDGET ? STILL : MOVING;
    return [MOVING, 192, 128].find(affordable) ?? 96;
  }

  /** All that a picture depends on. */
  key(n) {
    const { state } = this.app;
    const fixed = state.point.filter((_, k) => k !== state.across && k !== state.up);
    return [state.q.name, state.across, state.up, n, ...fixed, state.theme].join(" ");
  }

  /** Computes and colors the picture where it changed; true if it did. */
  render(moving) {
    if (this.app.state.flat) return false;
    const n = this.side(moving), key = this.key(n);
    if (key === this.shown) return false;
    this.paint(n);
    this.shown = key;
    return true;
  }

  paint(n) {
    const { core, state, scale, table } = this.app, begin = performance.now();
    core.picture("map", state.q, { ...this.window, columns: n, rows: n });
    const evaluated = performance.now();
    const pixels = core.colorize("map", n * n, scale, table);
    if (this.field.width !== n) this.field.width = this.field.height = n;
    this.field.getContext("2d").putImageData(new ImageData(pixels, n, n), 0, 0);
    this.cost = (performance.now() - begin) / (n * n);
    this.times = [...this.times.slice(-19), { n, evaluated: evaluated - begin, colored: performance.now() - evaluated }];
  }

  /** The axes, holes, overlays and marks. Overlays are computed again where the picture was. */
  drawOver(fresh) {
    const { facts, state } = this.app;
    if (state.flat) return;
    const key = [state.overlay.text, state.q.name, this.frame.width].join(" ");
    if (fresh || key !== this.drawn) this.drawStill();
    this.drawn = key;
    this.drawMarks();
    this.pad.setAttribute("aria-label", `Map of ${spoken(state.q.label)} over ${facts.inputs[state.across].name} and ` +
      `${facts.inputs[state.up].name}. Arrow keys move the probe.`);
  }

  drawStill() {
    const { core, facts, state, quantities, scale } = this.app, { box, across, up } = this.window;
    const { group, toX, toY } = axes(this.frame, { low: box[0], high: box[1] }, { low: box[2], high: box[3] },
      { xName: titled(facts.inputs[across]), yName: titled(facts.inputs[up]) });
    this.toX = toX;
    this.toY = toY;
    const view = { frame: this.frame, window: this.window };
    let path = "";
    if (state.overlay.kind === "contours") path = contours(core, state.q, scale, view);
    const pair = ["gradient", "velocity"].includes(state.overlay.kind) &&
      components(state.overlay, facts, quantities, state.q, state);
    if (pair) path = arrows(core, facts, pair, view, state.point);
    const lines = [draw("path", { d: path, class: "halo" }), draw("path", { d: path, class: "lines" })];
    this.marks = draw("g");
    this.over.replaceChildren(...lines, this.holes(), group, this.marks);
    this.drawVeil();
  }

  drawVeil() {
    const { core, state } = this.app, shown = state.overlay.kind === "residual";
    this.veil.hidden = !shown;
    if (!shown) return;
    core.picture("veil", state.overlay.q, { ...this.window, columns: VEIL, rows: VEIL });
    const pixels = core.colorize("veil", VEIL * VEIL, veilScale(this.app.scaleFor(state.overlay.q)), this.veilColors);
    if (this.veil.width !== VEIL) this.veil.width = this.veil.height = VEIL;
    this.veil.getContext("2d").putImageData(new ImageData(pixels, VEIL, VEIL), 0, 0);
  }

  /** Disks cut out of the domain, or their strip where only one of their coordinates is in the picture. */
  holes() {
    const { facts, state } = this.app, { left, top, width, height } = this.frame, { box } = this.window;
    const group = draw("g", { class: "holes" });
    for (const hole of facts.holes) {
      const r = holeIn(hole, facts.inputs, state.point, state.across, state.up);
      if (!r) continue;
      const x = hole.center[facts.inputs[state.across].name], y = hole.center[facts.inputs[state.up].name];
      const rx = (r * width) / (box[1] - box[0]), ry = (r * height) / (box[3] - box[2]);
      if (x !== undefined && y !== undefined) group.append(draw("ellipse", { cx: this.toX(x), cy: this.toY(y), rx, ry }));
      else if (x !== undefined) group.append(draw("rect", { x: this.toX(x) - rx, y: top, width: 2 * rx, height }));
      else if (y !== undefined) group.append(draw("rect", { x: left, y: this.toY(y) - ry, width, height: 2 * ry }));
    }
    return group;
  }

  /** The cut, the probe and the sensors. */
  drawMarks() {
    const { state } = this.app, { left, top, width, height } = this.frame;
    const x = this.toX(state.point[state.across]), y = this.toY(state.point[state.up]);
    const line = (x1, y1, x2, y2, kind) => [
      draw("line", { x1, y1, x2, y2, class: `${kind} under` }), draw("line", { x1, y1, x2, y2, class: kind }),
    ];
    this.marks.replaceChildren(
      ...line(left, y, left + width, y, "cut"), ...line(x, top, x, top + height, "cut thin"),
      draw("circle", { cx: x, cy: y, r: 6, class: "probe under" }), draw("circle", { cx: x, cy: y, r: 6, class: "probe" }),
      ...this.sensors(),
    );
  }

  /** Readings as dots in the colors of the field: a dot that stands out disagrees with the model. */
  sensors() {
    const { facts, scale, state, table, live } = this.app;
    return live.near(state).map(({ point, reading }) => {
      const shown = state.q.kind === KIND.value ? reading[facts.outputs[state.q.which].name] : undefined;
      const dot = draw("circle", { cx: this.toX(point[state.across]), cy: this.toY(point[state.up]), r: 5, class: "sensor" });
      if (shown !== undefined) dot.style.fill = colorAt(scale, table, shown);
      return dot;
    });
  }

  /** Coordinates under a pointer. */
  under(event) {
    const { state } = this.app, bounds = this.pad.getBoundingClientRect(), { box } = this.window, point = state.point.slice();
    const share = (v, from, size) => Math.min(1, Math.max(0, (v - from) / size));
    point[state.across] = box[0] + share(event.clientX, bounds.left, bounds.width) * (box[1] - box[0]);
    point[state.up] = box[3] - share(event.clientY, bounds.top, bounds.height) * (box[3] - box[2]);
    return point;
  }
}
