# The two commands of the README are `make run` and `make test`; `make help` lists the rest.
# Everything they need is put into .venv by `make setup`, from the lock file, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: deploy-tools deploy-check claims help setup run test check lint audit types unit explore drills soak chaos bench docs docs-links screenshots lock clean
SEED ?= 1
TRIALS ?=
PROFILE := local

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(STAMP) ## make .venv with the locked dependencies and the `healing` command

$(STAMP): requirements.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "healing_pipeline needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv (once, one to three minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: setup ## start everything: PostgreSQL, simulated upstreams, Dagster; Ctrl-C stops it (PROFILE=celery)
	@exec $(BIN)/healing up --profile $(PROFILE)

test: setup lint types ## everything that CI runs: ruff, mypy, the whole suite
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: setup lint types unit ## the quick half of `make test`

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

audit: setup ## bandit over our code, and known vulnerabilities of the locked dependencies
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive healing_pipeline
	@$(BIN)/python scripts/audit_dependencies.py

types: setup
	@$(BIN)/mypy

unit: setup ## tests without I/O, in seconds
	@$(BIN)/python -m pytest healing_pipeline_tests/unit

explore: setup ## the properties with fresh random examples, five times as many; minutes
	@HEALING_HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest healing_pipeline_tests/unit -n 2 --dist loadfile

soak: setup ## launch runs while warm processes and launchers are killed at random; minutes (SEED=1)
	@$(BIN)/python healing_pipeline_tests/launcher/soak.py --runs 200 --seed $(SEED)

chaos: setup ## break everything on purpose, load and fuzz it; writes docs/explanation/reliability.md (SEED=1, TRIALS=kills)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	@$(BIN)/python -m healing_pipeline_tests.chaos --seed $(SEED) $(TRIALS)

drills: setup ## every drill scenario, scored on data (SEED=1); a quarter of an hour
	@$(BIN)/healing drill --scenario all --seed $(SEED)

bench: setup ## what a read costs, and the same faults played to other tools (fetches those); minutes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/overhead.py
	@$(BIN)/python benchmarks/gateway.py
	@$(BIN)/python benchmarks/data_path.py --seed $(SEED)
	@$(BIN)/python benchmarks/learning.py --quick --seed $(SEED)
	@$(BIN)/python benchmarks/launch.py

docs: setup ## build the documentation into build/docs; a link to nowhere is an error
	@$(BIN)/python scripts/fetch_mermaid.py
	@$(BIN)/python -m sphinx -b html -W --keep-going -j auto -d build/docs-read docs build/docs
	@echo "Open build/docs/index.html"

docs-links: setup ## ask for every link of the documentation that leaves it (needs the network); minutes
	@$(BIN)/python -m sphinx -b linkcheck -d build/docs-read docs build/docs-links

screenshots: setup ## take the pictures in docs/pictures anew, from a real run (needs chromium); a minute
	@$(BIN)/python scripts/take_screenshots.py

lock: ## resolve the dependencies anew and write requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-header \
	  --output-file requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --extra celery --extra k8s --extra redis --generate-hashes \
	  --no-header --no-annotate -c requirements.lock --output-file deploy/requirements.txt pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -c requirements.lock --output-file deploy/requirements-build.txt deploy/requirements-build.in

claims: setup ## measure what docs/claims.md says, twenty minutes (QUICK=1, ONLY=launch); writes the page
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python benchmarks/claims.py $(if $(QUICK),--quick) $(foreach each,$(ONLY),--only $(each))

deploy-tools: setup
	@$(BIN)/python deploy/fetch_tools.py $(VENV)/deploy-tools

deploy-check: deploy-tools ## render and check deploy/: Helm, Docker Compose and nginx (fetches those)
	@HEALING_DEPLOY_TESTS=required $(BIN)/python -m pytest healing_pipeline_tests/deploy

clean: ## remove .venv and the local state (.healing)
	rm -rf $(VENV) .healing build *.egg-info
