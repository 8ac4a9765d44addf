# Continuous Order Capture console. `make help` lists the targets.
# Every target sets up what it needs first: .venv with the locked packages.

PYTHON_IN_VENV := .venv/bin/python
COMPILE := .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet

MESSAGES := --locale de --ignore .venv --ignore tests --ignore var --ignore staticfiles

# Tests run in this many processes at a time, since many wait for processes that they start.
TEST_WORKERS ?= 4
IN_PARALLEL = -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# Of the files that start the product, a browser or a simulated world `make test` plays one in six,
# others each day. SLOW=all plays all of them, as CI does.
SLOW ?= turns

# What `make test-newest` runs: the parts that depend most on Django and on the language.
NEWEST ?= -q tests/orders tests/coc_admin/api tests/reconciliation/runs tests/reconciliation/reservation

# The simulation plays this many seeds, from this one on.
SEEDS ?= 500
FIRST ?= 1

# A soak kills for so long, from this seed; so long are answers lost by `make unknowns`.
MINUTES ?= 5
SEED ?= 1

# Tests of made-up input play this many times as many examples, new ones each time.
TIMES ?= 20

.DEFAULT_GOAL := help
.PHONY: help demo dev run t test test-long test-newest coverage check simulate fuzz lint audit lock messages screenshots benchmark bench soak unknowns clean setup setup-dev

help:
	@echo "make demo   everything, with a simulated inventory service and a story (ORDERS=file.csv replays real orders)"
	@echo "make run    web, worker and monitor against the inventory service that the environment names"
	@echo "make dev    one web process with DEBUG that reloads when a file is saved"
	@echo "make t      one test file without workers (T=tests/orders/capture/test_capture.py)"
	@echo "make check  formatting, lint, types, layers, settings and migrations"
	@echo "make test   the tests, on SQLite, in their short form (ARGS='-k name' chooses some)"
	@echo "make test-long  the same, with all of the long lists of which the short form plays a part"
	@echo "make test-newest  a part of the tests on the newest Python here and the newest Django"
	@echo "make coverage  lines and branches of the product that the tests do not reach (ARGS=tests/orders)"
	@echo "make simulate  plays SEEDS worlds from seed FIRST on and checks the promises at every step"
	@echo "make fuzz   plays TIMES as much of the tests whose input the machine makes up"
	@echo "make lint   formatting, lint, types, and which package may import which"
	@echo "make audit  published vulnerabilities of the locked packages (needs the network)"
	@echo "make lock   write both requirement locks anew from pyproject.toml"
	@echo "make screenshots  takes the pictures of the guide from a demo (needs Chromium)"
	@echo "make benchmark  the pages of the console with 100,000 orders (DATABASE_URL=postgres://...)"
	@echo "make bench  every row of docs/performance.md beside its limit (DATABASE_URL=postgres://..., ARGS=--full)"
	@echo "make soak    load while processes and database are killed, MINUTES on each database"
	@echo "make unknowns  everything goes on while OCI acts and its answers are lost, MINUTES on each database"
	@echo "make messages  collects the texts to translate, and compiles the translations"
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

# A database of its own, so that a demo's data stays as it is.
dev: setup-dev
	@DEBUG=true COC_VAR_DIR=var/dev $(PYTHON_IN_VENV) manage.py migrate --verbosity 0
	@DEBUG=true COC_VAR_DIR=var/dev $(PYTHON_IN_VENV) manage.py runserver $(or $(PORT),8000)

t: setup-dev
	@$(PYTHON_IN_VENV) -m pytest $(T) $(ARGS)

check: lint
	@DEBUG=true $(PYTHON_IN_VENV) manage.py check
	@DEBUG=true $(PYTHON_IN_VENV) manage.py makemigrations --check --dry-run

test: setup-dev
	@COC_TEST_SLOW=$(SLOW) $(PYTHON_IN_VENV) -m pytest $(IN_PARALLEL) $(ARGS)

# Plays every part of the lists of which `make test` plays one a day, and more of what is drawn.
test-long: setup-dev
	@COC_TEST_LONG=1 $(PYTHON_IN_VENV) -m pytest $(IN_PARALLEL) $(ARGS)

# In an environment of its own (.venv-newest), which is made again each time.
test-newest:
	@scripts/newest.sh $(IN_PARALLEL) $(or $(ARGS),$(NEWEST))

# Measuring takes time of its own, so this is a command and no part of `make test`.
coverage: setup-dev
	@$(PYTHON_IN_VENV) -m coverage erase
	@$(PYTHON_IN_VENV) -m coverage run -m pytest $(IN_PARALLEL) $(ARGS)
	@$(PYTHON_IN_VENV) -m coverage combine --quiet
	@$(PYTHON_IN_VENV) -m coverage report

simulate: setup-dev
	@$(PYTHON_IN_VENV) -m tests.simulation --first $(FIRST) --seeds $(SEEDS) $(ARGS)

fuzz: setup-dev
	@COC_FUZZ=$(TIMES) $(PYTHON_IN_VENV) -m pytest -m fuzz $(ARGS)

lint: setup-dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

# Exit code 3: the data could not be reached, so nothing was checked.
audit: setup-dev
	@$(PYTHON_IN_VENV) scripts/audit.py

lock: setup-dev
	@$(PYTHON_IN_VENV) -c "import uv" 2>/dev/null || $(PYTHON_IN_VENV) -m pip install --quiet uv
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --output-file requirements-dev.lock

# Needs Chromium: takes the pictures of docs/guide from a demo of its own.
screenshots: setup-dev
	@$(PYTHON_IN_VENV) scripts/screenshots.py

# The size that the product is built for, on the database that DATABASE_URL names.
benchmark: setup-dev
	@COC_BENCH_CONSOLE_ORDERS=$${COC_BENCH_CONSOLE_ORDERS:-100000} COC_BENCH_CONSOLE_SKUS=$${COC_BENCH_CONSOLE_SKUS:-5000} \
		COC_BENCH_LIMIT_MS=$${COC_BENCH_LIMIT_MS:-200} $(PYTHON_IN_VENV) -m pytest tests/benchmarks/test_console_speed.py $(ARGS)

# Short unless ARGS=--full; DATABASE_URL names a PostgreSQL database that may be filled.
bench: setup-dev
	@$(PYTHON_IN_VENV) -m tests.benchmarks $(ARGS)

# Load and kills for MINUTES on each database, from SEED; then everything must agree.
soak: setup-dev
	@$(PYTHON_IN_VENV) -m tests.soak --minutes $(MINUTES) --seed $(SEED) $(ARGS)

# OCI acts and its answers are lost, for MINUTES on each database; then everything must heal and agree.
unknowns: setup-dev
	@$(PYTHON_IN_VENV) -m tests.unknowns --minutes $(MINUTES) --seed $(SEED) $(ARGS)

# Needs GNU gettext. What is new in the .po file is then to be translated, and `make messages` said again.
messages: setup-dev
	@$(PYTHON_IN_VENV) manage.py makemessages $(MESSAGES) --no-location --no-obsolete
	@msgfmt --check-format --output-file coc_admin/locale/de/LC_MESSAGES/django.mo coc_admin/locale/de/LC_MESSAGES/django.po

clean:
	rm -rf .venv .venv-newest .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage .hypothesis test-results staticfiles var/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
