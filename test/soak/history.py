#!/usr/bin/env python3
"""Ask govledger.as_of() for random moments of the past and compare the answers with a replay of the log.

    python3 history.py [seed [conninfo]]      prints what differs; status 1 if anything does
"""
import collections
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import libpq  # noqa: E402
import replay  # noqa: E402

MOMENTS = 8

# A value of then that the type of now cannot read (a renamed label, another composite, a shorter text) is an honest error.
DATA_ERRORS = {"22P02", "22001", "22003", "23514"}


def histories(session):
    """{table id: (quoted name, first leaf)} of the tables that can be asked."""
    return {int(table_id): (name, int(first)) for table_id, name, first in session.run(
        "SELECT h.table_id, r.relation::text, p.first_leaf FROM govledger.history_table h"
        " JOIN govledger.history_progress p USING (table_id)"
        " JOIN govledger.ledger_relation r ON r.table_id = h.table_id AND r.relation_id = 0"
        " WHERE r.relation IS NOT NULL AND p.first_leaf IS NOT NULL")}


def answer(session, columns, name, size):
    """What as_of says: a bag of rows, a row is {(column id, bytes)} without NULLs."""
    ids = sorted(columns)
    found = collections.Counter()
    for values in session.run("SELECT %s FROM govledger.as_of(NULL::%s, %d)" % (
            ", ".join("%s::text" % columns[column][0] for column in ids), name, size)):
        row = set()
        for column, value in zip(ids, values):
            if value is not None:
                row.add((column, bytes.fromhex(value[2:]) if columns[column][1] == "bytea" else value.encode("utf-8")))
        found[frozenset(row)] += 1
    return found


def expected(table, columns):
    """What the replay has, of the columns that the table has now."""
    rows = collections.Counter()
    for (_, values), count in table.rows.items():
        rows[frozenset(pair for pair in values if pair[0] in columns)] += count
    return rows


def as_now(session, columns, row):
    """The row with its texts as the types of now print them: a column may have had another type when they were recorded."""
    texts = []
    for column, value in row:
        kind = columns[column][1]
        if kind == "bytea":
            texts.append((column, value))
            continue
        literal = "'%s'" % value.decode("utf-8").replace("'", "''")
        texts.append((column, session.value("SELECT (%s::%s)::text" % (literal, kind)).encode("utf-8")))
    return frozenset(texts)


def compare(session, model, tables, known, size, last):
    """How many tables were compared; the last moment has no excuse."""
    compared = 0
    for table_id, (name, first) in known.items():
        if first >= size:
            continue
        columns = tables[table_id][0]
        session.run("SAVEPOINT moment")
        try:
            found = answer(session, columns, name, size)
        except libpq.Error as error:
            session.run("ROLLBACK TO moment")
            if last or error.state not in DATA_ERRORS:
                raise
            continue
        wanted = expected(model.tables[table_id], columns)
        compared += 1
        for row, count in (wanted - found).items():
            wanted[row] -= count
            wanted[as_now(session, columns, row)] += count
        for row in wanted - found:
            model.find(name, "as of", size, "lacks", replay.show((0, row)))
        for row in found - wanted:
            model.find(name, "as of", size, "has too", replay.show((0, row)))
    return compared


def check(session, seed):
    """(findings, a line that says how much was compared)"""
    session.run("SET client_min_messages = warning; SELECT govledger.wait_history()")
    database = replay.Database(session)
    try:
        database.log.check()
        model = replay.Replay(database.log)
        tables, known = database.tables(), histories(session)
        sizes = [int(row[0]) for row in session.run("SELECT tree_size FROM govledger.seal ORDER BY height")]
        moments = set(random.Random(seed).sample(sizes, min(MOMENTS, len(sizes)))) | set(sizes[-1:])
        leaves = database.log.leaves_by_index()
        at = iter(sorted(leaves))
        index = next(at, None)
        compared = 0
        for size in sorted(moments):
            while index is not None and index < size:
                model.play(leaves[index])
                index = next(at, None)
            compared += compare(session, model, tables, known, size, size == sizes[-1])
    finally:
        session.run("ROLLBACK")
    return model.findings, "%d tables at %d moments, %d compared" % (len(known), len(moments), compared)


def main():
    findings, summary = check(libpq.Session(*sys.argv[2:3]), sys.argv[1] if len(sys.argv) > 1 else "1")
    for finding in findings[:replay.FINDINGS_MAX]:
        print(finding)
    print("%s, %d findings" % (summary, len(findings)))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
