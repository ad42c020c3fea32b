// The page: its state, one frame after another, pointer and keys.

const KEYS = [
  ["← → ↑ ↓", "move the probe over the map (with Shift: ten times as far)"],
  ["Space", "play and pause"],
  ["1 … 9", "value, derivatives, residuals"],
  ["f", "next field"],
  ["o", "next overlay"],
  ["d", "light or dark"],
  ["?", "these keys"],
];
const SETTLE_MS = 140;

class App {
  constructor(core, facts, colors) {
    this.core = core;
    this.facts = facts;
    this.colors = colors;
    this.quantities = quantitiesOf(facts);
    this.overlays = overlaysOf(facts, this.quantities);
    this.scales = new Map();
    const timeFirst = facts.inputs.length > 1 && /^(t|time|tau)$/.test(facts.inputs[0].name);
    this.state = {
      point: facts.inputs.map((input, k) => valueAt(input, k === 0 ? 0.38 : 0.5)),
      across: timeFirst ? 1 : 0, up: timeFirst ? 0 : 1, q: this.quantities[0], overlay: this.overlays[0],
      resolution: 0, playing: null, flat: facts.inputs.length === 1, theme: this.theme(),
    };
    if (this.state.flat) this.state.up = 0;
    this.hover = null;
    this.pending = false;
    this.lastMove = 0;
    this.map = new FieldMap(this);
    this.live = { near: () => [] };
    this.profile = new Profile(this);
    this.readings = new Readings(this);
    this.sliders = new Sliders(this);
    this.choices = new Choices(this);
    this.toolbar = new Quantities(this);
    this.speed = new Speed(this);
    this.live = new Live(this);
    this.listen();
    this.show(this.quantities[0]);
  }

