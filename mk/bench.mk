# The main job, and pictures of what it found.
#
# Measures the four families on real text and keeps every sample in the database, as new runs each time. Dense
# stops at n = 16k: at 64k it alone would take longer than all the rest.

BENCH_DB ?= results/attnlab.db
BENCH_PLOTS ?= results/plots
BENCH_INPUT ?= text:/usr/share/common-licenses
BENCH_TIME ?= 2
BENCH_ARGS ?=
BENCH_RUN = build/attnlab run --db $(BENCH_DB) --input $(BENCH_INPUT) --label bench --max-time $(BENCH_TIME) $(BENCH_ARGS)
BENCH_SPARSE := -p local -p 'strided:l=sqrt(n)' -p 'fixed:l=sqrt(n),c=8'

define BENCH_PREPARE
@DEPS=$(DEPS) mk/deps.sh build plots
+@$(MAKE) --no-print-directory MODE=release all
@mkdir -p $(dir $(BENCH_DB)) $(dir $(BENCH_PLOTS))
endef

bench: ## measure the four families, print table and exponents, draw pictures (2 to 3 minutes)
	$(BENCH_PREPARE)
	@echo "attnlab: input $(BENCH_INPUT): queries, keys and values are derived from these texts" >&2
	$(BENCH_RUN) -p dense -n 1k:16k*2
	$(BENCH_RUN) $(BENCH_SPARSE) -n 1k:64k*2
	build/attnlab fit --db $(BENCH_DB) --label bench
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS) >/dev/null
	@echo "attnlab: results in $(BENCH_DB), pictures (SVG and PNG) in $(BENCH_PLOTS)" >&2

bench-quick: BENCH_DB := build/bench-quick.db
bench-quick: BENCH_PLOTS := build/bench-quick-plots
bench-quick: BENCH_TIME := 0.05
bench-quick: ## the same in seconds, with small n and a database of its own
	$(BENCH_PREPARE)
	@rm -f $(BENCH_DB) $(BENCH_DB)-*
	$(BENCH_RUN) -p dense $(BENCH_SPARSE) -n 256:1k*2
	build/attnlab fit --db $(BENCH_DB)
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS)

plots: ## draw pictures of what is in the database
	$(BENCH_PREPARE)
	build/attnlab plot all $(if $(wildcard $(BENCH_DB)),--db $(BENCH_DB)) --out $(BENCH_PLOTS)

.PHONY: bench bench-quick plots
