# Every target makes its own virtual environment first. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
PEERS  ?= /var/tmp/peers
FIGURES := build/bench

.PHONY: help demo test test-parts test-services long bench soak check fmt golden docs wheel clean

help:           ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */ — /'

$(READY): locks/development.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/development.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)  ## run the whole line on the sample logs and print where the review pack is
	$(BIN)/hsmtrail demo

test: $(READY)  ## lint, types, import directions and all tests with coverage, two at a time
	$(BIN)/python -m coverage erase
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target check test-parts test-services
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
	@tail -qn 1 build/test-parts.txt build/test-services.txt

# Two halves that take about as long: what starts commands and services, and all else.
SERVICES := tests/hsmtrail tests/test_demo.py tests/test_architecture.py tests/test_pattern_walk.py

# What pytest says is kept, so that its last lines can stand at the end of all.
SAID = > build/$@.txt 2>&1 && cat build/$@.txt || { cat build/$@.txt; exit 1; }

test-parts: $(READY) ## the tests of the parts
	@mkdir -p build
	$(BIN)/python -m coverage run -m pytest $(SERVICES:%=--ignore %) $(SAID)

test-services: $(READY) ## the tests that start services and wait for them
	@mkdir -p build
	$(BIN)/python -m coverage run -m pytest $(SERVICES) $(SAID)

long: $(READY)  ## the tests that take long: a million records read again, 60 and 50 kills, any order of arrival, weeks of 100,000 and 300,000 lines, 200,000 lines by all engines
	HSMTRAIL_LONG=1 $(BIN)/python -m pytest -q -s tests/hsmtrail/test_reparse.py
	HSMTRAIL_WEEK_LINES=100000 $(BIN)/python -m pytest -q tests/parsers/test_mixed_week.py
	HSMTRAIL_ORDINARY_WEEK=6 $(BIN)/python -m pytest -q --timeout 0 tests/analytics/test_ordinary_week.py
	HSMTRAIL_KILL_ROUNDS=60 $(BIN)/python -m pytest -q -s tests/hsmtrail/test_kill_both.py
	HSMTRAIL_MONTH_KILLS=50 $(BIN)/python -m pytest -q -s tests/hsmtrail/test_kill_month.py
	HSMTRAIL_ARRIVALS=200 $(BIN)/python -m pytest -q --timeout 0 tests/analytics/test_arrival_order.py
	HSMTRAIL_EXAMPLES=10000 $(BIN)/python -m pytest -q --timeout 0 tests/analytics/test_state_model.py
	HSMTRAIL_EXAMPLES=6000 HSMTRAIL_SMALLEST=32 $(BIN)/python -m pytest -q --timeout 0 tests/parsers/test_engines_agree.py

bench: $(READY) ## the figures of docs/performance.md into build/bench, on a quiet machine (half an hour; peers/fetch.sh first)
	mkdir -p $(FIGURES)
	$(BIN)/python benchmarks/against_peers.py $(PEERS) > $(FIGURES)/peers.jsonl
	$(BIN)/python benchmarks/udp_curve.py > $(FIGURES)/curve.jsonl
	$(BIN)/python benchmarks/udp_curve.py --buffer kernel > $(FIGURES)/kernel.jsonl
	$(BIN)/python benchmarks/udp_curve.py --rates 9000 --seconds 60 --buffer kernel > $(FIGURES)/minute.jsonl
	$(BIN)/python benchmarks/udp_curve.py --rates 27000 --seconds 60 >> $(FIGURES)/minute.jsonl
	$(BIN)/python benchmarks/udp_curve.py --highest $(PEERS) > $(FIGURES)/highest.jsonl
	$(BIN)/python benchmarks/plot_curve.py $(FIGURES)/curve.jsonl $(FIGURES)/kernel.jsonl $(FIGURES)/highest.jsonl docs/udp-loss.svg
	$(BIN)/python benchmarks/small_load.py > $(FIGURES)/small.jsonl
	$(BIN)/python benchmarks/tls_and_fsync.py > $(FIGURES)/durability.jsonl

soak: $(READY)  ## half an hour of 20,000 lines a second, into build/bench
	mkdir -p $(FIGURES)
	$(BIN)/python benchmarks/soak.py --record $(FIGURES)/soak-seconds.jsonl > $(FIGURES)/soak.jsonl

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
