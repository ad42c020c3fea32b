# make demo | test | lint | bench | training-bench | baselines | structure | suite | peers | slow | amalgamation | wheels | sbom | clean
# make quantization | targets [RUNS=runs/suite] | mcu [MODEL=...]: fewer bits, exports of finished runs
# make fuzz [SECONDS=60] | coverage | mutation | soak | loading: the C core under strain
# Needs python 3.11+, pip, git, make, gcc and g++; everything else comes from the package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
RUNTIME_SOURCES := $(shell find runtime -type f -not -path '*/build/*' -not -path '*/__pycache__/*')
PYTHON_SOURCES := kdpinn export bench runtime/kdpinn_runtime runtime/tools scripts examples tests

.PHONY: quantization targets mcu demo test lint bench training-bench baselines structure suite peers slow amalgamation wheels sbom clean install fuzz coverage mutation soak loading

# A student, its report, an FMU run in FMPy, and the live page.
DEMO := runs/burgers-quick
demo: $(VENV)/.kdpinn
	$(BIN)/kdpinn run burgers --preset quick --out $(DEMO) --resume
	$(BIN)/kdpinn export $(DEMO)/student.kdp --to fmu --out $(DEMO)/exports
	$(BIN)/python examples/fmu.py $(DEMO)/exports/fmu-f32/student.fmu
	if command -v clang && command -v wasm-ld && command -v node; then $(BIN)/kdpinn export $(DEMO)/student.kdp --to wasm --out $(DEMO)/exports; \
	else echo "The live page needs clang, lld and node (Debian: apt install clang lld nodejs)."; fi

# Whole files go to one process each: their tests share what they compile and train.
test: $(VENV)/.kdpinn
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

# Models of DeepXDE and PINA as teachers, with the packages themselves: 130 MB more, half a minute.
peers: $(VENV)/.kdpinn
	$(PIP) -e '.[dev,peers]'
	$(BIN)/python -m pytest tests/kdpinn/test_peers.py

slow: $(VENV)/.kdpinn
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.kdpinn
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/mypy
	scripts/lint_c.sh

bench: $(VENV)/.bench
	$(BIN)/kdpinn bench --json bench/baselines/latency.json --picture docs/images/latency.png

# Every shipped problem with the largest budgets, and a page that compares them; hours.
suite: $(VENV)/.bench
	$(BIN)/kdpinn run all --preset best --out runs/suite --resume

# Every student of a folder of runs on every target: bytes, error, latency or instructions, verdict.
RUNS := runs/suite
targets: $(VENV)/.bench
	$(BIN)/python -m kdpinn_bench.targets $(RUNS) --store

# Every student of a folder of runs in fewer bits: bytes, error, and mixed against uniform precision;
# hours. Leaves the i8 files where `make targets` finds them.
quantization: $(VENV)/.bench
	$(BIN)/python -m kdpinn_bench.quantization $(RUNS) --again --keep
	$(BIN)/python -m kdpinn_bench.narrow_speed --store

# Flash, memory and instructions on emulated microcontrollers; needs gcc-arm-none-eabi, qemu-system-arm.
MODEL := runs/burgers-quick/student.kdp
mcu: $(VENV)/.kdpinn
	$(BIN)/python -m kdpinn_bench.targets --mcu $(MODEL)

# Training steps, and seconds to an accuracy, beside DeepXDE and PINA; a quarter of an hour.
training-bench: $(VENV)/.bench
	$(PIP) -e '.[dev,bench,peers]'
	$(BIN)/python -m kdpinn_bench.training all --store

# The accuracy figures in bench/baselines: whole runs of every problem, three seeds of the preset quick
# and one of best; hours.
baselines: $(VENV)/.bench
	$(BIN)/python -m kdpinn_bench.accuracy --preset quick
	$(BIN)/python -m kdpinn_bench.accuracy --preset best --seeds 0
	$(BIN)/python -m kdpinn_bench.inverse

# Which symmetries are found, over seeds and in exact fields of known group; what rebuilt networks are
# worth; the published figures beside them. What is stored is not repeated; from nothing it takes hours.
structure: $(VENV)/.bench
	$(BIN)/python -m kdpinn_bench.structure
	$(BIN)/python -m kdpinn_bench.rebuilding
	$(BIN)/python -m kdpinn_bench.published

# Files made to break the loader and the evaluator, under sanitizers; needs clang. The seconds are for
# running, in all; `make fuzz SECONDS=3600` goes on where the last run ended.
SECONDS := 60
fuzz:
	$(PYTHON) tests/fuzz/fuzz.py --seconds $(SECONDS)

# Branches of the loader that the tests take, by gcov.
coverage: $(VENV)/.kdpinn
	$(BIN)/python tests/runtime/loader_coverage.py

# Mistakes planted in the core, and the test that sees each; minutes.
mutation: $(VENV)/.kdpinn
	$(PIP) cmake nanobind ninja
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/mutation/mutate.py

# 1e8 evaluations by threads that share a model; what loading costs.
soak: $(VENV)/.kdpinn
	$(BIN)/python tests/soak/soak.py

loading: $(VENV)/.kdpinn
	$(BIN)/python tests/soak/loading.py

# The C core as two files, build/amalgamation/kdpinn.h and kdpinn.c; needs nothing but Python.
amalgamation:
	$(PYTHON) runtime/tools/amalgamate.py build/amalgamation

# Both distributions as wheels in dist/; the runtime's is installed once without compilers and used.
wheels: $(VENV)/.created
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps -c constraints.txt -w dist ./runtime .
	$(BIN)/python scripts/check_wheel.py dist/kdpinn_runtime-*.whl tests/runtime/kept/version1-tiny.kdp

# What is installed here, with versions and licences: CycloneDX, dist/kdpinn.cdx.json.
sbom: $(VENV)/.kdpinn
	mkdir -p dist
	$(PIP) cyclonedx-bom
	$(BIN)/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/kdpinn.cdx.json

install: $(VENV)/.kdpinn

clean:
	rm -rf $(VENV) build dist runs runtime/build kdpinn.egg-info

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kdpinn needs Python 3.11 or newer, found " + sys.version + ". Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# An edited core rebuilds the wheel: pip always reinstalls a package given as a folder.
$(VENV)/.runtime: $(VENV)/.created constraints.txt $(RUNTIME_SOURCES)
	$(PIP) ./runtime
	touch $@

$(VENV)/.kdpinn: $(VENV)/.runtime pyproject.toml constraints.txt
	$(PIP) -e '.[dev,search,fmu,sign,twin]'
	touch $@

$(VENV)/.bench: $(VENV)/.kdpinn
	$(PIP) -e '.[dev,search,fmu,sign,twin,bench]'
	touch $@
