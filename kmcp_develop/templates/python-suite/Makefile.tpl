PYTHON ?= python3
BIN := .venv/bin
# uv is faster; without it pip does the same.
INSTALL := $(if $(shell command -v uv),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet)

.PHONY: check test
check: .venv/.ready ## Formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: .venv/.ready ## The tools through a real MCP client
	$(BIN)/pytest -q

.venv/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	{{install}}
	$(INSTALL) --editable '.[dev]'
	touch $@
