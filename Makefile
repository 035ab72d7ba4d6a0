# Everything a fresh clone needs is done by `make demo` and `make test`; both install what they use into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

.PHONY: demo test test-slow lint type docs bench clean install

install: $(STAMP)

$(STAMP):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,mixlaw,grid,semantic,ray,s3,dev]'
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: install  ## curate the sample data, train on the shards, print the loss of each ability before and after
	$(BIN)/curate run recipes/demo.yaml
	$(BIN)/train sft --data out/demo --config recipes/demo_train.yaml --out out/demo-model --overwrite

test: install lint type  ## what CI runs: style, types, import layers, tests
	$(BIN)/python -m pytest -m "not slow and not gpu and not network" -n 2 --dist worksteal -q

test-slow: install  ## the full kill matrix, long fuzzing, memory: run by hand before an issue is called resolved
	$(BIN)/python -m pytest -m slow -q

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

type: install
	$(BIN)/mypy

docs: install  ## write the generated parts of the documentation anew
	$(BIN)/python docs/generate.py

bench: install  ## the quick benchmarks; benchmarks/README.md has all commands
	$(BIN)/python benchmarks/pipeline.py --rows 20000

clean:
	rm -rf out .curate build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
