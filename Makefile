# Every target makes its own virtual environment first. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo test long check fmt golden docs wheel clean

help:           ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */ — /'

$(READY): locks/development.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/development.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## run the whole line on the sample logs and print where the review pack is
	$(BIN)/hsmtrail demo

test: $(READY)  ## lint, types, import directions, then all tests with coverage
	$(MAKE) --no-print-directory check
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered

long: $(READY)  ## the tests that take long: a million records read again, a week of 100,000 lines, 200,000 lines by all engines
	HSMTRAIL_LONG=1 $(BIN)/python -m pytest -q -s tests/hsmtrail/test_reparse.py
	HSMTRAIL_WEEK_LINES=100000 $(BIN)/python -m pytest -q tests/parsers/test_mixed_week.py
	HSMTRAIL_EXAMPLES=6000 HSMTRAIL_SMALLEST=32 $(BIN)/python -m pytest -q --timeout 0 tests/parsers/test_engines_agree.py

check: $(READY) ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(READY)   ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(READY) ## renew the golden files that tests compare with; read the diff
	GOLDEN=renew $(BIN)/python -m pytest -q -k golden

docs: $(READY)  ## write the reference pages that are made from the code
	$(BIN)/python -m hsmtrail.reference docs/reference

wheel: $(READY) ## build the source distribution, and the wheel from it
	$(BIN)/python -m build --no-isolation

clean:          ## remove the virtual environment and what was built
	rm -rf $(VENV) build dist
