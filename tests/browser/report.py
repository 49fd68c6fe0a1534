"""The report in Chromium: pointer, keyboard, narrow, dark, printed, with many rows. Pictures stay in build/browser.

    python3 tests/browser/report.py CHROMIUM ATTNLAB FOLDER
"""
import json
import os
import re
import sqlite3
import subprocess
import sys

from chromium import Chromium

program, attnlab, folder = sys.argv[1:4]
os.makedirs(folder, exist_ok=True)
failures = 0


def expect(condition, what):
    global failures
    print(("ok    " if condition else "FAILED ") + what)
    failures += not condition


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def run(*words):
    subprocess.run([attnlab, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def multiplied(source, target, times):
    """The runs of a database again and again, under other ids: rows in number."""
    if os.path.exists(target):
        os.unlink(target)
    run("db", "merge", source, "--db", target)
    db = sqlite3.connect(target)
    columns = {t: [c[1] for c in db.execute(f"PRAGMA table_info({t})")] for t in ("runs", "measurements", "samples")}
    runs = db.execute("SELECT * FROM runs").fetchall()
    measurements = db.execute("SELECT * FROM measurements").fetchall()
    samples = db.execute("SELECT * FROM samples WHERE rep < 3").fetchall()
    place = {t: {c: k for k, c in enumerate(columns[t])} for t in columns}
    next_run, next_measurement = (db.execute(f"SELECT max(id) FROM {t}").fetchone()[0] + 1 for t in ("runs", "measurements"))
    for _ in range(times):
        new_runs, new_measurements = {}, {}
        for table, rows, known, key, other in (("runs", runs, new_runs, "run_id", None), ("measurements", measurements, new_measurements, "measurement_id", new_runs)):
            for row in rows:
                row = list(row)
                old = row[place[table]["id"]]
                known[old] = next_run if table == "runs" else next_measurement
                if table == "runs":
                    next_run += 1
                else:
                    next_measurement += 1
                row[place[table]["id"]] = known[old]
                row[place[table][key]] = os.urandom(16).hex()
                if other is not None:
                    row[place[table]["run"]] = other[row[place[table]["run"]]]
                db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        at = place["samples"]["measurement"]
        db.executemany(f"INSERT INTO samples VALUES ({','.join('?' * len(columns['samples']))})",
                       [[new_measurements[v] if k == at else v for k, v in enumerate(row)] for row in samples])
    db.commit()
    db.close()


database, page = os.path.join(folder, "small.db"), os.path.join(folder, "report.html")
if os.path.exists(database):
    os.unlink(database)
run("run", "--db", database, "-p", "dense", "-p", "local:k=16", "-p", "strided:l=8", "-p", 'expr:"i-j < 9 && j > 0"', "-n", "64,96,128",
    "--heads", "1", "--max-time", "0.02", "--label", "</script><img src=x onerror=alert(1)>\"'&", "--metrics", "time,flops,memory,accuracy")
run("report", "--db", database, "--out", page)
text = open(page, encoding="utf-8").read()
expect(not re.search(r"(src|href)=[\"']?(https?:|//)|@import|url\(", text), "nothing is fetched from anywhere")

browser = Chromium(program)
browser.size(1200, 900)
browser.open(page)
browser.picture(os.path.join(folder, "light.png"))
rows = browser.run("document.querySelectorAll('#rows tbody tr').length")
expect(rows == 12, f"12 rows are shown ({rows})")
expect(browser.run("document.querySelectorAll('img').length") == 0, "a label is text, whatever it holds")
expect("</script><img" in browser.run("document.querySelector('#h-runs').parentElement.textContent"), "the label stands in the table of runs")
expect(browser.run("document.querySelectorAll('figure svg title').length") > 20, "points of charts tell their values")
expect(browser.run("[...document.querySelectorAll('svg[role=img]')].every(s => document.getElementById(s.getAttribute('aria-labelledby')).textContent.length > 10)"), "every chart has a title")
levels = browser.run("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
expect(levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), "headings are in order")

column = "document.querySelectorAll('#rows tbody td:nth-child(2)')"
browser.click("#rows th:nth-child(2) button")
values = browser.run(f"[...{column}].map(c => +c.textContent)")
expect(values == sorted(values), "a click sorts by n")
browser.key("Enter", 13)
values = browser.run(f"[...{column}].map(c => +c.textContent)")
expect(values == sorted(values, reverse=True), "Enter on the heading sorts the other way")
expect(browser.run("document.querySelector('#rows th:nth-child(2)').getAttribute('aria-sort')") == "descending", "and says so")
browser.run("document.getElementById('filter').focus()")
browser.call("Input.insertText", text="local 96")
expect(browser.run("document.querySelectorAll('#rows tbody tr').length") == 1, "typing filters")
expect("1 of 12" in browser.run("document.getElementById('shown').textContent"), "and says how many")
csv = browser.run("(async () => { let blob; const make = URL.createObjectURL; URL.createObjectURL = b => { blob = b; return make(b); };"
                  " document.getElementById('csv').click(); URL.createObjectURL = make; return await blob.text(); })()")
expect(csv.startswith("spec,n,") and csv.count("\n") == 2 and "local:k=16,96," in csv, "CSV holds what is shown")
for _ in range(40):
    browser.key("Tab", 9)
expect(browser.run("document.activeElement !== document.body"), "everything can be reached by keyboard")

browser.size(360, 740)
browser.open(page)
expect(browser.run("document.documentElement.scrollWidth") <= 360, "360 pixels are enough")
browser.picture(os.path.join(folder, "narrow.png"))
browser.size(1200, 900)
browser.media(dark=True)
browser.open(page)
dark = browser.run("getComputedStyle(document.body).backgroundColor")
expect(brightness(dark) < 120, f"dark where that is wanted ({dark})")
browser.picture(os.path.join(folder, "dark.png"))
browser.media()
pdf = browser.pdf()
expect(pdf.startswith(b"%PDF") and len(pdf) > 20000, "prints")
open(os.path.join(folder, "report.pdf"), "wb").write(pdf)

# Comparisons: two labels in turn, one of another seed, one without a cell in common.
labels, page = os.path.join(folder, "labels.db"), os.path.join(folder, "labels.html")
if os.path.exists(labels):
    os.unlink(labels)
cells = ["-p", "dense", "-p", "local:k=16", "-p", "strided:l=8,head=column", "-n", "64,128"]
common = ["run", "--db", labels, "--heads", "1", "--threads", "1", "--max-time", "0.005", "--metrics", "time"]
for _ in range(8):
    run(*common, *cells, "--label", "before")
    run(*common, *cells, "--label", "after", "--inject", "40")
run(*common, "-p", "dense", "-n", "64", "--seed", "2", "--label", "other seed")
run(*common, "-p", "dense", "-n", "32", "--label", "elsewhere")
run("report", "--db", labels, "--out", page, "--base", "before")
rows = [json.loads(line) for line in subprocess.run([attnlab, "compare", "before", "after", "--db", labels, "-o", "jsonl"], check=True,
                                                    capture_output=True, text=True).stdout.splitlines()]
section = "section[aria-labelledby=h-compare]"


def shown(view):
    """Whether a picture is seen whole: its texts within it, in the window, and on no other's."""
    return browser.run(f"""(() => {{ const s = document.querySelector('#forest-1 .{view}'), b = s.getBoundingClientRect();
      const inside = a => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;
      const t = [...s.querySelectorAll('text')].map(e => e.getBoundingClientRect());
      const apart = (a, c) => a.right <= c.left || c.right <= a.left || a.bottom <= c.top + 3 || c.bottom <= a.top + 3;
      return b.width > 100 && b.right <= innerWidth && t.every(inside) && t.every((a, k) => t.every((c, l) => k === l || apart(a, c))); }})()""")


browser.size(1200, 900)
browser.open(page)
expect(len(rows) == 6 and browser.run("document.querySelectorAll('#forest-1 .wide-view .row').length") == 6, "a line for each cell in common")
told = browser.run("[...document.querySelectorAll('#forest-1 .wide-view .row title')].map(t => t.textContent)")
ranges = ["," if r["ratio_lo"] is None else f" [{r['ratio_lo']:.3f}, {r['ratio_hi']:.3f}]" for r in rows]
lines = [f"{r['spec']}, n = {r['n']}: {r['ratio']:.3f}{of} {r['verdict']}, {r['blocks']} block" for r, of in zip(rows, ranges)]
expect(len(told) == len(lines) and all(t.startswith(line) for t, line in zip(told, lines)), "lines tell what attnlab compare tells")
expect(browser.point("#forest-1 .wide-view .row:nth-of-type(2)"), "a line is what one points at")
expect(browser.run("getComputedStyle(document.querySelector('#forest-1 .wide-view .row:hover')).fillOpacity") == "0.08", "and shows it")
expect(browser.run(f"document.querySelector('{section}').textContent.includes('different seed (1, 2)')"), "what cannot be compared stands there with the reason")
expect(browser.run(f"document.querySelector('{section}').textContent.includes('no cell in common')"), "and so do labels without common cells")
expect(browser.run("document.querySelector('#h-summary').parentElement.textContent.includes('after over before, cell by cell')"), "the summary has the verdicts")
expect(browser.run("document.getElementById(document.querySelector('#forest-1 .wide-view').getAttribute('aria-labelledby')).textContent.length > 30"), "the picture has a title")
expect(shown("wide-view") and not shown("narrow-view"), "a desk sees the wide picture, nothing of it cut or covered")
browser.picture(os.path.join(folder, "compare.png"), section)
browser.media(dark=True)
browser.open(page)
browser.picture(os.path.join(folder, "compare-dark.png"), section)
ink = "getComputedStyle(document.querySelector('#forest-1 text')).fill"
light_ink = browser.run(ink)
browser.media(dark=True, media="print")
print_ink = browser.run(ink)
expect(brightness(light_ink) > 500 and brightness(print_ink) < 200, f"dark on the screen, ink on paper ({light_ink}, {print_ink})")
open(os.path.join(folder, "compare.pdf"), "wb").write(browser.pdf())
browser.media()
browser.size(360, 740)
browser.open(page)
expect(browser.run("document.documentElement.scrollWidth") <= 360, "360 pixels are enough for comparisons")
expect(shown("narrow-view") and not shown("wide-view"), "a phone sees the narrow picture, nothing of it cut or covered")
browser.picture(os.path.join(folder, "compare-narrow.png"), section)
browser.size(1200, 900)

seconds = {}
for times, name in ((82, "thousand"), (832, "ten thousand")):
    many, target = os.path.join(folder, "many.db"), os.path.join(folder, "many.html")
    multiplied(database, many, times)
    run("report", "--db", many, "--out", target)
    seconds[name] = min(browser.open(target) for _ in range(5))
    count = browser.run("JSON.parse(document.getElementById('data').textContent).count")
    expect(count == 12 * (times + 1), f"{count} rows are in the page")
size = os.path.getsize(target)
expect(size < 5 << 20, f"a page of {count} rows has {size / 2**20:.1f} MiB, below 5")
ratio = seconds["ten thousand"] / seconds["thousand"]
expect(ratio <= 3, f"ten thousand rows load in {ratio:.2f} times the time of one thousand ({seconds['ten thousand']:.2f} s), at most 3")
expect(not browser.errors, "the console is empty" + "".join("\n       " + e for e in browser.errors))
browser.close()
sys.exit(failures > 0)
