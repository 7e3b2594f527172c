# The project's commands. `make demo` and `make test` need nothing but Python >= 3.11.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE_JARS := out/scale
DOCS_VENV := .venv-docs
ANYWHERE := not browser and not operation and not scale
REQUIREMENTS := deploy/requirements
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate
# What is deployed has the versions with which the tests ran.
DEPLOYED := $(LOCK) --upgrade --constraint $(REQUIREMENTS)/dev.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-web test-operation test-scale check format build sbom docs mosquitto chromium prometheus postgresql home-assistant deployment scale screenshots bench bench-scale soak fuzz lock clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/dev.installed ## make .venv with everything a developer needs

demo: $(VENV)/demo.installed ## run the demo for about a minute, on web pages too
	$(BIN)/har-demo --web

# Two at a time, each with one thread of OpenBLAS, as more of them take a core only to wait for one
# another. Then what depends on how soon something comes: whatever else the machine does delays that
# too, so what fails is tried once more.
test: export OPENBLAS_NUM_THREADS = 1
test: setup mosquitto check ## check style and types, then run all tests but those in a browser
	$(BIN)/python -m pytest -m "$(ANYWHERE) and not alone" -n 2 --dist worksteal
	$(BIN)/python -m pytest -m "$(ANYWHERE) and alone" \
		|| $(BIN)/python -m pytest -m "$(ANYWHERE) and alone" --last-failed

# What fails is tried once more: they wait for seconds, in which a busy machine may do nothing.
test-web: setup mosquitto chromium ## run the tests of the web pages in Chromium
	$(BIN)/python -m pytest -m browser || $(BIN)/python -m pytest -m browser --last-failed

test-operation: setup mosquitto prometheus postgresql home-assistant deployment ## run the tests with Prometheus, PostgreSQL and Home Assistant, and of what is installed
	$(BIN)/python -m pytest -m operation || $(BIN)/python -m pytest -m operation --last-failed

test-scale: setup mosquitto scale ## run the tests with Kafka and Spark
	$(BIN)/python -m pytest -m scale || $(BIN)/python -m pytest -m scale --last-failed

check: setup ## check style and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup ## bring the code into its style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

build: setup ## build the wheel and the source distribution into out/dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir out/dist

sbom: setup ## list what is deployed, with its licences, as CycloneDX in out/sbom
	$(BIN)/python -m tests.packaging.bill_of_materials out/sbom

screenshots: setup chromium ## make the pictures of the web pages in docs/images
	$(BIN)/python -m tests.screenshots

bench: setup mosquitto ## print the figures of docs/results (BENCH=--full: hold loads long)
	$(BIN)/python -m tests.benchmarks.run $(BENCH)

bench-scale: setup mosquitto scale ## print what har-spark and har-bridge cost, for docs/results/scale.md
	$(BIN)/python -m tests.benchmarks.bridge
	$(BIN)/python -m tests.benchmarks.scale

soak: setup mosquitto ## let phones come, go and flood for half an hour (SOAK="--minutes 6")
	$(BIN)/python -m tests.benchmarks.soak $(SOAK)

fuzz: setup mosquitto ## test properties on new inputs, decode a million messages that are wrong, send a million with wild times (FUZZ="--seed 7": the same messages again)
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile explore
	$(BIN)/python -m tests.fuzz.run $(FUZZ)

lock: $(BIN)/python ## renew the locked dependencies
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --upgrade --group build pyproject.toml --extra demo --extra web -o $(REQUIREMENTS)/demo.txt
	$(LOCK) --upgrade --group build pyproject.toml --extra demo --extra web --extra train --extra plots \
		--extra history --extra kafka --group dev \
		-o $(REQUIREMENTS)/dev.txt
	$(LOCK) --upgrade --group docs -o $(REQUIREMENTS)/docs.txt
	$(DEPLOYED) --group build -o $(REQUIREMENTS)/build.txt
	$(DEPLOYED) pyproject.toml --extra web --extra history --extra kafka -o $(REQUIREMENTS)/service.txt
	$(DEPLOYED) pyproject.toml --extra train -o $(REQUIREMENTS)/trainer.txt
	$(DEPLOYED) pyproject.toml --extra kafka --extra spark -o $(REQUIREMENTS)/scale.txt

docs: $(DOCS_VENV)/docs.installed ## build the site of docs/ into out/site, and check its links
	$(DOCS_VENV)/bin/mkdocs build --strict --config-file deploy/mkdocs.yml

mosquitto: # the broker tests fall back to the embedded broker where it cannot be had
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; command -v mosquitto >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends mosquitto; \
	} || echo "note: no mosquitto, the broker tests use the embedded broker"

chromium: # the tests in a browser are skipped where it cannot be had
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
		|| command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; \
	} || echo "note: no chromium, the tests of the web pages in a browser are skipped"

prometheus: # the tests that need it are skipped where it cannot be had
	@command -v promtool >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus; \
	} || echo "note: no prometheus, the tests of monitoring with it are skipped"

postgresql: # the tests that need it are skipped where it cannot be had
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; \
	} || echo "note: no postgresql, the tests of the history on it are skipped"

home-assistant: setup # its tests are skipped where it cannot be had
	@$(BIN)/python -m tests.operation.home_assistant \
		|| echo "note: no Home Assistant, its tests are skipped"

deployment: # what judges and tries deploy/; its tests are skipped where it cannot be had
	@command -v systemd-analyze >/dev/null && command -v docker-compose >/dev/null \
		&& command -v debootstrap >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends \
			systemd docker-compose debootstrap curl iproute2; \
	} || echo "note: no systemd, docker-compose or debootstrap: tests of deploy/ are skipped"

scale: setup # the tests that need them are skipped where they cannot be had
	@$(MAKE) --no-print-directory $(VENV)/scale.installed \
		|| echo "note: no Kafka client or PySpark, the tests that need them are skipped"
	@command -v java >/dev/null && command -v mvn >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends default-jre-headless maven; \
	} || echo "note: no Java or Maven, the tests with Kafka and Spark are skipped"
	@$(MAKE) --no-print-directory $(SCALE_JARS)/copied \
		|| echo "note: no jars of Kafka and Spark, the tests that need them are skipped"

$(SCALE_JARS)/copied: tests/scale/pom.xml
	@for part in kafka spark; do \
		rm -rf $(SCALE_JARS)/$$part; \
		mvn -q -B -P $$part -f $< dependency:copy-dependencies \
			-DoutputDirectory=$(CURDIR)/$(SCALE_JARS)/$$part || exit 1; \
	done
	@touch $@

clean: ## remove what the commands made
	rm -rf $(VENV) $(DOCS_VENV) .venv-home-assistant out out-windows .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Debian keeps what venv needs in a package of its own.
%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "har-stream needs Python 3.11 or newer: make PYTHON=python3.x ..."; exit 1; }
	@$(PYTHON) -m venv $* || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv \
		&& $(PYTHON) -m venv --clear $*; \
	} || { echo "cannot make $*: install Python's venv module"; exit 1; }

$(VENV)/%.installed: $(REQUIREMENTS)/%.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

# The site's tools are apart from the program's: mkdocstrings reads the docstrings without importing.
$(DOCS_VENV)/docs.installed: $(REQUIREMENTS)/docs.txt | $(DOCS_VENV)/bin/python
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
