# One short command for each chore.  Needs only Python >= 3.11 with pip; everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo studio quick slow test postgres official comfy web backoff bench lint types clean

help:  ## show these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## set up, then watch sixty generations at two imitated providers
	$(BIN)/aiogen demo

PORT ?= 8000

studio: $(VENV)/.studio  ## set up, then a page to make pictures on, at http://127.0.0.1:8000 (or PORT=…)
	@echo "The studio is at http://127.0.0.1:$(PORT) in a moment; Ctrl-C ends it."
	$(BIN)/python -m uvicorn studio.app:app --app-dir examples --port $(PORT) --timeout-graceful-shutdown 3 --no-access-log

# The rooms that are pure, and those that are tested on the virtual clock without a process or a picture: no test in
# these waits in real time for long.
QUICK := $(addprefix tests/, polling limits content safety answers providers ledger jobs \
	test_rooms.py test_models.py test_checks.py test_errors.py test_exchange.py test_references.py test_wording.py \
	test_exported_names.py test_docs.py test_import.py \
	engine/test_remote.py engine/test_streaks.py \
	cli/test_arguments.py cli/test_board.py cli/test_exits.py cli/test_figures.py cli/test_following.py \
	cli/test_options.py cli/test_tables.py cli/test_terminal.py)
# Each of these folders has a target of its own, and a marker, all by the same name: what needs more than Python and
# this machine, as `web` a browser and `postgres` a database server, or minutes of processes, as `slow`.  `test` leaves
# them out; .ci/run calls each, and all that it calls takes less than fifteen minutes together.
APART := slow official postgres web comfy

# Compiled code is kept: else each worker, and each program that a test starts, compiles everything again.
quick slow test official postgres web comfy: export PYTHONDONTWRITEBYTECODE =

quick: $(VENV)/.test  ## set up, then run what needs no process and no real time: about a minute on two processors
	$(BIN)/python -m pytest -q -n auto --dist worksteal $(QUICK)

slow: $(VENV)/.test  ## set up, then run what takes minutes: several processes on one ledger, thousands of jobs
	$(BIN)/python -m pytest -q -m slow -n auto --dist worksteal tests/slow

# What is marked `no_cover` runs beside the rest and is not measured (tests/conftest.py).
test: $(VENV)/.test  ## set up, then run every test but those of slow, official, postgres, web and comfy, with coverage
	$(BIN)/python -m pytest -q $(addprefix --ignore=tests/, $(APART)) -n auto --dist worksteal --cov --cov-report=
	$(BIN)/python tests/coverage_gate.py

postgres: $(VENV)/.postgres  ## the ledger in PostgreSQL, in a server that the tests start and end
	$(BIN)/python -m pytest -q -m postgres -n 2 --dist loadfile tests/postgres

official: $(VENV)/.official  ## the vendors' own clients judge the sandbox, and OpenAI's asks the front of the examples
	$(BIN)/python -m pytest -q -m official tests/official

comfy: $(VENV)/.test  ## a real ComfyUI, running at COMFYUI_BASE_URL, beside the sandbox's imitation of it
	$(BIN)/python -c 'import os, sys; sys.exit(None if os.environ.get("COMFYUI_BASE_URL") else "COMFYUI_BASE_URL is not set: the address of a running ComfyUI, such as http://127.0.0.1:8188")'
	$(BIN)/python -m pytest -q -m comfy tests/comfy

web: $(VENV)/.web  ## the studio in Debian's Chromium
	$(BIN)/python -c 'import shutil, sys; sys.exit(None if shutil.which("chromium") else "There is no chromium here: apt-get install chromium")'
	$(BIN)/python -m pytest -q -m web tests/web

backoff: $(VENV)/.test  ## the same retries with backoff's maintained continuation
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VENV)/python-backoff "python-backoff>=3"
	PYTHONPATH=$(VENV)/python-backoff $(BIN)/python -m pytest -q tests/transfer/test_transport.py

bench: $(VENV)/.bench  ## every figure, picture and sentence of docs/benchmarks.md, measured on this machine
	$(BIN)/python -m benchmarks

lint: $(VENV)/.lint  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.lint $(VENV)/.test  ## mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python aiogen tests/typing
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=. $(BIN)/pyright --ignoreexternal --verifytypes aiogen  # finds what is imported by PATH

clean:  ## remove what these commands made
	rm -rf $(VENV) .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.pip:
	$(PYTHON) -c 'import sys; sys.exit("aiogen needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[cli,sandbox]"
	touch $@

$(VENV)/.studio: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[sandbox,fastapi]"
	touch $@

$(VENV)/.test: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[cli,sandbox,fastapi,postgres,report]" --group test
	touch $@ $(VENV)/.demo $(VENV)/.studio

$(VENV)/.lint: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --group lint
	touch $@

$(VENV)/.postgres: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group postgres
	touch $@

$(VENV)/.official: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group official
	touch $@

$(VENV)/.web: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group web
	touch $@

$(VENV)/.bench: $(VENV)/.test
	$(BIN)/python -m pip install --quiet --group bench
	touch $@
