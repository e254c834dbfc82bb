#!/usr/bin/env python3
"""Replay the log of a database from nothing and compare the outcome with its tables.

    python3 replay.py [conninfo]      reads log and tables in one snapshot; prints what differs; status 1 if anything does

The model is small on purpose: a table is a bag of rows, a row is its relation and its values. An insert adds one,
an update takes the old row away and adds the new one, a delete takes one away. Whatever cannot be taken away, or
is left over, is a difference. It also runs the whole check of test/interop over the same dump.
"""
import collections
import os
import sys
import tempfile

directory = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, directory)
sys.path.insert(0, os.path.join(directory, "..", "interop"))

import libpq  # noqa: E402
from govledger import parse_personal, parse_record, parse_row, parse_schema  # noqa: E402
from govledger_log import as_bytes, as_position, Log  # noqa: E402

LOG_TABLES = "ledger former_log entry record_chunk personal context leaf seal tile checkpoint signing_key".split()
PINNED = """SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;
    SET lc_monetary = 'C'; SET bytea_output = 'hex'; SET search_path = pg_catalog; SET client_encoding = 'UTF8'"""
FINDINGS_MAX = 20


class Table:
    """A ledger table as the log tells it."""

    def __init__(self):
        self.schema = None          # the latest schema record
        self.rows = collections.Counter()

    def keep_columns(self, columns):
        """A dropped column is gone from every row."""
        kept = collections.Counter()
        for (relation_id, values), count in self.rows.items():
            kept[relation_id, frozenset(pair for pair in values if pair[0] in columns)] += count
        self.rows = kept

    def drop_relation(self, relation_id):
        for row in [row for row in self.rows if row[0] == relation_id]:
            del self.rows[row]


class Replay:
    def __init__(self, log):
        self.log = log
        self.tables = collections.defaultdict(Table)
        self.findings = []
        self.changes = 0

    def find(self, *words):
        self.findings.append(" ".join(str(word) for word in words))

    def order(self):
        """Entries in the order of the log: sealed ones by leaf, then the others by position."""
        numbered = self.log.leaves_by_index()
        sealed = [numbered[index] for index in sorted(numbered)]
        known = set(sealed)
        rest = [key for key in self.log.entries if key not in known]
        rest.sort(key=lambda key: (key[0], as_position(self.log.entries[key]["position"]), key[1]))
        return sealed + rest

    def run(self):
        for key in self.order():
            self.play(key)
        return self

    def play(self, key):
        """One entry."""
        personal = {int(row["record"]): {(value.column_id, value.old): value.value
                                         for value in parse_personal(as_bytes(row["content"]))}
                    for row in self.log.personal.get(key, [])}
        records = [(parse_record(data), number) for number, data in enumerate(self.log.streams.get(key, []))]
        for record, number in sorted(records, key=lambda pair: (pair[0].command_id, pair[1])):
            if record.kind in "IGUDTS":
                self.apply((key, number), record, personal.get(number, {}))

    def apply(self, where, record, personal):
        table = self.tables[record.table_id]
        if record.kind == "S":
            schema = parse_schema(record.body)
            table.schema = schema
            table.keep_columns({column.column_id for column in schema.columns})
            if schema.operation == "X":
                table.drop_relation(record.relation_id)
            elif schema.operation == "U":
                table.rows.clear()
            return
        self.changes += 1
        if record.kind == "T":
            table.drop_relation(record.relation_id)
            return
        new, old = self.images(record, personal)
        if old is not None:
            self.take(table, where, record, (record.relation_id, frozenset(old.items())))
        if new is not None:
            table.rows[record.relation_id, frozenset(new.items())] += 1

    @staticmethod
    def images(record, personal):
        """The row after the change and the row before it, None if there is none: column id to bytes."""
        image, changes = {}, {}
        for field in parse_row(record):
            value = personal.get((field.column_id, field.old)) if field.personal else field.value
            (changes if field.old else image)[field.column_id] = value
        image = {column: value for column, value in image.items() if value is not None}
        if record.kind in "IG":
            return image, None
        if record.kind == "D":
            return None, image
        old = {**image, **changes}
        return image, {column: value for column, value in old.items() if value is not None}

    def take(self, table, where, record, row):
        if table.rows[row] > 0:
            table.rows[row] -= 1
            if table.rows[row] == 0:
                del table.rows[row]
        else:
            del table.rows[row]
            self.find("entry", where, "kind", record.kind, "changes a row that the log does not have:", show(row))


