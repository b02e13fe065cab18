# Every target sets up what it needs: a virtual environment in .venv with this project and its tools.
# Another Python: make PYTHON=/path/to/python3.12 demo

.POSIX:
.DEFAULT_GOAL := help
PYTHON =
VENV = .venv
# Called as modules: the scripts in .venv/bin stop working in folders with spaces or very long names.
RUN = $(VENV)/bin/python -m
READY = $(VENV)/.ready

# What the tests need to play through real ports without a sound card.
JACK_TOOLS = jackd jack_lsp jack_wait jack_connect jack_disconnect jack_rec
SOUNDFONT = /usr/share/sounds/sf2/TimGM6mb.sf2

# debian PACKAGE...: install packages of the system, where that is possible without asking for a password.
SYSTEM = debian() { \
  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1; \
  echo "Installing $$*"; \
  export DEBIAN_FRONTEND=noninteractive; \
  apt-get install -y -qq --no-install-recommends "$$@" >/dev/null 2>&1 \
    || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$$@" >/dev/null; }; }

TYPECHECK = mkdir -p .types && ln -sfn .. .types/gramophone && $(RUN) mypy

.PHONY: help setup demo test check coverage lint format typecheck docs gallery bench clean portaudio jack browser effects

help:
	@echo "make demo       make two clips, render and play one in the style of the other, write a report"
	@echo "make test       check style and types, run all tests"
	@echo "make check      the same without the slow tests, in under two minutes"
	@echo "make coverage   the quick tests, and which lines they leave out"
	@echo "make docs       build the site from docs/"
	@echo "make gallery    make the README's sounds and pictures anew, and a page to listen to"
	@echo "make bench      regenerate the figures in the README (takes hours)"
	@echo "make setup      only create .venv and install everything into it"
	@echo "make lint       ruff: find mistakes      make format     ruff: lay the code out"
	@echo "make typecheck  mypy                     make clean      remove .venv, demo-output, caches"

setup: $(READY) portaudio
	@$(RUN) gramophone.models.live.first_run
	@echo "Ready. Try: $(VENV)/bin/gramophone --help"

demo: $(READY) portaudio
	@$(RUN) gramophone demo --out demo-output

# In two processes: much of the time tests wait for sound to pass. What one file shares is made once.
# Through JACK one at a time: a server whose period is a millisecond cannot share a busy machine.
# To compile what plays live takes a minute; types are checked meanwhile.
test: lint portaudio jack browser effects
	@$(RUN) gramophone.models.live.first_run & compiling=$$!; trap "kill $$compiling 2>/dev/null" INT TERM; \
	  $(TYPECHECK) || { kill $$compiling; exit 1; }; \
	  wait $$compiling
	@$(RUN) pytest -q -n 2 --dist loadfile -m "not jack"
	@$(RUN) pytest -q -m jack

# What is worth knowing before a commit, in under two minutes.
check: lint typecheck
	@$(RUN) pytest -q -m "not slow"

# Slower than the tests alone. What the slow tests reach does not count here.
coverage: $(READY)
	@$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[coverage]'
	@$(RUN) pytest -q -m "not slow" --cov --cov-report=term

lint: $(READY)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .

format: $(READY)
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .

typecheck: $(READY)
	@$(TYPECHECK)

# Not part of what `make test` needs, so it is installed when it is first asked for.
docs: $(READY)
	@$(RUN) mkdocs --version >/dev/null 2>&1 || $(RUN) pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[docs]'
	@mkdir -p .types && ln -sfn .. .types/gramophone
	@$(RUN) mkdocs build --quiet
	@echo "The site is in build/site; open build/site/index.html."

gallery: $(READY) portaudio browser
	@$(RUN) benchmarks.gallery
	@$(RUN) benchmarks.listening
	@echo "The page is build/gallery/index.html; open it in a browser."

bench: $(READY) portaudio jack browser
	@$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.quality --on judged fresh
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.frontier
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.offline
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.full_tracks
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.live
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.soak
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.bounce
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.desk
	@OMP_WAIT_POLICY=PASSIVE $(RUN) benchmarks.dropouts --seconds 600 --latency high

clean:
	rm -rf $(VENV) build dist demo-output .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without PortAudio only the virtual device plays: files in place of a sound card. That is enough to go on.
portaudio: $(READY)
	@$(SYSTEM); \
	found() { $(VENV)/bin/python -c 'import sounddevice' 2>/dev/null; }; \
	found || { debian libportaudio2 && found; } || { \
	  echo "PortAudio is missing; until it is installed, Gramophone plays files and no sound cards." >&2; \
	  echo "  Debian, Ubuntu: sudo apt-get install libportaudio2    Fedora: sudo dnf install portaudio" >&2; }

# Without these the tests that need them are skipped; where the variable CI is set, they fail.
jack:
	@$(SYSTEM); \
	missing() { \
	  for tool in $(JACK_TOOLS) fluidsynth; do command -v $$tool >/dev/null || echo $$tool; done; \
	  [ "$$(uname)" != Linux ] || [ -e $(SOUNDFONT) ] || echo $(SOUNDFONT); }; \
	[ -z "$$(missing)" ] || debian jackd2 fluidsynth timgm6mb-soundfont || true; \
	command -v jack_rec >/dev/null || debian jack-example-tools || true; \
	[ -z "$$(missing)" ] || { \
	  echo "Tests through JACK are skipped, since these are missing:" $$(missing) >&2; \
	  echo "  Debian, Ubuntu: sudo apt-get install jackd2 fluidsynth timgm6mb-soundfont" >&2; \
	  echo "  (from Debian 13 and Ubuntu 24.04 on also jack-example-tools)    macOS: brew install jack fluidsynth" >&2; }

# The desk's tests look at the page in a real browser. Without it they are skipped; where CI is set, they fail.
browser:
	@$(SYSTEM); \
	found() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; \
	found || { debian chromium && found; } || { \
	  echo "Tests of the desk in a browser are skipped, since there is no Chromium." >&2; \
	  echo "  Debian: sudo apt-get install chromium    Fedora: sudo dnf install chromium" >&2; }

# Plugins to play through. Without them the tests that need some are skipped; where CI is set, they fail.
effects:
	@$(SYSTEM); \
	found() { [ -e /usr/lib/vst3/ZaMaximX2.vst3 ] && [ -e /usr/lib/lv2/calf.lv2 ]; }; \
	found || { debian zam-plugins calf-plugins && found; } || { \
	  echo "Tests with plugins of others are skipped, since zam-plugins and calf-plugins are missing." >&2; \
	  echo "  Debian, Ubuntu: sudo apt-get install zam-plugins calf-plugins" >&2; }

# An interpreter is only taken if it runs and is new enough, and rather one that can make virtual environments:
# Debian and Ubuntu keep that part in a package of its own.
$(READY): pyproject.toml constraints.txt
	@set -eu; $(SYSTEM); \
	python=''; spare=''; \
	for candidate in "$(PYTHON)" python3.11 python3.12 python3.13 python3; do \
	  [ -n "$$candidate" ] || continue; \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    [ "$$candidate" != "$(PYTHON)" ] || { echo "$$candidate is not a Python of 3.11 or newer." >&2; exit 1; }; \
	    continue; }; \
	  if "$$candidate" -c 'import ensurepip' 2>/dev/null; then python=$$candidate; break; fi; \
	  [ -n "$$spare" ] || spare=$$candidate; \
	  [ "$$candidate" != "$(PYTHON)" ] || break; \
	done; \
	if [ -z "$$python" ]; then \
	  [ -n "$$spare" ] || { \
	    echo "Python 3.11 or newer is needed. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	  python=$$spare; \
	  package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  echo "This Python ($$python) cannot make virtual environments."; \
	  debian "$$package" || { echo "On Debian and Ubuntu: sudo apt-get install $$package" >&2; exit 1; }; \
	fi; \
	if ! $(RUN) pip --version >/dev/null 2>&1; then \
	  echo "Creating $(VENV) with $$("$$python" --version)"; \
	  rm -rf $(VENV); "$$python" -m venv $(VENV); \
	fi; \
	echo "Installing gramophone and its tools into $(VENV) (minutes the first time: PyTorch is large)"; \
	$(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'; \
	touch $(READY)
