#!/usr/bin/env python3
"""Random SQL from several sessions on ledger tables; then the log must give the tables, and verify must find nothing.

    python3 random_sql.py [seconds [seed [conninfo]]]      in the named database, which it fills; prints the seed

Every session is a thread with a random generator of its own, so a seed gives the same statements for each session,
though not the same interleaving. Errors are part of the game; only a broken connection, an internal error or a
difference at the end is a failure.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import history  # noqa: E402
import libpq  # noqa: E402
import replay  # noqa: E402

SESSIONS = 5
KEYS = 40
INTERNAL = ("XX", "58", "")             # internal error, system error, connection lost

SETUP = """
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('glad', 'sad', 'so so');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 10000);
CREATE TABLE plain (id integer PRIMARY KEY, a text, n numeric, j jsonb, x integer[], m mood, at timestamptz DEFAULT now());
CREATE TABLE "Compo site" ("Key 1" integer, "ключ" text, v short, b bytea, d double precision, p pair,
    PRIMARY KEY ("Key 1", "ключ"), u integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE parted (id integer, part integer, v text, w interval, g integer GENERATED ALWAYS AS (id * 2) STORED,
    PRIMARY KEY (part, id)) PARTITION BY RANGE (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 (w interval, gone text, v text, part integer NOT NULL, id integer NOT NULL,
    g integer GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE parted_2 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_3 PARTITION OF parted FOR VALUES FROM (20) TO (30) PARTITION BY LIST (part);
CREATE TABLE parted_3a PARTITION OF parted_3 DEFAULT;
CREATE TABLE floating (id integer NOT NULL, part integer NOT NULL, v text, w interval,
    g integer GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE logged (id bigserial, what text, at timestamp DEFAULT localtimestamp);
CREATE TABLE person (id integer PRIMARY KEY, name text, birth date, photo bytea, note text, boss integer
    REFERENCES person ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE child (id serial PRIMARY KEY, parent integer REFERENCES plain ON DELETE CASCADE ON UPDATE CASCADE, v text);
CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 2 THEN RETURN NULL; END IF;
    -- a later row of the same statement, before its own trigger has fired
    UPDATE plain SET n = coalesce(n, 0) + 0.5 WHERE id = NEW.id + 1;
    IF NEW.id % 7 = 0 THEN DELETE FROM plain WHERE id = NEW.id + 2; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER echo AFTER UPDATE OF a ON plain FOR EACH ROW WHEN (NEW.a LIKE 'e%') EXECUTE FUNCTION echo();
CREATE FUNCTION trim_it() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.v = 'skip' THEN RETURN NULL; END IF;
    NEW.v := left(NEW.v, 9000); RETURN NEW;
END $$;
CREATE TRIGGER a_trim BEFORE INSERT OR UPDATE ON parted FOR EACH ROW EXECUTE FUNCTION trim_it();
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO logged (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT OR DELETE ON person DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION count_up();
CREATE TRIGGER on_truncate AFTER TRUNCATE ON plain FOR EACH STATEMENT EXECUTE FUNCTION count_up();
INSERT INTO plain (id, a) SELECT g, 'genesis' FROM generate_series(1, 20) g;
INSERT INTO parted SELECT g, g, 'genesis' FROM generate_series(0, 25) g;
INSERT INTO person SELECT g, 'genesis ' || g FROM generate_series(1, 10) g;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT govledger.protect('plain'), govledger.protect('"Compo site"', visibility => 'public'), govledger.protect('parted'),
    govledger.protect('logged', append_only => true), govledger.protect('person', personal => '{name,birth,photo}'),
    govledger.protect('child', personal => '{v}');
"""


class Player:
    """One session and its dice."""

    def __init__(self, number, seed, conninfo):
        self.random = random.Random("%s/%d" % (seed, number))
        self.number = number
        self.conninfo = conninfo
        self.session = libpq.Session(conninfo)
        self.session.run("SET client_min_messages = warning; SET lock_timeout = '2s'; SET deadlock_timeout = '50ms'")
        self.statements = self.errors = self.savepoints = self.prepared = 0
        self.failures = []

    # --- pieces of SQL ---

    def key(self):
        return self.random.randint(1, KEYS)

    def word(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return "NULL"
        if kind == 1:
            return "repeat('%s', %d)" % (self.random.choice("aé€𝄞"), self.random.choice((10, 100, 3000)))
        if kind == 2:
            return "md5(random()::text)"
        return self.random.choice(("'e''cho'", "''", "'ünïcode \u2028'", "E'tab\\t new\\n back\\\\'", "'{}'", "'skip'"))

    def number_(self):
        return self.random.choice(("NULL", "0", "-1.50", "1e20", "'NaN'", "123456789.123456789", "0.000"))

    def condition(self):
        key = self.key()
        return self.random.choice(("id = %d" % key, "id BETWEEN %d AND %d" % (key, key + 5), "id %% 5 = %d" % (key % 5), "id > %d" % key))

    def plain(self):
        return self.random.choice((
            "INSERT INTO plain (id, a, n, j, x, m) VALUES (%d, %s, %s, '{\"k\": [1, \"%d\"]}', '{1,NULL,%d}', 'sad')" % (
                self.key(), self.word(), self.number_(), self.key(), self.key()),
            "INSERT INTO plain (id, a) SELECT g, %s FROM generate_series(%d, %d) g ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a, n = %s" % (
                self.word(), self.key(), self.key() + 3, self.number_()),
            "INSERT INTO plain (id) SELECT g FROM generate_series(%d, %d) g ON CONFLICT DO NOTHING" % (self.key(), KEYS),
            "UPDATE plain SET a = %s, j = %s WHERE %s" % (self.word(), self.random.choice(("NULL", "'[1.0]'", "j || '{\"z\": null}'")), self.condition()),
            "UPDATE plain SET a = 'echo' WHERE %s" % self.condition(),
            "UPDATE plain SET id = id + %d WHERE id = %d" % (KEYS, self.key()),
            "UPDATE plain SET a = a WHERE %s" % self.condition(),
            "DELETE FROM plain WHERE %s" % self.condition(),
            "MERGE INTO plain p USING generate_series(%d, %d) g ON p.id = g WHEN MATCHED AND g %% 3 = 0 THEN DELETE"
            " WHEN MATCHED THEN UPDATE SET a = %s WHEN NOT MATCHED THEN INSERT (id, a) VALUES (g, 'merged')" % (
                self.key(), self.key() + 3, self.word()),
            "WITH d AS (DELETE FROM plain WHERE %s RETURNING id) INSERT INTO child (parent, v) SELECT NULL, id::text FROM d" % self.condition(),
            "INSERT INTO child (parent, v) VALUES (%d, %s)" % (self.key(), self.word()),
            "UPDATE child SET v = %s, parent = %d WHERE id %% 3 = %d" % (self.word(), self.key(), self.key() % 3),
        ))

    def composite(self):
        return self.random.choice((
            "INSERT INTO \"Compo site\" VALUES (%d, 'k%d', %s, '\\x00ff%02x', %s, ROW(%d, %s), %d)" % (
                self.key(), self.key() % 3, self.word(), self.key(), self.random.choice(("0.1", "'-0'", "'Infinity'", "'NaN'", "1e-300")),
                self.key(), self.word(), self.random.randint(1, 10000)),
            "UPDATE \"Compo site\" SET v = %s, b = NULL WHERE \"Key 1\" = %d" % (self.word(), self.key()),
            "UPDATE \"Compo site\" SET u = u + 1, d = d + 1 WHERE \"Key 1\" < %d" % self.key(),
            "UPDATE \"Compo site\" SET \"ключ\" = \"ключ\" || 'x' WHERE \"Key 1\" = %d" % self.key(),
            "DELETE FROM \"Compo site\" WHERE \"Key 1\" %% 4 = %d" % (self.key() % 4)))

    def parted(self):
        part = self.random.randint(0, 29)
        return self.random.choice((
            "INSERT INTO parted (id, part, v, w) VALUES (%d, %d, %s, '%d days -01:00:0.5')" % (self.key(), part, self.word(), self.key()),
            "INSERT INTO parted_2 (id, part, v) VALUES (%d, %d, %s) ON CONFLICT DO NOTHING" % (self.key(), 10 + part % 10, self.word()),
            "INSERT INTO parted (id, part, v) SELECT g, g %% 30, %s FROM generate_series(1, %d) g ON CONFLICT (part, id) DO UPDATE SET v = EXCLUDED.v" % (
                self.word(), self.key()),
            "UPDATE parted SET part = (part + %d) %% 30 WHERE %s" % (part, self.condition()),
            "UPDATE parted SET v = %s, id = id + 1 WHERE part = %d" % (self.word(), part),
            "DELETE FROM parted WHERE %s" % self.condition()))

    def person(self):
        return self.random.choice((
            "INSERT INTO person VALUES (%d, %s, '19%02d-02-28', '\\x%04x', %s, %d)" % (
                self.key(), self.word(), self.key() % 100, self.key(), self.word(), self.key()),
            "UPDATE person SET name = %s, photo = %s WHERE %s" % (self.word(), self.random.choice(("NULL", "''", "photo || photo")), self.condition()),
            "UPDATE person SET note = %s, boss = %s WHERE %s" % (self.word(), self.random.choice(("NULL", str(self.key()))), self.condition()),
            "UPDATE person SET id = id + %d WHERE id = %d" % (KEYS, self.key()),
            "DELETE FROM person WHERE %s" % self.condition()))

    def other(self):
        return self.random.choice((
            "INSERT INTO logged (what) VALUES (%s)" % self.word(),
            "INSERT INTO logged (what) SELECT repeat('fill', 500) FROM generate_series(1, %d)" % self.random.choice((1, 10, 600)),
            "DELETE FROM logged", "UPDATE logged SET what = NULL",
            "SELECT govledger.note(%s)" % self.word(),
            "SET LOCAL govledger.actor = 'actor %d'; SET LOCAL govledger.reason = %s" % (self.number, "'why ж'"),
            "SELECT * FROM plain LIMIT 5 FOR UPDATE", "SELECT 1 / 0",
            "SET CONSTRAINTS ALL IMMEDIATE"))

    def loop(self):
        return """DO $$ BEGIN FOR i IN 1 .. %d LOOP BEGIN
            INSERT INTO plain (id, a) VALUES (%d + i, 'loop');
            IF i %% 3 = 0 THEN RAISE 'back'; END IF;
            UPDATE parted SET v = 'loop' WHERE id = i;
            EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$""" % (self.random.choice((2, 30)), self.key())

    def heavy(self):
        return self.random.choice((
            "TRUNCATE plain CASCADE", "TRUNCATE parted_2", "TRUNCATE parted", "TRUNCATE \"Compo site\", person CASCADE",
            "ALTER TABLE parted ATTACH PARTITION floating FOR VALUES FROM (30) TO (40)",
            "ALTER TABLE parted DETACH PARTITION floating",
            "ALTER TABLE parted_1 RENAME TO parted_one", "ALTER TABLE parted_one RENAME TO parted_1",
            "ALTER TABLE plain ADD COLUMN extra text", "ALTER TABLE plain DROP COLUMN extra",
            "UPDATE plain SET extra = 'more'", "INSERT INTO floating (id, part, v) VALUES (%d, %d, 'float')" % (self.key(), 30 + self.key() % 10),
            "ALTER TABLE plain ALTER COLUMN a TYPE varchar(5)", "DROP TABLE plain", "ALTER TABLE person RENAME COLUMN note TO remark",
            "ALTER TABLE person RENAME COLUMN remark TO note", "VACUUM plain", "CLUSTER plain USING plain_pkey", "VACUUM FULL child",
            "SET session_replication_role = replica", "RESET session_replication_role"))

    def change_schema(self):
        """Commands that change what is stored, or how it prints; each has one that undoes it."""
        return self.random.choice((
            "ALTER TABLE plain ADD COLUMN extra integer DEFAULT 7", "ALTER TABLE plain ADD COLUMN extra float8 DEFAULT random()",
            "ALTER TABLE plain DROP COLUMN extra, ADD COLUMN extra text DEFAULT 'again'", "ALTER TABLE plain DROP COLUMN extra",
            "ALTER TABLE plain ALTER COLUMN n TYPE numeric(30,3)", "ALTER TABLE plain ALTER COLUMN n TYPE numeric",
            "ALTER TABLE child ALTER COLUMN id TYPE bigint, ALTER COLUMN v TYPE varchar", "ALTER TABLE child ALTER COLUMN id TYPE integer USING id + 1",
            "ALTER TABLE parted ADD COLUMN more text DEFAULT 'more'", "ALTER TABLE parted ADD COLUMN more serial",
            "ALTER TABLE parted DROP COLUMN more", "ALTER TABLE parted ALTER COLUMN w TYPE text", "ALTER TABLE parted ALTER COLUMN w TYPE interval USING w::interval",
            "ALTER TABLE person ALTER COLUMN birth TYPE text", "ALTER TABLE person ALTER COLUMN birth TYPE date USING birth::date",
            "ALTER TABLE logged ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY", "ALTER TABLE logged DROP COLUMN n",
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'",
            "ALTER TYPE pair ADD ATTRIBUTE c timestamptz", "ALTER TYPE pair DROP ATTRIBUTE c",
            "ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY", "ALTER TABLE parted DETACH PARTITION parted_1 FINALIZE",
            "ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (10)"))

    def statement(self):
        dice = self.random.random()
        for share, make in ((.25, self.plain), (.1, self.composite), (.2, self.parted), (.15, self.person), (.12, self.other),
                            (.03, self.loop), (.03, self.heavy), (.02, self.change_schema), (1, self.control)):
            if dice < share:
                return make()
            dice -= share
        return "SELECT 1"

    def control(self):
        """Begin, end, savepoints; what fits."""
        status = self.session.status()
        if status == libpq.IDLE:
            self.savepoints = 0
            return "BEGIN" + self.random.choice(("", "", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE"))
        if status == libpq.IN_ERROR:
            if self.savepoints and self.random.random() < .7:
                self.savepoints = self.random.randint(1, self.savepoints)
                return "ROLLBACK TO s%d" % self.savepoints
            self.savepoints = 0
            return self.random.choice(("ROLLBACK", "COMMIT", "ROLLBACK AND CHAIN"))
        if self.random.random() < .5:
            self.savepoints += 1
            return "SAVEPOINT s%d" % self.savepoints
        if self.savepoints and self.random.random() < .6:
            chosen = self.random.randint(1, self.savepoints)
            if self.random.random() < .5:
                self.savepoints = chosen - 1
                return "RELEASE s%d" % chosen
            self.savepoints = chosen
            return "ROLLBACK TO s%d" % chosen
        if self.random.random() < .1:
            self.prepared += 1
            self.savepoints = 0
            return "PREPARE TRANSACTION 'p%d_%d'" % (self.number, self.prepared)
        self.savepoints = 0
        return self.random.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK", "COMMIT AND CHAIN"))

    # --- play ---

    def run(self, sql):
        self.statements += 1
        try:
            self.session.run(sql)
        except libpq.Error as error:
            self.errors += 1
            if error.state[:2] in INTERNAL or not error.state:
                self.failures.append("session %d: %s\n    in: %s" % (self.number, error, sql[:300]))
            if not error.state:
                raise

    def finish_prepared(self):
        self.run("%s PREPARED 'p%d_%d'" % (self.random.choice(("COMMIT", "ROLLBACK")), self.number, self.prepared))

    def play(self, until):
        try:
            while time.time() < until:
                before = self.prepared
                self.run(self.statement())
                if self.session.status() == libpq.IN_ERROR and self.random.random() < .95:
                    self.run(self.control())
                if before != self.prepared:
                    if self.random.random() < .3:
                        time.sleep(.05)     # leave it open for a while
                    self.finish_prepared()
            if self.session.status() != libpq.IDLE:
                self.run(self.random.choice(("COMMIT", "ROLLBACK")))
        except libpq.Error:
            pass                            # noted above


def judge(conninfo):
    """What is wrong with the log, by two judges."""
    session = libpq.Session(conninfo)
    session.run("SET client_min_messages = warning")
    findings, summary = replay.check(session)
    for row in session.run("SELECT check_name, object, detail, key, column_name, logged, found, entry FROM govledger.verify() WHERE NOT ok"):
        findings.append("verify: " + " | ".join(value or "" for value in row))
    session.close()
    return findings, summary


def sealer(conninfo, until, failures):
    """Seals while others write, and verifies now and then."""
    session = libpq.Session(conninfo)
    session.run("SET client_min_messages = warning")
    passes = 0
    while time.time() < until:
        passes += 1
        try:
            session.run("SELECT govledger.seal()")
            if passes % 5 == 0:
                found = session.run("SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok")
                failures.extend("verify under load: %s" % row for row in found[:3])
        except libpq.Error as error:
            if passes % 5 == 0 and error.state == "40P01":
                continue                    # verify locks tables, as does a TRUNCATE of several
            failures.append("sealer: %s" % error)
            if not error.state:
                return
        time.sleep(.1)


def main(arguments):
    seconds = float(arguments[0]) if arguments else 20
    seed = arguments[1] if len(arguments) > 1 else str(time.time_ns() % 1000000)
    conninfo = arguments[2] if len(arguments) > 2 else ""
    print("seed %s, %g seconds" % (seed, seconds), flush=True)
    session = libpq.Session(conninfo)
    session.run(SETUP)
    until = time.time() + seconds
    players = [Player(number, seed, conninfo) for number in range(SESSIONS)]
    failures = []
    threads = [threading.Thread(target=player.play, args=(until,)) for player in players]
    threads.append(threading.Thread(target=sealer, args=(conninfo, until, failures)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for player in players:
        failures += player.failures
    if not any(player.session.status() == libpq.UNKNOWN for player in players):
        findings, summary = judge(conninfo)
        failures += findings
        session.run("SET client_min_messages = warning; SELECT govledger.seal()")
        findings, sealed = judge(conninfo)
        failures += ["after seal(): " + finding for finding in findings]
        findings, asked = history.check(session, seed)
        failures += ["as_of: " + finding for finding in findings]
        findings, _ = judge(conninfo)
        failures += ["with histories: " + finding for finding in findings]
        print("%d statements, %d of them failed as they may; %s; then %s; as_of: %s" % (
            sum(player.statements for player in players), sum(player.errors for player in players), summary, sealed, asked))
    for failure in failures[:30]:
        print(failure)
    print("%d failures (seed %s)" % (len(failures), seed))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
