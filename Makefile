# Every command of the workspace. A machine needs Python 3.11-3.13, Java 17 (for Spark) and make; the rest is set up here.
# Settings, all optional: PYTHON (the interpreter to use), WINGBEAT_CACHE (where uv is kept), ARGS (more arguments of pytest).

PYTHON ?= python3
WINGBEAT_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/wingbeat

VENV := $(CURDIR)/.venv
DOCS_VENV := $(CURDIR)/.cache/docs
ETA_VENV := $(CURDIR)/.cache/eta
TENSORFLOW_VENV := $(CURDIR)/.cache/tensorflow
ACTIVATE := . $(VENV)/bin/activate &&

UV_HOME := $(WINGBEAT_CACHE)/tools/uv-$(firstword $(shell cksum < requirements/uv.txt))
UV := $(UV_HOME)/bin/uv

MEMBERS := kernel cli plugins/admin plugins/catalog plugins/container plugins/notify plugins/spark plugins/telemetry plugins/tensorflow
PYPROJECTS := pyproject.toml $(MEMBERS:%=%/pyproject.toml)
PYTHON_VERSION := $(or $(filter 3.11 3.12 3.13,$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)),other)
SYNCED := $(VENV)/.synced-$(PYTHON_VERSION)
SPARK_SYNCED := $(VENV)/.synced-spark-$(PYTHON_VERSION)
DOCS_SYNCED := $(DOCS_VENV)/.synced-$(PYTHON_VERSION)
ETA_SYNCED := $(ETA_VENV)/.synced-$(PYTHON_VERSION)
TENSORFLOW_SYNCED := $(TENSORFLOW_VENV)/.synced-$(PYTHON_VERSION)
TENSORFLOW_PYTEST := . $(TENSORFLOW_VENV)/bin/activate && pytest plugins/tensorflow examples/eta/tests/test_cnn_keras.py -o faulthandler_timeout=0
ETA_PYTEST := . $(ETA_VENV)/bin/activate && pytest examples/eta examples/maps -o faulthandler_timeout=0

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help demo podman simulate simulate-engine simulate-weekly mutants test test-heavy test-long faults test-realdata check format bench docs build changelog lock acceptance schema sync clean python

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-15s %s\n", $$1, $$2}'

demo: $(SYNCED) ## run the ETA example on its embedded data
	@$(ACTIVATE) wingbeat run examples/eta/eta.py eta

# One process more than there are cores: some of the time they wait. One after another, as when a test is looked at: ARGS="-n 0".
PROCESSES := $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')

test: $(SYNCED) $(ETA_SYNCED) ## run the tests (at most ten minutes)
	@$(ACTIVATE) pytest kernel cli plugins tests examples --ignore examples/eta --ignore examples/maps --numprocesses $(PROCESSES) --dist worksteal $(ARGS)
	@$(ETA_PYTEST) $(ARGS)

test-heavy: $(SYNCED) $(SPARK_SYNCED) $(TENSORFLOW_SYNCED) $(ETA_SYNCED) ## run the slow tests too: environments, containers, faults, servers, Spark, TensorFlow
	@failed=0; \
	($(ACTIVATE) pytest -m "containers or environments or faults or servers or spark" --ignore examples/eta --ignore examples/maps \
		--numprocesses $(PROCESSES) --dist loadgroup $(ARGS)) || failed=1; \
	($(ETA_PYTEST) -m spark $(ARGS)) || failed=1; \
	($(TENSORFLOW_PYTEST) -m tensorflow $(ARGS)) || failed=1; \
	exit $$failed

test-long: $(SYNCED) $(ETA_SYNCED) ## run what takes longer still: whole kits on broken plugins, a thousand examples of each call to a server, the network and the production form of the ETA example
	@$(ACTIVATE) pytest -m long kernel tests $(ARGS)
	@$(ETA_PYTEST) -m long $(ARGS)

# What the tests of containers, of the catalog in Redis, of power cuts on xfs and of completion need of the system; without it they say that they
# were not run.
podman: ## install Podman, runc, a registry, Redis, xfsprogs, zsh and fish (Debian, as root)
	@lacking=; for program in podman runc docker-registry redis-server zsh fish; do \
		command -v $$program > /dev/null || lacking="$$lacking $$program"; done; \
	PATH="$$PATH:/usr/sbin" command -v mkfs.xfs > /dev/null || lacking="$$lacking xfsprogs"; \
	test -z "$$lacking" || { \
		test "$$(id -u)" = 0 || { echo "make podman installs packages: run it as root" >&2; exit 2; }; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$lacking > /dev/null; }
	@podman --version

