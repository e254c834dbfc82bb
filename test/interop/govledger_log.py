"""The log as dumped from its tables, recomputed from its bytes. See govledger.py."""
import csv
import datetime
import os
import re

from govledger import (
    build_header, context_commitment, CONTEXT_ERASED, context_salt, ed25519_verify, Edge, Header,
    key_change_statement, leaf_hash, NO_HASH, parse_body, parse_checkpoint, parse_context, parse_erasure,
    parse_header, parse_personal, parse_record, parse_seal, parse_stream, parse_verifier_key, personal_leaf,
    record_leaf, record_secret, require, tree_root, verify_checkpoint,
)

csv.field_size_limit(2**31 - 1)


def read_table(directory, name):
    with open(os.path.join(directory, name + ".csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_bytes(value):
    """bytea in hex; None for NULL, which CSV writes as nothing (an empty bytea is \\x)"""
    if value == "":
        return None
    require(value.startswith("\\x"), "not a bytea: " + value[:20])
    return bytes.fromhex(value[2:])


def as_position(value):
    high, low = value.split("/")
    return int(high, 16) << 32 | int(low, 16)


def as_time(value):
    """ISO text in UTC to microseconds since 1970"""
    match = re.fullmatch(r"(\d{4,})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|[+-]00(?::?00)?)", value)
    require(match, "not a time in UTC: " + value)
    moment = datetime.datetime(*(int(part) for part in match.groups()[:6]))
    seconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1)
    return seconds * 1000000 + int((match.group(7) or "0").ljust(6, "0"))


def as_list(value):
    inner = value.strip("{}")
    return [int(item) for item in inner.split(",")] if inner else []


def unsigned(value):
    """int8 columns hold unsigned 64-bit numbers"""
    return int(value) % 2**64


class Log:
    """One dump. Every finding goes to `failures`; nothing stops the check."""

    def __init__(self, directory):
        tables = "ledger entry record_chunk personal context leaf seal tile checkpoint signing_key"
        self.tables = {name: read_table(directory, name) for name in tables.split()}
        # logs of version 0.1 have none
        has_former = os.path.exists(os.path.join(directory, "former_log.csv"))
        self.former = sorted(read_table(directory, "former_log") if has_former else [],
                             key=lambda row: int(row["generation"]))
        self.failures = []
        self.entries = {(int(row["generation"]), int(row["transaction_id"])): row for row in self.tables["entry"]}
        self.contexts = {row["context_id"]: row for row in self.tables["context"]}
        self.chunks = self.by_entry("record_chunk")
        self.personal = self.by_entry("personal")
        self.erased = set()         # (generation, transaction id, record, column id)
        self.erased_contexts = set()
        self.streams = {}           # entry -> its records
        self.key_changes = {}       # entry -> parsed K records, checked in log order
        self.successions = {}       # generation -> (entry, parsed L record)
        self.records = 0
        ledger = self.tables["ledger"]
        self.origin = ledger[0]["origin"].encode() if ledger else b""

    def origin_at(self, leaf):
        """The log that a leaf was sealed in (None: not sealed yet): former ones come first."""
        if leaf is not None:
            for row in self.former:
                if leaf < int(row["tree_size"]):
                    return row["origin"].encode()
        return self.origin

    def by_entry(self, table):
        found = {}
        for row in self.tables[table]:
            found.setdefault((int(row["generation"]), int(row["transaction_id"])), []).append(row)
        return found

    def fail(self, *words):
        self.failures.append(" ".join(str(word) for word in words))

    def expect(self, condition, *words):
        if not condition:
            self.fail(*words)
        return condition

    # records of one entry

    def stream(self, key, row):
        content = as_bytes(row["content"])
        chunks = sorted(self.chunks.get(key, []), key=lambda chunk: int(chunk["first_record"]))
        if content is not None:
            self.expect(not chunks, "entry", key, "has records in two places")
            return parse_stream(content)
        records = []
        for chunk in chunks:
            self.expect(int(chunk["first_record"]) == len(records), "entry", key, "lacks records before",
                        chunk["first_record"])
            records += parse_stream(as_bytes(chunk["content"]))
        return records

    def read_streams(self):
        """All records, and what erasures allow to be absent: they come after what they erase."""
        for key, row in self.entries.items():
            try:
                self.streams[key] = self.stream(key, row)
                records = [parse_record(data) for data in self.streams[key]]
                for erasure in [parse_erasure(record.body) for record in records if record.kind == "E"]:
                    target = erasure.generation, erasure.transaction_id
                    self.erased.update((*target, erasure.record, column) for column in erasure.columns)
                    if erasure.record == CONTEXT_ERASED:
                        self.erased_contexts.add(target)
            except ValueError as error:
                self.fail("entry", key, "is malformed:", error)

    def check_personal(self, key, index, fields, values):
        wanted = {(field.column_id, field.old): field.value for field in fields if field.personal}
        where = ("entry", key, "record", index)
        for value in values:
            self.expect((*key, index, value.column_id) not in self.erased,
                        *where, "personal value of column", value.column_id, "was erased and is still there")
            leaf = wanted.pop((value.column_id, value.old), None)
            if self.expect(leaf is not None, *where, "personal value of column", value.column_id, "is of no record"):
                self.expect(personal_leaf(value.salt, value.column_id, value.value) == leaf,
                            *where, "personal value of column", value.column_id, "does not match its leaf")
        for column_id, _ in wanted:
            self.expect((*key, index, column_id) in self.erased,
                        *where, "personal value of column", column_id, "is gone without an erasure")

    def check_records(self, key, row, secret):
        personal = {}
        for value in self.personal.get(key, []):
            personal[int(value["record"])] = parse_personal(as_bytes(value["content"]))
        edge = Edge()
        key_changes = []
        for index, data in enumerate(self.streams.get(key, [])):
            record = parse_record(data)
            body = parse_body(record)
            edge.append(record_leaf(secret, index, data))
            self.check_personal(key, index, body if record.kind in "IGUD" else [], personal.pop(index, []))
            if record.kind == "K":
                key_changes.append(body)
            if record.kind == "L":
                self.expect(body.generation == key[0], "entry", key, "begins the log of another generation")
                self.expect(body.generation not in self.successions, "entry", key, "begins a log that has begun")
                self.successions[body.generation] = key, body
        self.expect(not personal, "entry", key, "has personal values of records it has not:", sorted(personal))
        self.key_changes[key] = key_changes
        self.records += edge.size
        self.expect(edge.size == int(row["records"]), "entry", key, "has", edge.size, "records, not", row["records"])
        self.expect(edge.root() == as_bytes(row["record_root"]), "entry", key, "has another record root")

    def check_context(self, key, row, secret):
        claimed = as_bytes(row["claimed"]) or b""
        session = self.contexts.get(row["context_id"])
        if not self.expect(session is not None, "entry", key, "has no context", row["context_id"]):
            return
        context = as_bytes(session["content"]) + claimed
        parse_context(context)
        self.expect(all(field > 5 for field in parse_context(claimed)), "entry", key, "claims what the server knows")
        self.expect(context_commitment(context_salt(secret), context) == as_bytes(row["context_commitment"]),
                    "entry", key, "has another context")

    def check_entry(self, key, row):
        secret = as_bytes(row["secret"])
        try:
            if secret is None:
                self.expect(key in self.erased_contexts, "entry", key, "lost its secret without an erasure")
                self.expect(as_bytes(row["claimed"]) is None, "entry", key, "has an erased context and still claims")
                secret_of_records = as_bytes(row["record_secret"])
                require(secret_of_records is not None, "no secret at all")
            else:
                self.expect(as_bytes(row["record_secret"]) is None, "entry", key, "has two secrets")
                self.expect(key not in self.erased_contexts, "entry", key, "has a context that was erased")
                secret_of_records = record_secret(secret)
                self.check_context(key, row, secret)
            require(len(secret or secret_of_records) == 16, "secret is not 16 bytes")
            self.check_records(key, row, secret_of_records)
        except ValueError as error:
            self.fail("entry", key, "is malformed:", error)

    def header(self, key, row, leaf):
        header = Header(self.origin_at(leaf), key[0], as_position(row["position"]), key[1], as_time(row["entry_time"]),
                        int(row["records"]), as_bytes(row["record_root"]), as_bytes(row["context_commitment"]),
                        as_bytes(row["actor_signature"]) or b"")
        data = build_header(header)
        require(parse_header(data) == header, "header does not survive a round trip")
        return data

    # blocks, tree, tiles

    def leaves_by_index(self):
        """leaf number -> entry, from the leaf table"""
        found = {}
        for row in self.tables["leaf"]:
            for offset, transaction_id in enumerate(as_list(row["transaction_ids"])):
                index = int(row["first_leaf"]) + offset
                self.expect(index not in found, "leaf", index, "is given twice")
                found[index] = int(row["generation"]), transaction_id
        return found

    def check_block(self, row, edge, leaves, numbered, seen):
        """The entries of one block in order; leaves the tree as it is before the seal."""
        height, last = row["height"], int(row["tree_size"]) - 1
        self.expect(int(row["first_leaf"]) == edge.size, "seal", height, "says its first leaf is", row["first_leaf"])
        self.expect(edge.size < last, "seal", height, "closes an empty block")
        previous = None
        while edge.size < last:
            key = numbered.get(edge.size)
            if key not in self.entries:
                self.fail("leaf", edge.size, "has no entry", key if key else "")
                return False
            self.expect(key not in seen, "entry", key, "is sealed twice")
            seen.add(key)
            place = key[0], as_position(self.entries[key]["position"]), key[1]
            self.expect(previous is None or previous < place, "leaf", edge.size, "is out of order")
            previous = place
            leaf = leaf_hash(self.header(key, self.entries[key], edge.size))
            leaves.append(leaf)
            edge.append(leaf)
        self.expect(last not in numbered, "leaf", last, "is both a seal and an entry")
        return True

    def check_seal(self, row, edge, leaves, previous):
        """previous: (parsed seal, its leaf) or None; returns the same of this one"""
        content = as_bytes(row["content"])
        seal, leaf = parse_seal(content), leaf_hash(content)
        where = "seal", row["height"]
        self.expect(seal.origin == self.origin_at(int(row["tree_size"]) - 1), *where, "is of another origin")
        self.expect(seal.height == int(row["height"]), *where, "says height", seal.height)
        self.expect(seal.height == (previous[0].height + 1 if previous else 1), *where, "leaves a gap")
        self.expect(seal.previous_seal == (previous[1] if previous else NO_HASH), *where, "names another previous seal")
        self.expect(seal.tree_size == edge.size, *where, "says tree size", seal.tree_size, "not", edge.size)
        self.expect(seal.root == edge.root(), *where, "says another root")
        self.expect(seal.time == as_time(row["sealed_at"]), *where, "says another time than its row")
        if previous:
            self.expect(seal.time >= previous[0].time, *where, "goes back in time")
            self.expect(seal.generation >= previous[0].generation, *where, "goes back to an older generation")
        leaves.append(leaf)
        edge.append(leaf)
        self.expect(edge.size == int(row["tree_size"]), *where, "closes a tree of", edge.size)
        self.expect(edge.root() == as_bytes(row["root"]), *where, "has another root")
        self.expect(b"".join(edge.nodes) == as_bytes(row["right_edge"]), *where, "has another right edge")
        return seal, leaf

    def check_tiles(self, leaves):
        tiles = {(int(row["level"]), int(row["n"])): row for row in self.tables["tile"]}
        self.expect(len(tiles) == len(self.tables["tile"]), "a tile is there twice")
        level, nodes = 0, leaves
        while nodes:
            roots = []
            for n in range(len(nodes) // 256):
                hashes = nodes[256 * n:256 * n + 256]
                roots.append(tree_root(hashes))
                row = tiles.pop((level, n), None)
                if self.expect(row is not None, "tile", level, n, "is missing"):
                    self.expect(as_bytes(row["hashes"]) == b"".join(hashes), "tile", level, n, "has other hashes")
                    self.expect(as_bytes(row["root"]) == roots[-1], "tile", level, n, "has another root")
            level, nodes = level + 1, roots
        for level, n in sorted(tiles):
            self.fail("tile", level, n, "is not full or beyond the tree")

    # keys and checkpoints

    def check_keys(self, order):
        """Key changes in log order, each with its leaf; returns the keys they announced."""
        announced = {}
        for leaf, key in order:
            for change in self.key_changes.get(key, []):
                new = parse_verifier_key(change.new_verifier_key)
                statement = key_change_statement(new.name, change)
                self.expect(self.origin_at(leaf) in (b"", new.name), "key", "%08x" % new.key_id, "is of another origin")
                self.expect(ed25519_verify(new.public, statement, change.new_signature),
                            "key", "%08x" % new.key_id, "did not sign its own announcement")
                old = announced.get(change.old_key_id)
                if change.old_key_id == 0:
                    self.expect(not announced, "key", "%08x" % new.key_id, "claims to be the first")
                elif self.expect(old is not None, "key", "%08x" % new.key_id, "follows an unknown key"):
                    # an old key may be lost: then nothing vouches for the new one here
                    self.expect(not change.old_signature or ed25519_verify(old.public, statement, change.old_signature),
                                "key", "%08x" % new.key_id, "is not signed by the old key")
                announced[new.key_id] = new
        return announced

    def check_checkpoints(self, announced, roots):
        keys = {}
        for row in self.tables["signing_key"]:
            try:
                key = parse_verifier_key(row["verifier_key"].encode())
                self.expect(key.key_id == int(row["key_id"]), "signing key", row["key_id"], "is another key")
                self.expect(announced.get(key.key_id) == key, "signing key", row["key_id"], "is not in the log")
                keys[key.key_id] = key
            except ValueError as error:
                self.fail("signing key", row["key_id"], "is malformed:", error)
        for row in self.tables["checkpoint"]:
            where = "checkpoint", row["tree_size"]
            try:
                checkpoint = parse_checkpoint(row["note"].encode("utf-8"))
            except ValueError as error:
                self.fail(*where, "is malformed:", error)
                continue
            self.expect(checkpoint.origin == self.origin_at(checkpoint.size - 1), *where, "is of another origin")
            self.expect(checkpoint.size == int(row["tree_size"]), *where, "says size", checkpoint.size)
            self.expect(roots.get(checkpoint.size) == checkpoint.root, *where, "does not match a seal")
            key = keys.get(int(row["key_id"]))
            if self.expect(key is not None, *where, "has an unknown key"):
                verdict = verify_checkpoint(checkpoint, key)[0]
                self.expect(verdict == "valid", *where, "signature is", verdict)

    # former logs

    def check_former(self, numbered, roots, ends):
        """Each former log ends with a seal, and the first block after it holds the record that says what is lost."""
        leaf_of = {key: leaf for leaf, key in numbered.items()}
        for row in self.former:
            where = "former log", row["origin"]
            key, said = self.successions.get(int(row["generation"]), (None, None))
            if not self.expect(said is not None, *where, "has no succession record"):
                continue
            size = int(row["tree_size"])
            self.expect((said.origin.decode(), said.tree_size, said.lost_from, said.known_size, said.known_root)
                        == (row["origin"], size, int(row["lost_from"]), int(row["known_size"]),
                            as_bytes(row["known_root"])), *where, "is described otherwise by its record")
            self.expect(said.root == (roots[size] if size else tree_root([])), *where, "ends with another root")
            leaf = leaf_of.get(key)
            end = min((end for end in ends if end > size), default=None)
            self.expect(leaf is None or size <= leaf < (end or 0), *where, "has its record in another block")
        self.expect(len(self.successions) == len(self.former), "there are", len(self.successions),
                    "succession records and", len(self.former), "former logs")

    def check(self):
        self.read_streams()
        for key, row in self.entries.items():
            self.check_entry(key, row)
        for key in set(self.chunks) | set(self.personal):
            self.expect(key in self.entries, "records or personal values of an entry that is not there:", key)

        edge, leaves, roots, previous, seen = Edge(), [], {}, None, set()
        numbered = self.leaves_by_index()
        order = []
        for row in sorted(self.tables["seal"], key=lambda row: int(row["height"])):
            try:
                if not self.check_block(row, edge, leaves, numbered, seen):
                    break
                previous = self.check_seal(row, edge, leaves, previous)
            except ValueError as error:
                self.fail("block", row["height"], "is malformed:", error)
                break
            roots[edge.size] = edge.root()
        for index, key in sorted(numbered.items()):
            self.expect(index < edge.size, "leaf", index, "is beyond the last seal")
            order.append((index, key))
        # what is not sealed yet comes after what is
        order += [(None, key) for key in sorted((key for key in self.entries if key not in seen), key=lambda key: (
            key[0], as_position(self.entries[key]["position"]), key[1]))]
        self.check_former(numbered, roots, list(roots))
        self.check_tiles(leaves)
        self.check_checkpoints(self.check_keys(order), roots)


def check_log(directory):
    log = Log(directory)
    log.check()
    for failure in log.failures:
        print(failure)
    if not log.failures:
        print("%d entries, %d records, %d seals, %d checkpoints: ok" % (
            len(log.entries), log.records, len(log.tables["seal"]), len(log.tables["checkpoint"])))
    return 1 if log.failures else 0
