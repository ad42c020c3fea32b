// The WebAssembly module: loads the model, replays its baseline, evaluates.

const KIND = { value: 0, first: 1, second: 2, residual: 3 };
const CHECKS = ["known answers", "against the reference", "against the teacher", "residual of the equations"];

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

async function unzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Core {
  /** Raises an Error with the core's words if it refuses the file. */
  static async open(wasm, model, facts) {
    const { instance } = await WebAssembly.instantiate(wasm, {});
    return new Core(instance.exports, model, facts);
  }

  constructor(exports, model, facts) {
    this.exports = exports;
    this.inputs = facts.inputs.length;
    this.outputs = facts.outputs.length;
    this.equations = facts.equations.length;
    this.rooms = {};
    const file = this.room("file", model.length);
    new Uint8Array(exports.memory.buffer, file, model.length).set(model);
    this.check(exports.load(file, model.length));
    this.isa = this.text(exports.isa());
  }

  text(address) {
    const bytes = new Uint8Array(this.exports.memory.buffer, address);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  check(status) {
    if (status) throw new Error(this.text(this.exports.status_text(status)));
  }

  /** Memory for one purpose, which lasts until that purpose needs more. */
  room(purpose, size) {
    const held = this.rooms[purpose];
    if (held && held.size >= size) return held.address;
    const address = this.exports.allocate(size);
    if (!address) throw new Error(`the browser gives no ${grouped(size)} bytes of memory`);
    this.rooms[purpose] = { address, size };
    return address;
  }

  floats(address, count) { return new Float32Array(this.exports.memory.buffer, address, count); }
  doubles(address, count) { return new Float64Array(this.exports.memory.buffer, address, count); }

  put(purpose, numbers) {
    const address = this.room(purpose, 8 * numbers.length);
    this.doubles(address, numbers.length).set(numbers);
    return address;
  }

  /** The baseline replayed in float32 or float64 (bits): the verdict and its checks. */
  selftest(bits) {
    const e = this.exports;
    this.check(e.selftest(bits));
    const checks = CHECKS.map((name, k) => ({
      name,
      carried: Boolean(e.check_carried(k)),
      passed: Boolean(e.check_passed(k)),
      measured: e.check_measured(k),
      limit: e.check_limit(k),
    }));
    return { bits, points: e.selftest_points(), passed: Boolean(e.selftest_passed()), checks };
  }

  /** Values and derivatives in float64 at a point: jet[channel][output], as module.c orders them. */
  jet(point) {
    const at = this.exports.jet_at(this.put("point", point));
    if (!at) throw new Error("a coordinate is not finite");
    const channels = 1 + this.inputs + (this.inputs * (this.inputs + 1)) / 2;
    const all = this.doubles(at, channels * this.outputs);
    return Array.from({ length: channels }, (_, c) => Array.from(all.subarray(c * this.outputs, (c + 1) * this.outputs)));
  }

  /** Residuals of all equations in float64 at a point. */
  residuals(point) {
    if (!this.equations) return [];
    return Array.from(this.doubles(this.exports.residuals_at(this.put("point", point)), this.equations));
  }

  /** Channel of jet() with the second derivative by inputs a <= b. */
  second(a, b) { return 1 + this.inputs + a * this.inputs - (a * (a - 1)) / 2 + (b - a); }

  /** One quantity in float64 at a point. */
  at(q, point) {
    if (q.kind === KIND.residual) return this.residuals(point)[q.which];
    const channel = q.kind === KIND.value ? 0 : q.kind === KIND.first ? 1 + q.a : this.second(q.a, q.b);
    return this.jet(point)[channel][q.which];
  }

  /** The quantity in float32 at points (n, inputs), a Float32Array; returns one. */
  sample(q, points) {
    const n = points.length / this.inputs;
    const x = this.room("points", 4 * points.length), y = this.room("sampled", 4 * n);
    this.floats(x, points.length).set(points);
    this.check(this.exports.sample(q.kind, q.which, q.a, q.b, n, x, y));
    return this.floats(y, n).slice();
  }

  /** The quantity over a picture, the top row first; `name` keeps pictures apart. A view, until the next call. */
  picture(name, q, { across, up, columns, rows, fixed, box }) {
    const out = this.room(name, 4 * columns * rows), at = this.put("point", fixed), span = this.put("box", box);
    this.check(this.exports.picture(q.kind, q.which, q.a, q.b, across, up, columns, rows, at, span, out));
    return this.floats(out, columns * rows);
  }

  /** Colors of the picture `name` as RGBA bytes; `colors`: 256 of them, Uint32Array. */
  colorize(name, count, { low, high, log }, colors) {
    const out = this.room(`${name} colors`, 4 * count), table = this.room("table", 1024);
    new Uint32Array(this.exports.memory.buffer, table, 256).set(colors);
    this.exports.colorize(count, this.rooms[name].address, low, high, log ? 1 : 0, table, out);
    return new Uint8ClampedArray(this.exports.memory.buffer, out, 4 * count);
  }
}
