// The numbers at the probe, in float64, each a way to show its quantity on the map.

class Readings {
  constructor(app) {
    this.app = app;
    const { facts, quantities } = app, fields = quantities.filter((q) => q.kind !== KIND.residual);
    const rows = fields.filter((q) => q.which === 0);
    const head = make("tr", {}, make("th"), ...facts.outputs.map((output) => cell("th", output.label, output.unit)));
    this.cells = [];
    const body = rows.map((row, k) => make("tr", {}, cell("th", row.short),
      ...facts.outputs.map((_, which) => this.value(fields[which * rows.length + k]))));
    const residuals = quantities.filter((q) => q.kind === KIND.residual);
    const below = residuals.map((q) => {
      const held = q.hidden ? make("span", { class: "note" }, "its source is tabulated at the baseline's points only") : this.button(q);
      const line = make("div", { class: "line" }, cell("span", q.short), held);
      return make("tr", {}, make("td", { colspan: 1 + facts.outputs.length }, line));
    });
    if (below.length) below.unshift(make("tr", { class: "group" }, make("th", { colspan: 1 + facts.outputs.length }, "residual")));
    byId("readings").append(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body, ...below)));
  }

  value(q) { return make("td", {}, this.button(q)); }

  button(q) {
    const button = make("button", { title: `Show ${spoken(q.label)} on the map`, "data-quantity": q.name });
    button.addEventListener("click", () => this.app.show(q));
    this.cells.push({ q, button });
    return button;
  }

  draw(point) {
    const { core, facts, state } = this.app, jet = core.jet(point), residuals = core.residuals(point);
    for (const { q, button } of this.cells) {
      const channel = q.kind === KIND.value ? 0 : q.kind === KIND.first ? 1 + q.a : core.second(q.a, q.b);
      const value = q.kind === KIND.residual ? residuals[q.which] : jet[channel][q.which];
      button.textContent = compact(value, facts.outputs.length > 1 ? 4 : 6);
      button.dataset.value = value;
      button.setAttribute("aria-pressed", q === state.q);
    }
  }
}

function cell(tag, label, unit = "") {
  const element = make(tag);
  element.innerHTML = label + (unit ? ` <small>${escaped(unit)}</small>` : "");
  return element;
}
