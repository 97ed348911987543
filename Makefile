# Every target does its own set-up; the first one takes minutes, later ones notice that nothing changed.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup parts compose repro test serve lab lint docs bench clean

PYTHON ?= python3
UV := $(or $(shell command -v uv),.tools/uv/bin/uv)
INSTALLED := .venv/.installed
S3_SERVER := .tools/versitygw/versitygw
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true
export BENTOML_DO_NOT_TRACK := true
# Each stage is a process of its own: without bytecode on disk, each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

# make repro city=hdb tuning=full: groups of params/ chosen on the command line
GROUPS := city lake spark model tuning backtest
CHOSEN := $(foreach group,$(GROUPS),$(if $(filter command line,$(origin $(group))),$(group)=$($(group))))

# Tests run in up to four processes; tests/plugins/scheduling.py says which of them share one. The budgets are CPU seconds.
WORKERS := --numprocesses auto --maxprocesses 4 --no-loadscope-reorder
FAST := -m "not slow and not nightly" --cpu-budget 550
SLOW := -m "not nightly" --cpu-budget 2800

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

parts: setup  ## what lakes on S3 need: Spark's jars (with Maven), and the S3 server of the tests (with Go)
	@homei jars
	@if command -v go >/dev/null; then $(MAKE) --silent $(S3_SERVER); \
	else echo "no go found: the S3 server of the tests is not built"; fi

$(S3_SERVER): tests/servers/versitygw/go.mod tests/servers/versitygw/go.sum
	@echo "building the S3 server of the tests into $(@D)"
	@# Without optimisation and symbols it compiles in 105 CPU seconds instead of 155.
	@go build -C tests/servers/versitygw -gcflags='all=-N -l' -ldflags='-s -w' -o $(CURDIR)/$@ \
	  github.com/versity/versitygw/cmd/versitygw

compose: setup
	@homei compose $(CHOSEN)

repro: compose  ## rebuild all that changed: make repro [city=hdb] [lake=s3] [spark=cluster] [model=linear] [tuning=full] [backtest=full]
	@dvc repro

test: setup  ## run the tests; slow=1 adds rebuilds, nightly=1 runs all
	@pytest $(WORKERS) $(if $(nightly),,$(if $(slow),$(SLOW),$(FAST)))

serve: setup  ## answer valuations over HTTP from the packaged Bento
	@homei serve

lab: setup  ## open the notebooks
	@jupyter lab --ServerApp.root_dir=. notebooks

lint: setup  ## check style, and that params.yaml and dvc.lock are of this code
	@ruff check
	@ruff format --check
	@homei compose --check
	@homei verify --code

docs: setup  ## build the documentation site in reports/docs, offline and strictly
	@NO_MKDOCS_2_WARNING=1 mkdocs build --quiet --strict && echo "reports/docs/index.html"

bench: setup  ## measure stages and service, side by side with their peers
	@python -m benchmarks

clean:  ## remove what was built; the cache and the environment stay
	@rm -rf data/raw data/processed models/valuation models/holdout models/tuning models/bentos reports/site reports/notebooks
