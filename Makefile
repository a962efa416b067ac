# make demo: from nothing to defects found. make test: the whole suite. Both make .venv themselves; they need Python 3.11
# or newer, make, and a package index or mirror that pip knows.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
RELEASE_BIN := .release/Scripts
DOCS_BIN := .docs/Scripts
else
BIN := .venv/bin
RELEASE_BIN := .release/bin
DOCS_BIN := .docs/bin
endif

.PHONY: demo docs drawings notebooks station test test-minimum test-arm fuzz benchmark-small lint format bench release hooks clean
.DELETE_ON_ERROR:

NEW_ENOUGH = $(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'flawspot needs Python 3.11 or newer: make PYTHON=python3.12 ...')"

# The stamp is made last, so that an interrupted installation is done again.
.venv/installed: pyproject.toml constraints.txt
	$(NEW_ENOUGH)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -c "open('.venv/installed', 'w').close()"

demo: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/flawspot demo --out demo

# A station to look at: a product that flawspot draws passes it. See docs/line.md.
station: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/flawspot serve --demo

# As many files of tests at once as there are TEST_WORKERS, each of one thread: threads of two processes would only get in
# each other's way. Three gain on two cores, because some tests wait. A worker takes up to 2.5 GB, with slow tests more.
TEST_WORKERS ?= $(if $(SLOW),2,3)
# A file's tests share what they have made, so that one worker runs them, in the order of the files: see tests/conftest.py.
# Without the tests that are marked as slow, unless SLOW=1 asks for these too, as .ci/run does.
SLOW ?=
test: export OMP_NUM_THREADS := 1
test: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(if $(SLOW),,-m "not slow")

# Trains and predicts in environments of the lowest versions that pyproject.toml declares. Some minutes.
test-minimum:
	$(PYTHON) tests/minimum_versions.py

# The running half on an emulated 64-bit ARM processor, where there are qemu-user-static and Debian's packages; skipped
# with a reason elsewhere. Some minutes.
test-arm: .venv/installed
	$(BIN)/python tests/emulated_arm.py

# Hostile inputs, see docs/trust.md: make fuzz [MINUTES=10] [SEED=1] [JOBS=1]. What fails is kept in tests/fuzz/cases.
MINUTES ?= 10
JOBS ?= 1
fuzz: .venv/installed
	$(BIN)/python tests/fuzz --minutes $(MINUTES) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

# On real photographs: make benchmark-small DATA=FOLDER [OUT=FOLDER]. It goes on where it was ended.
OUT ?= benchmark-small
benchmark-small: .venv/installed
	$(PYTHON) -c "import sys; sys.exit(not '$(DATA)' and 'give DATA=FOLDER, which holds mvtec_ad/bottle and magnetic_tile')"
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/flawspot benchmark run benchmarks/small.yaml --store "$(OUT)/runs.sqlite" --data "mvtec_ad=$(DATA)/mvtec_ad"
	$(BIN)/flawspot benchmark run benchmarks/small_tiles.yaml --store "$(OUT)/runs.sqlite" --data "magnetic_tile=$(DATA)/magnetic_tile"
	$(BIN)/flawspot benchmark report "$(OUT)/runs.sqlite" --out "$(OUT)/report"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/mypy release
	$(BIN)/mypy examples
	$(BIN)/mypy docs/tools/drawing docs/tools/notebooks docs/tools/site/check.py docs/tools/site/commands.py docs/tools/site/links.py
	$(BIN)/python -c "import importlib, pkgutil, sys; sys.path.insert(0, 'tests/fuzz'); import fuzzing; [importlib.import_module('fuzzing.' + m.name) for m in pkgutil.iter_modules(fuzzing.__path__)]"
	$(BIN)/lint-imports

# Measures what docs/performance.md says and writes it to bench/performance.md, never to the page, which has text written by
# hand. DATA names a folder with mvtec_ad/bottle and magnetic_tile. Takes a while.
bench: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/python benchmarks/run.py --data "$(DATA)"

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The documentation site in site/, with warnings as errors; then every link and anchor inside of it is followed, and
# nothing may be loaded from a network. An environment of its own, without torch. See it: python -m http.server -d site
.docs/installed: pyproject.toml constraints.txt
	$(NEW_ENOUGH)
	$(PYTHON) -m venv .docs
	$(DOCS_BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	$(DOCS_BIN)/python -c "open('.docs/installed', 'w').close()"

docs: export NO_MKDOCS_2_WARNING := 1
docs: .docs/installed
	$(DOCS_BIN)/python -m mkdocs build --strict
	$(DOCS_BIN)/python docs/tools/site/check.py site

# The drawings of the site, docs/drawings, made anew from a product that flawspot draws. Some minutes.
drawings: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/python docs/tools/drawing

# The notebooks of examples/ executed anew, without Jupyter, and stored with what they show. A minute or two.
notebooks: .venv/installed
	$(BIN)/flawspot weights pull mobilenet_v2
	$(BIN)/python docs/tools/notebooks

# Wheel, sdist, bills of material and checksums in dist/, from the last commit, each tried in fresh environments; it
# publishes nothing. The tools are pinned in release/requirements.txt. Needs git; ten minutes to half an hour.
.release/installed: release/requirements.txt
	$(PYTHON) -m venv .release
	$(RELEASE_BIN)/python -m pip install --quiet --requirement release/requirements.txt
	$(RELEASE_BIN)/python -c "open('.release/installed', 'w').close()"

DIST ?= dist
release: .release/installed
	$(RELEASE_BIN)/python release/make_release.py --out "$(DIST)"

# Lets git call `make lint` before each commit and `make test` before each push; see .pre-commit-config.yaml.
hooks: .release/installed
	$(RELEASE_BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ('.venv', '.release', '.docs', 'demo', 'bench', 'build', 'dist', 'site', 'examples-out')]"
