# The only commands a person needs. Every target sets up what it needs first and says what it does meanwhile.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MINOR := -c 'import sys; print("%d.%d" % sys.version_info[:2])'
# One more than there are cores is a seventh faster; what runs on the cluster meanwhile is then short of them.
WORKERS ?= auto
SERVER ?= all
ENGINE ?= $(firstword $(shell command -v docker podman))
# What is built and not published is of this machine: no registry has it under that name.
IMAGES ?= localhost/kmcp
# Whose tests measure a promise: secrets, frames, approval, stalls, hostile backends, and Secrets of a real cluster.
TRUST := tests/redaction tests/fuzz $(addprefix tests/runtime/test_,redaction_cases.py framing.py answers.py approval.py stalls.py bounds.py) \
	$(addprefix tests/controller/test_,large_servers.py plan_size.py) \
	$(addprefix tests/kubernetes/test_,secrets.py secret_oracles.py hidden_places.py approval.py)
TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help up demo test trust test-python test-without-cluster check catalog lock docs bench bench-docs evals conformance image cluster cluster-down site

help: ## List these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(READY) ## Run the suite on this machine (on the cluster of KUBECONFIG); Ctrl-C ends it
	@exec $(BIN)/kmcp-suite up $(ARGS)

demo: $(READY) cluster ## Run the suite on a real single-node Kubernetes of its own
	@KUBECONFIG=$$($(BIN)/python -m tests.cluster kubeconfig) exec $(BIN)/kmcp-suite up $(ARGS)

test: $(READY) ## Run the tests, on a real Kubernetes (FULL=1: with Istio and Cilium too; what it needs is built once)
	@$(BIN)/python -m tests.cluster build
	@$(BIN)/python -m pytest --build-backends -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

trust: $(READY) ## Measure what docs/security promises, print one table, and write it to docs/security/figures.md
	@$(BIN)/python -m tests.cluster build
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --trust-page docs/security/figures.md $(TRUST) $(ARGS)

test-python: ## Run the tests that need no cluster with another Python: make test-python PYTHON=python3.14
	@$(MAKE) --no-print-directory VENV=.venv-$(notdir $(PYTHON)) test-without-cluster

test-without-cluster: $(READY)
	@$(BIN)/python -VV
	@$(BIN)/python -m pytest --no-cluster -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(READY) ## Formatting, lint, types, import contracts, generated files, documentation
	@echo "ruff format"; $(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "sizes and names"; $(BIN)/python -m checks
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "import contracts"; $(BIN)/python -m checks --contracts $(VENV)/contracts.ini; \
		$(BIN)/lint-imports --no-cache --config $(VENV)/contracts.ini > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "generated files"; $(BIN)/kmcp-suite catalog check
	@echo "documentation site"; $(MAKE) --no-print-directory --silent site

site: $(READY) ## Build the documentation site into .site/, strictly: every link and anchor must exist
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

catalog: $(READY) ## Rewrite what is generated from the code: catalog.yaml, reference pages, RBAC
	@$(BIN)/kmcp-suite catalog write

lock: $(READY) ## Resolve the dependencies anew into requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras --group dev \
		--no-header pyproject.toml -o requirements.lock

docs: $(READY) ## Index the documentation of Prometheus, Argo Rollouts, Cilium and Helm for the search
	@PATH="$$($(BIN)/python -m tests.cluster go):$$PATH" $(BIN)/kmcp-suite docs build $(ARGS)

bench: $(READY) ## Measure against the raw API call and another server, as ratios
	@$(BIN)/python -m bench $(ARGS)

bench-docs: $(READY) ## Measure documentation search on labelled questions: recall, MRR, time
	@PATH="$$($(BIN)/python -m tests.cluster go):$$PATH" $(BIN)/python -m bench.documentation $(ARGS)

evals: $(READY) ## Do an operator's tasks on real backends, by script or by a client of yours: calls, tokens, success
	@$(BIN)/python -m evals $(ARGS)

conformance: $(READY) ## Run the protocol's own suite, in its revisions, direct and behind the bridge (needs Node 20)
	@$(BIN)/python -m tests.conformance

image: ## Build the image of SERVER (a server, controller, bridge; default: all) with docker or podman
	@test -n "$(ENGINE)" || { echo "make image: neither docker nor podman is here; install one, or name it as ENGINE"; exit 2; }
	$(ENGINE) build --build-arg SERVER=$(SERVER) --tag $(IMAGES)/kmcp-$(SERVER):$(TAG) $(ARGS) .

cluster: $(READY) ## Bring up the real Kubernetes of the tests and print its KUBECONFIG
	@$(BIN)/python -m tests.cluster up

cluster-down: $(READY) ## Take it down; nothing is left behind
	@$(BIN)/python -m tests.cluster down

# Without a PYTHON that somebody asks for, a $(VENV) that is there stays, whatever made it.
ifneq ($(origin PYTHON),file)
ifneq ($(shell $(PYTHON) $(MINOR) 2>&1),$(shell $(BIN)/python $(MINOR) 2>&1))
.PHONY: $(READY)
ANEW := 1
endif
endif

$(READY): requirements.lock pyproject.toml
	@oldest=$$(sed -n 's/^requires-python = ">=\(.*\)"/\1/p' pyproject.toml); \
	fits() { "$$@" -c "import sys; sys.exit(sys.version_info < ($$(echo $$oldest | tr . ,),))" 2>/dev/null; }; \
	if test -z "$(ANEW)" && fits $(BIN)/python; then exit 0; fi; \
	found=$$($(PYTHON) $(MINOR) 2>/dev/null) || { echo "make: $(PYTHON) does not start; name a Python of version $$oldest or newer: make PYTHON=python3.12"; exit 2; }; \
	fits $(PYTHON) || { echo "make: $(PYTHON) is Python $$found, and $$oldest or newer is needed; name one: make PYTHON=python3.12"; exit 2; }; \
	echo "making $(VENV) with Python $$found"; $(PYTHON) -m venv --clear $(VENV)
	@echo "setting up $(VENV) (the first time takes a minute)"
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)
