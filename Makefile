# attnlab. `make help` lists the targets; the pieces are under mk/.

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
ifeq (0,$(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

include mk/config.mk
include mk/build.mk
include mk/test.mk
include mk/quality.mk
include mk/fuzz.mk
include mk/explorer.mk
include mk/browser.mk
include mk/bench.mk
include mk/peers.mk
include mk/install.mk

help: ## this list
	@echo "attnlab: make targets"
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | \
	  awk -F '\t' '{printf "  %-12s %s\n", $$1, $$2}'
	@echo "variables: CC=$(CC) MODE=$(MODE) (release debug asan ubsan tsan cov) WERROR= DEPS=auto|never PREFIX=$(PREFIX) DESTDIR="

clean: ## remove build/
	rm -rf build

.PHONY: help clean
