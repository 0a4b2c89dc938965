# The guide's face. `make` alone says what there is.

VENV ?= .venv
PLATFORM ?= debian-12
NOTEBOOKS ?=
LABKIT = $(VENV)/bin/labkit

.PHONY: help setup setup-dev guide lab test check outputs clean

help:
	@echo "make guide   run every notebook on a virtual arm64 board, results in results/"
	@echo "make lab     open JupyterLab on the first notebook, with the board up"
	@echo "make test    the tests, against a virtual board"
	@echo "make check   style, types and structure"
	@echo "make setup   what the others run first; installs what is missing"

setup:
	@binder/setup.sh $(VENV)

setup-dev:
	@binder/setup.sh $(VENV) dev

guide: setup
	@$(LABKIT) run $(NOTEBOOKS) --platform $(PLATFORM)

lab: setup
	@$(LABKIT) board up $(PLATFORM)
	@$(VENV)/bin/jupyter lab --log-level=WARN --ServerApp.root_dir=notebooks \
		--LabApp.default_url=/lab/tree/00-start-here.ipynb \
		$(if $(filter 0,$(shell id -u)),--allow-root)

test: setup-dev
	@$(VENV)/bin/pytest
	@$(VENV)/bin/pytest --nbval-lax --nbval-current-env notebooks

check: setup-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

# The outputs that nbval compares are committed; this takes them from a board anew.
outputs: setup-dev
	@$(VENV)/bin/python -m labkit.guide.refresh_outputs

clean:
	-@$(LABKIT) board down --all
	@rm -rf results
