# Continuous Order Capture console. `make help` lists the targets.
# Every target sets up what it needs first: .venv with the locked packages.

PYTHON_IN_VENV := .venv/bin/python
COMPILE := .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet

# Tests run in this many processes at a time.
TEST_WORKERS ?= 2

# The simulation plays this many seeds, from this one on.
SEEDS ?= 500
FIRST ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo run test simulate lint lock clean setup setup-dev

help:
	@echo "make demo   everything, with a simulated inventory service and a story (ORDERS=file.csv replays real orders)"
	@echo "make run    web, worker and monitor against the inventory service that the environment names"
	@echo "make test   the tests, on SQLite (ARGS='-k name' chooses some)"
	@echo "make simulate  plays SEEDS worlds from seed FIRST on and checks the promises at every step"
	@echo "make lint   formatting, lint, types, and which package may import which"
	@echo "make lock   write both requirement locks anew from pyproject.toml"
	@echo "make clean  remove .venv, caches and var/demo (never var itself)"

setup:
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

# The commands are started without a shell between, so that they notice when make itself ends.
demo: setup
	@$(PYTHON_IN_VENV) manage.py demo --with-parent $(ARGS)

run: setup
	@$(PYTHON_IN_VENV) manage.py serve --with-parent $(ARGS)

test: setup-dev
	@$(PYTHON_IN_VENV) -m pytest -n $(TEST_WORKERS) --dist worksteal $(ARGS)

simulate: setup-dev
	@$(PYTHON_IN_VENV) -m tests.simulation --first $(FIRST) --seeds $(SEEDS) $(ARGS)

lint: setup-dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

lock: setup-dev
	@$(PYTHON_IN_VENV) -c "import uv" 2>/dev/null || $(PYTHON_IN_VENV) -m pip install --quiet uv
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --output-file requirements-dev.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results staticfiles var/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
