# Two commands on a fresh machine: `make demo` and `make test`. Both work in .venv and share it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PEERS  := $(VENV)/peers

.PHONY: help demo test check bench peers eval eval-voices serve fmt clean system-packages chromium

help:            ## what there is to run
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; run: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "The venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (about a gigabyte with the speech models; a few minutes on a fresh machine)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --constraint requirements.lock --editable '.[test]'
	@$(BIN)/python -m ivr models get sentence-embedding || echo "Without it sentences that no phrase covers are read by their words alone; try again: $(BIN)/ivr models get sentence-embedding"
	@$(BIN)/ivr prompts || echo "The line renders what is missing by itself, later; try again: $(BIN)/ivr prompts"
	@touch $@

demo: $(STAMP) chromium ## set up, start the line, phone it, be its agent in a browser, show what happened
	@$(BIN)/python -m ivr.demo

chromium:        ## the browser in which the demo's agent works
	@bash tests/system_packages.sh chromium

system-packages: ## the Debian packages the wire and browser tests need (SIPp, baresip, Kamailio, Chromium)
	@bash tests/system_packages.sh

test: $(STAMP) system-packages ## set up and run the whole suite
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## types, lint, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) system-packages peers ## measure everything, peers beside it: table, JSON, growth plot (BENCH="--quick", BENCH="--help")
	@$(BIN)/python -m tests.bench $(BENCH)

# pipecat-ai wants other versions than the tests: an environment of its own, with the line's engines as they are here.
peers:
	@test -e $(PEERS)/.installed || { echo "Installing the bench's peers into $(PEERS)" && $(PYTHON) -m venv $(PEERS) \
		&& grep -E '^(numpy|onnxruntime|hibari-tts|moonshine-voice)==' requirements.lock >$(PEERS)/constraints.txt \
		&& $(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --constraint $(PEERS)/constraints.txt --editable '.[bench]' \
		&& touch $(PEERS)/.installed; } || echo "The bench's peers could not be installed: it says so, and goes on without them"

eval: $(STAMP) eval-voices ## measure hearing and understanding: voices, noise, pauses, paraphrases (EVAL="--quick" for a taste)
	@$(BIN)/python -m tests.eval $(EVAL)

eval-voices:     ## the Debian packages with more callers' voices for the evaluation (flite, festival)
	@bash tests/system_packages.sh flite festival festvox-us-slt-hts festvox-kdlpc16k

serve: $(STAMP)  ## answer calls with config.toml
	@$(BIN)/ivr serve

fmt: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) var audio/.cache demo-out eval-out bench-out .mypy_cache .ruff_cache .pytest_cache
