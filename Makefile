# make run    a release from nothing: environment, sandbox, canary, faulty canary, report
# make test   the whole suite, on the real sandbox
# make chaos  every death at every phase of a run, on the real sandbox: half an hour
# make slow   what takes more than a minute, and a shorter test of the suite looks at too
# make lab    the runbooks in JupyterLab, against a sandbox that is up
# make docs   what is generated of requirements, parameters and Terraform; make diagrams: the pictures
# make sample a recorded run for reports/sample, and docs/rtm.md from it
# make ci-local  the steps of the workflows, on this machine
# make check  lint, types, layers
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test chaos slow check lab docs sample diagrams ci-local notebooks lock clean
.DEFAULT_GOAL := run

run: $(STAMP)
	$(BIN)/rollbook run $(ARGS)

test: $(STAMP) check
	@sh tests/suite.sh $(BIN)/python $(ARGS)

chaos: $(STAMP)
	$(BIN)/python -m pytest tests/e2e/chaos -m "chaos or e2e" $(ARGS)

slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(ARGS)

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

# The recorded run of reports/sample, on a fresh sandbox, and the matrix of its coverage. Commit before: a run knows
# the files that git tracks, and its evidence is stale where they are changed afterwards. AWS is emulated, so that
# it shows Terraform too: that has to be on the PATH.
sample: $(STAMP)
	$(BIN)/rollbook sandbox down
	rm -rf build/sample
	$(BIN)/rollbook run --target aws --endpoint-url sandbox --phase provision --phase deploy --phase canary \
	  --phase drill --phase validate --phase teardown --set drill.drill=errors --set environment=true --out build/sample
	rm -rf reports/sample
	mv build/sample/*/ reports/sample
	$(BIN)/rollbook verify reports/sample
	$(BIN)/rollbook coverage reports/sample --rtm > docs/rtm.md

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

# The workflows' steps, read from their YAML, against the sandbox and the emulator: make ci-local ARGS="infra"
ci-local: $(STAMP)
	$(BIN)/python -m ci.local $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
