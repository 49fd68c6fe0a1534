# The explorer page: libattn's pattern, analysis and planning code compiled to WebAssembly, in one HTML file. Needs the packages of
# the group `explorer`.

WASM_CC ?= clang-14
WASM_PATTERNS := $(filter-out patterns/plugin.c patterns/conformance.c,$(sort $(wildcard patterns/*.c)))
WASM_KERNELS := $(filter-out kernels/registry.c kernels/forward_portable.c kernels/forward_amx.c kernels/forward_f32_amx.c,$(sort $(wildcard kernels/*.c)))
WASM_SOURCES := $(WASM_PATTERNS) $(WASM_KERNELS) $(addprefix base/,arena.c float16.c npy.c npy_header.c rng.c status.c suggest.c) \
  $(addprefix harness/,explore.c explore_picture.c analyze.c analyze_json.c analyze_rows.c analyze_table.c emit.c fit.c fit_class.c stats.c) \
  $(sort $(wildcard harness/explorer/*.c))
WASM_HEADERS := $(wildcard base/*.h patterns/*.h patterns/*.inc kernels/*.h harness/*.h harness/explorer/*.h harness/explorer/single/*.h) $(HEADERS)
WASM_FLAGS := --target=wasm32-wasi -std=c17 -O2 -msimd128 -D_GNU_SOURCE -Iharness/explorer/single -Iinclude -I. -Wall -Wno-unused-variable
WASM_LINK := -mexec-model=reactor -Wl,--gc-sections -Wl,--strip-all -Wl,-z,stack-size=1048576

explorer: build/explorer.html ## the explorer page, build/explorer.html: any pattern, drawn and counted in a browser

build/explorer.html: build/explorer/module.wasm mk/explorer.sh $(wildcard harness/explorer/*.html harness/explorer/*.css harness/explorer/*.js)
	$(call say,PAGE,$@)
	$(Q)mk/explorer.sh $< >$@

build/explorer/module.wasm: $(WASM_SOURCES) $(WASM_HEADERS) mk/explorer.mk
	@DEPS=$(DEPS) mk/deps.sh explorer
	@mkdir -p $(@D)
	$(call say,WASM,$@)
	$(Q)$(WASM_CC) $(WASM_FLAGS) $(WASM_LINK) $(WASM_SOURCES) -o $@

.PHONY: explorer
