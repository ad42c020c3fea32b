"""Plants one mistake after the other in the C core and looks which test sees it.

python tests/mutation/mutate.py             all of them, ten minutes or so; make mutation
python tests/mutation/mutate.py digest sin  those whose names contain one of the words

Works in a copy below build/mutation; the sources stay as they are. Exit 1 where a mistake survives
every test, or where its place in the sources has changed so that it cannot be planted any more.
"""
# ruff: noqa: T201

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "mutation"
CORE = WORK / "runtime" / "core"
FAST = [
    *("test_format_refusals.py", "test_loader_coverage.py", "test_domain_edges.py"),
    *("test_core.py", "test_narrow.py", "test_functions.py", "test_tied.py", "test_mapped.py"),
    "test_sanitizers.py",
]

# name: (file, what stands there once, what takes its place)
MUTATIONS = {
    "digest not compared": (
        "model.c",
        "if (digest[i] != bytes[64 + i]) return KD_DIGEST;",
        "if (digest[i] != bytes[64 + i]) continue;",
    ),
    "tensor may end past its section": (
        "tensors.c",
        "bytes > room - start) return KD_TENSOR",
        "bytes > room) return KD_TENSOR",
    ),
    "more terms than are left": (
        "physics.c",
        "terms > m->count[KD_REC_TERM] - t)",
        "terms > m->count[KD_REC_TERM])",
    ),
    "weights may be infinite": (
        "tensors.c",
        "if (!kd_finite(kd_element(t, k))) return KD_VALUE;",
        "if (!kd_finite(kd_element(t, 0))) return KD_VALUE;",
    ),
    "scale may be subnormal": (
        "tensors.c",
        "if (!(scale >= normal)",
        "if (!(scale > 0)",
    ),
    "scale may overflow": (
        "tensors.c",
        "!kd_finite((double)(scale * (float)most))) return KD_VALUE;",
        "!kd_finite((double)scale)) return KD_VALUE;",
    ),
    "grid not symmetric": (
        "tensors.c",
        "if (kd_code(t, k) < -most) return KD_VALUE;",
        "if (kd_code(t, k) < -most - 1) return KD_VALUE;",
    ),
    "filling of the last code not looked at": (
        "tensors.c",
        "if (rest != 0 && last >> rest != 0) return KD_PADDING;",
        "if (rest != 0 && last >> rest > 255) return KD_PADDING;",
    ),
    "narrow weights beside double biases": (
        "network.c",
        "(type == KD_TYPE_F32 && weight->type > KD_TYPE_F64)",
        "(weight->type > KD_TYPE_F64)",
    ),
    "narrow biases": (
        "network.c",
        "if (bias->type > KD_TYPE_F64 || bias->type != type) return 0;",
        "if (bias->type != type) return 0;",
    ),
    "codes without their sign": (
        "tensors.c",
        "return (int32_t)((raw >> shift & (2 * half - 1)) ^ half) - (int32_t)half;",
        "return (int32_t)(raw >> shift & (2 * half - 1));",
    ),
    "codes that cross a byte cut": (
        "tensors.c",
        "if (shift + bits > 8) raw |=",
        "if (shift + bits > 12) raw |=",
    ),
    "scale of the first row for all": (
        "tensors.c",
        "kd_scale(t, k / t->cols)",
        "kd_scale(t, k / t->cols / t->rows)",
    ),
    "narrow scales off by one neuron": (
        "narrow.inc",
        "first += turn;",
        "first += turn + 1;",
    ),
    "narrow weights of the first block for all": (
        "narrow.inc",
        "const size_t begin = row * layer->n_in, count",
        "const size_t begin = 0, count",
    ),
    "scales of the first block for all": (
        "narrow.inc",
        "layer->turns + row + row / layer->rows * LANES;",
        "layer->turns;",
    ),
    "single points with another's halves": (
        "plan.c",
        "const uint8_t *const half = from->weight.data + 2 * at;",
        "const uint8_t *const half = from->weight.data + 2 * i;",
    ),
    "subnormal halves": (
        "tensors.c",
        "if (size < 0x0400) {",
        "if (size < 0x0200) {",
    ),
    "factor of the next output": (
        "physics.c",
        "case KD_FACTOR_VALUE: return a < m->count",
        "case KD_FACTOR_VALUE: return a <= m->count",
    ),
    "bound of a domain may be infinite": (
        "plan.c",
        "value > largest ? largest",
        "value > largest ? value",
    ),
    "block of rows off by one": (
        "plan.c",
        "(o - first));",
        "(o - first + 1) % in_block);",
    ),
    "tail of a single point dropped": (
        "kernels.inc",
        "if (w->stride - at >= LANES) neurons(narrow, 1,",
        "if (w->stride - at > LANES) neurons(narrow, 1,",
    ),
    "last point of a tile dropped": (
        "kernels.inc",
        "for (size_t p = 0; p < count; ++p) to[p] = from[p];",
        "for (size_t p = 0; p + 1 < count; ++p) to[p] = from[p];",
    ),
    "last input of a dense layer dropped": (
        "layers.inc",
        "for (size_t i = 0; i < n_in; ++i, weight += rows, x += columns) {",
        "for (size_t i = 0; i + 1 < n_in; ++i, weight += rows, x += columns) {",
    ),
    "bias missing": (
        "layers.inc",
        "(size_t)c < biased ? bias : none",
        "(size_t)c < biased ? none : none",
    ),
    "bias in the derivatives": (
        "layers.inc",
        "(size_t)c < biased ? bias : none",
        "(size_t)c <= biased ? bias : none",
    ),
    "one of several derivatives in another's place": (
        "evaluate.c",
        "(uint8_t)(wanted ? ++count : 0);",
        "(uint8_t)(wanted ? (++count, 1 + i) : 0);",
    ),
    "second derivative by the wrong input": (
        "kernels.inc",
        "first[channels->pair[p][1] * vectors]);",
        "first[channels->pair[p][0] * vectors]);",
    ),
    "chain rule without the curvature": (
        "kernels.inc",
        "v_mul(a->second, product));",
        "v_mul(v_set1(0), product));",
    ),
    "residual reads a first derivative": (
        "evaluate.c",
        "jets.at += (1 + p->inputs + b) * channel;",
        "jets.at += (p->inputs + b) * channel;",
    ),
    "sign of the reduction of exp": (
        "functions.inc",
        "v_fma(power[g], v_set1(-ln2[1]), r[g]);",
        "v_fma(power[g], v_set1(ln2[1]), r[g]);",
    ),
    "sign of sin in odd half-periods": (
        "functions.inc",
        "*sine = v_mul(sign, p);",
        "*sine = p;",
    ),
    "slope of silu": (
        "functions.inc",
        "v_fma(z, of.second, v_mul(v_set1(2), of.first)),",
        "v_fma(z, of.second, of.first),",
    ),
    "slope of relu at its kink": (
        "functions.inc",
        "v_where_negative(v_sub(zero, z), v_set1(1), zero)",
        "v_where_negative(z, zero, v_set1(1))",
    ),
    "relu of what is no number": (
        "functions.inc",
        "v_where_negative(z, zero, z)",
        "v_where_negative(v_sub(zero, z), z, zero)",
    ),
    "upper tail of gelu": (
        "functions.inc",
        "v_where_negative(z, lower, v_sub(v_set1(1), lower))",
        "v_where_negative(z, lower, v_add(v_set1(1), lower))",
    ),
    "curvature of gelu": (
        "functions.inc",
        "v_mul(q, v_sub(v_set1(2), square))",
        "v_mul(q, v_sub(v_set1(1), square))",
    ),
    "gelu beyond its limit": (
        "functions.inc",
        "e[g], v_set1(0));",
        "e[g], e[g]);",
    ),
    "digit in the table of float gelu": ("coefficients.h", "3.15424679e-1f", "3.15426679e-1f"),
    "digit in the table of double gelu": (
        "coefficients.h",
        "4.953056159699745e-1",
        "4.953056159692745e-1",
    ),
    "difference for a sum in a butterfly": (
        "tied.inc",
        "b[k] = v_sub(a[k], b[k]), a[k] = sum;",
        "b[k] = v_sub(b[k], a[k]), a[k] = sum;",
    ),
    "butterfly in registers left out": (
        "tied.inc",
        "if (inside) butterflies_in_registers(order, z + k * order);",
        "",
    ),
    "bias in every set of the basis": (
        "plan.c",
        "real && set == 0 ? kd_bias",
        "real ? kd_bias",
    ),
    "basis without its factor": ("plan.c", "return sum / from->sets;", "return sum;"),
    "first copy's inputs for all": (
        "kernels.inc",
        "const int negative = s->negative[g] >> i & 1;",
        "const int negative = 0;",
    ),
    "generators that do not undo themselves": (
        "symmetry.c",
        "if (!same_movement(&forth, a == b ? &one : &back)) return 0;",
        "if (a != b && !same_movement(&forth, &back)) return 0;",
    ),
    "copy of the inverse element": (
        "symmetry.c",
        "s->block[position_of(s, &m)][h] = (uint8_t)f;",
        "s->block[f][h] = (uint8_t)position_of(s, &m);",
    ),
    "sign of an input of a layer written out": (
        "plan.c",
        "return s->negative[g] >> i & 1u ? -a : a;",
        "return a;",
    ),
    "output that changes its sign with a bias": (
        "network.c",
        "if (s->character[j] != 0 && kd_element(bias, j) != 0) return 0;",
        "if (s->character[j] != 0 && kd_element(bias, 0) != kd_element(bias, j)) return 0;",
    ),
    "map: one cross term of a product": (
        "coordinates.inc",
        "v_fma(a[i + v], b[j + v], v_mul(a[j + v], b[i + v]))",
        "v_add(v_mul(a[i + v], b[j + v]), v_mul(a[i + v], b[j + v]))",
    ),
    "map: curvature of a reciprocal": (
        "coordinates.inc",
        "v_mul(v_set1(2), v_mul(square, value))",
        "v_mul(square, value)",
    ),
    "map: derivative by the next coordinate": (
        "coordinates.inc",
        "vec *const own = out + channels->channel[o->a] * vectors;",
        "vec *const own = out + vectors;",
    ),
    "map: condition without the slope of its factor": (
        "coordinates.inc",
        "v_fma(factor[c], u[v], base[c]));",
        "base[c]);",
    ),
    "map: features shifted in the derivatives": (
        "coordinates.inc",
        "to[c] = v_mul(from[c], scale);",
        "to[c] = v_mul(v_sub(from[c], shift), scale);",
    ),
    "map: operation of itself": (
        "network.c",
        "case KD_OPERATION_MULTIPLY: return a < index && b < index;",
        "case KD_OPERATION_MULTIPLY: return a < index && b <= index;",
    ),
    "map: workspace without the operations": (
        "evaluate.c",
        "(kd_buffer_vectors(plan, count) + maps) * vector",
        "(kd_buffer_vectors(plan, count) + inputs) * vector",
    ),
    "digit in the table of float tanh": ("coefficients.h", "1.34506238e-1f", "1.34506538e-1f"),
    "digit in the table of tanh that is looked up": (
        "tanh_table.h",
        "9.55916822e-01f",
        "9.55917822e-01f",
    ),
    "neighbor's polynomial of tanh": (
        "functions.inc",
        "v_set1_anew(&offset)",
        "v_set1((real)2.4)",
    ),
    "digit in the table of double exp": (
        "coefficients.h",
        "4.166666666666667e-2,",
        "4.166666666667667e-2,",
    ),
}


