// What can lie over the colors: contours, arrows, and a veil where the equations are not fulfilled.

const CONTOUR_CELLS = 160, ARROW_SPACING = 30, VEIL_DECADES = 2;
const VELOCITY = { x: "u", y: "v", z: "w" };

/** The choices for a model: { name, text, kind, ... }. */
function overlaysOf(facts, quantities) {
  const list = [{ kind: "none", text: "none" }, { kind: "contours", text: "contours" }];
  if (facts.inputs.length > 1) list.push({ kind: "gradient", text: "gradient (exact)" });
  if (Object.keys(velocity(facts)).length > 1) list.push({ kind: "velocity", text: "velocity" });
  for (const q of quantities.filter((each) => each.kind === KIND.residual && !each.hidden)) {
    list.push({ kind: "residual", text: spoken(q.label), q });
  }
  return list;
}

/** Index of an input -> index of the output that is the velocity along it. */
function velocity({ inputs, outputs }) {
  const found = {};
  inputs.forEach((input, k) => {
    const which = outputs.findIndex((output) => output.name === VELOCITY[input.name]);
    if (which >= 0) found[k] = which;
  });
  return found;
}

/** Lines of equal value through a picture (n, n) whose numbers stand in the middle of its cells: a path. */
function contourPath(values, n, levels, { left, top, width, height }) {
  const parts = [], stepX = width / n, stepY = height / n;
  for (let row = 0; row + 1 < n; row += 1) {
    for (let column = 0; column + 1 < n; column += 1) {
      const at = row * n + column;
      const corners = [values[at], values[at + 1], values[at + n + 1], values[at + n]];
      const low = Math.min(...corners), high = Math.max(...corners);
      if (!(high - low < Infinity)) continue;
      for (const level of levels) {
        if (level <= low || level > high) continue;
        const x = left + (column + 0.5) * stepX, y = top + (row + 0.5) * stepY;
        crossings(corners, level, x, y, stepX, stepY, parts);
      }
    }
  }
  return parts.join("");
}

/** The segments of one level through one cell; its corners go around from the upper left. */
function crossings(corners, level, x, y, stepX, stepY, parts) {
  const met = [];
  for (let side = 0; side < 4; side += 1) {
    const from = corners[side], to = corners[(side + 1) % 4];
    if (from < level === to < level) continue;
    const share = (level - from) / (to - from);
    met.push([
      [x + share * stepX, y], [x + stepX, y + share * stepY], [x + (1 - share) * stepX, y + stepY], [x, y + (1 - share) * stepY],
    ][side]);
  }
  for (let k = 0; k + 1 < met.length; k += 2) {
    parts.push(`M${met[k][0].toFixed(1)} ${met[k][1].toFixed(1)}L${met[k + 1][0].toFixed(1)} ${met[k + 1][1].toFixed(1)}`);
  }
}

/** Levels of a scale: round numbers, or powers of ten. */
function levelsOf(scale) {
  return scale.log ? decades(scale.low, scale.high) : ticks(scale.low, scale.high, 12);
}

function contours(core, q, scale, view) {
  const n = CONTOUR_CELLS;
  const values = core.picture("contours", q, { ...view.window, columns: n, rows: n });
  return contourPath(scale.log ? values.map(Math.abs) : values, n, levelsOf(scale), view.frame);
}

/** Arrows on a grid, as a path: longer where the vector is, and the strongest few of equal length. */
function arrows(core, facts, pair, view, point) {
  const { frame, window } = view, { across, up, box } = window;
  const columns = Math.max(6, Math.round(frame.width / ARROW_SPACING)), rows = Math.max(4, Math.round(frame.height / ARROW_SPACING));
  const size = { ...window, columns, rows };
  const first = core.picture("first arrows", pair.first, size).slice();
  const second = core.picture("second arrows", pair.second, size).slice();
  const toX = frame.width / (box[1] - box[0]), toY = frame.height / (box[3] - box[2]);
  const vectors = [];
  for (let k = 0; k < first.length; k += 1) {
    const place = [(k % columns + 0.5) / columns, (Math.floor(k / columns) + 0.5) / rows];
    const at = point.slice();
    at[across] = box[0] + place[0] * (box[1] - box[0]);
    at[up] = box[3] - place[1] * (box[3] - box[2]);
    if (inHole(facts, at)) continue;
    // A velocity moves through the picture; a gradient is the ascent per pixel.
    const dx = pair.slope ? first[k] / toX : first[k] * toX, dy = -(pair.slope ? second[k] / toY : second[k] * toY);
    vectors.push({ x: frame.left + place[0] * frame.width, y: frame.top + place[1] * frame.height, dx, dy, size: Math.hypot(dx, dy) });
  }
  const strongest = quantile(Float64Array.from(vectors, (v) => v.size).sort(), 0.97) || 1;
  const longest = 0.85 * Math.min(frame.width / columns, frame.height / rows);
  return vectors.map((v) => arrow(v, longest * Math.min(1, v.size / strongest) ** 0.5)).join("");
}

function arrow({ x, y, dx, dy, size }, length) {
  if (!(size > 0) || length < 2) return "";
  const ux = dx / size, uy = dy / size, head = Math.min(5, 0.45 * length);
  const tip = [x + (ux * length) / 2, y + (uy * length) / 2], tail = [x - (ux * length) / 2, y - (uy * length) / 2];
  const wing = (side) => [tip[0] - head * (ux + side * 0.55 * uy), tip[1] - head * (uy - side * 0.55 * ux)];
  const text = (p) => `${p[0].toFixed(1)} ${p[1].toFixed(1)}`;
  return `M${text(tail)}L${text(tip)}M${text(wing(1))}L${text(tip)}L${text(wing(-1))}`;
}

/** The two quantities that are an arrow's components, and whether they are a slope. */
function components(overlay, facts, quantities, q, { across, up }) {
  const find = (kind, which, a) => quantities.find((each) => each.kind === kind && each.which === which && each.a === a);
  if (overlay.kind === "velocity") {
    const along = velocity(facts);
    if (!(across in along) || !(up in along)) return undefined;
    return { first: find(KIND.value, along[across], 0), second: find(KIND.value, along[up], 0), slope: false };
  }
  const output = q.kind === KIND.residual ? 0 : q.which;
  return { first: find(KIND.first, output, across), second: find(KIND.first, output, up), slope: true };
}

/** The veil's own scale: the last decades of the residual's. */
const veilScale = (scale) => ({ ...scale, low: scale.high / 10 ** VEIL_DECADES });

/** Colors of the veil: one hue, clear at the low end. */
function veilTable() {
  const table = new Uint8Array(1024);
  for (let k = 0; k < 256; k += 1) table.set([255, 0, 170, Math.round(225 * (k / 255) ** 1.2)], 4 * k);
  return new Uint32Array(table.buffer);
}
