"""The comparison's rows in the store, through the program: `attnlab db stamp`, `db import` and `db sql`.

A cell becomes measurements of one run: attnlab's kernel, and each arm as the kernel "ext:NAME" of isa "external". All
have time_ns, flops_useful and the errors against the oracle; arms also have the texts `version` and `setup`. The arm
that was timed in turn with attnlab has `time_over_attnlab`, sample by sample its time over that of attnlab's
measurement beside it, whose id is the text `attnlab_measurement`. The other arms have the few samples of the look.
"""
import datetime
import json
import os
import subprocess
import tempfile
import uuid

LABEL = "peers"

ERROR_UNITS = {"max_abs_err": "1", "rel_err": "1", "worst_row_err": "1", "rows_checked": "count"}


class StoreError(Exception):
    pass


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Store:
    def __init__(self, program, database):
        self.program, self.database, self.run = program, database, None

    def call(self, *arguments):
        done = subprocess.run([self.program, "db", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        if done.returncode:
            raise StoreError(done.stderr.strip())
        return done.stdout

    def ask(self, sql):
        if not os.path.exists(self.database):
            return []
        text = self.call("sql", sql, "--db", self.database, "-o", "jsonl")
        return [json.loads(line) for line in text.splitlines()]

    def begin(self, command):
        """A run of this machine and program, written with its first cell."""
        self.run = json.loads(self.call("stamp", LABEL, command))
        return self.run

    def add(self, measurements):
        """All of these or none. Each is (measurement record, sample records)."""
        samples = [s for _, list_of in measurements for s in list_of]
        head = {"record": "attnlab", "format": 1, "schema": 1, "runs": 1, "measurements": len(measurements),
                "samples": len(samples)}
        lines = [head, self.run]
        for measurement, list_of in measurements:
            lines += [measurement, *list_of]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            self.call("import", file.name, "--db", self.database)

    def end(self, outcome):
        self.run.update(finished=now(), outcome=outcome)
        if self.ask("SELECT 1 AS one FROM runs WHERE run_id = '%s'" % self.run["run_id"]):
            self.add([])


class Cell:
    """What was found about one cell, as records."""

    def __init__(self, run, cell, planned, heads, started):
        self.common = {
            "record": "measurement", "measurement_id": None, "run_id": run["run_id"], "ordinal": 0,
            "started": started, "finished": None, "metrics": "peers", "status": "finished",
            "reason": None, "pattern": planned["pattern"], "spec": planned["spec"],
            "spec_resolved": planned["spec_resolved"], "n": cell.n, "heads": heads, "kv_heads": heads,
            "dim": cell.dim, "batch": 1, "dtype": cell.dtype, "direction": "fwd", "kernel": None, "isa": None,
            "threads": cell.threads, "input": "gauss", "seed": 1, "pairs_total": planned["pairs_total"],
        }
        self.measurements = []

    def add(self, kernel, isa, times, errors, texts=(), ratios=()):
        """One finished measurement; its id."""
        identity, samples = uuid.uuid4().hex, []

        def put(series, unit, values):
            for rep, value in enumerate(values):
                kind = "text" if isinstance(value, str) else "integer" if isinstance(value, int) else "real"
                samples.append({"record": "sample", "measurement_id": identity, "series": series, "unit": unit,
                                "rep": rep, "type": kind, "value": value, "reason": None})
        put("flops_useful", "FLOP", [4 * self.common["dim"] * self.common["pairs_total"]])
        for name, value in errors.items():
            put(name, ERROR_UNITS[name], [value])
        put("time_ns", "ns", [float(x) for x in times])
        put("time_over_attnlab", "1", ratios)
        for name, text in texts:
            put(name, "", [text])
        self.measurements.append((dict(self.common, measurement_id=identity, kernel=kernel, isa=isa,
                                       finished=now()), samples))
        return identity

    def fail(self, kernel, reason):
        self.measurements.append((dict(self.common, measurement_id=uuid.uuid4().hex, kernel=kernel, isa="external",
                                       finished=now(), status="failed", reason=reason), []))


# ---- reading back ----

COLUMNS = """p.measurement_id, p.spec, p.n, p.dim, p.heads, p.dtype, p.threads, p.kernel, p.host, p.host_model,
    p.binary_hash, p.revision, p.time_ns_median AS time_ns, p.finished"""


def text_of(name):
    return ("(SELECT value FROM observations o WHERE o.measurement_id = p.measurement_id AND o.series = '%s')" % name)


def comparisons(store, host=None):
    """The newest comparison of each cell on each host (or on one), oldest first: dicts with `ratios`."""
    rows = store.ask(
        "SELECT %s, %s AS version, %s AS setup, a.kernel AS ours, a.time_ns_median AS ours_ns, a.gflops AS ours_gflops "
        "FROM results p JOIN results a ON a.measurement_id = %s WHERE p.isa = 'external' ORDER BY p.finished"
        % (COLUMNS, text_of("version"), text_of("setup"), text_of("attnlab_measurement")))
    newest = {}
    for row in rows:
        if host in (None, row["host"]):
            key = tuple(row[x] for x in ("spec", "n", "dim", "heads", "dtype", "threads", "host"))
            newest.pop(key, None)
            newest[key] = row
    by_id = {row["measurement_id"]: row for row in newest.values()}
    for row in by_id.values():
        row["ratios"] = []
    for sample in store.ask("SELECT measurement_id, value FROM observations WHERE series = 'time_over_attnlab' "
                            "ORDER BY measurement_id, rep"):
        if sample["measurement_id"] in by_id:
            by_id[sample["measurement_id"]]["ratios"].append(sample["value"])
    return list(by_id.values())


def looks(store, host):
    """The newest time of every arm at every cell on a host: {(spec, dim, dtype): {(n, threads): {arm: row}}}."""
    out = {}
    for row in store.ask("SELECT %s, %s AS setup FROM latest p WHERE p.isa = 'external' AND p.host = '%s' "
                         "ORDER BY p.finished" % (COLUMNS, text_of("setup"), host)):
        key, at = (row["spec"], row["dim"], row["dtype"]), (row["n"], row["threads"])
        out.setdefault(key, {}).setdefault(at, {})[row["kernel"][len("ext:"):]] = row
    return out


def failures(store):
    """Why arms failed, newest first: dicts kernel, reason, spec, n, dim, dtype, threads."""
    return store.ask("SELECT kernel, reason, spec, n, dim, dtype, threads FROM failures WHERE isa = 'external' "
                     "ORDER BY finished DESC")
