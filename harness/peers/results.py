"""What the store knows of comparisons, through the program: `attnlab db sql` and `attnlab compare` of stored labels.

peers.py measures with `attnlab run` and `attnlab compare`, which store what they find. A comparison is a pair of labels, "peers
TIME auto" and "peers TIME ext:NAME"; the looks that found the fastest arm are "peers TIME look".
"""
import json
import os
import subprocess

COLUMNS = """p.spec, p.n, p.dim, p.heads, p.dtype, p.threads, p.kernel, p.host, p.host_model, p.binary_hash, p.label,
    p.time_ns_median AS time_ns, p.pairs_total, p.finished"""


class StoreError(Exception):
    pass


class Store:
    def __init__(self, program, database):
        self.program, self.database = program, database

    def call(self, *arguments, fine=(0,)):
        done = subprocess.run([self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        if done.returncode not in fine:
            raise StoreError(done.stderr.strip())
        return done.stdout

    def ask(self, sql):
        if not os.path.exists(self.database):
            return []
        text = self.call("db", "sql", sql, "--db", self.database, "-o", "jsonl")
        return [json.loads(line) for line in text.splitlines()]

    def here(self):
        """What a run of this program on this machine is known by: host_fingerprint, binary_hash, ..."""
        return json.loads(self.call("db", "stamp", "peers", "peers"))


def text_of(name):
    return ("(SELECT value FROM observations o WHERE o.measurement_id = p.measurement_id AND o.series = '%s')" % name)


def key_of(row):
    return tuple(row[x] for x in ("spec", "n", "dim", "dtype", "threads"))


def comparisons(store, host=None):
    """The newest comparison of each cell on each host (or on one): dicts of what `compare` says of it, `ours` (attnlab's
    measurement) and `theirs`."""
    sides = {}  # of each label and cell, the newest measurement
    for row in store.ask("SELECT %s, %s AS version, %s AS setup FROM results p WHERE p.label LIKE 'peers %%' AND "
                         "p.label NOT LIKE '%% look' ORDER BY p.finished" % (COLUMNS, text_of("version"), text_of("setup"))):
        sides[row["label"], key_of(row)] = row
    newest = {}
    for label in sorted({label for label, _ in sides if " ext:" in label}):
        ours = label.partition(" ext:")[0] + " auto"
        # Exit codes are verdicts: nobody promised that nothing changes.
        for line in store.call("compare", ours, label, "--db", store.database, "-o", "jsonl",
                               fine=(0, 10, 11, 12)).splitlines():
            row = json.loads(line)
            a, b = sides.get((ours, key_of(row))), sides.get((label, key_of(row)))
            if a and b and row["ratio"] is not None and host in (None, b["host"]):
                newest[(b["host"], *key_of(row))] = dict(row, ours=a, theirs=b)
    return list(newest.values())


def looks(store, host):
    """The newest time of every arm at every cell on a host: {(spec, dim, dtype): {(n, threads): {arm: row}}}."""
    out = {}
    for row in store.ask("SELECT %s, %s AS setup FROM latest p WHERE p.isa = 'external' AND p.host = '%s' ORDER BY p.finished"
                         % (COLUMNS, text_of("setup"), host)):
        key, at = (row["spec"], row["dim"], row["dtype"]), (row["n"], row["threads"])
        out.setdefault(key, {}).setdefault(at, {})[row["kernel"][len("ext:"):]] = row
    return out


def failures(store):
    """Why arms failed, newest first: dicts kernel, reason, spec, n, dim, dtype, threads."""
    return store.ask("SELECT kernel, reason, spec, n, dim, dtype, threads FROM failures WHERE isa = 'external' "
                     "ORDER BY finished DESC")