def run(command, **options):
    """A finished process with its output as text."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def prepare():
    """A private copy of the runtime, configured to build quickly."""
    shutil.rmtree(WORK / "runtime", ignore_errors=True)
    shutil.rmtree(WORK / "cmake", ignore_errors=True)  # may be newer than the sources, of a mistake
    ignored = shutil.ignore_patterns("build", "__pycache__")
    shutil.copytree(ROOT / "runtime", WORK / "runtime", ignore=ignored)
    shutil.copytree(
        WORK / "runtime" / "kdpinn_runtime", WORK / "site" / "kdpinn_runtime", dirs_exist_ok=True
    )
    lists = WORK / "runtime" / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("-O3", "-O1").replace("-Werror", ""))
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", f"-DPython_EXECUTABLE={sys.executable}"]
    done = run(["cmake", "-S", WORK / "runtime", "-B", WORK / "cmake", *options])
    if done.returncode:
        sys.exit(f"mutation: cmake failed:\n{done.stdout}{done.stderr}")


def killer():
    """What is wrong with the core as it stands in the copy; None where no test sees anything."""
    done = run(["cmake", "--build", WORK / "cmake", "--target", "_core"])
    if done.returncode:
        error = re.search(r"error: .*", done.stdout + done.stderr)
        return f"the compiler ({error.group() if error else 'failed'})"
    built = next((WORK / "cmake").glob("_core*.so"))
    shutil.copy2(built, WORK / "site" / "kdpinn_runtime" / built.name)
    files = [str(ROOT / "tests" / "runtime" / name) for name in FAST]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(WORK / "site"), "KDPINN_CORE": str(CORE)}
    try:
        tested = run([*command, *files], cwd=ROOT, env=environment, timeout=600)
    except subprocess.TimeoutExpired:
        return "a test that does not end"
    if tested.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) \S*?(\w+\.py\S*)", tested.stdout, re.MULTILINE)
    return failed.group(1) if failed else f"a crash ({tested.returncode})"


def main():
    """Exit status: 0 every mistake was seen."""
    words = sys.argv[1:]
    chosen = {
        name: mutation
        for name, mutation in MUTATIONS.items()
        if not words or any(word in name for word in words)
    }
    prepare()
    wrong = killer()
    if wrong:
        sys.exit(f"mutation: the core without a mistake already fails: {wrong}")
    alive = []
    for name, (file, old, new) in chosen.items():
        path = CORE / file
        text = path.read_text()
        if text.count(old) == 0:
            alive.append(name)
            print(f"{name:40} STALE: {file} no longer has {old!r}", flush=True)
            continue
        path.write_text(text.replace(old, new, 1))
        found = killer()
        path.write_text(text)
        print(f"{name:40} {'killed by ' + found if found else 'SURVIVED'}", flush=True)
        if found is None:
            alive.append(name)
    print(f"mutation: {len(chosen) - len(alive)} of {len(chosen)} mistakes were seen")
    return int(bool(alive))


if __name__ == "__main__":
    sys.exit(main())
