# Two commands: `make demo` and `make test`. Each sets up what it needs; `make help` lists the rest.
PYTHON ?= python3
PYTEST = -q -n 2 --dist=worksteal
DEMO ?= demo
INPUTS ?= 1000
OLDEST ?= tests/a2keras tests/training
TESTS ?= tests/a2keras
OTHER = .venv-$(notdir $(PYTHON))

.PHONY: help demo test lint types test-tensorflow test-jax test-slow test-torch test-oldest test-newest test-python \
	test-weights fuzz bench format stubs lock site notebooks release clean

help:
	@echo "make demo         train, evaluate, explain and export on scanned digits; a page of pictures in $(DEMO)/"
	@echo "make test         format, lint, types, the tests on TensorFlow, the layers' tests on JAX: minutes"
	@echo "make test-slow    the tests that take more than some five seconds each; SLOW=tests/docs for some of them"
	@echo "make test-torch   the layers' and the weights' tests on PyTorch"
	@echo "make test-oldest  the layers' and training's tests on the oldest supported TensorFlow"
	@echo "make test-newest  the same tests as test-tensorflow on the newest releases of everything, set up anew"
	@echo "make test-python  the layers' tests on another Python: PYTHON=python3.13; TESTS=tests for all of them"
	@echo "make test-weights the tests of published weights, which are fetched (65 MB, once)"
	@echo "make fuzz         damaged and hostile files for every reader, INPUTS=$(INPUTS) each"
	@echo "make bench        how fast the layer is, and prepared data arrive"
	@echo "make format       format the code"
	@echo "make stubs        the builders' signatures for editors, after one has been changed"
	@echo "make site         the documentation as a site, in site/"
	@echo "make notebooks    the tutorials that are notebooks, run and written to notebooks/; NOTEBOOKS=layer for one"
	@echo "make lock         the hashes in requirements/, after a version has been changed"
	@echo "make release      dist/: built, checked, and both files tried in clean environments"
	@echo "make clean        remove the environments and caches that these commands made"

demo: .venv/ready
	.venv/bin/a2keras demo --output=$(DEMO)

test: lint types test-tensorflow test-jax

# An environment: exact versions from its lock file, then this package in editable form.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "a2keras needs Python 3.11 or later; `$(PYTHON) --version` is what PYTHON=$(PYTHON) gives" >&2; exit 2; }
	@echo "setting up $(@D) from $(1) (a few minutes, once)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $(1)
	@$(@D)/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
endef

.venv/ready: requirements/lock.txt setup.py
	$(call environment,requirements/lock.txt)

.venv-torch/ready: requirements/torch.txt setup.py
	$(call environment,requirements/torch.txt)

.venv-oldest/ready: requirements/oldest.txt setup.py
	$(call environment,requirements/oldest.txt)

$(OTHER)/ready: requirements/lock.txt setup.py
	$(call environment,requirements/lock.txt)

.venv-site/ready: requirements/site.txt setup.py
	$(call environment,requirements/site.txt)

lint: .venv/ready
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

# The installed package is looked at, not the checkout: its folders have other names there.
define installed
	@rm -rf build .cache/installed
	@$(1)/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --target .cache/installed .
endef

types: .venv/ready
	$(call installed,.venv)
	MYPYPATH=.cache/installed .venv/bin/mypy --cache-dir .cache/mypy -p a2keras

test-tensorflow: .venv/ready
	KERAS_BACKEND=tensorflow .venv/bin/pytest $(PYTEST) -m "not slow"

test-jax: .venv/ready
	KERAS_BACKEND=jax .venv/bin/pytest $(PYTEST) -m "not slow" tests/a2keras

# Each takes more than some five seconds: whole trainings, conversions, processes of their own.
test-slow: .venv/ready
	KERAS_BACKEND=tensorflow .venv/bin/pytest $(PYTEST) -m slow $(SLOW)

test-weights: .venv/ready
	A2KERAS_FETCH=1 KERAS_BACKEND=tensorflow .venv/bin/pytest -q -n 0 tests/models/weights/test_published.py \
		tests/models/weights/test_fetching.py tests/export/test_published.py

test-torch: .venv-torch/ready
	KERAS_BACKEND=torch .venv-torch/bin/pytest $(PYTEST) tests/a2keras \
		tests/models/weights/test_loading.py tests/models/weights/test_checkpoints.py tests/models/weights/test_convert.py

test-oldest: .venv-oldest/ready
	KERAS_BACKEND=tensorflow .venv-oldest/bin/pytest $(PYTEST) $(OLDEST) \
		--ignore-glob='*/test_counting*' --ignore-glob='*/test_insertion*'

# Always set up anew: what is newest changes by itself.
test-newest:
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install -q --disable-pip-version-check -r requirements/newest.txt
	.venv-newest/bin/python -m pip freeze --exclude-editable
	KERAS_BACKEND=tensorflow .venv-newest/bin/pytest $(PYTEST) $(NEWEST)

test-python: $(OTHER)/ready
	KERAS_BACKEND=tensorflow $(OTHER)/bin/pytest $(PYTEST) $(TESTS)

fuzz: .venv/ready
	.venv/bin/python tests/fuzz/run.py --inputs=$(INPUTS) $(FUZZ)

bench: .venv/ready
	.venv/bin/python benchmarks/layers.py
	.venv/bin/python benchmarks/networks.py
	KERAS_BACKEND=jax .venv/bin/python benchmarks/scaling.py
	.venv/bin/python benchmarks/pipeline.py
	.venv/bin/python benchmarks/input.py

format: .venv/ready
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

stubs: .venv/ready
	.venv/bin/python tests/models/stub.py
	.venv/bin/ruff format models/__init__.pyi

# Warnings are errors: `strict` in mkdocs.yml.
site: .venv-site/ready
	$(call installed,.venv-site)
	NO_MKDOCS_2_WARNING=1 .venv-site/bin/mkdocs build -q
	@echo "open site/index.html"

# Jupyter is in the site's environment, what notebooks run with in .venv.
notebooks: .venv/ready .venv-site/ready
	TF_CPP_MIN_LOG_LEVEL=3 PATH="$(CURDIR)/.venv/bin:$$PATH" PYTHONPATH="$$(echo $(CURDIR)/.venv-site/lib/python*/site-packages)" \
		.venv/bin/python docs/site/notebooks.py notebooks $(NOTEBOOKS)

# Not in .venv, which is set up from what this writes.
lock: .cache/lock/bin/uv
	.cache/lock/bin/python requirements/lock.py

.cache/lock/bin/uv:
	@$(PYTHON) -m venv .cache/lock
	@.cache/lock/bin/python -m pip install -q --disable-pip-version-check uv==0.13.9

release: .cache/release/ready
	PYTHON=$(PYTHON) tests/release.sh .cache/release

.cache/release/ready: requirements/release.txt
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

clean:
	rm -rf .venv .venv-* .cache build dist site notebooks *.egg-info
