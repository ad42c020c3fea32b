// Elements, SVG and axes; colors come from the style sheet.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const byId = (id) => document.getElementById(id);

/** The text of a label that may have <sub>: for SVG and titles. */
function spoken(label) {
  const holder = make("span");
  holder.innerHTML = label.replace(/<sub>/g, "_<sub>");
  return holder.textContent;
}

const titled = ({ label, unit }) => spoken(label) + (unit ? ` [${unit}]` : "");

/** Ticks and names around a frame { left, top, width, height } for ranges { low, high }; yMarks: [value, text]. */
function axes(frame, x, y, { xName = "", yName = "", yMarks } = {}) {
  const { left, top, width, height } = frame, bottom = top + height;
  const group = draw("g", { class: "axes" });
  group.append(draw("rect", { x: left, y: top, width, height, class: "box" }));
  const toX = (v) => left + (width * (v - x.low)) / (x.high - x.low);
  const toY = (v) => bottom - (height * (v - y.low)) / (y.high - y.low);
  for (const value of ticks(x.low, x.high, Math.max(2, Math.min(8, width / 90)))) {
    group.append(draw("line", { x1: toX(value), x2: toX(value), y1: bottom, y2: bottom + 4 }));
    group.append(draw("text", { x: toX(value), y: bottom + 17, "text-anchor": "middle" }, plain(value)));
  }
  yMarks ??= ticks(y.low, y.high, Math.max(2, Math.min(6, height / 45))).map((value) => [value, plain(value)]);
  for (const [value, text] of yMarks) {
    group.append(draw("line", { x1: left - 4, x2: left, y1: toY(value), y2: toY(value) }));
    group.append(draw("text", { x: left - 7, y: toY(value) + 4, "text-anchor": "end" }, text));
  }
  if (xName) group.append(draw("text", { x: left + width / 2, y: bottom + 34, "text-anchor": "middle", class: "name" }, xName));
  if (yName) group.append(draw("text", { x: 2, y: top - 10, class: "name" }, yName));
  return { group, toX, toY };
}
