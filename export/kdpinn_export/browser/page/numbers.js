"use strict";
// Numbers as a reader wants them: few digits, honest units.

const raised = (text) => String(text).replace(/[-0-9]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
const power = (exponent) => "10" + raised(exponent);

/** To significant digits: 0.0123, 12.3, 1.23 × 10⁻⁵. */
function number(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const order = Number(exponent);
  const text = order < -3 || order > 4
    ? `${mantissa} × ${power(order)}`
    : value.toFixed(Math.max(0, digits - 1 - order));
  return text.replace("-", "−");
}

/** The same in less room: 1.23e−5. */
const compact = (value, digits) => number(value, digits).replace(/ × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)/, (_, exponent) =>
  `e${exponent.replace(/./g, (c) => (c === "⁻" ? "−" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c)))}`);

/** To about a thousandth of a range, so that columns stay narrow: −0.452 in [−1, 1]; far outside as `number`. */
function within(value, { lower, upper }) {
  const span = upper - lower, decimals = 3 - Math.floor(Math.log10(span) + 1e-9);
  if (!(span > 0) || decimals > 4 || !(Math.abs(value) < 10 * Math.max(Math.abs(lower), Math.abs(upper)))) return number(value);
  return value.toFixed(Math.max(0, decimals)).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
}

/** A coordinate or a tick: the shortest text to four significant digits. */
function plain(value) {
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) {
    const [mantissa, exponent] = Number(value.toPrecision(4)).toExponential().split("e");
    return `${mantissa} × ${power(Number(exponent))}`.replace("-", "−").replace(/^1 × /, "");
  }
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f");

function duration(ms) {
  if (ms < 1e-3) return `${number(ms * 1e6)} ns`;
  return ms < 1 ? `${number(ms * 1e3)} µs` : `${number(ms)} ms`;
}

/** Round positions in [low, high], about `wanted` of them. */
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * unit).find((s) => s >= raw * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => (first + k) * step);
}

/** Whole powers of ten in [low, high], or 1, 2 and 5 times them where these are fewer than two. */
function decades(low, high) {
  const out = [], first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  for (let k = first; k <= last; k += 1) out.push(10 ** k);
  const inside = (v) => v >= low * (1 - 1e-9) && v <= high * (1 + 1e-9);
  const whole = out.filter(inside);
  return whole.length > 1 ? whole : out.flatMap((v) => [v, 2 * v, 5 * v]).filter(inside);
}
