#!/usr/bin/env python3
"""The benchmark: what the ledger costs, as ratios to a plain table taken alternately. See README.md.

Runs inside test/with-cluster, as the cluster's owner; restarts the cluster with its own settings.
Environment: BENCH_MODE=full|quick, BENCH_ROUNDS, BENCH_SECONDS, BENCH_LOADS and BENCH_VARIANTS (words, to run a part).
"""
import datetime
import os
import re
import statistics
import subprocess
import sys
import time

import stages
from server import (DATABASE, HERE, QUICK, SETTINGS, beside_data, create_ledger, machine, number, processor_seconds, psql, restart_cluster, run, serve,
                    wait_for, warm_up)

ROUNDS = int(os.environ.get("BENCH_ROUNDS", 1 if QUICK else 3))
SECONDS = float(os.environ.get("BENCH_SECONDS", 3 if QUICK else 10))
SCALE = 5 if QUICK else 20
COPY_ROWS = 200000 if QUICK else 1000000
INSERT_ROWS = 30000 if QUICK else 150000
UPDATE_ROWS = 20000 if QUICK else 100000
VARIANTS = os.environ.get("BENCH_VARIANTS", "govledger history pgaudit jsonb").split()
LOADS = os.environ.get("BENCH_LOADS", "tpcb insert copy update waits verify storage stages").split()
TITLES = {"plain": "plain", "govledger": "govledger", "history": "govledger with history", "pgaudit": "pgAudit", "jsonb": "JSONB trigger"}
LEDGERS = [v for v in ("govledger", "history") if v in VARIANTS]

# ---------------------------------------------------------------- the databases

def create_databases():
    run("createdb", DATABASE % "plain")
    run("pgbench", "-i", "-q", "-n", "-s", str(SCALE), DATABASE % "plain")
    psql("plain", file="setup.sql")
    for v in VARIANTS:
        if v in LEDGERS:
            create_ledger(v, history=v == "history")
        else:
            run("createdb", "-T", DATABASE % "plain", DATABASE % v)
    serve(LEDGERS)
    if "pgaudit" in VARIANTS:
        psql("pgaudit", "CREATE EXTENSION pgaudit", "ALTER DATABASE %s SET pgaudit.log = 'write'" % (DATABASE % "pgaudit"))
    if "jsonb" in VARIANTS:
        psql("jsonb", file="jsonb_trigger.sql")
    for v in LEDGERS:
        settle(v)
    for v in ["plain"] + VARIANTS:
        psql(v, "VACUUM ANALYZE")


def finish(variant):
    """Let the variant finish what it does behind the client's back."""
    if variant in LEDGERS:
        wait_for(variant, "wait_history" if variant == "history" else "wait_sealed")


def settle(variant):
    finish(variant)
    psql(None, "CHECKPOINT")


def copy_file():
    """COPY_ROWS rows of six columns, the same on every machine."""
    path = beside_data("bulk.copy")
    psql("plain", """COPY (
        SELECT n, mod(n, 1000), mod(n::bigint * 7919, 100000000) / 100.0, timestamptz '2020-01-01Z' + n * interval '37.123456 s',
               upper(substr(md5(n::text), 1, 10)), 'remark on case ' || md5((n::bigint * 31)::text)
          FROM generate_series(1, %d) n) TO '%s'""" % (COPY_ROWS, path))
    return path


# ---------------------------------------------------------------- loads
# Each returns (work per second, processor microseconds of the server per piece of work, sealing included).

def measure(variant, work):
    """work() returns (pieces of work, seconds)."""
    settle(variant)
    before = processor_seconds()
    pieces, seconds = work()
    finish(variant)
    return pieces / seconds, (processor_seconds() - before) / pieces * 1e6


def pgbench(variant, clients, seconds, *script, sync, seed):
    """(transactions, seconds)"""
    out = run("pgbench", "-n", "-c", str(clients), "-j", "2" if clients > 1 else "1", "-T", "%d" % seconds, "--random-seed=%d" % seed,
              *script, DATABASE % variant, env={"PGOPTIONS": "-c synchronous_commit=%s" % sync})
    failed = int(re.search(r"number of failed transactions: (\d+)", out)[1])
    if failed:
        sys.exit("bench: %d failed transactions\n%s" % (failed, out))
    done = int(re.search(r"number of transactions actually processed: (\d+)", out)[1])
    return done, done / float(re.search(r"^tps = ([0-9.]+)", out, re.M)[1])


def statement(variant, pieces, *statements):
    """(pieces, seconds of the last statement)"""
    return pieces, psql(variant, *statements, timing=True)[-1] / 1000


def tpcb(clients, sync):
    def load(variant, round_number):
        psql(variant, "VACUUM pgbench_branches", "VACUUM pgbench_tellers", "VACUUM pgbench_accounts")
        return measure(variant, lambda: pgbench(variant, clients, SECONDS, sync=sync, seed=round_number))
    return load


def insert_loop(per_transaction):
    def load(variant, round_number):
        return measure(variant, lambda: statement(variant, INSERT_ROWS, "SET synchronous_commit = off",
                                                  "CALL bench.insert_rows(%d, %d)" % (INSERT_ROWS, per_transaction)))
    return load


def insert_clients(variant, round_number):
    return measure(variant, lambda: pgbench(variant, 4, max(2, SECONDS / 2), "-M", "prepared", "-f", os.path.join(HERE, "insert.pgbench"),
                                            sync="off", seed=round_number))


after_copy = {}      # seconds from the commit until wait_sealed, and until wait_history, returned


def copy(path):
    def load(variant, round_number):
        def work():
            done = statement(variant, COPY_ROWS, "COPY bench.bulk FROM '%s'" % path)
            began = time.time()
            for what in ("wait_sealed", "wait_history"):
                if variant == "history" or (variant in LEDGERS and what == "wait_sealed"):
                    wait_for(variant, what)
                    after_copy.setdefault((variant, what), []).append(time.time() - began)
            return done

        psql(variant, "TRUNCATE bench.bulk")
        result = measure(variant, work)
        psql(variant, "VACUUM bench.bulk")
        return result
    return load


def update(variant, round_number):
    if number(variant, "SELECT count(*) FROM bench.bulk") != COPY_ROWS:
        sys.exit("bench: the load update needs the load copy before it")
    psql(variant, "VACUUM bench.bulk")
    first = (round_number * UPDATE_ROWS) % COPY_ROWS
    return measure(variant, lambda: statement(variant, UPDATE_ROWS, "UPDATE bench.bulk SET amount = amount + 1, kind = kind + 1"
                                              " WHERE id > %d AND id <= %d" % (first, first + UPDATE_ROWS)))


# ---------------------------------------------------------------- alternation

class Result:
    def __init__(self, title, unit, must=None, goal=None):
        self.title, self.unit, self.must, self.goal = title, unit, must, goal
        self.rates = {v: [] for v in ["plain"] + VARIANTS}
        self.processor = {v: [] for v in ["plain"] + VARIANTS}      # microseconds a piece
        self.ratios = {v: [] for v in VARIANTS}
        self.processor_ratios = {v: [] for v in VARIANTS}


def alternate(result, load, rounds=ROUNDS, slow=()):
    """plain, A, plain, B, plain, C; each ratio is to the plain run just before. A slow variant takes part in the first round only."""
    for r in range(1, rounds + 1):
        for v in VARIANTS:
            if v in slow and r > 1:
                continue
            plain = load("plain", r)
            mine = load(v, r)
            for name, (rate, processor) in (("plain", plain), (v, mine)):
                result.rates[name].append(rate)
                result.processor[name].append(processor)
            result.ratios[v].append(mine[0] / plain[0])
            result.processor_ratios[v].append(plain[1] / mine[1])
            note("%s, round %d: %s %.0f, plain %.0f %s, ratio %.2f; processor %.1f, %.1f us" % (
                result.title, r, TITLES[v], mine[0], plain[0], result.unit, mine[0] / plain[0], mine[1], plain[1]))
    return result


def note(text):
    print(text, file=sys.stderr, flush=True)


