// Sliders, choices, and what the page says about the model.

const STEPS = 1000, SWEEP_MS = 7000;

/** A slider with a play button for each coordinate. */
class Sliders {
  constructor(app) {
    this.app = app;
    this.rows = app.facts.inputs.map((input, k) => this.row(input, k));
    byId("sliders").append(...this.rows.map((row) => row.root));
  }

  row(input, k) {
    const { app } = this, name = cell("label", input.label, input.unit);
    const range = make("input", { type: "range", min: 0, max: STEPS, step: 1, id: `slider-${input.name}`, "aria-label": input.name });
    const value = make("output"), play = make("button", { class: "play", "aria-label": `Play ${input.name}` });
    name.setAttribute("for", range.id);
    range.addEventListener("input", () => app.move(k, valueAt(input, range.value / STEPS)));
    play.addEventListener("click", () => app.play(app.state.playing === k ? null : k));
    return { root: make("div", { class: "slider" }, name, range, value, play), range, value, play };
  }

  draw() {
    const { facts, state } = this.app;
    this.rows.forEach(({ range, value, play }, k) => {
      const share = shareOf(facts.inputs[k], state.point[k]);
      const text = plain(Number(state.point[k].toPrecision(3))) + (facts.inputs[k].unit ? ` ${facts.inputs[k].unit}` : "");
      range.value = Math.round(STEPS * share);
      range.style.setProperty("--share", share);
      range.setAttribute("aria-valuetext", text);
      value.textContent = text;
      play.textContent = state.playing === k ? "❚❚" : "▶";
    });
  }
}

/** Buttons of which one is pressed. */
class Segments {
  constructor(name, items, chosen) {
    this.buttons = items.map(({ label, title, disabled }, k) => {
      const button = cell("button", label);
      if (title) button.title = title;
      button.disabled = Boolean(disabled);
      button.addEventListener("click", () => chosen(k));
      return button;
    });
    this.root = make("div", { class: "segments", role: "group", "aria-label": name }, ...this.buttons);
  }

  press(k) { this.buttons.forEach((button, each) => button.setAttribute("aria-pressed", each === k)); }
}

/** What the colors show: an output, its value or a derivative, or the residual of an equation. */
class Quantities {
  constructor(app) {
    this.app = app;
    const { facts, quantities } = app;
    this.fields = quantities.filter((q) => q.kind !== KIND.residual);
    this.residuals = quantities.filter((q) => q.kind === KIND.residual);
    this.rows = this.fields.filter((q) => q.which === 0);
    this.output = 0;
    this.row = 0;
    const only = facts.outputs.length === 1;
    this.outputs = new Segments("Field", facts.outputs.map((o) => ({ label: o.label })), (k) => this.choose(k, this.row));
    this.channels = new Segments("Value or derivative",
      this.rows.map((q) => ({ label: only ? q.label : q.short, title: q.name })), (k) => this.choose(this.output, k));
    this.equations = new Segments("Residual", this.residuals.map((q) => ({
      label: q.short, disabled: q.hidden,
      title: q.hidden ? "Its source term is tabulated at the points of the baseline only" : `Residual of ${q.short}: exact derivatives, float32`,
    })), (k) => app.show(this.residuals[k]));
    const root = byId("quantities");
    if (!only) root.append(this.outputs.root);
    root.append(this.channels.root);
    if (this.residuals.length) root.append(make("span", { class: "note" }, "residual"), this.equations.root);
  }

  /** The buttons in the order of the keys 1, 2, ... */
  get keys() { return [...this.channels.buttons, ...this.equations.buttons]; }

  choose(output, row) {
    this.output = output;
    this.app.show(this.fields[output * this.rows.length + row]);
  }

  draw() {
    const { q } = this.app.state, residual = this.residuals.indexOf(q), at = this.fields.indexOf(q);
    if (at >= 0) [this.output, this.row] = [Math.floor(at / this.rows.length), at % this.rows.length];
    this.outputs.press(residual < 0 ? this.output : -1);
    this.channels.press(residual < 0 ? this.row : -1);
    this.equations.press(residual);
  }
}

function choice(text, options, chosen) {
  const select = make("select", { "aria-label": text });
  options.forEach((option, k) => select.append(make("option", { value: k }, option)));
  select.addEventListener("change", () => chosen(Number(select.value)));
  return { root: make("label", {}, text, select), select };
}

/** Overlay, axes, resolution. */
class Choices {
  constructor(app) {
    this.app = app;
    const { facts, overlays } = app, names = facts.inputs.map((input) => spoken(input.label));
    this.overlay = choice("overlay", overlays.map((o) => o.text), (k) => app.set({ overlay: overlays[k] }));
    this.axes = names.flatMap((_, across) => names.map((__, up) => [across, up])).filter(([across, up]) => across !== up);
    this.plane = choice("axes", this.axes.map(([a, b]) => `${names[a]} → , ${names[b]} ↑`), (k) => app.turn(...this.axes[k]));
    this.sizes = [0, 128, 256, 512];
    this.pixels = choice("pixels", this.sizes.map((n) => (n ? `${n} × ${n}` : "automatic")), (k) => app.set({ resolution: this.sizes[k] }));
    if (names.length > 1) byId("choices").append(this.overlay.root, this.plane.root, this.pixels.root);
  }

