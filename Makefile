# Thin doors: each target calls the tool that does the work.
#   make site   [INVENTORY=path] [LIMIT=pattern] [ARGS=...]   turn hosts into GPU hosts (without INVENTORY: a host of the lab)
#   make test                                                 every test: make check, then Molecule on real lab hosts
#   make check                                                the fast part: unit tests, linters, sanity
#   make molecule SCENARIO=name                               one scenario
#   make bench [PARTS=noop,first,fleet,ssh,mdev]              what runs cost, as ratios with their targets; without PARTS all of them, which takes long
#   make clean                                                take down all lab hosts, remove environments and caches of the checkout
SHELL := /bin/sh
BIN := .venv/bin
PYTHON := $(BIN)/python
LIMIT ?= gpu_hosts
LAB_INVENTORY := inventories/lab
SCENARIO ?= default
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: site test check unit lint types sanity build molecule bench lab-down clean

site:
	@tools/setup.sh site
ifdef INVENTORY
	@test -e "$(INVENTORY)" || { echo "make site: there is no inventory at $(INVENTORY). Copy inventories/example and name your machines in it." >&2; exit 2; }
	@$(BIN)/ansible-playbook site.yml -i $(INVENTORY) -l $(LIMIT) $(ARGS)
else
	@$(PYTHON) -m tests.lab up -i $(LAB_INVENTORY)
	@$(BIN)/ansible-playbook site.yml -i $(LAB_INVENTORY) -l $(LIMIT) $(ARGS)
endif

test: check
	@$(PYTHON) -m tools.molecule

check:
	@tools/setup.sh test
	@$(PYTHON) -m tools.check

molecule:
	@tools/setup.sh test
	@$(PYTHON) -m tools.molecule $(SCENARIO)

bench:
	@tools/setup.sh test
	@$(PYTHON) -m tests.bench $(if $(PARTS),--parts $(PARTS))

lab-down:
	@$(PYTHON) -m tests.lab down --all

clean:
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m tests.lab down --all; fi
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache tests/output dist