def measure_loads():
    results = []
    if "tpcb" in LOADS:
        for sync, must, goal in (("on", 0.85, 0.95), ("off", 0.85, 0.90)):
            for clients in (1, 8):
                title = "TPC-B, synchronous_commit %s, %d client%s" % (sync, clients, "s" if clients > 1 else "")
                results.append(alternate(Result(title, "transactions/s", must, goal), tpcb(clients, sync)))
    if "insert" in LOADS:
        results.append(alternate(Result("single-row INSERT, CPU-bound, in a procedure, 1 a transaction", "rows/s", 0.65, 0.80), insert_loop(1)))
        results.append(alternate(Result("single-row INSERT, CPU-bound, in a procedure, 1,000 a transaction", "rows/s", 0.65, 0.80), insert_loop(1000)))
        results.append(alternate(Result("single-row INSERT, synchronous_commit off, 4 clients", "rows/s", 0.65, 0.80), insert_clients))
    slow = ("jsonb",) if not QUICK else ()
    if "copy" in LOADS:
        results.append(alternate(Result("COPY of %s rows" % format(COPY_ROWS, ","), "rows/s", 0.55, 0.75), copy(copy_file()), slow=slow))
    if "update" in LOADS:
        results.append(alternate(Result("UPDATE of %s rows" % format(UPDATE_ROWS, ","), "rows/s"), update, slow=slow))
    return results


# ---------------------------------------------------------------- waits

WAL_WAITS = {("LWLock", "WALWrite"), ("IO", "WALSync"), ("IO", "WALWrite"), ("IO", "WALInitWrite"), ("IO", "WALInitSync"), ("IPC", "SyncRep")}
# Every commit takes its place in the transaction status and in the list of running transactions, with a ledger or without.
COMMIT_WAITS = WAL_WAITS | {("LWLock", "XactSLRU"), ("LWLock", "XactBuffer"), ("IPC", "XactGroupUpdate"), ("LWLock", "ProcArray"), ("IPC", "ProcArrayGroupUpdate")}
WAIT_SECONDS = 8 if QUICK else 30


def sample(variant, seconds, load):
    """Wait samples of the clients of that database while load runs: list of (statement, type, event, relation, count)."""
    sampler = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-d", DATABASE % variant, "-v", "ON_ERROR_STOP=1",
                                "-c", "SELECT * FROM bench.sample_waits(%s)" % (seconds - 1)], stdout=subprocess.PIPE, text=True)
    load()
    out = sampler.communicate()[0]
    if sampler.returncode != 0:
        sys.exit("bench: the sampler failed")
    rows = [line.split("\t") for line in out.splitlines()]
    return [(r[0], r[1], r[2], r[3], int(r[4])) for r in rows]


def wait_report(sync):
    """What eight TPC-B writers wait for, with and without the ledger."""
    seconds = WAIT_SECONDS
    counts = {}
    for v in ("plain", "govledger"):
        psql(v, "VACUUM pgbench_branches", "VACUUM pgbench_tellers")
        settle(v)
        counts[v] = sample(v, seconds, lambda v=v: pgbench(v, 8, seconds, sync=sync, seed=7))
    deadlocks = number("govledger", "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")

    def waiting(rows):
        return [r for r in rows if r[1] and r[1] not in ("Client", "Activity")]

    total = {v: sum(r[4] for r in waiting(counts[v])) or 1 for v in counts}
    ledger_locks = sum(r[4] for r in counts["govledger"] if r[1] == "Lock" and r[3].startswith("govledger."))
    # An END waits for nothing else on a plain table, so any other wait in it is the ledger's.
    at_commit = {v: sum(r[4] for r in waiting(counts[v]) if r[0] in ("END", "COMMIT") and (r[1], r[2]) not in COMMIT_WAITS) for v in counts}
    extension = sum(r[4] for r in counts["govledger"] if r[1] == "Extension")
    caused = ledger_locks + extension + sum(
        r[4] for r in waiting(counts["govledger"])
        if r[0] in ("END", "COMMIT") and (r[1], r[2]) not in COMMIT_WAITS and r[1] != "Extension" and not (r[1] == "Lock" and r[3].startswith("govledger.")))
    lines = ["", "**synchronous_commit %s**: %d wait samples of eight clients. Heavyweight locks of the ledger's relations: %d. "
             "Caused by the ledger (its locks, extension waits, waits inside the commit other than those of every commit): %d = %.2f %% (must: < 2 %%; the same on plain: %.2f %%). Deadlocks: %d."
             % (sync, total["govledger"], ledger_locks, caused, 100 * caused / total["govledger"], 100 * at_commit["plain"] / total["plain"], deadlocks), "",
             "| wait event | plain | govledger |", "|---|---|---|"]
    shares = {}
    for v in counts:
        for r in waiting(counts[v]):
            name = "%s: %s%s" % (r[1], r[2], " on " + r[3] if r[3] not in ("", "-") else "")
            shares.setdefault(name, {"plain": 0.0, "govledger": 0.0})[v] += 100 * r[4] / total[v]
    for name, share in sorted(shares.items(), key=lambda s: -max(s[1].values())):
        if max(share.values()) >= 0.1:
            lines.append("| %s | %.1f %% | %.1f %% |" % (name, share["plain"], share["govledger"]))
    return lines


