# Two commands are enough: `make serve` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
EXTRAS ?= embedded,dev

.DEFAULT_GOAL := help
.PHONY: help serve test test-stock check lint types contracts cover sdl demo worker bench web clean

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $(STAMP)

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS),bench]'
	@touch $(BENCH_STAMP)

serve: $(STAMP) ## Install, start PostgreSQL, migrate, load the demo tenants, serve on http://127.0.0.1:8000
	@$(BIN)/python -m app serve --demo

test: $(STAMP) ## The whole test suite on real PostgreSQL
	@$(BIN)/python -m pytest -n 2 --dist worksteal

test-stock: $(STAMP) ## The test suite, or TESTS of it, with the compiled executor off
	@COMPILED_EXECUTION=false $(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

check: lint types contracts test ## Everything that CI checks

lint: $(STAMP) ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

contracts: $(STAMP) ## Who may import whom
	$(BIN)/lint-imports

cover: $(STAMP) ## The suite with branch coverage; fails below 90 %
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term-missing

sdl: $(STAMP) ## Write schema/schema.graphql anew
	$(BIN)/python -m app schema print --write

demo: $(STAMP) ## Load the demo tenants
	$(BIN)/python -m app demo

worker: $(STAMP) ## Run the job worker alone
	$(BIN)/python -m app worker

bench: $(BENCH_STAMP) ## How fast, beside others; writes benchmarks/RESULTS.md; options: make bench ARGS="--rounds 5 --growth"
	@$(BIN)/python -m benchmarks --write $(ARGS)

web: ## Build GraphiQL (needs Node 20+)
	cd web && npm ci && npm run build

clean: ## Remove the virtual environment and caches; .data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
