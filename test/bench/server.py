"""The server that the benchmarks run against: commands, settings, processor time. Inside test/with-cluster."""
import os
import platform
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATABASE = "bench_%s"
QUICK = os.environ.get("BENCH_MODE", "full") == "quick"

# All databases should fit, or each run would begin by reading its own back in.
MEMORY_MB = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20

SETTINGS = [
    "shared_buffers = %dMB" % min(1024 if QUICK else 4096, MEMORY_MB // 3),
    "max_wal_size = 16GB",
    "min_wal_size = 4GB",           # segments are recycled, as on a server that has run for a while
    "checkpoint_timeout = 1h",      # each measurement begins after a checkpoint, none falls into one
    "autovacuum = off",             # tables are vacuumed between measurements
    "jit = off",
    "max_connections = 50",
    "fsync = on",
    "full_page_writes = on",
    "wal_compression = off",
]


def run(*command, env=None, **more):
    """Output of a command; ends the benchmark where it fails."""
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, **(env or {})), **more)
    if r.returncode != 0:
        sys.exit("bench: %s failed\n%s%s" % (" ".join(command), r.stdout[-4000:], r.stderr[-4000:]))
    return r.stdout


def psql(variant, *statements, file=None, variables=None, timing=False, options=""):
    """Unaligned output of the statements; with timing the milliseconds each took, as psql sees them. options: -c name=value"""
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", DATABASE % variant if variant else "postgres"]
    for name, value in (variables or {}).items():
        command += ["-v", "%s=%s" % (name, value)]
    if timing:
        command += ["-c", r"\timing on"]
    for s in statements:
        command += ["-c", s]
    if file:
        command += ["-f", os.path.join(HERE, file)]
    out = run(*command, env={"PGOPTIONS": options})
    if timing:
        return [float(ms) for ms in re.findall(r"^Time: ([0-9.]+) ms", out, re.M)]
    return out.rstrip("\n")


def number(variant, query):
    return float(psql(variant, query) or 0)


def beside_data(name):
    """A path for a file of the server's that is not in its data directory."""
    return os.path.join(os.path.dirname(os.environ["PGDATA"]), name)


def restart_cluster(libraries, *settings):
    with open(os.path.join(os.environ["PGDATA"], "postgresql.conf"), "a") as f:
        f.write("\n".join(SETTINGS + list(settings)) + "\nshared_preload_libraries = '%s'\n" % ",".join(libraries))
    run("pg_ctl", "-D", os.environ["PGDATA"], "-s", "-w", "-l", beside_data("log"), "restart")


def warm_up():
    """
    Use every buffer and write as much WAL as is kept, once. A page of shared memory or of a file that is touched for the
    first time costs more than a row, and a server that has run for a while has touched them all; what writes most would pay most.
    """
    run("createdb", DATABASE % "warm")
    pages = int(psql("warm", "SELECT setting FROM pg_settings WHERE name = 'shared_buffers'"))
    psql("warm", "CREATE EXTENSION pg_prewarm", "CREATE TABLE page (content text)",
         "ALTER TABLE page ALTER content SET STORAGE PLAIN",
         "INSERT INTO page SELECT repeat('x', 7000) FROM generate_series(1, %d)" % pages,
         "SELECT pg_prewarm('page')", "CHECKPOINT")
    run("dropdb", DATABASE % "warm")


def create_ledger(variant, history):
    """A copy of plain with its tables protected; which of these the worker serves is said by serve()."""
    run("createdb", "-T", DATABASE % "plain", DATABASE % variant)
    psql(variant, file="govledger.sql", variables={
        "name": variant, "database": DATABASE % variant, "key_file": beside_data("bench-%s.pem" % variant), "history": str(history).lower()})


def serve(variants):
    psql(None, "ALTER SYSTEM SET govledger.databases = %s" % (", ".join("'%s'" % DATABASE % v for v in variants) or "''"), "SELECT pg_reload_conf()")


def wait_for(variant, what):
    """what: wait_sealed or wait_history"""
    if psql(variant, "SELECT govledger.%s('30 min')" % what) != "t":
        sys.exit("bench: %s of %s gave up after half an hour" % (what, variant))


def processor_seconds():
    """Processor time of the whole cluster so far, of processes that ended too (once the postmaster has seen that)."""
    time.sleep(0.3)
    with open(os.path.join(os.environ["PGDATA"], "postmaster.pid")) as f:
        postmaster = int(f.readline())
    ticks = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(name) == postmaster:
            ticks += sum(map(int, fields[11:15]))       # its own and that of the children that it has waited for
        elif int(fields[1]) == postmaster:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def machine():
    model = "unknown processor"
    memory = "?"
    try:
        with open("/proc/cpuinfo") as f:
            model = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)[1]
        with open("/proc/meminfo") as f:
            memory = "%.0f GB" % (int(re.search(r"^MemTotal:\s*(\d+)", f.read())[1]) / 1e6)
    except (OSError, TypeError):
        pass
    file_system = run("stat", "-f", "-c", "%T", os.environ["PGDATA"]).strip()
    return "%s, %d cores, %s memory, data on %s, Linux %s, PostgreSQL %s" % (
        model, len(os.sched_getaffinity(0)), memory, file_system, platform.release(), psql(None, "SHOW server_version"))
