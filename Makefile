# Everything happens in .venv at the root; any target sets it up first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test lint types format docs bench clean

help:            ## list the targets
	@grep -E '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY)  ## make .venv with gaussmix and what its tests need

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gaussmix needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable . --group dev
	touch $@

demo: $(READY)   ## the ten heights of the worked example, every step, and what to make of them
	@$(BIN)/gaussmix demo

test: $(READY)   ## all tests
	$(BIN)/python -m pytest -n auto

lint: $(READY)   ## ruff: style, formatting, and that imports point down
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy --strict on src
	$(BIN)/mypy

format: $(READY) ## bring the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)   ## rebuild the generated parts of docs/ and README, then run every example in them
	$(BIN)/python docs/build.py
	$(BIN)/python -m pytest tests/docs

bench: $(READY)  ## one EM iteration beside scikit-learn's, and the memory of a fit from a file
	$(BIN)/python -m benchmarks.run

clean:           ## remove .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
