"""What each stage of the ledger costs, in processor time of the whole server. See README.md.

A build with `make FAULTS=1` can be told to do nothing beyond a stage of capture (govledger.stop): the difference between
two such runs is what the stage costs. What follows the commit is measured on its own.
"""
import os
import statistics

from server import DATABASE, create_ledger, processor_seconds, psql, restart_cluster, serve, wait_for

# in the order of their work: title, and the value of govledger.stop with which the work ends there
STAGES = [
    ("the trigger that does nothing", "trigger"),
    ("encode: print the row, make the record", "encode"),
    ("hash: salts, leaves, record tree", "hash"),
    ("flush: records past 256 kB to the log", "flush"),
    ("pre-commit: context, entry row and its index", ""),
]
SIGNED = 20         # checkpoints


def loads(copy_path, copy_rows, insert_rows, update_rows):
    """Title, rows, statement before and statement of each load."""
    return [
        ("COPY", copy_rows, "TRUNCATE bench.bulk", "COPY bench.bulk FROM '%s'" % copy_path),
        ("UPDATE", update_rows, "VACUUM bench.bulk", "UPDATE bench.bulk SET amount = amount + 1, kind = kind + 1 WHERE id <= %d" % update_rows),
        ("INSERT, 1,000 a transaction", insert_rows, "TRUNCATE bench.single", "CALL bench.insert_rows(%d, 1000)" % insert_rows),
        ("INSERT, 1 a transaction", insert_rows, "TRUNCATE bench.single", "CALL bench.insert_rows(%d, 1)" % insert_rows),
    ]


def processor_time(work):
    """Microseconds of the server's processor time that work() takes."""
    before = processor_seconds()
    work()
    return (processor_seconds() - before) * 1e6


def timed_load(variant, load, stop=None):
    """Microseconds a row."""
    _, rows, prepare, statement = load
    psql(variant, prepare, "CHECKPOINT")
    options = "-c synchronous_commit=off" + (" -c govledger.stop=%s" % stop if stop is not None else "")
    return processor_time(lambda: psql(variant, statement, options=options)) / rows


def capture_costs(load, rounds):
    """Median microseconds a row: of the plain table, and then what each stage adds."""
    runs = {None: []}
    for _ in range(rounds):
        runs[None].append(timed_load("plain", load))
        for _, stop in STAGES:
            runs.setdefault(stop, []).append(timed_load("stages", load, stop))
    medians = [statistics.median(runs[None])] + [statistics.median(runs[stop]) for _, stop in STAGES]
    return medians[:1] + [after - before for before, after in zip(medians, medians[1:])]


def later_costs(load):
    """Microseconds a row of sealing without a key, and of the history."""
    def seal():
        psql("later", "SELECT govledger.seal()")

    seal()
    nothing = processor_time(seal)      # the process that seals on demand, and its connection
    timed_load("later", load)
    sealed = processor_time(seal) - nothing

    def project():
        serve(["later"])
        wait_for("later", "wait_history")

    projected = processor_time(project)
    serve([])
    return sealed / load[1], projected / load[1]


def signing_cost():
    """Milliseconds for a checkpoint: blocks of one entry, sealed with a key and without."""
    def blocks(variant):
        for _ in range(SIGNED):
            psql(variant, "CALL bench.insert_rows(1, 1)")
            psql(variant, "SELECT govledger.seal()")

    with_key = processor_time(lambda: blocks("signed"))
    return (with_key - processor_time(lambda: blocks("later"))) / SIGNED / 1000


def report(copy_path, copy_rows, insert_rows, update_rows, rounds):
    """Ends what ran before: the cluster comes back with the build that can stop."""
    with open(os.path.join(os.environ["GOVLEDGER_WORK"], "faults.conf")) as f:
        restart_cluster(["govledger"], *f.read().splitlines())
    serve([])
    create_ledger("stages", history=False)
    create_ledger("later", history=True)
    psql(None, "ALTER DATABASE %s RESET govledger.signing_key" % (DATABASE % "later"))
    columns = []
    for load in loads(copy_path, copy_rows, insert_rows, update_rows):
        columns.append(capture_costs(load, rounds))
        columns[-1] += later_costs(load)
    # the log of "stages" is damaged: what was stopped left records without an entry
    create_ledger("signed", history=False)
    titles = [load[0] for load in loads("", 0, 0, 0)]
    rows = ["plain table"] + [title for title, _ in STAGES] + ["seal, without signing", "history"]
    lines = ["", "| processor time of the server, µs a row | %s |" % " | ".join(titles), "|---" * (1 + len(titles)) + "|"]
    for i, title in enumerate(rows):
        lines.append("| %s | %s |" % (title, " | ".join("%.2f" % column[i] for column in columns)))
    return lines + ["", "Signing a checkpoint: %.1f ms." % signing_cost()]
