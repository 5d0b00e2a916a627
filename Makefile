# `make` shows what there is. Everything runs in .venv, which is made on the way.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
JOBS ?= 2
SEED ?= $(shell date +%s)
SECONDS ?= 60

bin := $(VENV)/bin
stamp := $(VENV)/.installed
ours := broker publishers subscribers tests benchmarks
code := $(ours) docs .ci

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo check test stress bench format install clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(stamp) ## a local Ray, two jobs, their lines live; ARGS=--once ends by itself
	@$(bin)/raytap demo $(ARGS)

check: $(stamp) ## format, lint and types
	$(bin)/ruff format --check $(code)
	$(bin)/ruff check $(code)
	$(bin)/mypy --strict $(addprefix -p ,$(ours))
	$(bin)/mypy --strict .ci/make_venv.py

test: $(stamp) ## the whole suite, real parts included; ARGS="-k name" for some of it, JOBS=0 in one process
	$(bin)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile $(ARGS)

stress: $(stamp) ## the long tests, and a seeded run of all faults; SEED=, SECONDS=
	$(bin)/python -m pytest -m slow --timeout 1800
	$(bin)/python -m benchmarks.stress --seed $(SEED) --seconds $(SECONDS) $(ARGS)

bench: $(stamp) ## every benchmark beside its alternatives: a table of ratios; ARGS="4 8" for some rows, --json, --rounds N
	$(bin)/python -m benchmarks.table $(ARGS)

format: $(stamp) ## put the code into its format
	$(bin)/ruff format $(code)
	$(bin)/ruff check --fix $(code)

install: $(stamp) ## .venv with everything in it

clean: ## remove what was made here, .venv too
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find $(ours) docs -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp, so that it is installed again only when what it needs has changed.
$(stamp): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'raytap needs Python 3.11 or newer: make PYTHON=python3.12 …' >&2; exit 1; }
	@test -x $(bin)/pip || $(PYTHON) .ci/make_venv.py $(VENV)
	@echo "installing raytap, Ray and the tools into $(VENV) (a few minutes the first time)"
	@$(bin)/python -m pip install --quiet --disable-pip-version-check -e '.[demo,dev,fast,alerts]'
	@touch $@
