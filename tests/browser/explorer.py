"""The explorer page in Chromium: numbers against `attnlab analyze`, clicks, drags, wheel, keyboard, address, downloads, narrow, dark,
printed; and that a picture costs what it shows. Pictures stay in the folder.

    python3 tests/browser/explorer.py CHROMIUM ATTNLAB PAGE FOLDER
"""
import ast
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse

from chromium import Chromium

program, attnlab, page, folder = sys.argv[1:5]
os.makedirs(folder, exist_ok=True)
failures = loads = 0


def expect(condition, what):
    global failures
    print(("ok    " if condition else "FAILED ") + what)
    failures += not condition


def output(*words, **more):
    return subprocess.run([attnlab, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **more).stdout


text = open(page, encoding="utf-8").read()
expect(not re.search(r"(src|href)=[\"']?(https?:|//)|@import|url\(|\bfetch\(|XMLHttpRequest", text), "nothing is fetched from anywhere")
expect("@" not in re.sub(r"@media[^{]*", "", re.search(r"<style>(.*?)</style>", text, re.S).group(1)), "no part of the page is missing")

browser = Chromium(program)


def wait(condition, seconds=60):
    """Until a condition of the page holds; its last value."""
    end = time.monotonic() + seconds
    while True:
        value = browser.run(condition)
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def show(state, width=1280, height=1000):
    browser.size(width, height)
    global loads
    loads += 1  # another address: else the browser would only follow the #
    browser.open(f"{page}?{loads}#" + (state if isinstance(state, str) else urllib.parse.urlencode(state)))
    wait("document.body.dataset.ready && window.lastFrame")


def settled():
    browser.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")


def frame():
    settled()
    return browser.run("window.lastFrame")


def number(row, side=1):
    return f"[...document.querySelectorAll('#numbers tbody tr')].find(r => r.cells[0].textContent === {json.dumps(row)}).cells[{side}].textContent"


def parameters():
    return dict(urllib.parse.parse_qsl(browser.run("location.hash").lstrip("#")))


def pixel(x, y, side="a"):
    """Whether a place of the plot, as a share of its side, has ink."""
    return browser.run(f"""(() => {{ const c = document.querySelector('#side-{side} canvas'), f = frameOf(c, {{cell: 1, px: 1}}).size;
      const d = Object.assign(document.createElement('canvas'), {{width: c.width, height: c.height}}), read = d.getContext('2d', {{willReadFrequently: true}});
      read.drawImage(c, 0, 0);
      const p = (x, y) => [...read.getImageData(MARGIN.left + Math.floor(f * x), MARGIN.top + Math.floor(f * y), 1, 1).data].slice(0, 3);
      const [a, b] = [p({x}, {y}), colourOf('--paper')]; return Math.max(...a.map((v, k) => Math.abs(v - b[k]))) > 20; }})()""")


def mouse(kind, x, y, side="a", **more):
    """At a place of the plot, as a share of its side."""
    at = browser.run(f"""(() => {{ const c = document.querySelector('#side-{side} canvas'); c.scrollIntoView({{block: 'center'}}); const b = c.getBoundingClientRect(), s = b.width / c.width,
      f = frameOf(c, {{cell: 1, px: 1}}).size; return [b.x + (MARGIN.left + f * {x}) * s, b.y + (MARGIN.top + f * {y}) * s]; }})()""")
    browser.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)


# ---- numbers: the page's worker and the program count alike ----

SECTIONS = {"pairs": 1, "reach": 2, "graph": 4, "tiles": 8}


def differences(a, b, at=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for key in sorted(a.keys() | b.keys()) for d in differences(a.get(key), b.get(key), f"{at}.{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for k, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{at}[{k}]")]
    near = isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) <= 1e-9 * max(abs(a), abs(b))
    loose = at.startswith(".spectral_gap") and isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) < 1e-6
    return [] if a == b or near or loose or at == ".analysis_bytes" else [f"{at}: {a} and {b}"]


def analyzed(spec, n, sections):
    # The page plans for AVX2: what tiles there are in the planner's order depends on it.
    return json.loads(output("analyze", spec, "-n", str(n), "--sections", ",".join(sections), "-o", "json", env={**os.environ, "ATTN_DISABLE_CPU": "avx512"}))[0]


