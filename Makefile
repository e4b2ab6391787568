# Commands of the portal. `make demo` is the shortest way to see it; `make test` the way to trust it.

PYTHON ?= python3
BIN := .venv/bin
# Test processes: one a core, four at most.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -gt 4 ] && echo 4 || echo $$n)
N ?= 50000

.PHONY: help setup demo test lint format bench faults checklist mutants lock clean

help:
	@echo 'make setup      .venv with the locked packages'
	@echo 'make demo       everything on synthetic residents (DEMO_RESIDENTS=, PORT=, SERVE=0, TLS=1)'
	@echo 'make test       the whole suite'
	@echo 'make lint       format, lint, types, layers, templates, migrations'
	@echo 'make format     lay out code and templates'
	@echo 'make bench N=   seconds, rows a second and memory of each step'
	@echo 'make faults     long kill, replay and restore tests'
	@echo 'make checklist  requirements, the tests that show them, and how those ran'
	@echo 'make lock       resolve the dependencies of pyproject.toml again'

setup: .venv/installed.lock

# The copy of the lock inside .venv says what is installed: it is compared, since a checkout moves dates about.
.venv/installed.lock: requirements.lock
	@if cmp -s requirements.lock $@; then touch $@; else PYTHON='$(PYTHON)' ./setup.sh; fi

demo: setup
	@exec $(BIN)/python manage.py demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --check --lint --quiet
	@# Without a database the history in it cannot be compared; the models and migrations are.
	$(BIN)/python -W 'ignore:Got an error checking:RuntimeWarning' manage.py makemigrations --check --dry-run

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/djlint templates --reformat --quiet

bench: setup
	$(BIN)/python manage.py bench --residents $(N)

faults: setup
	$(BIN)/python -m pytest -m faults --timeout=3600 $(TESTS)

checklist: setup
	$(BIN)/python tests/checklist.py

mutants: setup
	$(BIN)/python manage.py mutants

lock: setup
	$(BIN)/uv pip compile pyproject.toml --group embedded --group dev --generate-hashes --universal \
	  --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
	  --output-file requirements.lock
	@! grep -nE '://|^-' requirements.lock

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