  draw() {
    const { state, overlays } = this.app;
    this.overlay.select.value = overlays.indexOf(state.overlay);
    this.plane.select.value = this.axes.findIndex(([a, b]) => a === state.across && b === state.up);
    this.pixels.select.value = this.sizes.indexOf(state.resolution);
  }
}

/** Time of a picture, of a point, and pictures a second while they move. */
class Speed {
  constructor(app) {
    this.app = app;
    this.frames = [];
    this.single = this.onePoint();
    this.cells = ["map", "a point of it", "one point alone", "frames"].map((name) => {
      const value = make("dd");
      byId("speed").append(make("dt", {}, name), value);
      return value;
    });
  }

  /** ms for a call with a single point, float64, with all derivatives. */
  onePoint() {
    const { core, state } = this.app, calls = 2000, begin = performance.now();
    const point = core.put("point", state.point);
    for (let k = 0; k < calls; k += 1) core.exports.jet_at(point);
    return (performance.now() - begin) / calls;
  }

  frame(time, moving) { this.frames = moving ? [...this.frames.filter((t) => time - t < 1000), time] : []; }

  draw() {
    const { times } = this.app.map, last = times[times.length - 1];
    const like = times.filter(({ n }) => n === last?.n).map(({ evaluated }) => evaluated).sort((a, b) => a - b);
    const median = like[Math.floor(like.length / 2)] ?? NaN, n = last?.n ?? 0, count = this.frames.length;
    const rate = count > 5 ? (1000 * (count - 1)) / (this.frames[count - 1] - this.frames[0]) : 0;
    const text = [
      last ? `${n} × ${n} in ${duration(median)}` : "–",
      last ? duration(median / (n * n)) : "–",
      `${duration(this.single)} with all derivatives`,
      rate ? `${rate.toFixed(0)} a second` : "still",
    ];
    this.cells.forEach((each, k) => { if (each.textContent !== text[k]) each.textContent = text[k]; });
  }
}

/** The verdict above, and the table below. */
function drawSelftest(results) {
  const points = results[0].points, passed = results.every((result) => result.passed);
  const verdict = byId("verdict"), state = !points ? "none" : passed ? "pass" : "fail";
  verdict.className = `verdict ${state}`;
  verdict.textContent = { none: "The file has no baseline", pass: "Verified in this browser", fail: "Verification failed" }[state];
  document.documentElement.dataset.verdict = state;
  const head = make("tr", {}, ...["check", "measured", "limit", ""].map((text) => make("th", {}, text)));
  const rows = results.flatMap((result) => result.checks.filter((check) => check.carried).map((check) => {
    const row = make("tr", {}, make("th", {}, `${check.name}, float${result.bits}`), make("td", {}, number(check.measured)),
      make("td", {}, number(check.limit)), make("td", { class: check.passed ? "ok" : "bad" }, check.passed ? "pass" : "FAIL"));
    row.dataset.measured = check.measured;
    return row;
  }));
  const section = byId("selftest");
  section.append(make("h2", {}, "Checked here"), make("p", { class: "note" }, points
    ? `The ${points} points of the file's baseline, replayed when this page was opened, by the same C core as on every other device.`
    : "The file carries no baseline: nothing could be checked."));
  if (points) section.append(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function drawEquations(facts) {
  if (!facts.equations.length) return;
  const section = byId("equations");
  section.append(make("h2", {}, "The equations"));
  for (const { label, residual, limit, shown } of facts.equations) {
    const line = make("p", { class: "equation" });
    line.innerHTML = `${residual} = 0 <small>${label}</small>`;
    line.title = shown === "multiplied" ? "Shown without the weight that the problem gives it" : `RMS over the baseline at most ${number(limit)}`;
    section.append(line);
  }
  const values = facts.parameters.map((p) => `${p.label} = ${escaped(plain(p.value))} ${escaped(p.unit)}`).join(", ");
  const line = make("p", { class: "note" });
  line.innerHTML = values;
  if (values) section.append(line);
}

function drawCard(facts) {
  const section = byId("card"), network = `${facts.widths.join("-")}, ${facts.activation}, ${grouped(facts.weights)} numbers in ${facts.dtype}`;
  const rows = [["network", network], ["file", `${grouped(facts.bytes)} bytes`], ["digest", facts.digest], ...facts.card];
  section.append(make("h2", {}, "The model's card"), table(rows));
  if (facts.recipe.length) section.append(make("details", {}, make("summary", {}, "How it was made"), table(facts.recipe)));
}

const table = (rows) => make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
