# `make help` explains the targets. git, make and a Python 3.11 to 3.13 with venv are all that must be there before.

PROFILE ?= demo
PYTHON ?= python3
EXTRA ?=
BIN := .venv/bin

# Where things are: docs/commands.md, "Environment variables". A relative folder counts from here, also inside a notebook.
here = $(if $(filter /% ~%,$(1)),$(1),$(CURDIR)/$(1))
ifneq ($(SER_DATA),)
override SER_DATA := $(call here,$(SER_DATA))
endif
ifneq ($(SER_CACHE),)
override SER_CACHE := $(call here,$(SER_CACHE))
endif
ifneq ($(SER_RUNS),)
override SER_RUNS := $(call here,$(SER_RUNS))
endif
ifneq ($(SER_WEIGHTS),)
override SER_WEIGHTS := $(call here,$(SER_WEIGHTS))
endif
export SER_DATA SER_CACHE SER_RUNS SER_WEIGHTS SER_QUICK

.DEFAULT_GOAL := help
.PHONY: help env reproduce test lint test-notebooks coverage docs lab app report data lock clean

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

# The stamp holds what .venv was made from. It goes before anything is installed and comes back at the end: without a
# stamp (interrupted), with a broken python or in a moved folder .venv is made anew; with other lists it is updated.
version = import sys, ensurepip, venv; v = sys.version_info[:2]; print("%d.%d" % v); sys.exit(not (3, 11) <= v < (3, 14))
env: ## Make .venv from requirements.lock, in seconds when nothing changed (PYTHON=python3.12, EXTRA=gpu or cpu)
	@set -e; \
	extra="$(EXTRA)"; \
	if [ -z "$$extra" ]; then extra=$$(cat .venv/.extra 2>/dev/null || echo cpu); fi; \
	case "$$extra" in cpu|gpu) ;; *) echo "make env: EXTRA is cpu or gpu, not $$extra" >&2; exit 1;; esac; \
	key="$$(cat pyproject.toml requirements.lock | cksum) $$extra $(CURDIR)"; \
	stamp=$$(cat .venv/.stamp 2>/dev/null || true); \
	have=$$($(BIN)/python -c '$(version)' 2>/dev/null || echo none); \
	if [ "$(origin PYTHON) $$key" = "file $$stamp" ] && [ "$$have" != none ]; then exit 0; fi; \
	for python in "$(PYTHON)" python3.13 python3.12 python3.11 none; do \
	  if "$$python" -c '$(version)' >/dev/null 2>&1; then break; fi; \
	done; \
	if [ "$$python" = none ]; then \
	  echo "make env: no Python 3.11 to 3.13 with venv found; install one or name it: make env PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	want=$$("$$python" -c '$(version)'); \
	if [ "$$key $$want" = "$$stamp $$have" ]; then exit 0; fi; \
	case "$$stamp" in *" $(CURDIR)") ;; *) have=none;; esac; \
	if [ "$$want" != "$$have" ]; then \
	  echo "make env: new .venv with Python $$want"; \
	  rm -rf .venv; "$$python" -m venv .venv; \
	fi; \
	rm -f .venv/.stamp; \
	echo "make env: installing what requirements.lock names"; \
	$(install); \
	if [ "$$extra" = gpu ]; then $(install_gpu); fi; \
	echo "$$extra" >.venv/.extra; echo "$$key" >.venv/.stamp; \
	echo "make env: ready, Python $$want, $$extra"

# uv is several times faster than pip. It comes from the lock where there is none. It does not read pip's settings:
# where it finds no packages, pip is asked. Both compile bytecode, without which each process would compile TensorFlow.
sync = pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock
install = uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then \
	  sed -n '/^uv==/,/^ *\# via/p' requirements.lock >.venv/uv.txt; \
	  if $(pip) install --require-hashes --no-deps -r .venv/uv.txt; then uv=$(BIN)/uv; fi; \
	fi; \
	if [ -z "$$uv" ] || ! "$$uv" $(sync); then \
	  echo "make env: with pip instead of uv, which takes some minutes"; \
	  $(pip) install --require-hashes -r requirements.lock; \
	fi; \
	$(pip) install --no-deps --no-build-isolation -e .

# Both builds of TensorFlow live in one folder, so the one goes before the other comes.
install_gpu = pin=$$(sed -n 's/^tensorflow==\([^ ]*\).*/\1/p' requirements.lock); \
	echo "make env: TensorFlow $$pin with its CUDA libraries, some gigabytes"; \
	$(BIN)/python -m pip uninstall --quiet --yes tensorflow-cpu tensorflow; \
	$(pip) install "tensorflow[and-cuda]==$$pin"

pip = $(BIN)/python -m pip --quiet --disable-pip-version-check

reproduce: env ## Run every notebook and write the HTML report (PROFILE=demo, quick or paper)
	@$(BIN)/ser reproduce --profile $(PROFILE)

report: env ## Write the HTML report from the published rows alone
	@$(BIN)/ser report

data: env ## Download RAVDESS and TESS into SER_DATA and verify them
	@$(BIN)/ser data fetch ravdess
	@$(BIN)/ser data fetch tess
	@$(BIN)/ser data verify ravdess
	@$(BIN)/ser data verify tess

coverage: env ## Measure which lines the unit tests run, against the floor in pyproject.toml
	@$(BIN)/python -m pytest $(both) --cov --cov-report=term:skip-covered tests ser_core

docs: env ## Build the API pages from the docstrings into runs/docs/
	@TF_CPP_MIN_LOG_LEVEL=3 nice $(BIN)/pdoc --docformat numpy --no-show-source --output-directory runs/docs ser_core
	@echo runs/docs/index.html

# Uploads from the notebooks' own controls fit any limit; those of others meet the server's, 10 MB, which is raised here.
lab: env ## Open the notebooks in JupyterLab
	@$(BIN)/jupyter lab notebooks/00_start.ipynb --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  --LabApp.news_url= --ServerApp.tornado_settings='{"websocket_max_message_size": 209715200}'

app: env ## Serve the prediction page to this machine
	@$(BIN)/ser app

test: lint ## Lint, unit tests and every notebook in its small setting
	@$(BIN)/python -m pytest $(both) tests ser_core
	@$(nbval)

lint: env ## Check style, format, spelling, types and the order of the sub-packages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell
	@$(BIN)/lint-imports >.lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log
	@$(BIN)/mypy

test-notebooks: env ## Run every notebook in its small setting, cell by cell
	@$(nbval)

# Two processes, each of which takes a file at a time, in the order of their names: those that take long come early.
both = -n 2 --dist loadfile --no-loadscope-reorder
# The runs that notebooks show come first, in two processes that load TensorFlow once.
quick_runs = SER_QUICK=1 $(BIN)/ser sweep demo --workers 2
nbval = $(quick_runs) >/dev/null && SER_QUICK=1 $(BIN)/python -m pytest $(both) -o addopts= --nbval-lax --nbval-cell-timeout=600 notebooks/

lock: env ## Compile requirements.lock from pyproject.toml; pins that still fit stay
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	$$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --extra training --extra notebooks --extra export --extra app --extra cluster --extra encoders --extra formats \
	  --extra containers --extra test --extra docs --extra env pyproject.toml -o requirements.lock

clean: ## Remove .venv, the cache and all results but the published ones; data/ stays
	@rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d runs ]; then find runs -mindepth 1 -maxdepth 1 ! -name published -exec rm -rf {} +; fi
