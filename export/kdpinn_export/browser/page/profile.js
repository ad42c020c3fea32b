// The quantity along the cut through the map, on the same axis.

const PROFILE_POINTS = 400, PROFILE_HEIGHT = 178;

class Profile {
  constructor(app) {
    this.app = app;
    this.root = byId("profile");
  }

  draw(point) {
    const { core, facts, state, scale, map } = this.app, { left, width } = map.frame;
    const height = state.flat ? 380 : PROFILE_HEIGHT, input = facts.inputs[state.across];
    const frame = { left, top: 30, width, height: height - 60 };
    const range = { low: input.lower, high: input.upper };
    const values = core.picture("profile", state.q, {
      across: state.across, up: state.across, columns: PROFILE_POINTS, rows: 1,
      fixed: point, box: [range.low, range.high, 0, 1],
    });
    const text = (v) => (scale.log ? Math.log10(Math.max(Math.abs(v), 1e-300)) : v);
    const pad = scale.log ? 0.1 : 0.06 * (scale.high - scale.low);
    const y = { low: text(scale.low) - pad, high: text(scale.high) + pad };
    const yMarks = scale.log ? decades(scale.low, scale.high).map((v) => [text(v), power(Math.round(Math.log10(v)))]) : undefined;
    const { group, toX, toY } = axes(frame, range, y, { xName: state.flat ? titled(input) : "", yName: this.title(point), yMarks });
    const held = (v) => Math.min(frame.top + frame.height, Math.max(frame.top, toY(text(v))));
    const path = this.path(values, range, point, (v) => held(v).toFixed(1));
    const x = toX(point[state.across]), here = core.at(state.q, point);
    this.root.setAttribute("viewBox", `0 0 ${map.room} ${height}`);
    this.root.style.height = `${height}px`;
    this.root.setAttribute("aria-label", this.title(point));
    this.root.replaceChildren(group);
    if (!scale.log && scale.low < 0) this.root.append(draw("line", { x1: left, x2: left + width, y1: toY(0), y2: toY(0), class: "zero" }));
    this.root.append(
      draw("path", { d: path, class: "curve" }),
      draw("line", { x1: x, x2: x, y1: frame.top, y2: frame.top + frame.height, class: "cut thin" }),
      draw("circle", { cx: x, cy: held(here), r: 5, class: "point" }),
    );
  }

  /** The curve, with a gap where the domain has a hole. */
  path(values, range, point, toY) {
    const { facts, state, map } = this.app, parts = [], at = point.slice();
    let pen = "M";
    values.forEach((value, k) => {
      const share = (k + 0.5) / PROFILE_POINTS;
      at[state.across] = range.low + share * (range.high - range.low);
      if (inHole(facts, at)) pen = "M";
      else {
        parts.push(`${pen}${(map.frame.left + map.frame.width * share).toFixed(1)} ${toY(value)}`);
        pen = "L";
      }
    });
    return parts.join("");
  }

  title(point) {
    const { facts, state } = this.app;
    const rest = facts.inputs.map((v, k) => (k === state.across ? "" : `${spoken(v.label)} = ${plain(point[k])}`)).filter(Boolean);
    const name = spoken(state.q.label);
    return `${this.app.scale.log ? `|${name}|` : name} along ${spoken(facts.inputs[state.across].label)}${rest.length ? ` at ${rest.join(", ")}` : ""}`;
  }
}
