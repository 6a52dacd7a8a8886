# What a person or CI types; every target makes the environment first, once.
#
#   make demo      analyse the embedded synthetic study and say where its report is
#   make fast      the tests of a second or less, at every change: under a minute and a half on two cores
#   make test      the fast tests and those of a few seconds, what CI runs: no network, no GPU, no data set
#   make test-all  all tests but those that need a GPU or a browser; real scans where CINEMA_TEST_DATA points to them
#   make check     style, format and types
#   make bench     the speed measurements in benchmarks/
#   make names     write the list of public names anew, after a change on purpose
#   make clean     take away what tests, builds and the demo left (the environment stays: delete .venv by hand)

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# One thread a process: two test processes with two threads each would take turns on two cores.
fast test test-all: export OMP_NUM_THREADS ?= 1

.PHONY: env demo fast test test-all check bench names clean

env: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or later found; say where it is: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON): a few minutes, once" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: env
	$(BIN)/cinema demo -o demo-report
	@echo "report: $(CURDIR)/demo-report/report.html"

fast: env
	$(PYTEST) -m "not medium and not slow and not realdata and not gpu and not browser"

test: env
	$(PYTEST) -m "not slow and not realdata and not gpu and not browser"

test-all: env
	$(PYTEST) -m "not gpu and not browser"

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

# Those that need nothing: the others want a data set or a model, and say how they are called.
SPEEDS := analyse_speed pair_speed phantom_speed pretrain_step store_speed

bench: env
	@for name in $(SPEEDS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

names: env
	$(BIN)/python tests/test_public_names.py

clean:
	rm -rf build dist demo-report .pytest_cache .mypy_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
