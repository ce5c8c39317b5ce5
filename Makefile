# Each target does all its own set-up in .venv; the second time is quick.
PYTHON ?= python3
VENV ?= .venv
BUNDLE ?= hds_inbreast
# Tests at the same time, each with one thread.
WORKERS ?= 2

# A waiting thread leaves its core to others: on a busy machine this is seconds instead of minutes.
export OMP_WAIT_POLICY ?= PASSIVE

INSTALL = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: bench docs faults fuzz kill help setup demo test test-slow test-label lint types format clean
help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(INSTALL) -e '.[dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.run
	$(INSTALL) -e '.[docs]'
	@touch $@

setup: $(VENV)/.run  ## environment to run bundles

demo: $(VENV)/.run  ## short training, evaluation and prediction on real images, with a report (BUNDLE=...)
	$(VENV)/bin/python -W ignore -m monai_mtl demo $(BUNDLE)

test: $(VENV)/.dev  ## all tests but the slow ones
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile

test-slow: $(VENV)/.dev  ## all tests
	$(VENV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --runslow

test-label: $(VENV)/.run $(VENV)-label/.ready  ## packed bundles in MONAI Label's own server, in an environment of its own (4 GB)
	$(VENV)-label/bin/python -W ignore tests/label/run.py $(VENV)/bin/python

LABEL = PIP_CONSTRAINT=tests/label/constraints.txt PIP_BUILD_CONSTRAINT=tests/label/constraints.txt SAM2_BUILD_CUDA=0 \
	$(VENV)-label/bin/python -m pip install --quiet --disable-pip-version-check

$(VENV)-label/.ready: tests/label/constraints.txt tests/label/requirements.txt tests/label/storage_uids.py
	$(PYTHON) -m venv $(VENV)-label
	$(LABEL) torch
	$(LABEL) -r tests/label/requirements.txt
	cp tests/label/storage_uids.py \
		$$($(VENV)-label/bin/python -c 'import pydicom; print(pydicom.__path__[0])')/_storage_sopclass_uids.py
	@touch $@

docs: $(VENV)/.docs  ## the pages of docs/ as a site that opens from the disk, in site/
	$(VENV)/bin/mkdocs build --strict --quiet

bench: $(VENV)/.run  ## speed against plain MONAI, as ratios, on a machine that does nothing else
	env -u OMP_WAIT_POLICY $(VENV)/bin/python -W ignore scripts/bench.py

kill: $(VENV)/.dev  ## a training killed 100 times and resumed: are its files those of an undisturbed one? (BUNDLE=...)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -W ignore scripts/kill.py $(BUNDLE)

fuzz: $(VENV)/.dev  ## what the reader makes of 10,000 damaged files (a minute)
	OMP_NUM_THREADS=1 $(VENV)/bin/python scripts/fuzz.py

faults: $(VENV)/.dev  ## what plain MONAI and the reader make of 53 bad or unusual inputs (minutes)
	OMP_NUM_THREADS=1 $(VENV)/bin/python scripts/faults.py

lint: $(VENV)/.dev  ## style of code and JSON
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/python scripts/format_json.py

types: $(VENV)/.dev  ## static types
	$(VENV)/bin/mypy

format: $(VENV)/.dev  ## rewrite code and JSON in the one style
	$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format . ; $(VENV)/bin/python scripts/format_json.py --fix

clean:  ## remove what runs have written, and the environment
	rm -rf $(VENV) $(VENV)-label site bundles/*/eval bundles/*/predictions bundles/*/models/demo