  theme() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  }

  scaleFor(q) {
    if (!this.scales.has(q.name)) this.scales.set(q.name, scaleOf(this.core, this.facts, q));
    return this.scales.get(q.name);
  }

  show(q) {
    this.state.q = q;
    this.paintScale();
    this.touch();
  }

  paintScale() {
    const { q, theme } = this.state;
    this.scale = this.scaleFor(q);
    const name = this.scale.map === "diverging" ? `diverging-${theme}` : this.scale.map;
    this.table = colorTable(this.colors[name]);
    drawLegend(byId("legend"), q, this.scale, this.table);
  }

  set(change) {
    Object.assign(this.state, change);
    this.touch();
  }

  turn(across, up) {
    this.set({ across, up });
    this.map.layout();
  }

  move(k, value) {
    const { lower, upper } = this.facts.inputs[k];
    this.state.point[k] = Math.min(upper, Math.max(lower, value));
    this.touch();
  }

  play(k) {
    this.state.playing = k;
    this.before = performance.now();
    this.touch();
  }

  /** Something changed by hand: draw, and draw finely once it has settled. */
  touch() {
    this.lastMove = performance.now();
    this.wake();
  }

  wake() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame((time) => this.frame(time));
  }

  frame(time) {
    this.pending = false;
    const { state } = this;
    if (state.playing !== null) this.advance(time);
    const moving = state.playing !== null || performance.now() - this.lastMove < SETTLE_MS;
    this.speed.frame(time, state.playing !== null);
    this.draw(moving);
    if (moving) this.wake();
  }

  advance(time) {
    const { state } = this, input = this.facts.inputs[state.playing];
    const step = Math.min(100, Math.max(0, time - this.before)) / SWEEP_MS;
    this.before = time;
    const next = shareOf(input, state.point[state.playing]) + step;
    state.point[state.playing] = next > 1 ? input.lower : Math.min(input.upper, valueAt(input, next));
  }

  draw(moving) {
    const fresh = this.map.render(moving);
    this.map.drawOver(fresh);
    this.profile.draw(this.hover ?? this.state.point);
    this.readings.draw(this.state.point);
    this.sliders.draw();
    this.choices.draw();
    this.toolbar.draw();
    this.speed.draw();
  }

  listen() {
    const { pad } = this.map;
    const take = (event) => {
      this.state.point = this.map.under(event);
      this.touch();
    };
    pad.addEventListener("pointerdown", (event) => {
      pad.setPointerCapture(event.pointerId);
      take(event);
    });
    pad.addEventListener("pointermove", (event) => {
      if (pad.hasPointerCapture(event.pointerId)) take(event);
      this.point(event);
    });
    pad.addEventListener("pointerleave", () => this.leave());
    pad.addEventListener("keydown", (event) => this.arrow(event));
    document.addEventListener("keydown", (event) => this.key(event));
    byId("theme").addEventListener("click", () => this.turnTheme());
    byId("help").addEventListener("click", () => this.help());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.applyTheme());
    new ResizeObserver(() => {
      this.map.layout();
      this.wake();
    }).observe(this.map.plot.parentElement);
    this.map.layout();
  }

  /** The pointer's tip, and the profile through it. */
  point(event) {
    const point = this.map.under(event), { facts, state } = this, tip = byId("tip"), bounds = this.map.plot.getBoundingClientRect();
    const value = inHole(facts, point) ? "outside the domain" : `${spoken(state.q.label)} = ${number(this.core.at(state.q, point), 4)}`;
    const where = [state.across, state.up].map((k) => `${spoken(facts.inputs[k].label)} ${plain(Number(point[k].toPrecision(3)))}`);
    tip.hidden = false;
    tip.replaceChildren(make("b", {}, value), where.join(", "));
    const x = event.clientX - bounds.left, right = x + 14 + tip.offsetWidth < bounds.width;
    tip.style.left = `${right ? x + 14 : x - 14 - tip.offsetWidth}px`;
    tip.style.top = `${Math.max(0, event.clientY - bounds.top - 14 - tip.offsetHeight)}px`;
    this.hover = point;
    this.wake();
  }

  leave() {
    byId("tip").hidden = true;
    this.hover = null;
    this.wake();
  }

  arrow(event) {
    const { state, facts } = this, by = { ArrowLeft: [state.across, -1], ArrowRight: [state.across, 1], ArrowDown: [state.up, -1], ArrowUp: [state.up, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    const { lower, upper } = facts.inputs[by[0]];
    this.move(by[0], state.point[by[0]] + by[1] * (event.shiftKey ? 0.1 : 0.01) * (upper - lower));
  }

  key(event) {
    const field = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || (field && event.key !== " ") || byId("keys").open) return;
    const { state, overlays, toolbar } = this;
    if (event.key === " " && !["BUTTON", "A", "SELECT", "SUMMARY"].includes(event.target.tagName)) this.play(state.playing === null ? this.played() : null);
    else if (event.key === "o") this.set({ overlay: overlays[(overlays.indexOf(state.overlay) + 1) % overlays.length] });
    else if (event.key === "f") toolbar.choose((toolbar.output + 1) % this.facts.outputs.length, toolbar.row);
    else if (event.key === "d") this.turnTheme();
    else if (event.key === "?") this.help();
    else if (/^[1-9]$/.test(event.key)) toolbar.keys[event.key - 1]?.click();
    else return;
    event.preventDefault();
  }

  /** What Space plays: a coordinate that the map does not show, else the one upwards. */
  played() {
    const hidden = this.facts.inputs.findIndex((_, k) => k !== this.state.across && k !== this.state.up);
    return hidden >= 0 ? hidden : this.state.up;
  }

  turnTheme() {
    document.documentElement.dataset.theme = this.state.theme === "dark" ? "light" : "dark";
    this.applyTheme();
  }

  applyTheme() {
    this.state.theme = this.theme();
    this.paintScale();
    this.touch();
  }

  help() {
    const dialog = byId("keys"), close = make("button", {}, "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.replaceChildren(make("h2", {}, "Keys"), table(KEYS), close);
    dialog.showModal();
  }

  /** Frames that each compute the whole picture, as fast as the screen takes them: for measurements. */
  async measure(frames, n) {
    const stamps = [], before = this.map.times;
    this.map.times = [];
    const times = [];
    for (let k = 0; k < frames; k += 1) {
      stamps.push(await new Promise(requestAnimationFrame));
      this.map.paint(n);
      times.push(this.map.times[this.map.times.length - 1]);
    }
    this.map.times = before;
    this.map.shown = "";
    this.wake();
    return { stamps, evaluated: times.map((t) => t.evaluated), colored: times.map((t) => t.colored) };
  }
}

async function start() {
  const content = JSON.parse(byId("content").textContent);
  try {
    const core = await Core.open(await unzipped(bytesOf(content.core)), bytesOf(content.model), content.facts);
    drawSelftest([core.selftest(32), core.selftest(64)]);
    byId("main").hidden = byId("below").hidden = false;
    drawEquations(content.facts);
    drawCard(content.facts);
    window.kdpinn = new App(core, content.facts, content.colors);
  } catch (error) {
    byId("verdict").className = "verdict fail";
    byId("verdict").textContent = `This page cannot work here: ${error.message}`;
    document.documentElement.dataset.verdict = "error";
    throw error;
  }
}

if (typeof document !== "undefined") start();
