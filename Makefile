# make demo    install everything into .venv and run the main job
# make test    install everything and run all checks and tests
# make lab     install everything and open the course in JupyterLab
# make voila   install everything and open the explorer as a page without code
# make docs    the documentation; docs/_build/html/index.html opens offline
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(RECENT)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready

export OMP_NUM_THREADS ?= 1
export MPLBACKEND ?= Agg

.PHONY: install demo lab voila test lint browser docs links benchmarks fit data clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "interpmd needs Python 3.11 or later; install it or set PYTHON="; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	$(BIN)/python -c 'from interpmd.potentials.fast import warm_up; warm_up()'
	touch $(READY)

demo: $(READY)
	$(BIN)/interpmd demo

# options of Jupyter: make lab OPTIONS=--no-browser
lab: $(READY)
	$(BIN)/interpmd lab 01 $(OPTIONS)

voila: $(READY)
	$(BIN)/interpmd lab --voila $(OPTIONS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# a browser for tests/browser; without one those tests skip
browser: $(READY)
	$(BIN)/python tests/browser/install_chromium.py

test: lint browser
	$(BIN)/pytest -n 2 --dist loadfile

# every warning is an error
docs: $(READY)
	$(BIN)/sphinx-build -q -E -W --keep-going -b html docs docs/_build/html

# asks other servers, so it is no part of the tests
links: $(READY)
	$(BIN)/sphinx-build -q -E -b linkcheck docs docs/_build/links

benchmarks: $(READY)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/conservation.py
	$(BIN)/python benchmarks/determination.py
	$(BIN)/python benchmarks/explainers.py
	$(BIN)/python benchmarks/truth.py
	$(BIN)/python benchmarks/explorer.py
	$(BIN)/python benchmarks/gauges.py
	$(BIN)/python benchmarks/error_bars.py
	$(BIN)/python benchmarks/grade.py
	$(BIN)/python benchmarks/inputs.py
	$(BIN)/python benchmarks/shipped.py
	$(BIN)/python benchmarks/least_rows.py
	$(BIN)/python benchmarks/silicon.py
	@echo "and, with a folder that holds the acetylacetone data:"
	@echo "    $(BIN)/python benchmarks/acetylacetone.py FOLDER"
	@echo "and, in an environment with PACE, MACE and CHGNet as well:"
	@echo "    python benchmarks/peers.py"

fit: $(READY)
	$(BIN)/python -m interpmd.shipped.make

clean:
	rm -rf docs/_build docs/notebooks .venv .pytest_cache .ruff_cache .hypothesis