faults: $(SYNCED) ## kill, cut and fill ten times as often as test-heavy does (an hour and more)
	@$(ACTIVATE) FAULTS_TIMES=10 pytest -m faults tests/faults $(ARGS)

test-realdata: $(ETA_SYNCED) ## run the ETA example on real data: ETA_DATA=DIR
	@test -n "$(ETA_DATA)" || { echo "make test-realdata needs ETA_DATA=DIR, a folder of data; see examples/eta" >&2; exit 2; }
	@export ETA_DATA="$(abspath $(ETA_DATA))" && $(ETA_PYTEST) -m realdata $(ARGS)

SEEDS ?= 20000
simulate: $(SYNCED) ## run the machine in simulated worlds with faults: SEEDS=20000, or FROM:TO
	@$(ACTIVATE) python -m wingbeat.testing.simulate --seeds $(SEEDS)

WORLDS ?= 0:500
simulate-engine: $(SYNCED) ## run whole engines, and admins with schedules, in virtual worlds with faults: WORLDS=FROM:TO
	@$(ACTIVATE) { python -m wingbeat.testing.virtual --seeds $(WORLDS) & } && \
	SEEDS=$(WORLDS) pytest plugins/admin/tests/test_scheduled.py -k some -o faulthandler_timeout=0 --numprocesses 0; \
	admins=$$?; wait $$! && exit $$admins

# Seeds that nobody has run yet, by the clock, in slices: a slice with a seed that fails is the last.
WEEKLY_SEEDS ?= 1000000
WEEKLY_SLICE ?= 50000
simulate-weekly: $(SYNCED) ## a million fresh seeds of the simulator, over all cores; stops with those that fail (once a week)
	@$(ACTIVATE) from=$$(($$(date +%s) * 1000000)) && end=$$((from + $(WEEKLY_SEEDS))) && \
	while [ $$from -lt $$end ]; do \
		to=$$((from + $(WEEKLY_SLICE))); echo "== seeds $$from:$$to"; \
		python -m wingbeat.testing.simulate --seeds $$from:$$to || { \
			echo "a seed failed; all of this slice again: make simulate SEEDS=$$from:$$to" >&2; exit 1; }; \
		from=$$to; \
	done

mutants: $(SYNCED) ## show that the simulation finds every bug that is planted
	@$(ACTIVATE) python -m wingbeat.testing.simulate --mutants

check: $(SYNCED) ## check format, lint, types and imports
	@$(ACTIVATE) ruff format --check
	@$(ACTIVATE) ruff check
	@$(ACTIVATE) mypy
	@$(ACTIVATE) lint-imports --no-logo

format: $(SYNCED) ## format the code and mend what ruff can mend
	@$(ACTIVATE) ruff format
	@$(ACTIVATE) ruff check --fix

bench: $(SYNCED) ## run the benchmarks, each beside its raw limit; ARGS="wide chain" for some
	@$(ACTIVATE) python -m benchmarks $(ARGS)

docs: $(DOCS_SYNCED) ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --quiet
	@echo "the documentation is in site/index.html"

build: $(SYNCED) ## build every distribution into dist/
	@rm -rf dist
	@$(ACTIVATE) $(UV) build --quiet --all-packages --no-build-isolation --python $(VENV)/bin/python --out-dir dist
	@ls dist

changelog: $(SYNCED) ## show what the next changelogs will say
	@$(ACTIVATE) for member in $(MEMBERS); do \
		towncrier build --draft --config pyproject.toml --dir $$member --name $$member --version next 2>/dev/null; done

# `make lock` keeps the versions that still fit; `make lock ARGS=--upgrade` takes new ones.
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-strip-extras --no-emit-index-url --no-emit-find-links $(ARGS)

