# `make demo` and `make test` are all a newcomer needs; both set the environment up by themselves.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SYNC := $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
SNAKEMAKE := $(BIN)/snakemake --cores all --rerun-incomplete
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile
DEMO_MODEL := results/finetune/demo/subjects1/checkpoint.pt
export PYTHONUTF8 := 1

.PHONY: demo setup test test-all test-long test-lowest test-slurm docs lint report mlflow lock clean
.DEFAULT_GOAL := demo

demo: $(READY)  ## raw video -> benchmark table on the embedded demo
	$(SNAKEMAKE)
	@if test -e $(DEMO_MODEL); then \
	  echo 'Real faces: CREMA-D (Cao et al., 2014; ODbL 1.0). A file name holds the acted emotion.'; \
	  echo 'The model has learnt labels from drawn faces alone. It guesses:'; \
	  $(BIN)/python -m svfap predict tests/data/crema_d --checkpoint $(DEMO_MODEL) --output results/real_faces --overwrite; fi
	@cat results/tables/summary.md

setup: $(READY)  ## create .venv with exactly the locked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "svfap: Python 3.11 or newer is needed; run: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "svfap: Python's venv module is missing; on Debian or Ubuntu: apt install python3-venv"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(SYNC) || $(SYNC) --system-certs
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

test: $(READY)  ## everyday tests: at most 8 minutes on 2 idle cores
	$(PYTEST) -m "not slow and not slurm and not long"

test-all: test  ## also the tests that take long and guard rare things, and test-slurm
	$(PYTEST) -m "slow and not slurm and not long"
	$(MAKE) test-slurm

test-long: $(READY)  ## tests of many minutes each: secrets, provenance, a million clips
	$(BIN)/python -m pytest -m long

# Snakemake's plugin for SLURM would raise the lowest pandas from 2.2 to 2.3.3.
test-lowest: $(READY)  ## everyday tests of models in use, with the lowest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/lowest
	echo "snakemake-executor-plugin-slurm ; sys_platform == 'never'" > .venv/lowest/override.txt
	$(BIN)/uv pip compile pyproject.toml --extra pipeline --extra onnx --group test --resolution lowest-direct \
	  --override .venv/lowest/override.txt --python .venv/lowest/bin/python --quiet -o .venv/lowest/packages.txt
	$(BIN)/uv pip sync --quiet --python .venv/lowest/bin/python .venv/lowest/packages.txt
	PYTHONPATH=$(CURDIR) .venv/lowest/bin/python -m pytest -m "not slow" \
	  tests/config tests/models tests/tables tests/use tests/installation
	PYTHONPATH=$(CURDIR) .venv/lowest/bin/python -m pytest -m slow tests/use/test_share.py

test-slurm: $(READY)  ## the workflow on a SLURM cluster that is started here; root, installs SLURM by apt
	$(BIN)/python -m pytest -m slurm -rs

docs: $(READY)  ## the documentation as a site in site/, without network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

lint: $(READY)  ## style, types, spelling, plain English, workflow; as .pre-commit-config.yaml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/codespell
	$(BIN)/python docs/plain_english.py
	$(BIN)/snakemake --lint

CONFIG ?= config/config.yaml
RESULTS = $(or $(shell sed -n 's/^results: *//p' $(CONFIG) | sed 's/ *\#.*//' | tr -d "\"'"),results)
report: $(READY)  ## one page with tables, figures and provenance; CONFIG=config/mine.yaml for your own
	$(BIN)/python -m svfap run "$(CONFIG)" --report "$(RESULTS)/report.html"
	@echo "$(RESULTS)/report.html"

mlflow: $(READY)  ## browse all runs on http://localhost:5000; CONFIG=config/mine.yaml for your own
	$(BIN)/python -m svfap.tracking.moved_results "$(RESULTS)/mlflow.db"
	$(BIN)/mlflow ui --host 127.0.0.1 --port $(or $(PORT),5000) \
	  --backend-store-uri $(or $(MLFLOW_TRACKING_URI),sqlite:///$(RESULTS)/mlflow.db)

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade --quiet -o requirements.lock

clean:  ## remove everything that the demo made; keeps the environment and experiments in results/NAME
	rm -rf data/*/demo data/*/demo_pretrain
	test ! -d results || find results -mindepth 1 -maxdepth 1 ! -exec test -d {}/logs \; -exec rm -rf {} +
	find data results -maxdepth 1 -type d -empty -delete 2> /dev/null || true
