# The same few commands for people and for CI. What they install goes into this folder and nowhere else.

PYTHON ?= python3
INTERPRETER = $(shell $(PYTHON) -c 'import sys; print(sys.executable)')
TOOLS := .tools
VENV := .venv
PIPENV := $(shell command -v pipenv || echo $(TOOLS)/bin/pipenv)

# Without npm all works but the page of the room.
ifneq ($(shell command -v npm),)
NODE := node_modules/installed
NODE_DEV := node_modules/installed-dev
endif

export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_VERBOSITY := -1
export PIPENV_NOSPIN := 1

.PHONY: help
help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.* ## /  make \1\t/p' Makefile | expand -t 22

.PHONY: run
run: $(VENV)/installed $(NODE) ## start Diego; installs what he needs at the first time
	@exec $(VENV)/bin/python app.py

.PHONY: chat
chat: $(VENV)/installed ## talk to Diego, in another terminal; URL=... says where he is
	@exec $(VENV)/bin/python client.py $(URL)

.PHONY: room
room: $(VENV)/installed ## talk to everybody who is there, in another terminal; URL=... says where
	@exec $(VENV)/bin/python client.py --room $(URL)

.PHONY: test
test: $(VENV)/installed-dev $(NODE_DEV) ## run the tests
	$(VENV)/bin/python -m pytest

.PHONY: test-postgresql
test-postgresql: $(VENV)/installed-dev ## run the tests of what Diego keeps once more, on PostgreSQL
	TEST_DATABASE=postgresql $(VENV)/bin/python -m pytest tests/bot

.PHONY: test-scaled
test-scaled: $(VENV)/installed-dev $(NODE_DEV) ## run all tests, or TESTS=…, on PostgreSQL, Redis and three workers behind nginx
	TEST_WORKERS=3 $(VENV)/bin/python -m pytest $(TESTS)

.PHONY: check
check: $(VENV)/installed-dev $(NODE_DEV) ## check style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
ifdef NODE_DEV
	node_modules/.bin/prettier --check '**/*.{css,js}'
	node_modules/.bin/eslint --max-warnings 0
	node_modules/.bin/tsc
else
	@echo "npm is not here, so the JavaScript is not checked."
endif

.PHONY: bench
bench: $(VENV)/installed-dev ## measure speed, beside stock ChatterBot and an echo; a million pairs; a full room
	$(VENV)/bin/python -m benchmarks.compare
	$(VENV)/bin/python -m benchmarks.engine
	$(VENV)/bin/python -m benchmarks.growth
	$(VENV)/bin/python -m benchmarks.room

.PHONY: bench-turns
bench-turns: $(VENV)/installed-dev ## kill the server fifty times and count lost turns; a conversation of 100,000 turns
	$(VENV)/bin/python -m benchmarks.kill
	$(VENV)/bin/python -m benchmarks.long

.PHONY: bench-idle
bench-idle: $(VENV)/installed-dev ## measure what 10,000 connections cost
	$(VENV)/bin/python -m benchmarks.idle

.PHONY: bench-scale
bench-scale: $(VENV)/installed-dev ## measure what several processes cost, with a PostgreSQL and a Redis
	$(VENV)/bin/python -m benchmarks.scale

.PHONY: soak
soak: $(VENV)/installed-dev ## let people come and go for twenty minutes, and see what is left behind
	$(VENV)/bin/python -m benchmarks.soak

.PHONY: bench-quality
bench-quality: $(VENV)/installed-dev ## measure how good the answers are, beside stock ChatterBot's
	$(VENV)/bin/python -m benchmarks.quality

.PHONY: screenshots
screenshots: $(VENV)/installed-dev $(NODE_DEV) ## take the pictures in docs/screenshots anew, with Chromium or Chrome
	$(VENV)/bin/python -m tests.browser.screenshots

# pipenv takes packages from the index of whoever installs, if the lock file names none.
.PHONY: lock
lock: $(PIPENV) ## take over newer versions of all packages
	$(PIPENV) lock
	sed -i -e '/^ *"index": "[a-z-]*",$$/d' -e '/^ *"sources": \[$$/,/^ *\]/c\        "sources": []' Pipfile.lock
	$(PIPENV) verify

# Not `install --deploy`: the hash that it compares covers the package indexes of the machine that locked.
$(VENV)/installed: Pipfile.lock $(PIPENV)
	$(PIPENV) --python $(INTERPRETER) sync
	@touch $@

$(VENV)/installed-dev: Pipfile.lock $(PIPENV)
	$(PIPENV) --python $(INTERPRETER) sync --dev
	@touch $(VENV)/installed $@

node_modules/installed: package-lock.json
	@npm ci --omit=dev --ignore-scripts --silent && touch $@ || \
		echo "npm could not install what the page of the room needs; all else works."

node_modules/installed-dev: package-lock.json
	npm ci --ignore-scripts
	@touch node_modules/installed $@

# Debian's Python comes without venv's installer of pip; there a pip of the system does it.
$(TOOLS)/bin/pipenv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Diego needs Python 3.11 or newer; if you have one, name it: make run PYTHON=python3.12")'
	@echo "Installing pipenv into $(TOOLS) ..."
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
		$(PYTHON) -m venv $(TOOLS) && $(TOOLS)/bin/python -m pip install --quiet pipenv; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --without-pip $(TOOLS) && \
		$(PYTHON) -m pip --python $(TOOLS)/bin/python install --quiet pipenv; \
	else \
		echo "Python's venv is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi
