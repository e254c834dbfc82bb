#!/usr/bin/env python3
"""The second implementation against the vectors, and check-log against a log made and then damaged here. TAP."""
import base64
import csv
import datetime
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))

from govledger import (
    build_changes, build_context, build_erasure, build_header, build_image, build_key_change,
    build_personal, build_record, build_seal, build_stream, build_verifier_key, checkpoint_body,
    context_commitment, CONTEXT_ERASED, context_salt, ed25519_public, ed25519_sign, Edge, Erasure, Header,
    key_change_statement, KEY_ED25519, KeyChange, leaf_hash, NO_HASH, parse_verifier_key, Personal,
    personal_leaf, record_leaf, record_secret, salt, Seal, signature_line, tree_root,
)

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = bytes(range(32))
ORIGIN = b"log.example"
START = 1700000000000000
BLOCKS = ((1, 3), (2, 600), (3, 2), (1, 1))     # blocks and entries in each


def hexed(data):
    return "" if data is None else "\\x" + data.hex()


def time_text(time):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=time)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".") + "+00"


class Maker:
    """A small log as the extension would store it."""

    def __init__(self):
        self.tables = {name: [] for name in ("entry", "record_chunk", "personal", "leaf", "seal", "tile", "checkpoint")}
        self.tables["ledger"] = [{"only_row": "t", "origin": ORIGIN.decode(), "generation": "1",
                                  "system_identifier": "-5"}]
        self.context = build_context({1: b"clerk", 5: b"psql"})
        self.tables["context"] = [{"context_id": "1", "content": hexed(self.context)}]
        self.key = build_verifier_key(ORIGIN, KEY_ED25519, ed25519_public(SEED))
        self.key_id = parse_verifier_key(self.key).key_id
        self.tables["signing_key"] = [{"key_id": str(self.key_id), "verifier_key": self.key.decode(),
                                       "registered_at": time_text(START), "replaced_at": ""}]
        self.transaction_id = 700
        self.edge, self.leaves = Edge(), []
        self.previous = NO_HASH
        self.headers = []       # of entries not sealed yet, with their transaction ids

    def key_record(self):
        change = KeyChange(self.key_id, self.key, 0, b"", b"", b"first")
        change = change._replace(new_signature=ed25519_sign(SEED, key_change_statement(ORIGIN, change)))
        return build_record("K", body=build_key_change(change))

    def personal(self, index, values):
        rows = [Personal(column_id, old, salt(b"p" * 16, index, column_id + old * 2**31), value)
                for column_id, old, value in values]
        self.tables["personal"].append({"transaction_id": str(self.transaction_id), "generation": "1",
                                        "record": str(index), "content": hexed(build_personal(rows))})
        return [personal_leaf(row.salt, row.column_id, row.value) for row in rows]

    def records(self):
        """What one transaction did; sometimes much, sometimes with personal values."""
        n = self.transaction_id
        insert = build_record("I", 1, 0, 1, build_image([(1, b"%d" % n, 0)]))
        if n == 701:
            return [self.key_record(), insert]
        if n == 702:
            leaf, = self.personal(1, [(2, False, b"Ana")])
            new, old = self.personal(2, [(2, False, b"Eva"), (2, True, b"Ana")])
            return [insert, build_record("I", 1, 0, 2, build_image([(1, b"x", 0), (2, leaf, 1)])),
                    build_record("U", 1, 0, 3, build_image([(1, b"x", 0), (2, new, 1)]) + build_changes([(2, old, 1)]))]
        if n == 703:
            return [insert] * 40
        if n == 704:
            leaf, = self.personal(0, [(2, False, b"forgotten")])
            self.tables["personal"].pop()
            return [build_record("I", 1, 0, 2, build_image([(2, leaf, 1)]))]
        if n == 800:
            return [build_record("E", body=build_erasure(Erasure(1, 704, 0, [2], b"law"))),
                    build_record("E", body=build_erasure(Erasure(1, 705, CONTEXT_ERASED, [], b"law")))]
        return [insert]

    def add_entry(self):
        self.transaction_id += 1
        n = self.transaction_id
        secret = salt(b"s" * 16, n)
        records = self.records()
        claimed = build_context({7: b"because"}) if n % 2 else b""
        root = tree_root([record_leaf(record_secret(secret), i, record) for i, record in enumerate(records)])
        header = Header(ORIGIN, 1, 2**32 + n * 8, n, START + n, len(records), root,
                        context_commitment(context_salt(secret), self.context + claimed), b"")
        row = {"transaction_id": str(n), "position": "%X/%X" % (header.position >> 32, header.position & (2**32 - 1)),
               "entry_time": time_text(header.time), "records": str(len(records)), "context_id": "1",
               "generation": "1", "record_root": hexed(root), "context_commitment": hexed(header.context_commitment),
               "secret": hexed(secret), "record_secret": "", "claimed": hexed(claimed or None), "actor_signature": "",
               "content": hexed(build_stream(records))}
        if n == 703:
            row["content"] = ""
            for first in (0, 30):
                part = records[first:first + 30]
                self.tables["record_chunk"].append({"transaction_id": str(n), "generation": "1",
                                                    "first_record": str(first), "content": hexed(build_stream(part))})
        if n == 705:
            row.update(secret="", record_secret=hexed(record_secret(secret)), claimed="")
        self.tables["entry"].append(row)
        self.headers.append((n, build_header(header)))

    def append(self, leaf):
        self.leaves.append(leaf)
        self.edge.append(leaf)

    def add_seal(self):
        first, rows = self.edge.size, self.tables["leaf"]
        for start in range(0, len(self.headers), 256):
            part = self.headers[start:start + 256]
            rows.append({"first_leaf": str(first + start), "generation": "1",
                         "transaction_ids": "{%s}" % ",".join(str(n) for n, _ in part)})
        for _, header in self.headers:
            self.append(leaf_hash(header))
        self.headers = []
        height = len(self.tables["seal"]) + 1
        seal = Seal(ORIGIN, 1, 1, height, self.previous, self.edge.size, self.edge.root(), START + height * 1000000,
                    2**64 - 5, 1, self.key_id, b"")
        content = build_seal(seal)
        self.previous = leaf_hash(content)
        self.append(self.previous)
        self.tables["seal"].append({
            "height": str(height), "first_leaf": str(first), "tree_size": str(self.edge.size),
            "sealed_at": time_text(seal.time), "snapshot": "1:1:", "root": hexed(self.edge.root()),
            "content": hexed(content), "right_edge": hexed(b"".join(self.edge.nodes))})
        body = checkpoint_body(ORIGIN, self.edge.size, self.edge.root())
        note = body + b"\n" + signature_line(ORIGIN, self.key_id, ed25519_sign(SEED, body))
        self.tables["checkpoint"].append({"tree_size": str(self.edge.size), "signed_at": time_text(seal.time),
                                          "key_id": str(self.key_id), "note": note.decode()})

    def add_tiles(self):
        level, nodes = 0, self.leaves
        while len(nodes) >= 256:
            parts = [nodes[i:i + 256] for i in range(0, len(nodes) - 255, 256)]
            nodes = [tree_root(part) for part in parts]
            for n, part in enumerate(parts):
                self.tables["tile"].append({"level": str(level), "n": str(n), "root": hexed(nodes[n]),
                                            "hashes": hexed(b"".join(part))})
            level += 1

    def make(self):
        for blocks, entries in BLOCKS:
            for _ in range(blocks):
                for _ in range(entries):
                    self.add_entry()
                self.add_seal()
        self.add_entry()        # and one that waits
        self.add_tiles()
        return self.tables


