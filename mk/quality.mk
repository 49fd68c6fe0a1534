# Heavier checks.

asan: ## all tests under AddressSanitizer and UBSan
	$(MAKE) --no-print-directory MODE=asan check
ubsan: ## all tests under UBSan
	$(MAKE) --no-print-directory MODE=ubsan check
.PHONY: asan ubsan
