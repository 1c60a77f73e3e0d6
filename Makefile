# The one entry: people and CI run the same targets. Caches live in $(SLIPWAY_HOME), outside the clone, and are rebuilt when missing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
SLIPWAY := $(BIN)/slipway --sandbox
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# ------------------------------------------------------------------------------------------------- set-up

.venv/.installed: requirements.lock pyproject.toml .ci/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "• installing python3-venv"; apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; }
	@echo "• installing Python packages into .venv (from requirements.lock, hashes checked)"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .ci/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

.PHONY: setup
setup: .venv/.installed ## install the Python packages (.venv)

.PHONY: lock
lock: setup ## resolve the lock files again, hashes included
	$(COMPILE) --extra=dev --extra=app --output-file=requirements.lock pyproject.toml
	$(COMPILE) --output-file=app/requirements.txt app/requirements.in
	$(COMPILE) --output-file=.ci/supply-chain.txt .ci/supply-chain.in
	$(COMPILE) --output-file=.ci/checkov.txt .ci/checkov.in

# ------------------------------------------------------------------------------------------------- the main job

.PHONY: demo
demo: setup ## take a real service from dev to prod on this machine, and see a broken release roll back
	@$(SLIPWAY) demo

.PHONY: up
up: setup ## start the sandbox and deploy the dev environment
	@$(SLIPWAY) sandbox up
	@$(SLIPWAY) bootstrap dev
	@$(SLIPWAY) up dev --yes

.PHONY: down
down: setup ## stop the sandbox; everything in it is kept
	@$(SLIPWAY) sandbox down

.PHONY: clean
clean: setup ## remove the sandbox and everything in it; built binaries and images stay cached
	@$(SLIPWAY) sandbox reset --yes

# ------------------------------------------------------------------------------------------------- checks

# What the last two need is built while the first three run: they leave a processor idle.
.PHONY: test
test: setup ## lint, types and all tests, as CI runs them for each change
	@$(SLIPWAY) sandbox up & trap "kill $$! 2>/dev/null || true" EXIT; $(MAKE) lint types unit; wait $$!; $(MAKE) integration e2e

# Built from its Go module, by the hashes in go.sum; without the network after the first time.
$(BIN)/actionlint: .ci/tools/go.mod .ci/tools/go.sum .venv/.installed
	@echo "• building actionlint"; cd .ci/tools && go build -buildvcs=false -trimpath -o $(CURDIR)/$@ github.com/rhysd/actionlint/cmd/actionlint

.PHONY: lint
lint: setup $(BIN)/actionlint ## ruff (rules and format), the layers between packages, and the workflows
	@echo "• lint"; $(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports
	@$(BIN)/zizmor --offline --persona=auditor --no-progress --quiet .github && $(BIN)/actionlint -shellcheck= -pyflakes=

CHECKOV := build/checkov

$(CHECKOV)/.installed: .ci/checkov.txt .venv/.installed
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CHECKOV)
	@$(BIN)/uv pip sync --quiet --python $(CHECKOV) --require-hashes .ci/checkov.txt
	@touch $@

.PHONY: checkov
checkov: $(CHECKOV)/.installed ## settings of Dockerfile, workflows, and of prod's Kubernetes objects and AWS resources
	@echo "• checkov"; PATH="$$(dirname "$$($(SLIPWAY) sandbox pulumi)"):$$PATH" $(BIN)/python -m tests.rendered build/rendered
	@$(CHECKOV)/bin/checkov --config-file .ci/checkov.yaml --framework dockerfile kubernetes terraform_plan --file app/Dockerfile build/rendered/*
	@$(CHECKOV)/bin/checkov --config-file .ci/checkov.yaml --framework github_actions --directory .github

.PHONY: types
types: setup ## basedpyright, strict
	@echo "• types"; $(BIN)/basedpyright

# Where Python is told to write no bytecode, compiling the SDKs takes half the time of the unit tests: keep it, outside the clone.
unit integration: export PYTHONDONTWRITEBYTECODE =
unit integration: export PYTHONPYCACHEPREFIX = $(or $(SLIPWAY_HOME),$(HOME)/.slipway)/cache/bytecode

.PHONY: unit
unit: setup ## seconds; no process, no network
	@echo "• unit tests"; $(BIN)/pytest tests/unit --disable-socket --allow-unix-socket

# Without root or apt the tests that need it are skipped, and say so.
.PHONY: browser
browser:
	@if ! command -v chromium >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo "• installing Chromium, for the tests of web pages"; apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	fi

.PHONY: integration
integration: setup browser ## real processes: the Pulumi CLI, moto
	@echo "• integration tests"; PATH="$$(dirname "$$($(SLIPWAY) sandbox pulumi)"):$$PATH" $(BIN)/pytest tests/integration -n 2 --dist loadgroup --ignore-glob='*/test_rds_*.py'
	@$(BIN)/pytest tests/integration/sandbox_cloud/test_rds_*.py  # one at a time: their servers share a span of ports

# For one test with what it sets up; the story's first runs the whole demo.
E2E_SECONDS := 1800

.PHONY: e2e
e2e: setup ## the sandbox: real pods, real traffic (needs root)
	@echo "• end-to-end tests"; $(SLIPWAY) sandbox up
	@$(BIN)/pytest tests/e2e -p no:randomly --timeout $(E2E_SECONDS)

# ------------------------------------------------------------------------------------------------- what it is made of

SUPPLY := build/supply-chain

$(SUPPLY)/.installed: .ci/supply-chain.txt .venv/.installed
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(SUPPLY)
	@$(BIN)/uv pip sync --quiet --python $(SUPPLY) --require-hashes .ci/supply-chain.txt
	@touch $@

.PHONY: audit
audit: $(SUPPLY)/.installed ## known vulnerabilities of all locked packages (asks PyPI)
	@for file in requirements.lock app/requirements.txt .ci/*.txt; do \
	  echo "• $$file"; $(SUPPLY)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes --requirement $$file || failed=1; \
	done; exit $${failed:-0}

.PHONY: sbom
sbom: $(SUPPLY)/.installed ## build the wheel, and list the packages and licences of wheel and image: dist/*.cdx.json (CycloneDX)
	@rm -rf build/lib && $(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(COMPILE) --constraint requirements.lock --output-file=build/wheel.txt pyproject.toml
	@cp app/requirements.txt build/image.txt
	@for part in wheel image; do \
	  $(BIN)/uv venv --quiet --clear --python $(BIN)/python build/$$part; \
	  $(BIN)/uv pip sync --quiet --python build/$$part --require-hashes build/$$part.txt; \
	  $(SUPPLY)/bin/cyclonedx-py environment --output-reproducible $$([ $$part = image ] || echo --pyproject pyproject.toml --mc-type library) --output-file dist/$$part.cdx.json build/$$part/bin/python; \
	done

.PHONY: bench
bench: setup ## measure what docs/benchmarks.md reports
	@$(BIN)/python -m tests.bench

.PHONY: soak
soak: setup ## after the demo: 22 releases under load, with all that goes wrong meanwhile (about 50 minutes)
	@$(BIN)/slipway sandbox down && SLIPWAY_SANDBOX_NODES_PER_GROUP=2 $(BIN)/slipway sandbox up
	@$(BIN)/python -m tests.bench.soak