def counted(spec, n, sections):
    bits = sum(SECTIONS[s] for s in sections)
    found = browser.run(f"window.counted({json.dumps(spec)}, {n}, {bits})")
    return found[0] if isinstance(found, list) else found


show({"a": "local:k=8", "n": 64})
browser.run("""(async () => { const packed = atob(document.getElementById('wasm').textContent.trim());
  const lab = await startModule(await WebAssembly.compile(Uint8Array.from(packed, c => c.charCodeAt(0))));
  window.counted = (spec, n, sections) => lab.analyze(spec, 'avx2', n, 8, 64, sections); window.zoo = lab.registry().patterns.map(p => p.name); })()""")
zoo = [name for name in browser.run("window.zoo") if name != "expr"]
listed = [row["name"] for row in json.loads(output("list", "patterns", "-o", "json"))]
expect(sorted(zoo + ["expr"]) == sorted(listed), f"the page has the {len(listed)} patterns of the program")
composed = ["heads(local:k=5, strided:l=16,head=column)", "layers(local:k=7, strided:l=32,head=column)", "dense - local:k=20", 'expr:"i-j < 9 || j % 32 >= 28"']
for spec in zoo + composed:
    parts = ["pairs", "reach", "graph", "tiles"]
    wrong = differences(analyzed(spec, 300, parts), counted(spec, 300, parts))
    expect(not wrong, f"{spec}: numbers of n = 300 equal those of attnlab analyze" + "".join("\n       " + w for w in wrong[:4]))
for spec in ["dense", "local", "strided", "fixed", "dense:causal=0", "longformer", "phi3", "swin"]:
    wrong = differences(analyzed(spec, 65536, ["pairs", "tiles"]), counted(spec, 65536, ["pairs", "tiles"]))
    expect(not wrong, f"{spec}: and of n = 65536" + "".join("\n       " + w for w in wrong[:4]))

show({"a": "fixed:l=16,c=4", "n": 192})
expect(wait(number("hops until all is reached, without / with the residual") + " !== '…'"), "the table fills")
told = analyzed("fixed:l=16,c=4", 192, ["pairs", "reach"])
expect(browser.run(number("pairs of a head")) == f"{told['pairs']:,}", "the table holds the pairs")
expect(browser.run(number("2 hops")) == "100%" and told["reach"][1] == 1, "and what two hops reach")

# ---- a picture costs what it shows ----

for spec in zoo + ['expr:"(i * i + j * j) % 101 < 37"']:
    worst = (0, "")
    for n in (1024, 65536):
        show({"a": spec, "n": n})
        for view in ("fit", "in", "in", "in", "single"):
            browser.run(f"document.getElementById('{view}').click()")
            did = frame()
            worst = max(worst, (did["steps"] / did["cells"], f"n = {n}, {view}"))
    expect(worst[0] <= 8.2, f"{spec}: at most {worst[0]:.2f} steps a cell ({worst[1]})")

# ---- looking ----

show({"a": "local:k=16", "n": 256})
expect(pixel(0.49, 0.5) and not pixel(0.5, 0.2) and not pixel(0.2, 0.9), "a window is drawn along the diagonal")
browser.picture(os.path.join(folder, "explorer-light.png"))
mouse("mouseMoved", 0.252, 0.252)
settled()
why = browser.run("document.querySelector('#side-a .why').textContent")
expect(re.match(r"i=64 j=64 allowed: keys 48 to 64; one of 17 keys", why), f"the pointer tells why ({why})")
for _ in range(3):
    mouse("mouseWheel", 0.5, 0.5, deltaX=0, deltaY=-100)
zoomed = parameters()
expect(float(zoomed["px"]) == 16 and zoomed["cell"] == "1", f"the wheel zooms ({zoomed})")
expect(abs(int(zoomed["row"]) + 16 - 128) <= 1 and abs(int(zoomed["key"]) + 16 - 128) <= 1, "where the pointer is")
mouse("mousePressed", 0.5, 0.5, button="left", buttons=1, clickCount=1)
for step in range(1, 6):
    mouse("mouseMoved", 0.5 + 0.05 * step, 0.5, button="left", buttons=1)
