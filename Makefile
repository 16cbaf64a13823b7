# `make run` serves with demo data, `make test` runs every test; both set everything up first.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench clean

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Transactions hold back followers and seals in all databases of a server: tests on a shared one go one after another.
WORKERS = $(if $(DATABASE_URL),0,auto)

help: ## Say what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Rapport needs Python 3.11 or later; this is %d.%d: make PYTHON=python3.x" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(READY) ## Make the environment with pinned dependencies in .venv

run: setup ## Serve on http://127.0.0.1:8000 (HOST, PORT), with demo data if the database is empty
	@exec $(VENV)/bin/rapport serve --demo

test: setup ## Run every test
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest --numprocesses $(WORKERS) --dist worksteal

lint: setup ## Check style, types and layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: setup ## Put the code into shape
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: setup ## Measure reads, writes and authentication, and print tables of ratios and targets
	$(VENV)/bin/python -m benchmarks.run
	$(VENV)/bin/python -m benchmarks.writing
	$(VENV)/bin/python -m benchmarks.authentication
	$(VENV)/bin/python -m benchmarks.analytics 10000 100000 1000000

clean: ## Forget the environment and caches (the data in .data stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
