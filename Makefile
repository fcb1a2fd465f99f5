# Two commands: `make study` (archive -> report) and `make test` (every check).
# A fresh machine needs Python 3.11, pip and make.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
KERNEL := .venv/.kernel

# The data of others lie outside the repository; see `subsoil doctor`.
ifneq ($(wildcard ../shared/data),)
export SUBSOIL_DATA ?= $(abspath ../shared/data)
endif
# Matrices here are small: two threads of BLAS mostly wait for each other.
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: study test lint bench setup lock clean

study: setup
	$(BIN)/subsoil study balesdent2018 --out out/balesdent2018 --or-demo

test: setup lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! git grep -nE 'https?://' -- requirements.lock
	@! git ls-files | grep -E '(^|/)(uv\.lock|pylock.*\.toml)$$'

bench: setup
	$(BIN)/python bench/bench.py

setup: $(KERNEL)

# uv installs the lock in a quarter of pip's time; where it cannot be had, pip reads the same file.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable . \
	  || { $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . ; }
	@touch $(READY)

# The compiled kernel of the soil models, where there is a compiler; without one they run in JAX.
$(KERNEL): $(READY) setup.py src/subsoil/solve/kernel.c
	$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $(KERNEL)

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev \
	  --no-annotate --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf .venv out build dist