mouse("mouseReleased", 0.75, 0.5, button="left", clickCount=1)
settled()
dragged = parameters()
expect(int(zoomed["key"]) - int(dragged["key"]) == 8 and dragged["row"] == zoomed["row"], f"a drag moves the picture by as much ({zoomed['key']} to {dragged['key']})")
browser.click("#fit")
settled()
expect("cell" not in parameters(), "the whole mask again")

browser.run("document.querySelector('#side-a canvas').focus()")
show({"a": "strided:l=256", "n": 65536, "i": 40000, "j": 39488})
browser.run("document.querySelector('#side-a canvas').focus()")
browser.key("1", 49)
settled()
expect(parameters()["cell"] == "1" and float(parameters()["px"]) >= 16, "single pairs of n = 65536 by a key")
expect(frame()["cells"] <= 33 * 33, "which are few")
browser.key("ArrowRight", 39)
settled()
expect(parameters()["j"] == "39489" and "not allowed" in browser.run("document.querySelector('#side-a .why').textContent"), "an arrow moves the mark")
browser.key("0", 48)
settled()
expect("cell" not in parameters(), "and 0 shows the whole")
address = browser.run("location.hash")
show(address.lstrip("#"))
expect(browser.run("document.querySelector('#side-a .text').value") == "strided:l=256" and browser.run("document.getElementById('n').value") == "65536"
       and browser.run("location.hash") == address, "a link repeats the view")

# ---- patterns ----

show({"a": "fixed:l=16,c=4", "n": 128})
browser.run("(() => { const e = document.querySelector('#side-a .params input[type=number]'); e.focus(); e.select(); })()")
browser.call("Input.insertText", text="32")
settled()
expect(parameters()["a"].startswith("fixed:l=32,c=4"), f"a number changes a parameter ({parameters()['a']})")
browser.run("(() => { const e = document.querySelector('#side-a .params input[type=range]'); e.value = 3; e.dispatchEvent(new Event('input')); })()")
settled()
expect(parameters()["a"].startswith("fixed:l=8,"), "a slider too")
browser.run("(() => { const e = document.querySelector('#side-a .params select'); e.value = 'summary'; e.dispatchEvent(new Event('change')); })()")
settled()
expect("head=summary" in parameters()["a"], "and a word")
before = frame()
browser.run("(() => { const e = document.querySelector('#side-a .text'); e.focus(); e.select(); })()")
browser.call("Input.insertText", text="expr:\"i-j < 8 ||\"")
message = browser.run("document.querySelector('#side-a .error').textContent")
expect("expr" in message and "\n" not in message, f"a wrong spec is told ({message})")
expect("head=summary" in parameters()["a"], "and what was there stays")
browser.run("(() => { const e = document.querySelector('#side-a .text'); e.focus(); e.select(); })()")
browser.call("Input.insertText", text="(local:k=8 | strided:l=16,head=column) - local:k=2")
settled()
expect(browser.run("document.querySelector('#side-a .error').textContent") == "" and "- local:k=2" in parameters()["a"], "a composition is drawn as it is typed")

show({"a": "strided:l=16,head=column", "n": 256, "hops": 2})
reached = browser.run("document.querySelector('#side-a .error').textContent")
expect(reached == "", f"hops are drawn {reached}")
show({"a": "local:k=9", "n": 256, "hops": 2})
expect(pixel(0.5, 0.5 - 12 / 256) is False and pixel(0.5 - 14 / 256, 0.5) is True, "two hops reach twice as far")
mouse("mouseMoved", 0.5 - 13.5 / 256, 0.501)
settled()
expect("2 hops reach it" in browser.run("document.querySelector('#side-a .why').textContent"), "and the pointer says so")

# ---- hops beyond a bit for each pair ----

browser.run("""(async () => { const packed = atob(document.getElementById('wasm').textContent.trim());
  const lab = await startModule(await WebAssembly.compile(Uint8Array.from(packed, c => c.charCodeAt(0))));
  window.share = (spec, n, hops, cell) => { const set = lab.set(1, spec, n, 8, hops); if (set.error || set.hops_error || !set.hops_apart) return [set.error || set.hops_error || 'at hand'];
    const cells = Math.ceil(n / cell), found = lab.draw(1, 1, 0, 0, 0, cell, cells, cells); let sum = 0;
    for (let r = 0; r < cells; r++) for (let c = 0; c < cells; c++) sum += found[r * cells + c] * Math.min(cell, n - r * cell) * Math.min(cell, n - c * cell);
    return [lab.unknown(), lab.exact(), sum / (set.causal ? n * (n + 1) / 2 : n * n)]; }; })()""")
