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
@mkdir -p $(dir $(BENCH_DB)) $(dir $(BENCH_PLOTS)) && date +%s >build/bench-started
endef

# The ceilings of the roofline plot.
BENCH_PEAKS_TIME ?= 3
define BENCH_PEAKS
@echo "attnlab: measuring what this machine does at most" >&2
$(Q)build/attnlab doctor --peaks --db $(BENCH_DB) --max-time $(BENCH_PEAKS_TIME) >/dev/null
endef
BENCH_TOOK = $$(($$(date +%s) - $$(cat build/bench-started))) s

bench: ## measure the four families, print table and exponents, draw pictures (2 to 3 minutes)
	$(BENCH_PREPARE)
	$(BENCH_PEAKS)
	@echo "attnlab: input $(BENCH_INPUT): queries, keys and values are derived from these texts" >&2
	$(BENCH_RUN) -p dense -n 1k:16k*2
	$(BENCH_RUN) $(BENCH_SPARSE) -n 1k:64k*2
	build/attnlab fit --db $(BENCH_DB) --label bench
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS) >/dev/null
	@echo "attnlab: results in $(BENCH_DB), pictures (SVG and PNG) in $(BENCH_PLOTS); $(BENCH_TOOK)" >&2

bench-quick: BENCH_DB := build/bench-quick.db
bench-quick: BENCH_PLOTS := build/bench-quick-plots
bench-quick: BENCH_TIME := 0.05
bench-quick: BENCH_PEAKS_TIME := 0.5
bench-quick: ## the same in seconds, with small n and a database of its own
	$(BENCH_PREPARE)
	@rm -f $(BENCH_DB) $(BENCH_DB)-*
	$(BENCH_PEAKS)
	$(BENCH_RUN) -p dense $(BENCH_SPARSE) -n 256:1k*2
	build/attnlab fit --db $(BENCH_DB)
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS)

# One head, up to a million positions. Patterns whose work is n with these parameters, and fixed, whose work is n^2 with
# a constant l and at n = 1M takes longer than all the rest. No text that every machine has is that long: noise.
BENCH_LONG := -p local:k=1024 -p strided:l=1024 -p fixed:l=1024,c=32 -n 64k,256k,1m --heads 1 -d 64
BENCH_LONG_GIB := 4
bench-long: BENCH_PLOTS := results/plots-long
bench-long: ## sequences of up to 1,048,576 positions, in under 4 GiB; a few minutes
	$(BENCH_PREPARE)
	$(BENCH_PEAKS)
	build/attnlab run --db $(BENCH_DB) --input gauss --label bench-long --max-time $(BENCH_TIME) \
	  --metrics time,flops,memory,accuracy $(BENCH_LONG) $(BENCH_ARGS)
	build/attnlab fit --db $(BENCH_DB) --label bench-long
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS) >/dev/null
	@build/attnlab db sql --db $(BENCH_DB) -o csv "SELECT max(peak_rss_bytes) FROM results \
	  WHERE run_id = (SELECT run_id FROM results WHERE label = 'bench-long' ORDER BY finished DESC LIMIT 1)" | \
	  awk 'NR == 2 {printf "attnlab: at most %.2f GiB were resident (limit $(BENCH_LONG_GIB))\n", $$1 / 2^30; exit !($$1 < $(BENCH_LONG_GIB) * 2^30)}' >&2
	@echo "attnlab: results in $(BENCH_DB), pictures (SVG and PNG) in $(BENCH_PLOTS); $(BENCH_TOOK)" >&2

plots: ## draw pictures of what is in the database
	$(BENCH_PREPARE)
	build/attnlab plot all $(if $(wildcard $(BENCH_DB)),--db $(BENCH_DB)) --out $(BENCH_PLOTS)

# Kernels one after the other, so that plots that hold them against each other have something to show.
GALLERY_KERNELS ?= avx2 portable # and the planner's choice
GALLERY_RUN = build/attnlab run --db $(BENCH_DB) --input $(BENCH_INPUT) --max-time $(BENCH_TIME) --threads 1 --heads 2 -p dense $(BENCH_SPARSE)
# Two labels to hold against each other, in eight blocks; measured first, since plots show the newest of each cell and these have only times.
GALLERY_PAIR = build/attnlab run --db $(BENCH_DB) --input $(BENCH_INPUT) --max-time 0.05 --threads 1 --heads 2 -p dense $(BENCH_SPARSE) -n 1k,4k \
  --metrics time --processes 8
gallery: BENCH_DB := build/gallery.db
gallery: BENCH_PLOTS := build/gallery
gallery: BENCH_TIME := 0.1
gallery: BENCH_PEAKS_TIME := 0.5
gallery: ## docs/GALLERY.md: every plot, drawn from a quick measurement
	$(BENCH_PREPARE)
	@rm -rf $(BENCH_DB) $(BENCH_DB)-* $(BENCH_PLOTS)
	$(BENCH_PEAKS)
	for kernel in avx2 auto; do $(GALLERY_PAIR) --label $$kernel --kernel $$kernel >/dev/null || exit; done
	$(GALLERY_RUN) -n 4k --dtype bf16 --metrics time >/dev/null
	for kernel in $(GALLERY_KERNELS) auto; do $(GALLERY_RUN) -n 256:4k*2 --kernel $$kernel >/dev/null || exit; done
	build/attnlab plot all --db $(BENCH_DB) --out $(BENCH_PLOTS) >/dev/null
	mk/gallery.sh $(BENCH_PLOTS) docs/GALLERY.md

# What NaN, infinities, subnormals, large scores cost, as a table.
ODD_KERNELS ?= auto avx2
odd-inputs: build/odd-inputs ## what unusual operands cost: time over that of normal ones (ODD_KERNELS="auto auto:bf16 avx2")
	@for kernel in $(ODD_KERNELS); do $< $$kernel || exit; done

build/odd-inputs: tests/bench/odd_inputs.c $(B)/libattn.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $^ $(LIB_LIBS) -o $@

.PHONY: bench bench-quick bench-long plots gallery odd-inputs

# A verdict on a revision, for CI. make's own exit code is 2 for whatever goes wrong: build/gate/verdict has the word.
GATE_BASE ?= origin/main
GATE_ARGS ?=

gate: ## judge HEAD against GATE_BASE (origin/main): build/gate/verdict, gate.md, gate.json, gate.xml
	@DEPS=$(DEPS) mk/deps.sh build
	+@$(MAKE) --no-print-directory MODE=release all
	build/attnlab gate --base '$(GATE_BASE)' $(GATE_ARGS)

.PHONY: gate
