#!/usr/bin/env python3
"""How costs grow with the length of the log. See README.md.

Runs inside test/with-cluster. Environment: BENCH_ENTRIES, the length of the longest log as a power of ten (6).
"""
import datetime
import os
import sys
import time

import plot
from server import DATABASE, SETTINGS, beside_data, machine, number, psql, restart_cluster, run, serve, wait_for

V = "growth"
SMALLEST = 4
LARGEST = int(os.environ.get("BENCH_ENTRIES", "6"))
BLOCK = 1000        # entries of the block that is sealed, and of the log's end that is verified
SLICE = 1000000     # entries between two seals while the log grows
# beyond, the history is left behind: its rows would not fit into 40 GB beside those of the largest log
HISTORY_MAX = 10 ** 7

MEASURES = [
    ("grow", "writing, µs an entry"),
    ("seal", "seal and sign %s entries, ms" % format(BLOCK, ",")),
    ("inclusion", "inclusion proof, ms"),
    ("consistency", "consistency proof, ms"),
    ("suffix", "verify the last %s entries, ms" % format(BLOCK, ",")),
    ("verify", "verify everything, ms"),
    ("lookup", "history of one key, ms"),
    ("as_of", "one row as of a tree size, ms"),
]


def seconds(work):
    began = time.time()
    work()
    return time.time() - began


def seal():
    psql(V, "SELECT govledger.seal()")


def grow(first, last):
    """Rows and entries first .. last; sealed now and then, as a worker would."""
    took = 0.0
    for start in range(first, last + 1, SLICE):
        took += seconds(lambda start=start: psql(V, "CALL bench.grow(%d, %d)" % (start, min(start + SLICE - 1, last)),
                                                 options="-c synchronous_commit=off"))
        seal()
    return took / (last - first + 1) * 1e6


def verify(arguments):
    """Milliseconds; ends the benchmark if something is found."""
    took = seconds(lambda: psql(V, """DO $$ BEGIN
        IF EXISTS (SELECT FROM govledger.verify(%s) WHERE NOT ok) THEN RAISE 'verify found something'; END IF; END $$""" % arguments))
    return took * 1000


def tree_size():
    return int(number(V, "SELECT max(tree_size) FROM govledger.seal"))


def milliseconds(query, upper):
    return number(V, "SELECT bench.milliseconds('%s', %d)" % (query, upper))


def measure(first, size):
    """Bring the log to `size` entries and measure it."""
    result = {"grow": grow(first, size - BLOCK)}
    before = tree_size()
    psql(V, "CALL bench.grow(%d, %d)" % (size - BLOCK + 1, size), "CHECKPOINT")
    result["seal"] = seconds(seal) * 1000
    leaves = tree_size()
    psql(V, "VACUUM ANALYZE")
    result["inclusion"] = milliseconds("SELECT govledger.inclusion_proof($1, %d)" % leaves, leaves)
    result["consistency"] = milliseconds("SELECT govledger.consistency_proof($1 + 1, %d)" % leaves, leaves)
    result["suffix"] = verify("since => %d" % before)
    result["verify"] = verify("")
    if size <= HISTORY_MAX:
        serve([V])
        wait_for(V, "wait_history")
        serve([])
        psql(V, "VACUUM ANALYZE")
        result["lookup"] = milliseconds("SELECT * FROM bench.step_history WHERE id = $1 + 1", size)
        result["as_of"] = milliseconds("SELECT * FROM govledger.as_of(NULL::bench.step, %d::bigint) WHERE id = $1 + 1" % leaves, size)
    result["bytes"] = number(V, "SELECT pg_database_size(current_database())")
    print("growth: %s entries: %s" % (format(size, ","), ", ".join("%s %.3g" % r for r in result.items())), file=sys.stderr, flush=True)
    return result


def prepare():
    restart_cluster(["govledger"])
    run("createdb", DATABASE % V)
    key = beside_data("bench-growth.pem")
    psql(V, file="growth.sql")
    psql(V, "CREATE EXTENSION govledger", "SELECT govledger.generate_key('%s')" % key,
         "ALTER DATABASE %s SET govledger.origin = 'bench.example/growth'" % (DATABASE % V),
         "ALTER DATABASE %s SET govledger.signing_key = 'file:%s'" % (DATABASE % V, key),
         "SELECT govledger.protect('bench.step', history => true)")
    serve([])


def main():
    began = datetime.datetime.now(datetime.timezone.utc)
    prepare()
    sizes = [10 ** e for e in range(SMALLEST, LARGEST + 1)]
    results = [measure(1 if i == 0 else sizes[i - 1] + 1, size) for i, size in enumerate(sizes)]
    lines = ["## Growth, %s UTC" % began.strftime("%Y-%m-%d %H:%M"), "", machine() + ".", "Settings: " + ", ".join(SETTINGS) + ".", "",
             "| entries | %s |" % " | ".join(format(s, ",") for s in sizes), "|---" * (1 + len(sizes)) + "|"]
    for name, title in MEASURES:
        lines.append("| %s | %s |" % (title, " | ".join("%.3g" % r[name] if name in r else "-" for r in results)))
    lines.append("| database, GB | %s |" % " | ".join("%.2f" % (r["bytes"] / 1e9) for r in results))
    took = datetime.datetime.now(datetime.timezone.utc) - began
    lines += ["", "Took %d min %d s." % divmod(int(took.total_seconds()), 60)]
    report = "\n".join(lines) + "\n"
    print(report, end="")
    out = os.path.join(os.environ["GOVLEDGER_WORK"], "out")
    with open(os.path.join(out, "growth.md"), "w") as f:
        f.write(report)
    with open(os.path.join(out, "growth.svg"), "w") as f:
        f.write(plot.chart("What grows with the log", "entries in the log", "milliseconds", [
            (title.rpartition(",")[0], [(s, r[name]) for s, r in zip(sizes, results) if name in r]) for name, title in MEASURES[1:]]))


if __name__ == "__main__":
    main()
