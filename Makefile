# `make demo` and `make test` create the environment they need; nothing else has to be installed first
# (Python 3.11 or newer with venv).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ORACLES := $(VENV)/.oracles

.PHONY: help env demo test walk check bench validate clean

help:
	@echo "make demo      map trained MNIST networks onto five architectures and write the reports"
	@echo "make test      run the tests"
	@echo "make walk      change every parameter in every place, not only until it shows what it declares"
	@echo "make check     format, lint, types, import layers, tests"
	@echo "make bench     speed, as ratios against named baselines"
	@echo "make validate  published measurements beside ours"

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

# independent implementations that tests compare with
$(ORACLES): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,oracles]'
	@touch $(ORACLES)

demo: $(STAMP)
	$(BIN)/python examples/demo.py --output demo-output

test: $(ORACLES)
	$(BIN)/python -m pytest -n 2

walk: $(ORACLES)
	$(BIN)/python -m pytest -n 2 --walk tests/contract/test_parameters.py

check: $(ORACLES)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2

bench: $(STAMP)
	$(BIN)/python -m benchmarks

validate: $(STAMP)
	$(BIN)/neuromorph validate

clean:
	rm -rf $(VENV) demo-output
