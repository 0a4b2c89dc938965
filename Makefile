# The commands of this repository. `make` alone lists them.

VENV ?= .venv
PLATFORM ?= debian-12
NOTEBOOKS ?=
LABKIT = $(VENV)/bin/labkit
PYTEST = $(VENV)/bin/pytest
WITHOUT_BOARD = --numprocesses=auto --dist=worksteal labkit tests/unit tests/notebooks

.PHONY: help setup setup-dev guide lab test images test-fast check outputs clean

help:
	@echo "make guide      run every notebook on a virtual arm64 board, results in results/"
	@echo "make lab        start a board and open JupyterLab on the first notebook"
	@echo "make test       all tests, with virtual boards"
	@echo "make test-fast  the quick tests, which need no board, and make check"
	@echo "make check      style, types and structure"
	@echo "make setup      install what is missing; the other commands run it first"

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

test: images
	@$(PYTEST) $(WITHOUT_BOARD)
	@$(PYTEST) --numprocesses=2 --dist=loadfile --no-loadscope-reorder --durations=25 \
		--nbval-lax --nbval-current-env tests/board tests/browser notebooks

# The images of the tests, side by side: each keeps one processor busy for minutes. A test whose
# image is missing builds it, and shows why that fails.
images: setup-dev
	@$(LABKIT) image build raspberry-pi-5 2>&1 >/dev/null | cat & \
		$(LABKIT) image build debian-12 >/dev/null; status=$$?; wait; exit $$status

test-fast: check
	@$(PYTEST) --quiet -m "not slow" $(WITHOUT_BOARD)

check: setup-dev
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

# nbval compares committed outputs. This command takes them from a board again.
outputs: setup-dev
	@$(VENV)/bin/python -m labkit.guide.refresh_outputs

clean:
	-@$(LABKIT) board down --all
	@rm -rf results
