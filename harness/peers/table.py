"""The ratio table, from the store: the best peer of each cell over attnlab."""
import stats

SPEC_ORDER = ("dense", "local", "strided", "fixed")
HEADINGS = ("pattern", "n", "d", "type", "threads", "attnlab", "GFLOP/s", "best peer", "its time", "peer / attnlab",
            "95% interval")


def duration(ns):
    return "%.3g us" % (ns / 1e3) if ns < 1e6 else "%.3g ms" % (ns / 1e6) if ns < 1e9 else "%.3g s" % (ns / 1e9)


def order(row):
    name = row["spec"].partition(":")[0]
    place = SPEC_ORDER.index(name) if name in SPEC_ORDER else len(SPEC_ORDER)
    return row["host"], row["dtype"] != "f32", row["threads"], row["n"], row["dim"], place, row["spec"]


def line(row):
    low, high = stats.interval(row["ratios"])
    return (row["spec"], str(row["n"]), str(row["dim"]), row["dtype"], str(row["threads"]), duration(row["ours_ns"]),
            "%.0f" % row["ours_gflops"], "%s, %s" % (row["kernel"][len("ext:"):], row["setup"]),
            duration(row["time_ns"]), "%.2f" % stats.median(row["ratios"]),
            "%.2f .. %.2f%s" % (low, high, "" if len(row["ratios"]) >= 6 else " *"))


def write(rows, markdown, out):
    """All rows, then what they amount to. An interval marked * is of fewer than six pairs and covers less than 95%."""
    rows = sorted(rows, key=order)
    lines = [HEADINGS] + [line(row) for row in rows]
    widths = [max(len(x[i]) for x in lines) for i in range(len(HEADINGS))]
    right = {1, 2, 4, 5, 6, 8, 9}
    for number, cells in enumerate(lines):
        padded = [x.rjust(w) if i in right else x.ljust(w) for i, (x, w) in enumerate(zip(cells, widths))]
        out.write("| %s |\n" % " | ".join(padded) if markdown else "  ".join(padded).rstrip() + "\n")
        if number == 0 and markdown:
            out.write("|%s|\n" % "|".join("-" * (w + 1) + (":" if i in right else "-")
                                          for i, w in enumerate(widths)))
    medians = [stats.median(row["ratios"]) for row in rows]
    bounds = [stats.interval(row["ratios"]) for row in rows]
    faster, slower = sum(low > 1 for low, _ in bounds), sum(high < 1 for _, high in bounds)
    least = rows[medians.index(min(medians))]
    versions = sorted({"%s %s" % (row["kernel"][len("ext:"):], row["version"]) for row in rows})
    out.write("\n%d cells on %s: attnlab faster in %d, slower in %d, undecided in %d; geometric mean of the ratios %.2f, "
              "least %.2f (%s n=%d d=%d %s, threads %d).\nPeers: %s.\n" % (
                  len(rows), ", ".join(sorted({row["host_model"] for row in rows})), faster, slower,
                  len(rows) - faster - slower, stats.geometric_mean(medians), min(medians), least["spec"], least["n"],
                  least["dim"], least["dtype"], least["threads"], "; ".join(versions)))
    if any(len(row["ratios"]) < 6 for row in rows):
        out.write("* fewer than six pairs: least and greatest ratio, which cover less than 95%.\n")
