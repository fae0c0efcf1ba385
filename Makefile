# All that is installed goes into .venv; delete it (make clean) to start afresh.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test lint matrix messages faults hospitals bench clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo: .venv/.demo  ## Run the app against a simulated ARIA, on SQLite
	@$(BIN)/python demo/run.py

test: .venv/.dev lint  ## Check the style and types, and run the tests
	@.ci/packages dcmqrscp:dcmtk Orthanc:orthanc initdb:postgresql \
		chromium:chromium chromedriver:chromium-driver xgettext:gettext
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

lint: .venv/.dev  ## Check the style, types and layers only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if [ -x $(BIN)/lint-imports ]; then $(BIN)/lint-imports --no-cache --no-logo; \
	else echo "The layers were not checked: import-linter needs Python 3.10."; fi

matrix: .venv/.dev  ## Run the tests on every Python and Django found here
	@.ci/packages dcmqrscp:dcmtk Orthanc:orthanc initdb:postgresql \
		chromium:chromium chromedriver:chromium-driver xgettext:gettext
	@.ci/matrix

messages: .venv/.dev  ## Write the marked texts into the catalogues for translators
	@.ci/packages xgettext:gettext
	@cd qatrack_aria && env -u DJANGO_SETTINGS_MODULE ../$(BIN)/python -m django \
		makemessages --all --no-location --no-wrap

faults: .venv/.dev  ## Try every fault of a peer at every message of a retrieval
	@$(BIN)/python -m tools.faults

hospitals: .venv/.dev  ## Ask random hospitals for images, and judge what comes
	@.ci/packages dcmqrscp:dcmtk Orthanc:orthanc
	@$(BIN)/python -m tools.hospitals --peer all --requests 2000

bench: .venv/.dev  ## Measure the app beside DCMTK's programs and plain pynetdicom
	@.ci/packages dcmqrscp:dcmtk Orthanc:orthanc
	@$(BIN)/python -m tools.benchmark

clean:  ## Remove the environment and everything made by tools
	rm -rf .venv .tox build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each stamp is newer than what it was made from, so a second run installs nothing. `dev` holds
# all of `demo`: in either order the same versions come out.
.venv/.demo: pyproject.toml .venv/.made
	@echo "Installing what the demo needs into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[pictures,pylinac]'
	@touch $@

.venv/.dev: pyproject.toml .venv/.made
	@echo "Installing what the tests need into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Debian has venv without the pip it needs until python3-venv is installed.
.venv/.made:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv >/dev/null
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make a virtual environment: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@