# ---------------------------------------------------------------- storage

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def image_bytes(stream):
    """(records, bytes of values) in a record stream of src/format/README.md section 3: of the row images, nothing of the framing."""
    at = records = values = 0
    while at < len(stream):
        length, at = varint(stream, at)
        end = at + length
        kind = stream[at:at + 1]
        at += 1
        for _ in range(3):
            _, at = varint(stream, at)
        if kind in b"IGUD":
            count, at = varint(stream, at)
            for _ in range(count):
                _, at = varint(stream, at)
                code, at = varint(stream, at)
                at += code >> 1
                values += code >> 1
        if kind == b"U":
            count, at = varint(stream, at)
            for _ in range(count):
                _, at = varint(stream, at)
                code, at = varint(stream, at)
                if code:
                    at += (code - 1) >> 1
                    values += (code - 1) >> 1
        at = end
        records += 1
    return records, values


LOG_BYTES = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
                WHERE relnamespace = 'govledger'::regnamespace AND relkind = 'r'"""


def storage(title, load):
    """Bytes the log grew by against what the project allows itself for the same change."""
    v = "govledger"
    settle(v)
    before = number(v, LOG_BYTES)
    first = int(number(v, "SELECT coalesce(max(transaction_id::text::bigint), 0) FROM govledger.entry"))
    load()
    settle(v)
    grown = number(v, LOG_BYTES) - before
    new = "transaction_id > '%d'" % first
    transactions = number(v, "SELECT count(*) FROM govledger.entry WHERE %s" % new)
    records = number(v, "SELECT sum(records) FROM govledger.entry WHERE %s" % new)
    seen = values = 0
    for table in ("entry", "record_chunk"):
        for line in psql(v, """SELECT encode(content, 'hex') FROM govledger.%s WHERE %s AND content IS NOT NULL
                               ORDER BY md5(ctid::text) LIMIT 3000""" % (table, new)).splitlines():
            n, size = image_bytes(bytes.fromhex(line))
            seen, values = seen + n, values + size
    images = values / max(seen, 1) * records
    allowed = 1.1 * images + 24 * records + 250 * transactions
    return "| %s | %s | %s | %s | %s | %s | %.2f |" % (
        title, format(int(transactions), ","), format(int(records), ","), format(int(images), ","), format(int(grown), ","), format(int(allowed), ","), grown / allowed)


# ---------------------------------------------------------------- verify

def timed_verify(arguments):
    """Seconds of the fastest of three runs, and the checks that did not hold."""
    v = "govledger"
    best = None
    for _ in range(1 if QUICK else 3):
        ms, = psql(v, "CREATE TEMPORARY TABLE found AS SELECT * FROM govledger.verify(%s)" % arguments, timing=True)
        best = min(ms / 1000, best or ms)
    bad = psql(v, "SELECT check_name, object, detail FROM govledger.verify(%s) WHERE NOT ok" % arguments)
    return best, bad


def verify_report():
    v = "govledger"
    settle(v)
    psql(v, "VACUUM")
    changes = number(v, "SELECT sum(records) FROM govledger.entry")
    tables = ["pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history", "bench.bulk", "bench.single"]
    rows = sum(number(v, "SELECT count(*) FROM %s" % t) for t in tables)
    # With the smallest table as target the log is read and checked in full and next to nothing else.
    log_seconds, _ = timed_verify("'pgbench_branches'")
    seconds, bad = timed_verify("")
    table_seconds = max(seconds - log_seconds, 0.001)
    lines = ["", "| verify, one process | work | seconds | per second | must / goal |", "|---|---|---|---|---|",
             "| log | %s changes | %.1f | %s changes | 500,000 / 1,000,000 |" % (format(int(changes), ","), log_seconds, format(int(changes / log_seconds), ",")),
             "| tables, beyond that | %s rows | %.1f | %s rows | 100,000 / 500,000 |" % (format(int(rows), ","), table_seconds, format(int(rows / table_seconds), ","))]
    if bad:
        lines += ["", "**verify found:**", "", "```", bad, "```"]
    return lines


# ---------------------------------------------------------------- report

def median(values):
    return statistics.median(values) if values else None


def ratio_text(ratios):
    if not ratios:
        return "-"
    if len(ratios) == 1:
        return "%.2f" % ratios[0]
    return "**%.2f** (%.2f-%.2f)" % (median(ratios), min(ratios), max(ratios))


def load_table(results):
    names = [TITLES[v] for v in VARIANTS]
    lines = ["| load | plain | %s | must / goal | %s |" % (" | ".join(names), " | ".join("ratio " + n for n in names)),
             "|---" * (3 + 2 * len(names)) + "|"]
    for r in results:
        bar = "%.2f / %.2f" % (r.must, r.goal) if r.must else ""
        absolute = [format(int(median(r.rates[v])), ",") if r.rates[v] else "-" for v in VARIANTS]
        lines.append("| %s | %s %s | %s | %s | %s |" % (r.title, format(int(median(r.rates["plain"])), ","), r.unit, " | ".join(absolute), bar,
                                                      " | ".join(ratio_text(r.ratios[v]) for v in VARIANTS)))
    return lines


def processor_table(results):
    names = [TITLES[v] for v in ["plain"] + VARIANTS]
    lines = ["| processor time, µs each, sealing included | %s | %s |" % (" | ".join(names), " | ".join("ratio " + n for n in names[1:])),
             "|---" * (2 * len(names)) + "|"]
    for r in results:
        lines.append("| %s | %s | %s |" % (r.title, " | ".join("%.1f" % median(r.processor[v]) if r.processor[v] else "-" for v in ["plain"] + VARIANTS),
                                           " | ".join(ratio_text(r.processor_ratios[v]) for v in VARIANTS)))
    return lines


def main():
    began = datetime.datetime.now(datetime.timezone.utc)
    restart_cluster([v for v in ("govledger", "pgaudit") if v in VARIANTS or (v == "govledger" and LEDGERS)])
    warm_up()
    create_databases()
    results = measure_loads()
    lines = ["## %s UTC, %s mode" % (began.strftime("%Y-%m-%d %H:%M"), "quick" if QUICK else "full"), "",
             machine() + ".", "",
             "TPC-B scale %d, %g s a run, %d round%s; median (smallest-largest) of the ratios to the plain run just before." % (SCALE, SECONDS, ROUNDS, "s" if ROUNDS > 1 else ""),
             "Settings: " + ", ".join(SETTINGS) + ".", ""]
    if results:
        lines += load_table(results) + [""] + processor_table(results)
    if ("govledger", "wait_sealed") in after_copy:
        lines += ["", "After the COPY committed, its entry was signed %.1f s later (median)." % median(after_copy["govledger", "wait_sealed"])]
    if ("history", "wait_history") in after_copy:
        lines += ["", "With histories, its rows were in them %.1f s after the COPY committed (median): %.1f s per million changes (must: < 2)." % (
            median(after_copy["history", "wait_history"]), median(after_copy["history", "wait_history"]) * 1e6 / COPY_ROWS)]
    if "govledger" in VARIANTS:
        if "storage" in LOADS:
            path = copy_file()
            psql("govledger", "TRUNCATE bench.bulk")
            lines += ["", "| storage | transactions | records | bytes of images | bytes of log | allowed | log / allowed |", "|---|---|---|---|---|---|---|",
                      storage("COPY", lambda: psql("govledger", "COPY bench.bulk FROM '%s'" % path)),
                      storage("TPC-B, 8 clients", lambda: pgbench("govledger", 8, max(5, SECONDS), sync="off", seed=3))]
        if "waits" in LOADS:
            for sync in ("on", "off"):
                lines += wait_report(sync)
        if "verify" in LOADS:
            lines += verify_report()
    if "stages" in LOADS:
        lines += stages.report(copy_file(), COPY_ROWS, 150000, 100000, ROUNDS)
    took = datetime.datetime.now(datetime.timezone.utc) - began
    lines += ["", "Took %d min %d s." % divmod(int(took.total_seconds()), 60)]
    report = "\n".join(lines) + "\n"
    print(report, end="")
    out = os.path.join(os.environ.get("GOVLEDGER_WORK", os.path.dirname(os.environ["PGDATA"])), "out")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "bench.md"), "w") as f:
        f.write(report)


if __name__ == "__main__":
    main()
