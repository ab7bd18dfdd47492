# Two commands on a fresh machine: `make demo` and `make test`. Both work in .venv and share it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PEERS  := $(VENV)/peers
PIP    := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Everything that is installed was looked at once: its hash is in a lock. What comes as source is built by what is locked, too.
LOCKED := $(PIP) --require-hashes --no-build-isolation --requirement
LOCK   := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help demo test check bench peers eval eval-voices serve fmt clean system-packages chromium lock sbom audit

help:            ## what there is to run
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): pyproject.toml requirements-build.lock requirements-test.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "Python 3.11, 3.12 or 3.13 is needed; run: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "The venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (about a gigabyte with the speech models; a few minutes on a fresh machine)"
	@$(LOCKED) requirements-build.lock
	@$(LOCKED) requirements-test.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m ivr models get sentence-embedding || echo "Without it sentences that no phrase covers are read by their words alone; try again: $(BIN)/ivr models get sentence-embedding"
	@$(BIN)/ivr prompts || echo "The line renders what is missing by itself, later; try again: $(BIN)/ivr prompts"
	@touch $@

demo: $(STAMP) chromium ## set up, start the line, phone it, be its agent in a browser, show what happened
	@$(BIN)/python -m ivr.demo

chromium:        ## the browser in which the demo's agent works
	@bash tests/system_packages.sh chromium

system-packages: ## the Debian packages the wire and browser tests need (SIPp, baresip, Kamailio, Chromium)
	@bash tests/system_packages.sh

# Four at once on two processors: calls in real time mostly wait; with six, tests of what has to be done in seconds miss them. They start hundreds of processes, which are compiled once.
test: $(STAMP) system-packages ## set up and run the whole suite
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

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
		&& sed -nE 's/^((numpy|onnxruntime|hibari-tts|moonshine-voice)==[^ ]+).*/\1/p' requirements.lock >$(PEERS)/constraints.txt \
		&& $(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --constraint $(PEERS)/constraints.txt --editable '.[bench]' \
		&& touch $(PEERS)/.installed; } || echo "The bench's peers could not be installed: it says so, and goes on without them"

eval: $(STAMP) eval-voices ## measure hearing and understanding: voices, noise, pauses, paraphrases (EVAL="--quick" for a taste)
	@$(BIN)/python -m tests.eval $(EVAL)

eval-voices:     ## the Debian packages with more callers' voices for the evaluation (flite, festival)
	@bash tests/system_packages.sh flite festival festvox-us-slt-hts festvox-kdlpc16k

serve: $(STAMP)  ## answer calls with config.toml
	@$(BIN)/ivr serve

lock: $(STAMP)   ## after an edit of pyproject.toml: pin what it needs, with hashes (LOCK_OPTIONS="--upgrade": the newest of everything)
	@$(LOCK) $(LOCK_OPTIONS) --group pyproject.toml:build --output-file requirements-build.lock
	@$(LOCK) $(LOCK_OPTIONS) pyproject.toml --output-file requirements.lock
	@$(LOCK) $(LOCK_OPTIONS) pyproject.toml --extra test --constraint requirements.lock --output-file requirements-test.lock

sbom: $(STAMP)   ## what a line consists of, as CycloneDX: sbom.json, the same every time
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.json requirements.lock

audit: $(STAMP)  ## known vulnerabilities of what is locked, from a copy of an OSV database: ADVISORIES=FOLDER
	@$(BIN)/python -m tests.advisories $(ADVISORIES)

fmt: $(STAMP)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) var audio/.cache demo-out eval-out bench-out .mypy_cache .ruff_cache .pytest_cache
