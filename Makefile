# What people run. `make help` lists it; .ci/run runs the same targets.

SHELL := /bin/bash
BIN := .venv/bin
SOURCES := crds operator broker_image sdk tests tools examples

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Send a file through a queue while its broker is killed (KEEP=1 leaves it running)
	@tools/setup demo
	@$(BIN)/python -m tools.demo $(if $(filter-out 0,$(KEEP)),--keep)

.PHONY: test
test: ## Run all tests, with what each part took (PART=unit runs one)
	@tools/setup dev
	@tools/setup cluster
	@$(BIN)/python tools/test.py $(PART)

.PHONY: check
check: ## Look at format, lint, types, import rules, and drift of generated files
	@tools/setup dev
	$(BIN)/ruff format --check --quiet $(SOURCES)
	$(BIN)/ruff check --quiet $(SOURCES)
	$(BIN)/mypy --no-error-summary $(SOURCES)
	$(BIN)/lint-imports --no-cache >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	$(BIN)/python -m quintet_api.generate --check

.PHONY: format
format: ## Put code into its format, and mend what the linter can
	@tools/setup dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

.PHONY: generate
generate: ## Write the files that follow from the API types: CRDs and reference
	@tools/setup dev
	$(BIN)/python -m quintet_api.generate

.PHONY: image
image: ## Make the container images (IMAGE_BUILDER=docker, podman or buildah; BASE_IMAGE=any Debian-like one with Python)
	@tools/setup image
	@$(or $(PYTHON),python3) -m tools.image $(ARGS)

.PHONY: cluster
cluster: ## Make a cluster for tests: kind, three nodes (the first time some minutes)
	@tools/setup dev
	@tools/setup cluster
	@$(BIN)/python -m tests.cluster.kind up

.PHONY: cluster-down
cluster-down: ## Take that cluster away
	@tools/setup dev
	@$(BIN)/python -m tests.cluster.kind down

.PHONY: bench
bench: ## Measure the queue beside RabbitMQ, NATS, Artemis, ElasticMQ and raw Redis; about 15 minutes (ARGS="--rows batches --peers nats")
	@tools/setup bench
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: clean
clean: ## Remove what the other targets made in this folder (end a kept demo first)
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -r {} +