def show(row):
    relation_id, values = row
    return "relation %d %s" % (relation_id, {column: value[:60] for column, value in sorted(values)})


class Database:
    """Log and tables as one snapshot sees them."""

    def __init__(self, session):
        self.session = session
        session.run(PINNED)
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.directory = tempfile.TemporaryDirectory()
        for name in LOG_TABLES:
            with open(os.path.join(self.directory.name, name + ".csv"), "wb") as file:
                file.write(session.run("COPY govledger.%s TO STDOUT CSV HEADER" % name))
        self.log = Log(self.directory.name)

    def tables(self):
        """{table id: {column id: (name, type)}, {relation id: quoted name}}"""
        found = {}
        for table_id, column_id, name, type_name in self.session.run(
                "SELECT c.table_id, column_id, quote_ident(column_name), type_name FROM govledger.ledger_column c"
                " JOIN govledger.ledger_table t USING (table_id) WHERE unprotected_at IS NULL AND NOT dropped"):
            found.setdefault(int(table_id), ({}, {}))[0][int(column_id)] = name, type_name
        for table_id, relation_id, name in self.session.run(
                "SELECT table_id, relation_id, relation::text FROM govledger.ledger_relation r"
                " JOIN pg_class ON pg_class.oid = relation WHERE relkind = 'r'"):
            found[int(table_id)][1][int(relation_id)] = name
        return found

    def rows(self, columns, name):
        ids = sorted(columns)
        for values in self.session.run("SELECT %s FROM ONLY %s" % (
                ", ".join("%s::text" % columns[column][0] for column in ids), name)):
            row = {}
            for column, value in zip(ids, values):
                if value is not None:
                    is_bytea = columns[column][1] == "bytea"
                    row[column] = bytes.fromhex(value[2:]) if is_bytea else value.encode("utf-8")
            yield frozenset(row.items())


def compare_schema(replay, table_id, schema, columns, relations):
    if schema is None or schema.operation == "U":
        replay.find("table", table_id, "is protected, but not in the log")
        return
    logged = {column.column_id: column.type.decode() for column in schema.columns}
    wanted = {column: columns[column][1] for column in columns}
    if logged != wanted:
        replay.find("table", table_id, "has columns", wanted, "in the catalog and", logged, "in the log")
    logged = {relation.relation_id for relation in schema.relations}
    # partitioned ones hold no rows and are not in `relations`
    if not set(relations) - {0} <= logged:
        replay.find("table", table_id, "has relations", sorted(relations), "in the catalog and", sorted(logged), "in the log")


def compare(replay, database):
    """Every row the log says is in the table, and no other; likewise the schema."""
    tables = database.tables()
    for table_id, (columns, relations) in sorted(tables.items()):
        table = replay.tables[table_id]
        compare_schema(replay, table_id, table.schema, columns, relations)
        found = collections.Counter()
        for relation_id, name in relations.items():
            found.update((relation_id, row) for row in database.rows(columns, name))
        for row in table.rows - found:
            replay.find("table", table_id, "lacks a row of the log:", show(row))
        for row in found - table.rows:
            replay.find("table", table_id, "has a row that is not in the log:", show(row))
    for table_id, table in replay.tables.items():
        if table_id not in tables and table.rows:
            replay.find("table", table_id, "is unprotected, but the log has rows of it")


def check(session):
    """(findings, a line that says how much was read)"""
    database = Database(session)
    try:
        database.log.check()
        replay = Replay(database.log).run()
        compare(replay, database)
    finally:
        session.run("ROLLBACK")
    return database.log.failures + replay.findings, "%d entries, %d seals, %d changes, %d tables" % (
        len(database.log.entries), len(database.log.tables["seal"]), replay.changes, len(replay.tables))


def main():
    findings, summary = check(libpq.Session(*sys.argv[1:2]))
    for finding in findings[:FINDINGS_MAX]:
        print(finding)
    print("%s, %d findings" % (summary, len(findings)))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
