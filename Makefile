# Development targets; each creates the environment first, once.
#
#   make demo      analyse the bundled synthetic study and print where its report is
#   make fast      the tests of a second or less, for every change: under 90 seconds on two cores
#   make test      the fast and medium tests: under 5 minutes; no network, GPU or data set
#   make coverage  the tests of `make test` under coverage; fails below the floor in pyproject.toml
#   make browser   those in headless Chromium, if there is one on the path
#   make test-all  all tests except those that need a GPU or a browser; on real scans where CINEMA_TEST_DATA points
#   make docs      the site, the notebooks and the tutorials that can be pasted, run: some two minutes
#   make check     style, format, types and unused names
#   make bench     the speed measurements in benchmarks/
#   make names     rewrite the frozen list of public names and docs/api.md, after an intended change
#   make clean     remove what tests, builds and the demo leave (keeps the environment)

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

# One thread per process: two test processes of two threads each would compete for two cores.
fast test coverage browser test-all docs: export OMP_NUM_THREADS ?= 1

TESTED := not slow and not realdata and not gpu and not browser

# Compiled modules are kept, whatever the machine says: without them each process of the tests compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: env demo fast test coverage browser test-all docs check bench names clean

env: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python found; expected 3.11 or later: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "creating $(VENV) with $(PYTHON): a few minutes, once" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: env
	$(BIN)/cinema demo -o demo-report
	@echo "report: $(CURDIR)/demo-report/report.html"

fast: env
	$(PYTEST) -m "not medium and $(TESTED)"

test: env
	$(PYTEST) -m "$(TESTED)"

coverage: env
	$(PYTEST) -m "$(TESTED)" --cov=cinema_cmr --cov-report=term:skip-covered

browser: env
	$(PYTEST) -m "browser" $$(grep -rl "mark.browser" tests --include="*.py")

test-all: env
	$(PYTEST) -m "not gpu and not browser"

docs: env
	$(BIN)/python -m pytest -n 2 -m "slow" tests/test_site.py

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/vulture

# Benchmarks that need neither a data set nor a model; the others print how to call them.
SPEEDS := analyse_speed pair_speed phantom_speed pretrain_step store_speed

bench: env
	@for name in $(SPEEDS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

names: env
	$(BIN)/python tests/test_public_names.py
	$(BIN)/python docs/generate_api.py

clean:
	rm -rf build dist demo-report .coverage .pytest_cache .mypy_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