for spec in [name for name in zoo if name not in ("natten2d", "natten3d", "swin", "axial", "mask")] + ["local:k=300,causal=0"]:
    told = json.loads(output("analyze", spec, "-n", "4500", "--hops", "3", "--sections", "reach", "-o", "json"))[0]["reach"]
    for hops in (2, 3):
        found = browser.run(f"window.share({json.dumps(spec)}, 4500, {hops}, 4)")
        expect(found[:2] == [0, True] and abs(found[2] - told[hops - 1]) < 1e-6, f"{spec}: {hops} hops drawn at n = 4500 are those of attnlab analyze ({found}, {told[hops - 1]})")
told = json.loads(output("analyze", composed[0], "-n", "4500", "--hops", "2", "--sections", "reach", "-o", "json"))[0]["reach"]
found = browser.run(f"window.share({json.dumps(composed[0])}, 4500, 2, 4)")
expect(found[:2] == [0, True] and abs(found[2] - told[1]) < 1e-6, f"{composed[0]}: heads take hops together")
found = browser.run(f"window.share({json.dumps(composed[0])}, 4500, 4, 4)")
expect(found[0] > 0 and not found[1], f"rows that take too many steps are counted, not guessed ({found[0]})")
show({"a": "local:k=1000", "n": 65536, "hops": 2, "cell": 16, "row": 32000, "key": 28000, "px": 1})
expect(wait("document.getElementById('hops-state').textContent.startsWith('Hops are')"), "hops are drawn at n = 65536")
did = frame()
expect(did["steps"] / did["cells"] <= 8.2, f"and a frame costs what it shows: {did['steps'] / did['cells']:.2f} steps a cell")
size = browser.run("frameOf(document.querySelector('#side-a canvas'), readState(location.hash)).size")
at = lambda i, j: ((j - 28000) / 16 / size, (i - 32000) / 16 / size)
expect(pixel(*at(34000, 34000 - 1800)) and not pixel(*at(34000, 34000 - 2200)), "as far as they reach")
mouse("mouseMoved", *at(34000, 34000 - 1800))
settled()
expect("2 hops reach it" in browser.run("document.querySelector('#side-a .why').textContent"), "and the pointer says so there")
browser.picture(os.path.join(folder, "explorer-hops.png"))
for spec in ["strided", "dense", "logsparse:k=0"]:
    show({"a": spec, "n": 65536, "hops": 4})
    begin = time.monotonic()
    expect(wait("document.getElementById('hops-state').textContent.startsWith('Hops are')", 30), f"{spec}: four hops of the whole of n = 65536 in {time.monotonic() - begin:.1f} s: "
           + browser.run("document.getElementById('hops-state').textContent"))
show({"a": 'expr:"(i * i + j * j) % 101 < 37"', "n": 65536, "hops": 2})
expect("testing pairs" in browser.run("document.querySelector('#side-a .error').textContent"), "what cannot be drawn is told")

show({"a": "heads(local:k=8, strided:l=16,head=column, dense)", "n": 128, "heads": 6, "grid": 1})
browser.picture(os.path.join(folder, "explorer-heads.png"))
browser.run("document.querySelector('#side-a canvas').scrollIntoView()")
mouse("mousePressed", 0.7, 0.2, button="left", clickCount=1)
mouse("mouseReleased", 0.7, 0.2, button="left", clickCount=1)
settled()
expect(parameters().get("head") == "1" and "grid" not in parameters(), f"a click on a head opens it ({parameters()})")
show({"a": "strided:l=32", "b": "fixed:l=32,c=4", "two": 1, "n": 1024})
expect(wait(number("pairs of a head", 2) + " !== '…'"), "two patterns have two columns")
expect(browser.run("(() => { const [a, b] = document.querySelectorAll('canvas'); return b.getBoundingClientRect().left > a.getBoundingClientRect().right && Math.abs(a.getBoundingClientRect().top - b.getBoundingClientRect().top) < 2; })()"), "and stand side by side")
browser.click("#in")
settled()
views = browser.run("[...document.querySelectorAll('canvas')].map(c => JSON.stringify(frameOf(c, readState(location.hash))))")
expect(views[0] == views[1], "and zoom together")
wait("!document.querySelector('#numbers tbody').textContent.includes('…')")
browser.picture(os.path.join(folder, "explorer-two.png"))

