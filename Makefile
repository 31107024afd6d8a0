# Everything from nothing: `make run` trains and evaluates, `make test` tests. Both set up a virtual
# environment first and are fast the second time. PYTHON chooses the interpreter, VENV the folder.

.DEFAULT_GOAL := help
SHELL := /bin/bash -euo pipefail

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(name) 2>/dev/null),$(name))))
VENV ?= .venv
DOMAIN ?= web
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q

# No tool reports home unless asked to.
export KEDRO_DISABLE_TELEMETRY ?= 1
export DO_NOT_TRACK ?= 1
export DVC_NO_ANALYTICS ?= 1
export GX_ANALYTICS_ENABLED ?= false
export HF_HUB_DISABLE_TELEMETRY ?= 1

.PHONY: help setup setup-test setup-dev setup-bench run compare base-model test test-trl test-verl bench lint web-data lock docs-parameters clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(VENV)/.installed-run ## virtual environment with everything a run needs
setup-test: $(VENV)/.installed-test
setup-dev: $(VENV)/.installed-dev
setup-bench: $(VENV)/.installed-bench

# torch comes first and alone: pip then takes the CPU or CUDA build that its index offers, and the pinned
# rest, exported from uv.lock without torch, leaves it as it is.
$(VENV)/.torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, found: $$($(PYTHON) --version). Set PYTHON=..."; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version); a few minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@start=$$SECONDS; $(PIP) install '$(TORCH)'; echo "  torch: $$((SECONDS - start)) s"
	@touch $@

$(VENV)/.installed-%: requirements/%.txt pyproject.toml $(VENV)/.torch
	@start=$$SECONDS; $(PIP) install -r $<; $(PIP) install --no-deps -e .; echo "  requirements/$*.txt and worldtune: $$((SECONDS - start)) s"
	@touch $@

run: setup ## train and evaluate a world model: kedro run --pipeline=rlvr_web (DOMAIN=text_game for games)
	@$(BIN)/kedro run --pipeline=rlvr_$(DOMAIN)

compare: setup ## RLVR beside its controls, three seeds: kedro run --pipeline=compare_web (DOMAIN=...)
	@$(BIN)/kedro run --pipeline=compare_$(DOMAIN)

test: setup-test ## the test suite, offline; browser tests run where Chromium is installed
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -q $(ARGS)

VERL := .venv-verl
VERL_NEEDS := aiohttp codetiming datasets hydra-core pandas pillow pydantic pyarrow 'ray>=2.41' \
  'tensordict>=0.8,!=0.9.0,<=0.10' 'transformers>=5.5.3,!=5.6.0,<5.11'

# verl without its GPU stack: what its dataset, token builder and reward manager import. About 1.7 GB.
$(VERL)/.installed:
	@$(PYTHON) -m venv $(VERL)
	@$(VERL)/bin/python -m pip --disable-pip-version-check --no-input -q install '$(TORCH)'
	@$(VERL)/bin/python -m pip --disable-pip-version-check --no-input -q install --no-deps 'verl==0.9.1'
	@$(VERL)/bin/python -m pip --disable-pip-version-check --no-input -q install $(VERL_NEEDS)
	@touch $@

test-trl: ## losses beside TRL 1.16 and a training run inside it, in an environment of its own
	@$(MAKE) --no-print-directory VENV=.venv-bench setup-bench
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 .venv-bench/bin/python -m pytest -q tests/oracle tests/export/test_trl.py $(ARGS)

test-verl: setup-test $(VERL)/.installed ## the export inside verl 0.9: its dataset, tokens and reward manager
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 WORLDTUNE_VERL_PYTHON=$(abspath $(VERL))/bin/python \
	  $(BIN)/python -m pytest -q tests/export/test_verl.py $(ARGS)

bench: ## our training steps beside TRL 1.16 and the arithmetic, in an environment of their own
	@$(MAKE) --no-print-directory VENV=.venv-bench setup-bench
	@OMP_NUM_THREADS=1 .venv-bench/bin/python -m benchmarks.grpo_vs_trl $(ARGS)
	@OMP_NUM_THREADS=1 .venv-bench/bin/python -m benchmarks.sft_vs_trl
	@OMP_NUM_THREADS=1 .venv-bench/bin/python -m benchmarks.scaling

lint: setup-dev ## ruff, mypy, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

base-model: setup ## train the shipped base checkpoint anew (conf/pretrain), about 20 minutes
	@WORLDTUNE_DATA_ROOT=data/.pretrain $(BIN)/kedro run --env=pretrain --pipelines=ingest_web,sft_web
	@rm -rf data/06_models/web/.base && cp -r data/.pretrain/06_models/web/sft/model data/06_models/web/.base
	@rm -rf data/06_models/web/base && mv data/06_models/web/.base data/06_models/web/base

web-data: setup-test ## record the web transitions anew with Chromium
	@$(BIN)/python -m worldtune.domains.web.recorder --out data/01_raw/web

lock: setup-dev ## refresh uv.lock and requirements/ from pyproject.toml (needs uv)
	@UV_NO_CONFIG=1 uv lock --default-index https://pypi.org/simple
	@for name in run test dev bench; do \
	  extra=$$([ $$name = run ] || echo --extra $$name); \
	  UV_NO_CONFIG=1 uv export -q --frozen --no-hashes --no-header --no-annotate --no-emit-project \
	    --prune torch --no-emit-package torch $$extra -o requirements/$$name.txt; \
	done

docs-parameters: setup ## write the table of all parameters into docs/configuration.md
	@$(BIN)/python -c "from pathlib import Path; from worldtune.parameters import parameter_table; \
	page = Path('docs/configuration.md'); mark = '<!-- parameters -->\n'; \
	page.write_text(page.read_text().split(mark)[0] + mark + '\n' + parameter_table())"

clean: ## remove what runs wrote; the recording, the shipped base checkpoint and the environment stay
	@find data/06_models -mindepth 2 -maxdepth 2 ! -name base -exec rm -rf {} + 2>/dev/null || true
	@rm -rf data/.test data/0[2-57]_* data/08_reporting .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
