# Every target does its own set-up. Needs python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin
RUN_STAMP := .venv/run.stamp
TEST_STAMP := .venv/test.stamp

.PHONY: demo test check lint bench crash fuzz format lock clean

demo: $(RUN_STAMP)
	$(BIN)/forecourt demo

# A file of tests is one process's: what its tests share, such as a bench, is made once. In the order of the folders: files
# of few tests are the slow ones, and must not all come last. One process more than cores: many wait for a pump or a card.
test: lint
	$(BIN)/python -m pytest -q --numprocesses $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

check: lint
	$(BIN)/python -m pytest -q tests/test_tidy.py

lint: $(TEST_STAMP)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Prints PASS or MISS against each limit; a miss fails nothing, since it may be the machine's. See docs/benchmarks.md.
bench: $(RUN_STAMP)
	$(BIN)/python -m benchmarks

# A million power cuts under the journal, on all cores: about ten minutes. See docs/recovery.md.
crash: $(TEST_STAMP)
	$(BIN)/python -m tests.crash --cuts 1000000 --seed 1

# Ten million bytes a protocol instead of what pumps say. FORECOURT_FUZZ_BYTES, FORECOURT_FUZZ_SEED: docs/testing.md.
fuzz: $(TEST_STAMP)
	FORECOURT_FUZZ_BYTES=$${FORECOURT_FUZZ_BYTES:-10000000} $(BIN)/python -m pytest -q -s tests/pumps/test_any_bytes.py

format: $(TEST_STAMP)
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

$(BIN)/python:
	sh tools/make-venv.sh $(PYTHON)

# --no-deps: the locked file is complete; nothing else may come in. No compiler and no root is needed for it.
$(RUN_STAMP): requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

# pyscard has no wheel for Linux: it is compiled, with what tools/system-packages.sh installs.
$(TEST_STAMP): requirements/test.txt pyproject.toml tools/system-packages.sh | $(BIN)/python
	sh tools/system-packages.sh $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@ $(RUN_STAMP)

# Resolves requirements/*.in anew; commit what comes out.
lock: | $(BIN)/python
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet pip-tools
	for set in run test; do .venv-lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
		--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		requirements/$$set.in --output-file requirements/$$set.txt; done

clean:
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