def write(directory, tables):
    for name, rows in tables.items():
        with open(os.path.join(directory, name + ".csv"), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["nothing"])
            writer.writeheader()
            writer.writerows(rows)


def flip(row, column, at=-1):
    data = bytearray.fromhex(row[column][2:])
    data[at] ^= 1
    row[column] = hexed(bytes(data))


def damages():
    """What somebody with all rights might do: name, function on the tables, a word that the finding has."""
    def entry(tables, n):
        return tables["entry"][n - 701]

    def other_time(tables):
        entry(tables, 710)["entry_time"] = time_text(START + 711)

    def other_position(tables):
        entry(tables, 710)["position"] = entry(tables, 708)["position"]

    def swap(tables):
        tables["leaf"][0]["transaction_ids"] = "{702,701,703}"

    def forged_checkpoint(tables):
        row = tables["checkpoint"][1]
        row["note"] = row["note"].replace(base64.b64encode(bytes.fromhex(tables["seal"][1]["root"][2:])).decode(),
                                          base64.b64encode(bytes(32)).decode())

    def planted_key(tables):
        key = build_verifier_key(ORIGIN, KEY_ED25519, ed25519_public(b"e" * 32))
        tables["signing_key"].append({"key_id": str(parse_verifier_key(key).key_id), "verifier_key": key.decode(),
                                      "registered_at": "", "replaced_at": ""})

    def without_erasure(tables):
        tables["personal"] = [row for row in tables["personal"] if row["record"] != "2"]

    def lost_secret(tables):
        row = entry(tables, 720)
        row.update(record_secret=hexed(record_secret(bytes.fromhex(row["secret"][2:]))), secret="")

    def not_erased(tables):
        tables["personal"].append(dict(tables["personal"][0], transaction_id="704", record="0"))

    def context_not_erased(tables):
        row = entry(tables, 705)
        row.update(secret=hexed(salt(b"s" * 16, 705)), record_secret="", claimed=hexed(build_context({7: b"because"})))

    def late_seal(tables):
        tables["seal"][2]["sealed_at"] = time_text(START)

    yield "a changed record", lambda t: flip(entry(t, 710), "content"), "710"
    yield "a changed record of an entry that is not sealed", lambda t: flip(t["entry"][-1], "content"), "record root"
    yield "a changed record in a chunk", lambda t: flip(t["record_chunk"][1], "content"), "703"
    yield "a missing chunk", lambda t: t["record_chunk"].pop(0), "703"
    yield "a changed record root", lambda t: flip(entry(t, 710), "record_root"), "710"
    yield "a changed secret", lambda t: flip(entry(t, 710), "secret"), "710"
    yield "a changed claim", lambda t: flip(entry(t, 711), "claimed"), "another context"
    yield "a changed context", lambda t: flip(t["context"][0], "content"), "another context"
    yield "a missing context", lambda t: t["context"][0].update(context_id="2"), "no context"
    yield "a lost secret", lost_secret, "lost its secret"
    yield "another entry time", other_time, "root"
    yield "another position", other_position, "out of order"
    yield "two entries in another order", swap, "out of order"
    yield "a missing entry", lambda t: t["entry"].pop(5), "no entry"
    yield "a changed personal value", lambda t: flip(t["personal"][0], "content"), "does not match its leaf"
    yield "a personal value of nothing", lambda t: t["personal"][0].update(record="0"), "of no record"
    yield "a personal value gone", without_erasure, "without an erasure"
    yield "an erased personal value that is still there", not_erased, "still there"
    yield "an erased context that is still there", context_not_erased, "has a context that was erased"
    yield "an erased context with its claim", lambda t: entry(t, 705).update(claimed="\\x070161"), "still claims"
    yield "a missing leaf row", lambda t: t["leaf"].pop(2), "no entry"
    yield "a changed seal", lambda t: flip(t["seal"][1], "content", 40), "seal"
    yield "a missing seal", lambda t: t["seal"].pop(1), "seal"
    yield "the last seal gone", lambda t: t["seal"].pop(), "beyond the last seal"
    yield "a seal with another time", late_seal, "another time"
    yield "a seal with another right edge", lambda t: flip(t["seal"][0], "right_edge"), "right edge"
    yield "a changed tile", lambda t: flip(t["tile"][1], "hashes"), "tile 0 1"
    yield "a missing tile", lambda t: t["tile"].pop(0), "tile 0 0 is missing"
    yield "a tile too many", lambda t: t["tile"].append(dict(t["tile"][0], level="1")), "tile 1 0"
    yield "a checkpoint over another root", forged_checkpoint, "does not match a seal"
    yield "a planted key", planted_key, "not in the log"
    yield "an unknown key", lambda t: t["signing_key"].clear(), "unknown key"
    yield "another origin", lambda t: t["ledger"][0].update(origin="elsewhere.example"), "another origin"


