# make run    a release from nothing: environment, sandbox, canary, faulty canary, report
# make test   the whole suite, on the real sandbox
# make chaos  every death at every phase of a run, on the real sandbox: half an hour
# make lab    the runbooks in JupyterLab, against a sandbox that is up
# make docs   what is generated of requirements, parameters and Terraform; make diagrams: the pictures
# make check  lint, types, layers
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test chaos check lab docs diagrams notebooks lock clean
.DEFAULT_GOAL := run

run: $(STAMP)
	$(BIN)/rollbook run $(ARGS)

test: $(STAMP) check
	$(BIN)/python -m pytest $(ARGS)

chaos: $(STAMP)
	$(BIN)/python -m pytest tests/e2e/chaos -m "chaos or e2e" $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: $(STAMP)
	$(BIN)/rollbook sandbox up
	$(BIN)/jupyter lab --ip=127.0.0.1 --notebook-dir=runbooks --LabApp.news_url= \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(if $(filter 0,$(shell id -u)),--allow-root)

# What is generated from code and data; a test says when one of them is old.
docs: $(STAMP)
	$(BIN)/rollbook params --markdown > docs/parameters.md
	$(BIN)/python -m rollbook.coverage.requirements_document docs
	$(BIN)/python -m rollbook.coverage.schema_document > docs/coverage.schema.json
	$(BIN)/python -m tests.terraform.reference

# The pictures need a Chromium; see docs/diagrams/README.md.
diagrams: $(STAMP)
	$(BIN)/python docs/diagrams/render.py

notebooks: $(STAMP)
	$(BIN)/jupytext --sync runbooks/*.py

# The environment: exactly what the lock file says, each file by its hash, then rollbook itself.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: rollbook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)"; \
	    echo "  next: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --quiet --custom-compile-command "make lock" -o requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
