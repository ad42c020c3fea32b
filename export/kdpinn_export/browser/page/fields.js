// What can be shown: values, derivatives, residuals; and where to look for their ranges.

/** "u", "u_x", "u_xx", and u_theta_theta where a name is longer than a letter. */
function derivativeName(output, by) {
  return `${output}_${by.join(by.every((name) => name.length === 1) ? "" : "_")}`;
}

const unitOf = (unit, by) => {
  const below = by.filter(Boolean);
  if (!below.length) return unit;
  const same = below.length === 2 && below[0] === below[1];
  return `${unit || "1"}/${same ? `${below[0]}²` : below.join("·")}`;
};

/** All quantities of a model; labels are HTML that facts.py escaped. */
function quantitiesOf({ inputs, outputs, pairs, equations }) {
  const list = [];
  outputs.forEach((output, which) => {
    const add = (kind, by) => {
      const subscript = by.map((k) => inputs[k].label).join("");
      list.push({
        kind, which, a: by[0] ?? 0, b: by[1] ?? 0,
        name: by.length ? derivativeName(output.name, by.map((k) => inputs[k].name)) : output.name,
        label: by.length ? `${output.label}<sub>${subscript}</sub>` : output.label,
        short: by.length ? `∂<sub>${subscript}</sub>` : "value",
        unit: unitOf(output.unit, by.map((k) => inputs[k].unit)),
      });
    };
    add(KIND.value, []);
    inputs.forEach((_, k) => add(KIND.first, [k]));
    pairs.forEach((pair) => add(KIND.second, pair));
  });
  equations.forEach((equation, which) => list.push({
    kind: KIND.residual, which, a: 0, b: 0, name: `residual ${equation.name}`, label: `residual of ${equation.label}`,
    short: equation.label, unit: "", hidden: equation.shown === "tabulated",
    limit: equation.shown === "everywhere" ? equation.limit : undefined,
  }));
  return list;
}

/** Positive inputs that span more than a factor of 10 go by their logarithm on sliders, as in assimilation. */
const byLogarithm = ({ lower, upper }) => lower > 0 && upper > 10 * lower;

/** Where a value lies on its input's slider, 0 to 1, and back. */
const shareOf = (input, value) => (byLogarithm(input)
  ? Math.log(value / input.lower) / Math.log(input.upper / input.lower)
  : (value - input.lower) / (input.upper - input.lower));
const valueAt = (input, share) => (byLogarithm(input)
  ? input.lower * (input.upper / input.lower) ** share
  : input.lower + share * (input.upper - input.lower));

/** Radius that a hole keeps in the plane of inputs `across` and `up`, the others fixed; 0: not met. */
function holeIn(hole, inputs, point, across, up) {
  let rest = hole.radius ** 2;
  inputs.forEach((input, k) => {
    if (input.name in hole.center && k !== across && k !== up) rest -= (point[k] - hole.center[input.name]) ** 2;
  });
  return rest > 0 ? Math.sqrt(rest) : 0;
}

const inHole = (facts, point) => facts.holes.some((hole) => {
  const distance = facts.inputs.map((input, k) => (input.name in hole.center ? point[k] - hole.center[input.name] : 0));
  return Math.hypot(...distance) < hole.radius;
});

/** n points of the domain without its holes, (n, inputs): the additive recurrence R_d (Roberts 2018). */
function scattered(facts, n) {
  const d = facts.inputs.length, points = [];
  let root = 1.5;
  for (let k = 0; k < 60; k += 1) root = (1 + root) ** (1 / (d + 1));
  for (let k = 1; points.length < n * d && k < 4 * n; k += 1) {
    const point = facts.inputs.map((v, i) => v.lower + (v.upper - v.lower) * ((0.5 + k / root ** (i + 1)) % 1));
    if (!inHole(facts, point)) points.push(...point);
  }
  return Float32Array.from(points);
}
