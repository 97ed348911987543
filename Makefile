# Every target does its own set-up; the first one takes minutes, later ones notice that nothing changed.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup compose repro test serve lab lint bench clean

PYTHON ?= python3
UV := $(or $(shell command -v uv),.tools/uv/bin/uv)
INSTALLED := .venv/.installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true
export BENTOML_DO_NOT_TRACK := true
# Each stage is a process of its own: without bytecode on disk, each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

# make repro source=hdb tuning=full: groups of params/ chosen on the command line
GROUPS := source spark model tuning backtest
CHOSEN := $(foreach group,$(GROUPS),$(if $(filter command line,$(origin $(group))),$(group)=$($(group))))

# Tests run on all cores, by four processes at most: each has a Spark of its own. tests/conftest.py shares them out.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --no-loadscope-reorder

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{printf "make %-7s %s\n", $$1, $$2}'

setup: $(INSTALLED)  ## the locked environment in .venv, and a Java for Spark

$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(UV) >/dev/null || { \
	  echo "no uv found: installing one into .tools/uv"; \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools/uv uv; }
	@[ -x .venv/bin/python ] || $(UV) venv --quiet --python '>=3.11,<3.14' .venv
	@echo "installing the locked environment into .venv"
	@$(UV) pip sync --quiet --require-hashes requirements.lock
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@homei java
	@git rev-parse --git-dir >/dev/null 2>&1 && [ -z "$${CI:-}" ] && pre-commit install >/dev/null || true
	@touch $@

compose: setup
	@homei compose $(CHOSEN)

repro: compose  ## rebuild all that changed: make repro [source=hdb] [model=linear] [tuning=full] [backtest=full]
	@dvc repro

test: setup  ## run the tests; make test slow=1 runs whole rebuilds too
	@pytest $(SIDE_BY_SIDE) $(if $(slow),,-m "not slow")

serve: setup  ## answer valuations over HTTP from the packaged Bento
	@homei serve

lab: setup  ## open the notebooks
	@jupyter lab --ServerApp.root_dir=. notebooks

lint: setup  ## check style, and that params.yaml is what params/ says
	@ruff check
	@ruff format --check
	@homei compose --check

bench: setup  ## measure stages and service, side by side with their peers
	@python -m benchmarks

clean:  ## remove what was built; the cache and the environment stay
	@rm -rf data/raw data/processed models/valuation models/holdout models/tuning models/bentos reports/site reports/notebooks
