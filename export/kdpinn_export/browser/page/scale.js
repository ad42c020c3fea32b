// From numbers to colors: a range for each quantity that stays while coordinates move, and its legend.

const SAMPLES = 4096, DECADES = 4;

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** { low, high, log, map }: symmetric about zero for a field of both signs; residuals by magnitude. */
function scaleOf(core, facts, q) {
  facts.samples ??= scattered(facts, SAMPLES);
  const seen = core.sample(q, facts.samples).filter(Number.isFinite).sort();
  if (q.kind === KIND.residual) return errorScale(seen.map(Math.abs).sort(), q.limit);
  let low = seen[0], high = seen[seen.length - 1];
  if (q.kind === KIND.value) {
    low = Math.min(low, facts.outputs[q.which].lower);
    high = Math.max(high, facts.outputs[q.which].upper);
  } else {
    [low, high] = [quantile(seen, 0.005), quantile(seen, 0.995)]; // peaks of steep fronts would pale the rest
  }
  if (low < 0 && high > 0 && Math.min(-low, high) > 0.05 * Math.max(-low, high)) {
    high = Math.max(-low, high);
    return { low: -high, high, log: false, map: "diverging" };
  }
  return { low, high: high > low ? high : low + 1, log: false, map: "sequential" };
}

function errorScale(sizes, limit) {
  const high = Math.max(quantile(sizes, 0.995), limit ?? 0, 1e-30);
  return { low: high / 10 ** DECADES, high, log: true, map: "error" };
}

/** 256 colors as the pixels of a canvas take them; `alpha`: opacity of color k. */
function colorTable(base64, alpha = () => 1) {
  const rgb = bytesOf(base64), table = new Uint8Array(1024);
  for (let k = 0; k < 256; k += 1) {
    table.set(rgb.subarray(3 * k, 3 * k + 3), 4 * k);
    table[4 * k + 3] = Math.round(255 * alpha(k));
  }
  return new Uint32Array(table.buffer);
}

/** Place of a number on its scale, 0 to 1. */
function placeOn({ low, high, log }, value) {
  const share = log ? Math.log(Math.abs(value) / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(1, Math.max(0, share));
}

function colorAt(scale, table, value) {
  const k = Math.min(255, Math.floor(256 * placeOn(scale, value)));
  const [r, g, b] = new Uint8Array(table.buffer, 4 * k, 3);
  return `rgb(${r} ${g} ${b})`;
}

/** The legend: name, unit, bar and ticks. */
function drawLegend(root, q, scale, table) {
  root.replaceChildren();
  const name = make("span", { class: "name" });
  name.innerHTML = (scale.log ? `|${q.label}|` : q.label) + (q.unit ? ` <small>${escaped(q.unit)}</small>` : "");
  const bar = make("canvas", { class: "bar", width: 256, height: 1 });
  const pixels = new ImageData(new Uint8ClampedArray(table.buffer.slice(0)), 256, 1);
  bar.getContext("2d").putImageData(pixels, 0, 0);
  const marks = make("div", { class: "marks" });
  const places = scale.log ? decades(scale.low, scale.high) : ticks(scale.low, scale.high, 5);
  for (const value of places) mark(marks, placeOn(scale, value), scale.log ? power(Math.round(Math.log10(value))) : plain(value));
  if (q.limit >= scale.low) mark(marks, placeOn(scale, q.limit), "", "limit");
  root.append(name, make("div", { class: "ramp" }, bar, marks));
}

function mark(root, place, text, kind = "") {
  const tick = make("span", { class: kind }, text);
  tick.style.left = `${100 * place}%`;
  if (kind === "limit") tick.title = "RMS that the file permits over its baseline";
  root.append(tick);
}
