# Needs python3 (3.11 or newer) and make; everything else is installed into .venv from requirements/lock.txt.
# requirements/runtime.txt is the part of it that a server needs, for the Dockerfile.
PYTHON ?= python3
JOBS ?= 2
PORT ?= 8000
BIN := .venv/bin
INSTALLED := .venv/.installed
SAMPLES := sample_partners/publisher/.generated
RESOLVE = uv pip compile pyproject.toml requirements/build.in --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"
DOCS_TESTS := $(wildcard tests/docs tests/test_docs.py tests/test_tour.py tests/test_readme.py)

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test test-long check static fix bench lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(SAMPLES) ## make .venv, install the locked packages, write the sample data

demo: setup ## tell the whole story on a real server: questions, answers, a refusal, the verified log
	@$(BIN)/python -m sample_partners.demo

serve: setup ## run the server with the sample partners until Ctrl-C
	@$(BIN)/python -m sample_partners.serve $(PORT)

test: static ## check, and run the whole suite but the long campaigns
	$(BIN)/pytest -q -m "not long" -n $(JOBS) --dist loadfile

test-long: setup ## run the campaigns of minutes
	$(BIN)/pytest -q -m long

check: static ## style, types, layers and documentation
	$(if $(DOCS_TESTS),$(BIN)/pytest -q -m "not long" $(DOCS_TESTS))

static: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: setup ## format, and repair what can be repaired by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## measure, print a table, write benchmarks/results
	$(BIN)/python -m benchmarks --size small

lock: ## resolve requirements/ anew (needs uv)
	$(RESOLVE) --all-extras --upgrade --output-file requirements/lock.txt
	$(RESOLVE) --extra postgresql --constraints requirements/lock.txt --output-file requirements/runtime.txt

$(INSTALLED): requirements/lock.txt requirements/install.py pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "set-up stopped: there is no $(PYTHON); install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) requirements/install.py
	@touch $@

$(SAMPLES): sample_partners/generate.py sample_partners/people.py | $(INSTALLED)
	@echo "Writing the sample data"
	@$(BIN)/python -m sample_partners.generate
	@touch $@
