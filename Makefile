# The two commands of the README (`make demo`, `make test`) and what they stand on.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Written last: an install that was interrupted has none, and the next `make` goes on.
STAMP := $(VENV)/.installed
# Flower's own environment: no version of it can be installed beside Axolotl.
FLOWER := $(VENV)-federated
FLOWER_STAMP := $(FLOWER)/.installed
RUN := sentiment_smollm2_135m_fp16_r8
# How the sample asks, so that the demo's questions are put as in training.
QUESTION := 'Instruction: What is the sentiment of this news? Please choose an answer from {negative/neutral/positive}.\nInput: %s\nAnswer: '
TORCH := $(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' constraints.txt)
CPU_WHEELS := https://download.pytorch.org/whl/cpu

help:  ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

install: $(STAMP)  ## Make .venv and install the pinned stack

# A machine without a GPU must not pull CUDA packages: PyTorch's CPU wheel first, where it can be had.
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "On Debian 12: apt install git make python3-venv"; exit 1; }
	@if ! ls /proc/driver/nvidia/gpus >/dev/null 2>&1 && ! $(BIN)/python -m pip show -q torch 2>/dev/null; then \
		echo "no GPU here: installing the CPU build of PyTorch $(TORCH)"; \
		$(BIN)/python -m pip install -q -c constraints.txt "torch==$(TORCH)+cpu" || \
		$(BIN)/python -m pip install -q --timeout 15 --retries 0 --extra-index-url $(CPU_WHEELS) -c constraints.txt "torch==$(TORCH)+cpu" || \
		$(BIN)/python -m pip install -q -c constraints.txt "torch==$(TORCH)"; \
	fi
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,dev]'
	@touch $(STAMP)

federated: install $(FLOWER_STAMP)  ## Make .venv-federated, the second environment, for finlora federate

$(FLOWER_STAMP): pyproject.toml constraints-federated.txt
	@$(FLOWER)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(FLOWER)
	$(FLOWER)/bin/python -m pip install -q -c constraints-federated.txt flwr numpy safetensors
	$(FLOWER)/bin/python -m pip install -q --no-deps -e .
	@touch $(FLOWER_STAMP)

demo: install  ## Train a small model on sample news, score it, ask it
	$(BIN)/finlora finetune $(RUN) --overwrite
	$(BIN)/finlora eval --adapter $(RUN) --task sentiment_sample --baseline
	$(BIN)/finlora infer --adapter $(RUN) \
		--prompt "$$(printf $(QUESTION) 'Operating profit rose to EUR 13.1 mn from EUR 8.7 mn a year earlier.')" \
		--prompt "$$(printf $(QUESTION) 'The company will cut 120 jobs after a weak quarter.')"
	@echo "Talk to it (it was trained on questions like these):  $(BIN)/finlora infer --adapter $(RUN)"

test: install federated  ## Run every test, the real trainings included
	$(BIN)/python -m pytest -q -m "not long"

test-long: install federated  ## Run every test, and the trainings that only repeat what others show
	$(BIN)/python -m pytest -q

fast: install federated  ## Run the tests that train nothing
	$(BIN)/python -m pytest -q -n auto -m "not slow"

check: install federated  ## Format, lint, types, fast tests
	$(BIN)/ruff format --check finlora tests benchmarks
	$(BIN)/ruff check finlora tests benchmarks
	$(BIN)/mypy finlora
	$(BIN)/python -m pytest -q -n auto -m "not slow"

clean:  ## Remove what training left (adapters stay)
	rm -rf axolotl-output .pytest_cache .ruff_cache .mypy_cache

.PHONY: help install federated demo test test-long fast check clean
