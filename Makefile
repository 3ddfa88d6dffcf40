# `make run` and `make test` are all that a newcomer needs. Every verb works on a machine that never saw the project.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null))
VENV := .venv
BIN := $(VENV)/bin
COLLECTED := var/static/staticfiles.json
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard diagnoses/locale/*/LC_MESSAGES/django.po))
LOCKS := requirements/locks
STATIC := $(shell find diagnoses/static -type f 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run backup restore test lint messages bench chaos fuzz lock supply screenshots clean python

help:
	@echo "make run    start everything on this machine (HOST= and PORT= choose where)"
	@echo "make test   the whole test suite"
	@echo "make lint   style, types and import contracts"
	@echo "make messages  bring the catalogues of translations up to date with the code, and say what they lack"
	@echo "make bench  measure the product beside something plain, as ratios (DATA= a folder of radiographs, or phantoms"
	@echo "            are drawn; ONLY= some measures; LONG=1 many images for memory; JSON= a file for the figures)"
	@echo "make chaos  break everything on a site of its own, and show that nothing is lost or read twice (SEED=, SECONDS=)"
	@echo "make fuzz   hostile and broken files through everything that reads files (FUZZ_SECONDS=, SEED=); 1 where any was found"
	@echo "make screenshots  every page, in both languages, light and dark, on a desk and a telephone (ONLY= some pages)"
	@echo "make backup   the database, the files and, apart from them, the keys, while the site runs (TO=, KEYS_TO= folders)"
	@echo "make restore  a backup into an empty site that does not run (FROM= a backup, KEYS_FROM= the newest keys)"
	@echo "make lock   pin anew what is installed, with hashes, after requirements.txt has changed (UPGRADE= one package)"
	@echo "make supply  the list of all that ships: a bill of materials (CycloneDX) and every licence"
	@echo "make clean  remove what the build made; never var/, where the data is"

run: $(VENV)/.run $(COLLECTED) $(CATALOGUES)
	@exec $(BIN)/python -m cxrsite.run

backup: $(VENV)/.run $(CATALOGUES)
	@$(BIN)/python manage.py backup $(if $(TO),--to "$(TO)") $(if $(KEYS_TO),--keys-to "$(KEYS_TO)")

restore: $(VENV)/.run $(CATALOGUES)
	@$(BIN)/python -m cxrsite.restore "$(FROM)" "$(KEYS_FROM)"

test: $(VENV)/.dev $(COLLECTED) $(CATALOGUES)
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/integration
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/integration -m "not alone"
	$(BIN)/python -m pytest tests/integration -m alone

lint: export CXR_ENV_FILE =
lint: export CXR_SECRET_KEY = only-for-the-type-checker-that-reads-the-settings-once
lint: export CXR_DATA_KEYS = 1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU=
lint: export DATABASE_URL = postgresql://none/none
lint: export REDIS_URL = redis://none
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml cxrsite diagnoses workers manage.py
	$(BIN)/mypy
	$(BIN)/lint-imports

messages: export CXR_ENV_FILE =
messages: export CXR_SECRET_KEY = only-for-the-search-for-words-that-reads-the-settings-once
messages: export CXR_DATA_KEYS = 1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU=
messages: export DATABASE_URL = postgresql://none/none
messages: export REDIS_URL = redis://none
messages: $(VENV)/.run
	$(BIN)/python -m tests.language

bench: $(VENV)/.dev $(COLLECTED) $(CATALOGUES)
	$(BIN)/python -m tests.bench $(if $(DATA),"$(DATA)") $(if $(ONLY),--only $(ONLY)) $(if $(LONG),--long) $(if $(JSON),--json "$(JSON)")

chaos: $(VENV)/.dev $(COLLECTED) $(CATALOGUES)
	$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

# A version that a lock holds stays until `make lock UPGRADE=name` or a pin in requirements.txt says otherwise.
lock: $(VENV)/.dev
	@for name in run dev web worker worker-gpu; do \
		source=requirements/$$name.txt; test $$name != run || source=requirements.txt; \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-annotate --no-header $(if $(UPGRADE),--upgrade-package $(UPGRADE)) \
			--output-file $(LOCKS)/$$name.txt $$source || exit 1; \
	done

supply: $(VENV)/.dev
	$(BIN)/python -m tests.supply docs/supply

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS)) $(if $(SEED),--seed $(SEED))

screenshots: $(VENV)/.dev $(COLLECTED) $(CATALOGUES)
	$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.stage docs/screenshots $(ONLY)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache $(CATALOGUES)
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and no python3 was found. Install one, or say PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Say PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks the venv module. Install it (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }

$(BIN)/python: | python
	$(PYTHON) -m venv $(VENV)

# Nothing is installed but what a lock names, byte for byte as when it was written.
$(VENV)/.run: $(LOCKS)/run.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.dev: $(LOCKS)/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

%.mo: %.po $(VENV)/.run
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@

$(COLLECTED): $(STATIC) $(VENV)/.run
	@CXR_ENV_FILE= CXR_DATA_KEYS=1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU= \
		CXR_SECRET_KEY=only-to-collect-files-and-never-to-serve-anything-with-it DATABASE_URL=postgresql://none/none \
		REDIS_URL=redis://none $(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@touch $@
