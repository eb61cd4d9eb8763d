# From a fresh clone: `make demo` or `make test`; each does the set-up first, where it is missing.
#
# pip reads its own settings from the environment. torch comes from PyPI with its CUDA libraries, some
# gigabytes; for the build without them:
#     PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make setup
# Python 3.11 or 3.12 under another name: make setup PYTHON=/path/to/python3.12
# Tests on real data: BOP_PATH names the folder that holds lmo/, NYU_PATH that of the NYU hands.

python := .venv/bin/python
# A file's tests share what its fixtures make, so a process takes whole files.
parallel := --numprocesses auto --maxprocesses 4 --dist loadfile

.PHONY: setup demo test test-all lint docs clean

setup: .venv/ready

.venv/ready: requirements.txt pyproject.toml setup.sh
	@./setup.sh

demo: setup
	$(python) pipeline.py run --preset demo --out runs/demo

test: setup
	$(python) -m pytest $(parallel) -m "not slow"

test-all: setup
	$(python) -m pytest $(parallel)

lint: setup
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy pipeline.py render train assets benchmarks
	.venv/bin/lint-imports

# The pages as a site, out/site/index.html; a broken link is an error.
docs: setup
	$(python) -m mkdocs build --strict

# Leaves runs/ and out/ alone: they hold results.
clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache *.egg-info build
	find . -name __pycache__ -prune -exec rm -rf {} +
