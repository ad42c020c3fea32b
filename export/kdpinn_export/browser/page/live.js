// Sensor readings and estimates that a server sends; without a server, nothing.

const WAITING = "Connected: waiting for readings.";
const STANDARD = { lower: -50, upper: 50 }; // deviations, to a tenth
const AGREE = 0.02, SHOWN = 8; // share of a range within which a sensor counts as in the plane; rows

class Live {
  constructor(app) {
    this.app = app;
    this.readings = [];
    this.parameters = [];
    this.follow = true;
    if (!app.facts.live) return;
    this.root = byId("live");
    this.root.hidden = false;
    this.say("Connecting …");
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.app.facts.live);
    socket.addEventListener("open", () => this.say(WAITING));
    socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      this.say("The server is gone; trying again …");
      setTimeout(() => this.connect(), 2000);
    });
  }

  receive(message) {
    if (message.type === "error") return this.say(message.message);
    this.readings = message.readings ?? [];
    this.parameters = message.parameters ?? [];
    this.said = this.readings.length ? "" : WAITING;
    const { facts, state } = this.app;
    if (this.follow) {
      for (const { name, value } of this.parameters) {
        const k = facts.inputs.findIndex((input) => input.name === name);
        if (k >= 0) state.point[k] = Math.min(facts.inputs[k].upper, Math.max(facts.inputs[k].lower, value));
      }
    }
    this.draw();
    return this.app.wake();
  }

  say(text) {
    this.said = text;
    this.draw();
  }

  draw() {
    const parts = [make("h2", {}, "Live"), ...(this.said ? [make("p", { class: "note", role: "status" }, this.said)] : [])];
    for (const p of this.parameters) parts.push(this.estimate(p));
    if (this.parameters.length) parts.push(this.following());
    if (this.readings.length) parts.push(this.list());
    this.root.replaceChildren(...parts);
  }

  estimate({ name, value, interval, unit }) {
    const input = this.app.facts.inputs.find((each) => each.name === name);
    const line = make("p", { class: "estimate", "data-parameter": name, "data-value": value });
    line.innerHTML = `${input?.label ?? escaped(name)} = ${number(value, 4)} ${escaped(unit)} ` +
      `<small>95 %: ${number(interval[0], 4)} to ${number(interval[1], 4)}</small>`;
    return line;
  }

  following() {
    const box = make("input", { type: "checkbox" });
    box.checked = this.follow;
    box.addEventListener("change", () => { this.follow = box.checked; });
    return make("label", { class: "follow" }, box, "the field follows the estimate");
  }

  list() {
    const { facts } = this.app, coordinates = facts.inputs.filter((input) => this.readings.some(({ at }) => input.name in at));
    const head = make("tr", {}, ...coordinates.map((input) => cell("th", input.label)), ...["", "read", "model", "off"].map((t) => make("th", {}, t)));
    const rows = this.readings.slice(-SHOWN).reverse().flatMap(({ at, values, model, off }) => Object.keys(values).map((name) => {
      const far = Math.abs(off[name]) > 3, output = facts.outputs.find((each) => each.name === name);
      return make("tr", {}, ...coordinates.map((input) => make("td", {}, input.name in at ? within(at[input.name], input) : "")),
        make("td", {}, name), make("td", {}, within(values[name], output)), make("td", {}, within(model[name], output)),
        make("td", { class: far ? "bad" : "" }, `${within(off[name], STANDARD)} σ`));
    }));
    return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** Readings that lie in the plane of the map, at the coordinates they give. */
  near(state) {
    const { inputs } = this.app.facts;
    const near = ({ at }) => inputs.every((input, k) => k === state.across || k === state.up || !(input.name in at) ||
      Math.abs(at[input.name] - state.point[k]) <= AGREE * (input.upper - input.lower));
    return this.readings.filter(near).map((each) => ({
      point: inputs.map((input, k) => each.at[input.name] ?? state.point[k]), reading: each.values,
    }));
  }
}
