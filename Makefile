# make demo      set up what is missing and run a first container
# make test      the same set-up, then every check and test
# make build     .venv/bin/pyrunc, runs from this checkout
# make install   PREFIX=/usr/local DESTDIR=     make uninstall removes it
# make bench     figures beside runc and crun   make lint, make clean
SHELL := /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=
BUNDLE ?= bundle
# the system's Python: its standard library is frozen into the program, it starts fastest
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PYTEST_FLAGS ?=

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
LIBRARY := $(PREFIX)/lib/pyrunc
INSTALL := pyrunc/install
# what tests listen to, handed on through sudo; RUNC and CRUN are the peers of tests/differential
TEST_ENVIRONMENT = $(foreach name,PYRUNC_EXPECTED_SKIPS RUNTIME CRIU RUNC CRUN,$(if $($(name)),$(name)='$($(name))'))
LINT := { $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/mypy; }
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
REQUIREMENTS := import sys, tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*p["dependencies"], *(p["optional-dependencies"]["test"] if "test" in sys.argv else []), sep="\n")

.PHONY: test-snapshot test-engines churn time-engines conformance help system-packages test-packages build init demo test lint unit test-vm bench install installed uninstall man clean

help:
	@sed -n 's/^# //p' Makefile | sed 5q

system-packages:
	@sh $(INSTALL)/system-packages.sh

test-packages:
	@sh $(INSTALL)/system-packages.sh test

$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "pyrunc needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=/path/to/python3" >&2; exit 1; }
	@[ -x $(VENV_PYTHON) ] || $(PYTHON) -m venv $(VENV) || { \
		echo "cannot make a virtual environment (Debian: apt install python3-venv)" >&2; rm -rf $(VENV); exit 1; }
	@$(VENV_PYTHON) -c '$(REQUIREMENTS)' >$(VENV)/requirements.txt
	$(VENV_PYTHON) -m pip install -q --disable-pip-version-check --prefer-binary -r $(VENV)/requirements.txt
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	@$(VENV_PYTHON) -c '$(REQUIREMENTS)' test >$(VENV)/requirements.txt
	$(VENV_PYTHON) -m pip install -q --disable-pip-version-check --prefer-binary -r $(VENV)/requirements.txt
	@touch $@

init:
	@command -v $${CC:-gcc} >/dev/null || { echo "no C compiler (Debian: apt install gcc libc6-dev)" >&2; exit 1; }
	@$(MAKE) --no-print-directory -s -C csrc PYTHON=$(abspath $(VENV_PYTHON))

NATIVE := pyrunc/_native.abi3.so
SECCOMP := pyrunc/_seccomp.abi3.so
LAUNCHER := $(VENV)/bin/pyrunc

build: $(VENV)/.runtime init
	@$(MAKE) --no-print-directory $(NATIVE) $(SECCOMP) $(LAUNCHER)
	@[ ! -d csrc/snapshot ] || $(MAKE) --no-print-directory -s -C csrc/snapshot PYTHON=$(abspath $(VENV_PYTHON))
	@echo "COMMIT = '$$(git rev-parse --short HEAD 2>/dev/null || echo unknown)'" >pyrunc/_build_info.py

$(NATIVE): build/pyrunc-init $(wildcard csrc/native*) csrc/module_build.py
	$(VENV_PYTHON) csrc/native_build.py --output-dir pyrunc
$(SECCOMP): $(wildcard csrc/seccomp*) csrc/module_build.py
	$(VENV_PYTHON) csrc/seccomp_build.py --output-dir pyrunc
$(LAUNCHER): $(INSTALL)/launcher.py $(VENV)/.runtime
	@$(VENV_PYTHON) -m pyrunc.install.launcher checkout $@

demo: system-packages
	@$(MAKE) --no-print-directory build
	@sh $(INSTALL)/demo.sh $(LAUNCHER) ./$(BUNDLE)

test: test-packages
	@$(MAKE) --no-print-directory build $(VENV)/.test
	@[ -n "$(AS_ROOT)" ] || [ "$$(id -u)" = 0 ] || echo "not root and no sudo: the tests that need root are skipped" >&2
	@lint=0; $(LINT) || lint=$$?; \
	$(AS_ROOT) env PATH="$$PATH:/usr/sbin:/sbin" $(TEST_ENVIRONMENT) $(VENV_PYTHON) -m pytest $(PYTEST_FLAGS) && exit $$lint

lint: $(VENV)/.test
	$(LINT)

# what needs neither root nor compiled parts
unit: $(VENV)/.test
	$(VENV_PYTHON) -m pytest $(PYTEST_FLAGS) tests/unit tests/property tests/source tests/performance

# the tests that call pyrunc, with every call restored from an image; then 5000 of them, 50 at a time
test-snapshot: build $(VENV)/.test
	$(AS_ROOT) env PATH="$$PATH:/usr/sbin:/sbin" $(VENV_PYTHON) -m pytest -p tests.restored $(PYTEST_FLAGS) \
		tests/integration tests/differential tests/security
	$(AS_ROOT) env PATH="$$PATH:/usr/sbin:/sbin" PYRUNC_SNAPSHOT_RUNS=5000 $(VENV_PYTHON) -m pytest $(PYTEST_FLAGS) \
		tests/snapshot -k many

# cgroup v2, systemd and rootless containers in a guest of our own (tests/vm/README.md); VM="SESSION.. -- PYTEST_FLAGS"
test-vm: build $(VENV)/.test
	$(VENV_PYTHON) tests/vm/run.py $(VM)