lock: | $(UV) ## make the locks in requirements/ again from the pyproject files
	@$(LOCK) --group pyproject.toml:uv --output-file requirements/uv.txt
	@$(LOCK) $(MEMBERS:%=%/pyproject.toml) --group pyproject.toml:dev --extra environments --extra testing --extra server \
		--constraints requirements/uv.txt --output-file requirements/dev.txt \
		--no-emit-package wingbeat --no-emit-package wingbeat-cli \
		--no-emit-package wingbeat-admin --no-emit-package wingbeat-catalog --no-emit-package wingbeat-container --no-emit-package wingbeat-notify --no-emit-package wingbeat-spark --no-emit-package wingbeat-telemetry --no-emit-package wingbeat-tensorflow
	@$(LOCK) --group pyproject.toml:spark --constraints requirements/dev.txt --output-file requirements/spark.txt
	@$(LOCK) $(MEMBERS:%=%/pyproject.toml) --group pyproject.toml:tensorflow --constraints requirements/uv.txt \
		--output-file requirements/tensorflow.txt --no-emit-package wingbeat --no-emit-package wingbeat-cli \
		--no-emit-package wingbeat-admin --no-emit-package wingbeat-catalog --no-emit-package wingbeat-notify --no-emit-package wingbeat-spark --no-emit-package wingbeat-tensorflow
	@$(LOCK) --group pyproject.toml:docs --output-file requirements/docs.txt
	@$(LOCK) $(MEMBERS:%=%/pyproject.toml) examples/eta/pyproject.toml --group pyproject.toml:eta --extra server \
		--constraints requirements/uv.txt --constraints examples/eta/requirements.txt --output-file requirements/eta.txt \
		--no-emit-package wingbeat --no-emit-package wingbeat-cli \
		--no-emit-package wingbeat-admin --no-emit-package wingbeat-catalog --no-emit-package wingbeat-container --no-emit-package wingbeat-notify --no-emit-package wingbeat-spark --no-emit-package wingbeat-telemetry --no-emit-package wingbeat-tensorflow

acceptance: $(SYNCED) ## run acceptance programs: ACCEPTANCE=DIR, and ONLY="01 02" for some
	@test -n "$(ACCEPTANCE)" || { echo "make acceptance needs ACCEPTANCE=DIR, a folder of programs" >&2; exit 2; }
	@$(ACTIVATE) python tools/acceptance.py "$(abspath $(ACCEPTANCE))" $(ONLY)

schema: $(SYNCED) ## write the JSON Schema of specs, and the routes of the HTTP API, to docs/reference
	@$(ACTIVATE) python tools/spec_schema.py
	@$(ACTIVATE) python tools/http_routes.py

sync: $(SYNCED) ## make .venv as the lock says; the others do this themselves

clean: ## remove what was built, and .venv
	@rm -rf .venv .cache dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@test $(PYTHON_VERSION) != other || { \
		echo "Wingbeat needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is none of them. Name another one:" >&2; \
		echo "make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }

# uv, from its locked wheel, outside the tree and shared by all clones.
$(UV): | python
	@echo "installing uv into $(UV_HOME)"
	@mkdir -p $(WINGBEAT_CACHE)/tools
	@new=$$(mktemp -d $(UV_HOME).XXXXXX) && trap 'rm -rf "$$new"' EXIT && \
		{ $(PYTHON) -m venv "$$new" || { echo "'$(PYTHON) -m venv' failed; on Debian: apt install python3-venv" >&2; exit 1; }; } && \
		"$$new/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
			--requirement requirements/uv.txt && \
		{ test -d $(UV_HOME) || mv "$$new" $(UV_HOME); }

$(SYNCED): requirements/dev.txt $(PYPROJECTS) | python $(UV)
	@echo "setting up .venv"
	@$(UV) venv --quiet --clear --python "$(PYTHON)" $(VENV)
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(VENV) requirements/dev.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(VENV) $(MEMBERS:%=--editable %)
	@$(VENV)/bin/python -m compileall -q $(MEMBERS:%=%/src)
	@touch $@

$(SPARK_SYNCED): requirements/spark.txt $(SYNCED)
	@$(UV) pip install --quiet --require-hashes --python $(VENV) --requirement requirements/spark.txt
	@touch $@

$(TENSORFLOW_SYNCED): requirements/tensorflow.txt $(PYPROJECTS) | python $(UV)
	@echo "setting up the environment of plugins/tensorflow"
	@mkdir -p $(dir $(TENSORFLOW_VENV))
	@$(UV) venv --quiet --clear --python "$(PYTHON)" $(TENSORFLOW_VENV)
	@$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(TENSORFLOW_VENV) requirements/tensorflow.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(TENSORFLOW_VENV) $(MEMBERS:%=--editable %)
	@touch $@

$(ETA_SYNCED): requirements/eta.txt $(PYPROJECTS) | python $(UV)
	@echo "setting up the environment of examples/eta"
	@mkdir -p $(dir $(ETA_VENV))
	@$(UV) venv --quiet --clear --python "$(PYTHON)" $(ETA_VENV)
	@$(UV) pip sync --quiet --require-hashes --python $(ETA_VENV) requirements/eta.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation --python $(ETA_VENV) $(MEMBERS:%=--editable %)
	@touch $@

$(DOCS_SYNCED): requirements/docs.txt | python $(UV)
	@mkdir -p $(dir $(DOCS_VENV))
	@$(UV) venv --quiet --clear --python "$(PYTHON)" $(DOCS_VENV)
	@$(UV) pip sync --quiet --require-hashes --python $(DOCS_VENV) requirements/docs.txt
	@touch $@
