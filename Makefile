# Two commands do everything on a fresh machine: `make demo` and `make test`.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check bench bench-recorder bench-curation clean
help:
	@echo "make demo    fly, record, curate, publish, train and measure, in simulation (under 8 minutes)"
	@echo "make test    all tests"
	@echo "make check   ruff, mypy, import-linter"
	@echo "make bench   measurements against peers (tests/benchmarks)"
	@echo "make bench-recorder  recording against lerobot-record: pacing, saving, a long session, faults"
	@echo "make bench-curation  finding bad episodes and cameras against others, on flights with known faults"
	@echo "make clean   remove the virtual environment"

demo: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" ./demo.sh

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

bench-recorder: $(STAMP)
	$(BIN)/python tests/benchmarks/bench_recorder.py

bench-curation: $(STAMP)
	$(BIN)/python tests/benchmarks/bench_curation.py --many=10000
	$(BIN)/python tests/benchmarks/bench_cameras.py

$(STAMP): pyproject.toml constraints.txt install.sh
	@./install.sh $(VENV)
	@touch $(STAMP)

clean:
	rm -rf $(VENV)
