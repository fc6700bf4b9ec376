# Everything a fresh machine needs: python3 (3.11 or newer), make and a package index.
# `make help` lists the targets. PYTHON=python3.13 chooses another interpreter (after make clean).

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CODE := methodology collectors index
# Workers beyond four would mostly import Polars; two cores are what the suite is timed on.
WORKERS ?= auto --maxprocesses=4
# Files of tests in memory where there is room: thousands of flushes to a disk are mostly waiting.
ROOMY := $(shell df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000 { print $$6 }')
TEMPORARY := $(if $(ROOMY),PYTEST_DEBUG_TEMPROOT=$(ROOMY))
KILLS ?= 200
ROUNDS ?= 1000
SEED ?=
ROWS ?= 100000000
BASKETS ?= 1000000
INJECTIONS ?= 100000
REQUESTS ?= 300
BODIES ?= 1000000
TAMPERINGS ?= 10000

.DEFAULT_GOAL := help
.PHONY: run test lint format campaigns campaign-kill campaign-publication campaign-determinism campaign-baskets campaign-fuzz campaign-guards campaign-merkle campaign-contract campaign-tamper campaign-meaning payload-census bench-methodology bench-collect bench-feed freeze wheel clean help

# Each stamp is written last, so an installation that was interrupted is done again.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "spotfix needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
	  echo "the venv module does not work; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	@touch $@

# setuptools comes first and pinned: with build isolation its version would be anyone's guess.
$(VENV)/.run: constraints.txt pyproject.toml | $(VENV)/.created
	@echo "installing the pinned dependencies"
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e .
	@$(BIN)/python -m compileall -q $(CODE)
	@touch $@

$(VENV)/.dev: constraints.txt pyproject.toml | $(VENV)/.created
	@echo "installing the pinned dependencies and the development tools"
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@$(BIN)/python -m compileall -q $(CODE)
	@touch $(VENV)/.run $@

$(VENV)/.bench: constraints.txt pyproject.toml | $(VENV)/.created
	@echo "installing the pinned dependencies and what the benchmarks compare with"
	@$(PIP) install -c constraints.txt setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[bench]'
	@$(BIN)/python -m compileall -q $(CODE) benchmarks
	@touch $(VENV)/.run $@

run: $(VENV)/.run  ## publish every index of the bundled history, offline (ARGS="--json" and so on)
	@$(BIN)/spotfix run $(ARGS)

test: lint  ## lint, types and all tests but the campaigns
	@$(TEMPORARY) $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev  ## ruff check, ruff format --check, mypy --strict
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff rewrite the code
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

campaigns: campaign-kill campaign-publication campaign-determinism campaign-baskets campaign-fuzz campaign-guards campaign-merkle campaign-contract campaign-tamper campaign-meaning  ## every long run

campaign-publication: $(VENV)/.dev  ## SIGKILL a publication KILLS times, stop it beside a second publisher ROUNDS times (1000)
	@$(BIN)/python -m tests.publication_killer --kills $(if $(filter file,$(origin KILLS)),1000,$(KILLS)) --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

campaign-kill: $(VENV)/.dev  ## SIGKILL a publisher KILLS times (200); SEED repeats the draws
	@$(BIN)/python -m tests.killer --kills $(KILLS) $(if $(SEED),--seed $(SEED))

campaign-determinism: $(VENV)/.dev  ## the whole bundle under other threads, zones and row orders
	@$(BIN)/pytest -m campaign --timeout 3600 tests/test_determinism.py

campaign-baskets: $(VENV)/.dev  ## BASKETS random baskets (1000000) by four engines; SEED repeats them
	@BASKETS=$(BASKETS) SEED=$(SEED) $(BIN)/pytest -s -m campaign --timeout 3600 tests/test_baskets.py tests/test_oracle.py

campaign-guards: $(VENV)/.dev  ## INJECTIONS random faults (100000) through the guards; SEED repeats them
	@INJECTIONS=$(INJECTIONS) SEED=$(SEED) $(BIN)/pytest -s -m campaign --timeout 3600 tests/test_guard_campaign.py

campaign-tamper: $(VENV)/.dev  ## TAMPERINGS changes of published files (10000), each to be seen and named; SEED repeats them
	@$(BIN)/python -m tests.tampering --tamperings $(TAMPERINGS) $(if $(SEED),--seed $(SEED))

campaign-merkle: $(VENV)/.dev  ## every proof of every tree of 0 to 1025 leaves, a million in all
	@$(BIN)/pytest -s -m campaign --timeout 3600 tests/test_ledger_merkle.py

campaign-contract: $(VENV)/.dev  ## REQUESTS drawn requests (300) for each operation of the feed's contract
	@REQUESTS=$(REQUESTS) $(BIN)/pytest -s -m campaign --timeout 3600 tests/test_feed_contract.py

campaign-fuzz: $(VENV)/.dev  ## BODIES mutated bodies (1000000) through every parser; SEED repeats them
	@$(BIN)/python -m tests.fuzzing.campaign --bodies $(BODIES) $(if $(SEED),--seed $(SEED))

campaign-meaning: $(VENV)/.dev  ## bodies whose units, heads, columns, figures or rows mean something else; ARGS=--look lists what is for a person
	@$(BIN)/python -m tests.meaning.campaign $(ARGS)

payload-census: $(VENV)/.dev  ## every captured body through its parser, counted (SPOTFIX_PAYLOADS)
	@$(BIN)/python -m tests.payload_census

bench-methodology: $(VENV)/.bench  ## years of quotes against pandas, Polars, DuckDB (ROWS=10000000)
	@$(BIN)/python -m benchmarks.run --rows $(ROWS)

bench-collect: $(VENV)/.bench  ## 500 addresses of 100 providers against requests and httpx
	@$(BIN)/python -m benchmarks.collect

bench-feed: $(VENV)/.bench  ## thousands of subscribers, reconnects, stalled readers, requests
	@$(BIN)/python -m benchmarks.feed_load

freeze: $(VENV)/.run  ## write the digests of all rule files to methodology/rules/FROZEN.sha256
	@$(BIN)/python -c 'from methodology.definition import frozen_listing as f; \
	  print(f(), end="")' > methodology/rules/.frozen
	@mv methodology/rules/.frozen methodology/rules/FROZEN.sha256

wheel: $(VENV)/.dev  ## build dist/spotfix-*.whl
	@rm -rf build
	@$(PIP) wheel --no-build-isolation --no-deps --wheel-dir dist .

clean:  ## remove everything that was built or installed here; out/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(CODE) tests -name __pycache__ -type d -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | expand -t 24