# ---- downloads ----

show({"a": "heads(local:k=3, fixed:l=8,c=2)", "n": 48, "heads": 2})
catch = "(async () => { let blob; const make = URL.createObjectURL; URL.createObjectURL = b => { blob = b; return make(b); };" \
        " document.querySelector('#side-a .%s').click(); await new Promise(r => setTimeout(r, 300)); URL.createObjectURL = make; %s })()"
npy = bytes(browser.run(catch % ("npy", "return [...new Uint8Array(await blob.arrayBuffer())];")))
size = int.from_bytes(npy[8:10], "little")
header = ast.literal_eval(npy[10:10 + size].decode())
expect(npy[:6] == b"\x93NUMPY" and header["shape"] == (2, 48, 48) and header["descr"] == "|b1", f"NPY: {header}")
for head, spec in enumerate(["local:k=3", "fixed:l=8,c=2"]):
    target = os.path.join(folder, "mask.npy")
    output("show", spec, "-n", "48", "--npy", target)
    expect(open(target, "rb").read()[-48 * 48:] == npy[10 + size + head * 48 * 48:][:48 * 48], f"head {head} is {spec}, pair for pair")
svg = browser.run(catch % ("svg", "return await blob.text();"))
ink = sum(int(w) for w in re.findall(r'width="(\d+)" height="1"/>', svg))
expect(svg.startswith("<svg ") and ink == analyzed("local:k=3", 48, ["pairs"])["pairs"], f"SVG holds the pairs ({ink})")
png = bytes(browser.run(catch % ("png", "return [...new Uint8Array(await blob.arrayBuffer())];")))
expect(png.startswith(b"\x89PNG") and len(png) > 1000, "PNG")
show({"a": "dense", "n": 65536})
browser.click("#side-a .npy")
expect("attnlab show --npy" in browser.run("document.querySelector('#side-a .error').textContent"), "what is too large is refused, with a way")

# ---- the page itself ----

show({"a": "bigbird", "n": 2048}, 360, 740)
expect(browser.run("document.documentElement.scrollWidth") <= 360, "360 pixels are enough")
browser.picture(os.path.join(folder, "explorer-narrow.png"))
browser.media(dark=True)
show({"a": "bigbird", "n": 2048})
dark = browser.run("getComputedStyle(document.body).backgroundColor")
expect(sum(map(int, re.findall(r"\d+", dark)[:3])) < 120 and pixel(0.499, 0.501), f"dark where that is wanted ({dark})")
browser.picture(os.path.join(folder, "explorer-dark.png"))
browser.media()
pdf = browser.pdf()
expect(pdf.startswith(b"%PDF") and len(pdf) > 20000, "prints")
unnamed = browser.run("[...document.querySelectorAll('input,select,button,canvas')].filter(e => !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())).length")
expect(unnamed == 0, f"every control has a name ({unnamed} have none)")
seen = set()
browser.run("document.activeElement.blur()")
for _ in range(60):
    browser.key("Tab", 9)
    seen.add(browser.run("document.activeElement.id || document.activeElement.className || document.activeElement.tagName"))
expect({"n", "fit", "text", "mask", "npy", "kernel"} <= seen, f"everything can be reached by keyboard ({sorted(seen)})")
show({"a": "nothing:at=all", "n": "many", "px": "x", "cell": -3, "hops": 99, "kernel": "abacus", "row": 1e30})
expect("nothing" in browser.run("document.querySelector('#side-a .error').textContent"), "an address that makes no sense is told")

show({"a": "strided", "n": 65536})
times = []
for view in ["fit", "in", "in", "in", "out", "out", "out"] * 4:
    browser.run(f"document.getElementById('{view}').click()")
    times.append(frame()["ms"])
print(f"note   a frame of strided at n = 65536 takes {sorted(times)[len(times) // 2]:.1f} ms of script (median of {len(times)})")
expect(not browser.errors, "the console is empty" + "".join("\n       " + e for e in browser.errors))
browser.close()
sys.exit(failures > 0)