class Tap:
    count = failed = 0

    def ok(self, good, name):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name), flush=True)


def run(*arguments):
    command = [sys.executable, os.path.join(HERE, "govledger.py"), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    return done.returncode, done.stdout


def check(tables):
    with tempfile.TemporaryDirectory() as directory:
        write(directory, tables)
        return run("check-log", directory)


def main():
    tap = Tap()
    vectors = os.path.join(HERE, "..", "vectors")
    status, output = run("self-test", vectors)
    tap.ok(status == 0, "vectors: " + output.strip().splitlines()[-1])
    with tempfile.TemporaryDirectory() as directory:
        run("make-vectors", directory)
        with open(os.path.join(vectors, "govledger.txt"), "rb") as old, \
                open(os.path.join(directory, "govledger.txt"), "rb") as new:
            tap.ok(old.read() == new.read(), "govledger.txt is what make-vectors writes")

    tables = Maker().make()
    seals = sum(blocks for blocks, _ in BLOCKS)
    entries = sum(blocks * count for blocks, count in BLOCKS) + 1
    status, output = check(tables)
    tap.ok(status == 0 and output == "%d entries, %d records, %d seals, %d checkpoints: ok\n" % (
        entries, entries + 43, seals, seals), "a whole log: " + output.strip())
    for name, damage, word in damages():
        damaged = {table: [dict(row) for row in rows] for table, rows in tables.items()}
        damage(damaged)
        status, output = check(damaged)
        found = status == 1 and word in output
        tap.ok(found, "found: " + name)
        if not found:
            print("# " + output[:2000].replace("\n", "\n# "))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
