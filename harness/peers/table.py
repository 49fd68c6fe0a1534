"""The ratio table: the best peer of each cell over attnlab, as `attnlab compare` has it."""
from math import exp, log

SPEC_ORDER = ("dense", "local", "strided", "fixed")
HEADINGS = ("pattern", "n", "d", "type", "threads", "attnlab", "GFLOP/s", "best peer", "its time", "peer / attnlab",
            "95% interval", "blocks")


def duration(ns):
    return "%.3g us" % (ns / 1e3) if ns < 1e6 else "%.3g ms" % (ns / 1e6) if ns < 1e9 else "%.3g s" % (ns / 1e9)


def order(row):
    name = row["spec"].partition(":")[0]
    place = SPEC_ORDER.index(name) if name in SPEC_ORDER else len(SPEC_ORDER)
    return row["ours"]["host"], row["dtype"] != "f32", row["threads"], row["n"], row["dim"], place, row["spec"]


def name_of(row):
    return row["kernel_b"][len("ext:"):]


def line(row):
    return (row["spec"], str(row["n"]), str(row["dim"]), row["dtype"], str(row["threads"]), duration(row["time_ns_a"]),
            "%.0f" % (4 * row["dim"] * row["ours"]["pairs_total"] / row["time_ns_a"]), "%s, %s" % (name_of(row), row["theirs"]["setup"]), duration(row["time_ns_b"]),
            "%.2f" % row["ratio"],
            "-" if row["ratio_lo"] is None else "%.2f .. %.2f" % (row["ratio_lo"], row["ratio_hi"]), str(row["blocks"]))


def write(rows, markdown, out):
    """All rows, then what they amount to. Fewer than six blocks have no distribution-free 95% interval."""
    rows = sorted(rows, key=order)
    lines = [HEADINGS] + [line(row) for row in rows]
    widths = [max(len(x[i]) for x in lines) for i in range(len(HEADINGS))]
    right = {1, 2, 4, 5, 6, 8, 9, 11}
    for number, cells in enumerate(lines):
        padded = [x.rjust(w) if i in right else x.ljust(w) for i, (x, w) in enumerate(zip(cells, widths))]
        out.write("| %s |\n" % " | ".join(padded) if markdown else "  ".join(padded).rstrip() + "\n")
        if number == 0 and markdown:
            out.write("|%s|\n" % "|".join("-" * (w + 1) + (":" if i in right else "-")
                                          for i, w in enumerate(widths)))
    decided = [row for row in rows if row["ratio_lo"] is not None]
    faster, slower = sum(x["ratio_lo"] > 1 for x in decided), sum(x["ratio_hi"] < 1 for x in decided)
    least = min(rows, key=lambda row: row["ratio"])
    versions = sorted({"%s %s" % (name_of(row), row["theirs"]["version"]) for row in rows})
    out.write("\n%d cells on %s: attnlab faster in %d, slower in %d, undecided in %d; geometric mean of the ratios %.2f, "
              "least %.2f (%s n=%d d=%d %s, threads %d).\nPeers: %s.\n" % (
                  len(rows), ", ".join(sorted({row["ours"]["host_model"] for row in rows})), faster, slower,
                  len(rows) - faster - slower, exp(sum(log(row["ratio"]) for row in rows) / len(rows)), least["ratio"],
                  least["spec"], least["n"], least["dim"], least["dtype"], least["threads"], "; ".join(versions)))
    if len(decided) < len(rows):
        out.write("No interval where fewer than six blocks were undisturbed.\n")
