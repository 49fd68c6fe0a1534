# The report and the explorer page in headless Chromium. Needs the packages of the group `browser`.

CHROMIUM ?= chromium

browser: $(B)/attnlab build/explorer.html ## try the report and the explorer page in headless Chromium; pictures are in build/browser
	@DEPS=$(DEPS) mk/deps.sh browser
	@command -v $(CHROMIUM) >/dev/null || { echo "browser: no $(CHROMIUM); CHROMIUM=... names another, or apt-get install chromium" >&2; exit 2; }
	$(Q)python3 tests/browser/report.py $(CHROMIUM) $(abspath $(B)/attnlab) build/browser
	$(Q)python3 tests/browser/explorer.py $(CHROMIUM) $(abspath $(B)/attnlab) build/explorer.html build/browser
