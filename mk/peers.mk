# The comparison with other people's kernels (harness/peers/). PYTHON is a command: an interpreter, or a wrapper such as
# "chroot DIR python3"; it sees the operands and the scripts under the paths they have here. The driver itself needs Python
# alone and runs with this machine's own where there is one.

PYTHON ?= python3
PEERS_DB ?= $(or $(ATTNLAB_DB),results/attnlab.db)
PEERS_ARGS ?=
PEERS_PYTHON = $(or $(shell command -v python3),$(PYTHON)) -B

peers: ## compare with PyTorch and ONNX Runtime where PYTHON= has them; prints the ratio table
	@DEPS=$(DEPS) mk/deps.sh build
	+@$(MAKE) --no-print-directory MODE=release all
	@mkdir -p $(dir $(PEERS_DB))
	$(Q)$(PEERS_PYTHON) -V >/dev/null 2>&1 || { echo "peers: no python3 here: apt install python3-numpy, and torch and \
	onnxruntime by pip or apt" >&2; exit 0; }; \
	$(PEERS_PYTHON) harness/peers/peers.py --program build/attnlab --db '$(PEERS_DB)' \
	  --python '$(PYTHON)' $(PEERS_ARGS)

peers-table: build/attnlab ## the ratio table of what the database holds (PEERS_ARGS='-o md')
	$(Q)$(PEERS_PYTHON) harness/peers/peers.py --table --db '$(PEERS_DB)' $(PEERS_ARGS)

.PHONY: peers peers-table