# real engines, started in a scratch folder and stopped again; RUNTIME=runc tries the tests themselves
test-engines:
	@sh $(INSTALL)/system-packages.sh engines
	@$(MAKE) --no-print-directory build $(VENV)/.test
	$(VENV_PYTHON) -m pip install -q --disable-pip-version-check --prefer-binary grpcio
	$(AS_ROOT) env PATH="$$PATH:/usr/sbin:/sbin" $(TEST_ENVIRONMENT) $(VENV_PYTHON) -m pytest tests/engines $(PYTEST_FLAGS)

# ten minutes of docker run, exec, stop and rm by eight workers; nothing may fail or be left
churn: build
	$(AS_ROOT) env $(TEST_ENVIRONMENT) $(VENV_PYTHON) tests/engines/churn.py $(SECONDS)

# run --rm true through each engine, with each runtime in turn
time-engines: build
	@sh $(INSTALL)/system-packages.sh engines
	$(AS_ROOT) env $(foreach name,RUNC CRUN,$(if $($(name)),$(name)='$($(name))')) \
		$(VENV_PYTHON) tests/engines/timing.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH_FLAGS)

# the validation programs of opencontainers/runtime-tools, built in RUNTIME_TOOLS; RUNTIME=runc runs a peer;
# CONFORMANCE_FLAGS="--save runc.json", then "--compare runc.json", show what fails here and not there
conformance: build
	@[ -n "$(RUNTIME_TOOLS)" ] || { echo "say where they are: make conformance RUNTIME_TOOLS=DIR" >&2; exit 1; }
	$(VENV_PYTHON) -m tests.conformance.run $(RUNTIME_TOOLS) $(if $(RUNTIME),--runtime $(RUNTIME)) $(CONFORMANCE_FLAGS)

# RUNC=FILE CRUN=FILE measure further ones; BENCH_FLAGS=--quick tries it out, --publish renews README's figures
bench:
	@sh $(INSTALL)/system-packages.sh bench
	@$(MAKE) --no-print-directory build
	$(AS_ROOT) env $(foreach name,RUNC CRUN,$(if $($(name)),$(name)='$($(name))')) \
		$(VENV_PYTHON) tests/performance/bench.py $(BENCH_FLAGS)

man: $(VENV)/.runtime
	$(VENV_PYTHON) -m pyrunc.install.manual >pyrunc/man/pyrunc.8.new
	@mv pyrunc/man/pyrunc.8.new pyrunc/man/pyrunc.8

# ordinary users run it, too, whatever the umask of who installs it
install: build
	@umask 022 && $(MAKE) --no-print-directory installed

installed:
	rm -rf $(DESTDIR)$(LIBRARY)
	mkdir -p $(DESTDIR)$(LIBRARY)
	@$(VENV_PYTHON) -c '$(REQUIREMENTS)' >$(VENV)/requirements.txt
	$(VENV_PYTHON) -m pip install -q --disable-pip-version-check --prefer-binary --no-compile \
		--target $(DESTDIR)$(LIBRARY) -r $(VENV)/requirements.txt
	rm -rf $(DESTDIR)$(LIBRARY)/bin
	cp -R pyrunc $(DESTDIR)$(LIBRARY)/
	find $(DESTDIR)$(LIBRARY) -name __pycache__ -prune -exec rm -rf {} +
	chmod -R u=rwX,go=rX $(DESTDIR)$(LIBRARY)
	$(VENV_PYTHON) -m compileall -q --invalidation-mode unchecked-hash \
		-s $(DESTDIR)$(LIBRARY) -p $(LIBRARY) $(DESTDIR)$(LIBRARY)
	$(VENV_PYTHON) -m pyrunc.install.launcher library $(DESTDIR)$(PREFIX)/bin/pyrunc $(DESTDIR)$(LIBRARY) $(LIBRARY)
	@[ ! -d csrc/snapshot ] || $(MAKE) --no-print-directory -s -C csrc/snapshot install DESTDIR=$(DESTDIR) \
		PYTHON=$(abspath $(VENV_PYTHON)) PROGRAM=$(PREFIX)/bin/pyrunc SCRIPT=$(LIBRARY)/bin/pyrunc
	install -D -m 644 pyrunc/man/pyrunc.8 $(DESTDIR)$(PREFIX)/share/man/man8/pyrunc.8
	$(VENV_PYTHON) -m pyrunc.install.completion $(DESTDIR)$(PREFIX)

uninstall:
	@[ ! -d csrc/snapshot ] || $(MAKE) --no-print-directory -s -C csrc/snapshot uninstall \
		DESTDIR=$(DESTDIR) SCRIPT=$(LIBRARY)/bin/pyrunc
	rm -rf $(DESTDIR)$(LIBRARY)
	rm -f $(DESTDIR)$(PREFIX)/bin/pyrunc $(DESTDIR)$(PREFIX)/share/man/man8/pyrunc.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pyrunc \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pyrunc \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pyrunc.fish

clean:
	@[ ! -d csrc/snapshot ] || $(MAKE) --no-print-directory -s -C csrc/snapshot clean
	rm -rf build $(VENV) $(BUNDLE) dist pyrunc.egg-info pyrunc/_build_info.py pyrunc/*.so
	find . -name __pycache__ -prune -exec rm -rf {} +
