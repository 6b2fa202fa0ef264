# Each target does all of its own set-up: `make demo` and `make test` need nothing but
# Python 3.11 or newer with venv, and `make test-gui` and `make example` Xvfb besides.

PYTHON ?= python3
VENV ?= .venv
GUI_VENV ?= .venv-gui
OLDEST_VENV ?= .venv-gui-oldest
# The lower bounds in pyproject.toml.
OLDEST_NAPARI = 0.6.0
OLDEST_MAGICGUI = 0.8.0

BIN = $(VENV)/bin
# Byte code is written as modules are imported: compiling all of it takes a minute.
PIP = -m pip --disable-pip-version-check install --quiet --no-compile \
	-c constraints.txt
# What the second Qt and the oldest napari are tested with.
ELSEWHERE ?= tests/widgets
# napari needs OpenGL, which Qt's own "offscreen" platform does not have.
XVFB = xvfb-run -a -n $(DISPLAY_NUMBER) -s "-screen 0 1600x1000x24"
DISPLAY_NUMBER = 90
# What a Debian without a desktop lacks for that.
DISPLAY_PACKAGES = xvfb xauth fonts-dejavu-core libgl1 libegl1 libxkbcommon-x11-0 \
	libdbus-1-3 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 \
	libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libxcb-xkb1

.PHONY: demo test test-slow test-gui test-gui-pyqt6 test-gui-pyside6 test-gui-oldest \
	example docs lint xvfb display-packages

demo: $(VENV)/installed
	$(BIN)/napari-sam-decoder demo --headless --out demo-out

# `make test MARKS="not gui"` runs the slow tests in the same go.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(if $(MARKS),-m "$(MARKS)")

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "slow and not gui"

test-gui: test-gui-pyqt6 test-gui-pyside6

# They may run beside each other, so they must not look for displays at one number.
test-gui-pyqt6: $(GUI_VENV)/installed | xvfb
	$(call test_widgets,$(GUI_VENV),pyqt6,gui,tests/widgets)

test-gui-pyside6: DISPLAY_NUMBER = 140
test-gui-pyside6: $(GUI_VENV)/installed | xvfb
	$(call test_widgets,$(GUI_VENV),pyside6,gui,$(ELSEWHERE))

# With the tests that need no display, which `make test` runs with the newest napari.
test-gui-oldest: DISPLAY_NUMBER = 190
test-gui-oldest: $(OLDEST_VENV)/installed | xvfb
	$(call test_widgets,$(OLDEST_VENV),pyqt6,gui or not slow,$(ELSEWHERE))

example: DISPLAY_NUMBER = 240
example: $(GUI_VENV)/installed | xvfb
	NAPARI_CONFIG= NAPARI_SAM_DECODER_PROJECTS=demo-out/projects $(XVFB) \
		$(GUI_VENV)/bin/python examples/scripted_session.py \
		--out demo-out/scripted_session
	NAPARI_CONFIG= $(XVFB) $(GUI_VENV)/bin/python examples/scripted_day.py \
		--objects 6 --frames 3 --steps 2 --out demo-out/scripted_day

docs: $(VENV)/installed-docs
	$(BIN)/sphinx-build -W --keep-going -n -b html docs docs/_build/html

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

xvfb:
	@command -v xvfb-run >/dev/null || { \
		echo 'xvfb-run is missing; on Debian: apt-get install $(DISPLAY_PACKAGES)'; \
		exit 1; }

display-packages:
	@echo $(DISPLAY_PACKAGES)

# Arguments: virtual environment, Qt, marks and files of tests.
define test_widgets
QT_API=$(2) PYTEST_QT_API=$(2) $(XVFB) $(1)/bin/python -m pytest $(4) \
	-m "$(3)" --timeout 300
endef

%/bin/python:
	$(PYTHON) -m venv $*

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python $(PIP) -e .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python $(PIP) -e ".[dev]"
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python $(PIP) -e ".[docs]"
	touch $@ $(VENV)/installed

$(GUI_VENV)/installed: pyproject.toml constraints.txt | $(GUI_VENV)/bin/python
	$(GUI_VENV)/bin/python $(PIP) -e ".[gui-test]"
	touch $@

$(OLDEST_VENV)/installed: pyproject.toml constraints.txt | $(OLDEST_VENV)/bin/python
	$(OLDEST_VENV)/bin/python $(PIP) -e ".[gui-test]" napari==$(OLDEST_NAPARI) \
		magicgui==$(OLDEST_MAGICGUI)
	touch $@
