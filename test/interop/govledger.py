#!/usr/bin/env python3
"""An independent reader of the govledger formats, written from src/format/README.md alone.

It shares nothing with the C code, so that the two check each other:

    python3 govledger.py self-test VECTORS     read every vector file in a directory
    python3 govledger.py make-vectors VECTORS  write govledger.txt, the vectors of govledger's own objects
    python3 govledger.py check-log DIRECTORY   check a dump of the log: <table>.csv, made by COPY ... TO ... CSV HEADER

Only Ed25519 comes from outside the standard library (python3-cryptography).
"""
import base64
import binascii
import csv
import datetime
import hashlib
import os
import re
import sys
from collections import namedtuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
NO_HASH = bytes(32)
COLUMN_ID_MAX = 2**31 - 1
NUMBER_MAX = 2**63 - 1
CONTEXT_ERASED = NUMBER_MAX
NOTE_MAX_SIZE = 1024 * 1024
KEY_ED25519, KEY_COSIGNATURE = 1, 4


class FormatError(ValueError):
    """The bytes are not what the specification says."""


def require(condition, message):
    if not condition:
        raise FormatError(message)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- section 1: numbers and texts


def number(value, size):
    return value.to_bytes(size, "big")


def varint(value):
    require(0 <= value <= NUMBER_MAX, "varint out of range")
    out = bytearray()
    while value > 0x7F:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value):
    return varint(len(value)) + value


class Reader:
    """Reads from bytes, raising FormatError at the first violation."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def bytes(self, size):
        require(size <= self.left(), "truncated")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.bytes(size), "big")

    def signed(self, size):
        return int.from_bytes(self.bytes(size), "big", signed=True)

    def varint(self):
        value = 0
        for shift in range(0, 63, 7):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(byte or not shift, "varint not in its shortest form")
                return value
        raise FormatError("varint too large")

    def counted(self):
        return self.bytes(self.varint())

    def text(self):
        value = self.counted()
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("not UTF-8") from None
        return value

    def column_id(self):
        value = self.varint()
        require(value <= COLUMN_ID_MAX, "column id too large")
        return value

    def flag(self):
        value = self.number(1)
        require(value <= 1, "flag is neither 0 nor 1")
        return bool(value)

    def done(self):
        require(self.left() == 0, "trailing bytes")


# --- section 2: salts


def salt(secret, index, column=0):
    return sha256(b"GLX1", secret, number(index, 8), number(column, 4))[:16]


def record_secret(secret):
    return salt(secret, 2**64 - 2)


def context_salt(secret):
    return salt(secret, 2**64 - 1)


# --- section 3: records

Record = namedtuple("Record", "kind table_id relation_id command_id body")
Field = namedtuple("Field", "column_id value personal old")  # value None: the old value was NULL
Personal = namedtuple("Personal", "column_id old salt value")  # value None: NULL

ROW_KINDS, EVENT_KINDS = "IGUDTS", "KEAN"


def build_record(kind, table_id=0, relation_id=0, command_id=0, body=b""):
    return kind.encode() + varint(table_id) + varint(relation_id) + varint(command_id) + body


def parse_record(data):
    reader = Reader(data)
    kind = chr(reader.number(1))
    require(kind in ROW_KINDS + EVENT_KINDS, "unknown kind of record")
    ids = reader.varint(), reader.varint(), reader.varint()
    require(kind in ROW_KINDS or ids == (0, 0, 0), "event with a table")
    return Record(kind, *ids, reader.bytes(reader.left()))


def build_image(fields):
    """fields: (column id, value, personal)"""
    out = varint(len(fields))
    for column_id, value, personal in fields:
        out += varint(column_id) + varint(len(value) << 1 | personal) + value
    return out


def build_changes(fields):
    """fields: (column id, value or None, personal)"""
    out = varint(len(fields))
    for column_id, value, personal in fields:
        out += varint(column_id)
        out += varint(0) if value is None else varint((len(value) << 1 | personal) + 1) + value
    return out


def read_fields(reader, changes):
    fields = []
    for _ in range(reader.varint()):
        column_id = reader.column_id()
        require(not fields or column_id > fields[-1].column_id, "column ids do not ascend")
        code = reader.varint()
        if changes and code == 0:
            fields.append(Field(column_id, None, False, True))
            continue
        code -= changes
        require(not code & 1 or code >> 1 == 32, "personal leaf is not 32 bytes")
        fields.append(Field(column_id, reader.bytes(code >> 1), bool(code & 1), changes))
    return fields


def parse_row(record):
    """Image and changes of an I, G, U, D or T record in one list."""
    reader = Reader(record.body)
    fields = []
    if record.kind in "IGUD":
        fields += read_fields(reader, False)
    if record.kind == "U":
        fields += read_fields(reader, True)
    reader.done()
    return fields


def parse_body(record):
    """The body of any record, checked to its last byte."""
    if record.kind in "IGUDT":
        return parse_row(record)
    parse = {"S": parse_schema, "K": parse_key_change, "E": parse_erasure, "A": parse_adoption, "N": parse_note}
    return parse[record.kind](record.body)


def parse_note(body):
    reader = Reader(body)
    value = reader.text()
    reader.done()
    return value


def record_leaf(secret_of_records, index, record):
    return sha256(b"\0GLR1", salt(secret_of_records, index), record)


def personal_leaf(value_salt, column_id, value):
    if value is None:
        return sha256(b"\0GLP1", value_salt, number(column_id, 4), b"\0")
    return sha256(b"\0GLP1", value_salt, number(column_id, 4), b"\1", value)


def build_personal(values):
    out = b""
    for value in values:
        out += varint(value.column_id) + number(value.old, 1) + value.salt
        out += number(value.value is not None, 1) + text(value.value or b"")
    return out


def parse_personal(data):
    reader = Reader(data)
    values = []
    while reader.left():
        column_id, old, value_salt = reader.column_id(), reader.flag(), reader.bytes(16)
        present, value = reader.flag(), reader.counted()
        require(present or not value, "NULL with a value")
        values.append(Personal(column_id, old, value_salt, value if present else None))
    return values


def build_stream(records):
    return b"".join(text(record) for record in records)


def parse_stream(data):
    reader = Reader(data)
    records = []
    while reader.left():
        records.append(reader.counted())
        require(records[-1], "empty record")
    return records


# --- section 4: schema

Schema = namedtuple("Schema", "operation schema name visibility flags columns relations reason")
Column = namedtuple("Column", "column_id name type flags key_ordinal")
Relation = namedtuple("Relation", "relation_id schema name")


def build_schema(schema):
    out = schema.operation.encode() + text(schema.schema) + text(schema.name)
    out += number(schema.visibility, 1) + number(schema.flags, 1) + varint(len(schema.columns))
    for column in schema.columns:
        out += varint(column.column_id) + text(column.name) + text(column.type)
        out += number(column.flags, 1) + varint(column.key_ordinal)
    out += varint(len(schema.relations))
    for relation in schema.relations:
        out += varint(relation.relation_id) + text(relation.schema) + text(relation.name)
    return out + text(schema.reason)


def parse_schema(body):
    reader = Reader(body)
    operation = chr(reader.number(1))
    require(operation in "PACXU", "unknown schema operation")
    schema, name, visibility, flags = reader.text(), reader.text(), reader.number(1), reader.number(1)
    require(visibility <= 2, "unknown visibility")
    require(flags <= 3, "unknown table flag")
    columns = []
    for _ in range(reader.varint()):
        columns.append(Column(reader.column_id(), reader.text(), reader.text(), reader.number(1), reader.varint()))
        require(columns[-1].flags <= 1, "unknown column flag")
    relations = [Relation(reader.varint(), reader.text(), reader.text()) for _ in range(reader.varint())]
    reason = reader.text()
    reader.done()
    return Schema(operation, schema, name, visibility, flags, columns, relations, reason)


# --- section 5: context


def build_context(fields):
    """fields: {number: bytes}"""
    return b"".join(number(field, 1) + text(value) for field, value in sorted(fields.items()) if value)


def parse_context(data):
    reader = Reader(data)
    fields = {}
    while reader.left():
        field, value = reader.number(1), reader.counted()
        require(max(fields, default=0) < field <= 7, "context fields out of order")
        require(value, "empty context field")
        fields[field] = value
    return fields


def context_commitment(value_salt, context):
    return sha256(b"GLC1", value_salt, context)


# --- section 6: header

Header = namedtuple("Header", "origin generation position transaction_id time records record_root"
                              " context_commitment actor_signature")


def origin_valid(origin):
    return 1 <= len(origin) <= 255 and all(0x21 <= byte <= 0x7E and byte != ord("+") for byte in origin)


def build_header(header):
    return (b"GLE1" + number(len(header.origin), 1) + header.origin + number(header.generation, 4)
            + number(header.position, 8) + number(header.transaction_id, 8)
            + header.time.to_bytes(8, "big", signed=True) + number(header.records, 8)
            + header.record_root + header.context_commitment
            + number(len(header.actor_signature), 2) + header.actor_signature)


def read_origin(reader, tag):
    require(reader.bytes(4) == tag, "unknown tag")
    origin = reader.bytes(reader.number(1))
    require(origin_valid(origin), "bad origin")
    return origin


def parse_header(data):
    require(len(data) <= 4096, "header too long")
    reader = Reader(data)
    header = Header(read_origin(reader, b"GLE1"), reader.number(4), reader.number(8), reader.number(8),
                    reader.signed(8), reader.number(8), reader.bytes(32), reader.bytes(32),
                    reader.bytes(reader.number(2)))
    reader.done()
    require(header.records >= 1, "entry without records")
    return header


# --- section 7: seal

Seal = namedtuple("Seal", "origin generation epoch height previous_seal tree_size root time system_identifier"
                          " timeline key_id state_root")


def build_seal(seal):
    return (b"GLS1" + number(len(seal.origin), 1) + seal.origin + number(seal.generation, 4)
            + number(seal.epoch, 4) + number(seal.height, 8) + seal.previous_seal + number(seal.tree_size, 8)
            + seal.root + seal.time.to_bytes(8, "big", signed=True) + number(seal.system_identifier, 8)
            + number(seal.timeline, 4) + number(seal.key_id, 4) + number(len(seal.state_root), 1) + seal.state_root)


def parse_seal(data):
    reader = Reader(data)
    seal = Seal(read_origin(reader, b"GLS1"), reader.number(4), reader.number(4), reader.number(8), reader.bytes(32),
                reader.number(8), reader.bytes(32), reader.signed(8), reader.number(8), reader.number(4),
                reader.number(4), reader.bytes(reader.number(1)))
    reader.done()
    require(len(seal.state_root) in (0, 32), "bad state root")
    require(seal.height >= 1, "height 0")
    require(seal.height > 1 or seal.previous_seal == NO_HASH, "first seal names a previous one")
    return seal


# --- section 8: tree


def leaf_hash(data):
    return sha256(b"\0", data)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def split(size):
    """Largest power of two below size."""
    return 1 << ((size - 1).bit_length() - 1)


def tree_root(leaves):
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(tree_root(leaves[:k]), tree_root(leaves[k:]))


def prove_inclusion(index, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return prove_inclusion(index, leaves[:k]) + [tree_root(leaves[k:])]
    return prove_inclusion(index - k, leaves[k:]) + [tree_root(leaves[:k])]


def prove_consistency(old_size, leaves, whole=True):
    if old_size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    k = split(len(leaves))
    if old_size <= k:
        return prove_consistency(old_size, leaves[:k], whole) + [tree_root(leaves[k:])]
    return prove_consistency(old_size - k, leaves[k:], False) + [tree_root(leaves[:k])]


def inclusion_root(index, size, leaf, path):
    """The root that a path leads to, following the recursive definition of PATH."""
    if size == 1:
        require(not path, "proof too long")
        return leaf
    require(path, "proof too short")
    k = split(size)
    if index < k:
        return node_hash(inclusion_root(index, k, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], inclusion_root(index - k, size - k, leaf, path[:-1]))


def verify_inclusion(index, size, leaf, path, root):
    try:
        return 0 <= index < size and inclusion_root(index, size, leaf, path) == root
    except FormatError:
        return False


def consistency_roots(old_size, size, path, old_root, whole=True):
    """The old and the new root that a proof leads to, following the recursive definition of PROOF."""
    if old_size == size:
        if whole:
            require(not path, "proof too long")
            return old_root, old_root
        require(len(path) == 1, "proof of another length")
        return path[0], path[0]
    require(path, "proof too short")
    k = split(size)
    if old_size <= k:
        old, new = consistency_roots(old_size, k, path[:-1], old_root, whole)
        return old, node_hash(new, path[-1])
    old, new = consistency_roots(old_size - k, size - k, path[:-1], old_root, False)
    return node_hash(path[-1], old), node_hash(path[-1], new)


def verify_consistency(old_size, size, path, old_root, root):
    try:
        return 0 < old_size <= size and consistency_roots(old_size, size, path, old_root) == (old_root, root)
    except FormatError:
        return False


class Edge:
    """Roots of the perfect subtrees of a growing tree, largest first."""

    def __init__(self):
        self.size = 0
        self.nodes = []

    def append(self, leaf):
        self.nodes.append(leaf)
        self.size += 1
        size = self.size
        while size % 2 == 0:
            right = self.nodes.pop()
            self.nodes.append(node_hash(self.nodes.pop(), right))
            size //= 2

    def root(self):
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root


# --- section 8: notes, checkpoints, tiles

Key = namedtuple("Key", "name key_id type public")
Checkpoint = namedtuple("Checkpoint", "body origin size root signatures")  # signatures: (name, key id, payload)


def decode_base64(value):
    """value: bytes; strict: no white space, no non-zero trailing bits"""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("bad base64") from None
    require(base64.b64encode(data) == value, "base64 is not canonical")
    return data


def key_name_valid(name):
    """name: str"""
    return bool(name) and not any(c == "+" or c.isspace() or ord(c) < 0x20 for c in name)


def key_id(name, key_type, public):
    return int.from_bytes(sha256(name, b"\n", number(key_type, 1), public)[:4], "big")


def build_verifier_key(name, key_type, public):
    return b"%s+%08x+%s" % (name, key_id(name, key_type, public), base64.b64encode(number(key_type, 1) + public))


def parse_verifier_key(data):
    """data: bytes"""
    parts = data.split(b"+", 2)
    require(len(parts) == 3, "verifier key has not three parts")
    name, digits, encoded = parts
    try:
        require(key_name_valid(name.decode("utf-8")), "bad key name")
    except UnicodeDecodeError:
        raise FormatError("key name is not UTF-8") from None
    require(re.fullmatch(b"[0-9a-f]{8}", digits), "bad key id")
    key = decode_base64(encoded)
    require(len(key) == 33 and key[0] in (KEY_ED25519, KEY_COSIGNATURE), "bad key")
    require(int(digits, 16) == key_id(name, key[0], key[1:]), "key id of another key")
    return Key(name, int(digits, 16), key[0], key[1:])


def ed25519_verify(public, message, signature):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def ed25519_sign(seed, message):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def ed25519_public(seed):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def checkpoint_body(origin, size, root):
    return b"%s\n%d\n%s\n" % (origin, size, base64.b64encode(root))


def signature_line(name, ident, payload):
    return "\u2014 ".encode() + name + b" " + base64.b64encode(number(ident, 4) + payload) + b"\n"


def parse_signature_line(line):
    """line: str without its line feed"""
    require(line.startswith("\u2014 "), "not a signature line")
    name, space, encoded = line[2:].partition(" ")
    require(space and key_name_valid(name), "bad signature line")
    payload = decode_base64(encoded.encode("utf-8"))
    require(len(payload) >= 5, "signature too short")
    return name.encode("utf-8"), int.from_bytes(payload[:4], "big"), payload[4:]


def parse_checkpoint(note):
    """note: bytes"""
    require(len(note) <= NOTE_MAX_SIZE, "note too long")
    try:
        content = note.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("note is not UTF-8") from None
    require(not any(ord(c) < 0x20 and c != "\n" for c in content), "control character in a note")
    body, blank, signatures = content.rpartition("\n\n")
    require(blank and signatures.endswith("\n"), "note without signatures")
    lines = body.split("\n")
    require(len(lines) == 3, "checkpoint has not three lines")
    origin, size, root = (line.encode("utf-8") for line in lines)
    require(1 <= len(origin) <= 255, "bad origin")
    require(re.fullmatch(b"0|[1-9][0-9]{0,18}", size) and int(size) <= NUMBER_MAX, "bad tree size")
    root = decode_base64(root)
    require(len(root) == 32, "bad root")
    require(int(size) or root == EMPTY_ROOT, "empty tree with another root")
    return Checkpoint((body + "\n").encode("utf-8"), origin, int(size), root,
                      [parse_signature_line(line) for line in signatures[:-1].split("\n")])


def verify_checkpoint(checkpoint, key):
    """'valid', 'unsigned' or 'invalid', and the time of a cosignature"""
    if key.type == KEY_ED25519 and key.name != checkpoint.origin:
        return "unsigned", None
    for name, ident, payload in checkpoint.signatures:
        if (name, ident) != (key.name, key.key_id):
            continue
        time, message = None, checkpoint.body
        if key.type == KEY_COSIGNATURE:
            time, payload = int.from_bytes(payload[:8], "big"), payload[8:]
            if time > NUMBER_MAX:
                return "invalid", None
            message = b"cosignature/v1\ntime %d\n" % time + message
        if len(payload) == 64 and ed25519_verify(key.public, message, payload):
            return "valid", time
        return "invalid", None
    return "unsigned", None


def tile_path(level, n, width):
    groups = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        groups.insert(0, "x%03d" % (n % 1000))
    partial = ".p/%d" % width if 0 < width < 256 else ""
    return "tile/%s/%s%s" % ("entries" if level < 0 else level, "/".join(groups), partial)


def tile_partial_width(size, level):
    return (size >> (8 * level)) % 256


# --- section 9: key change

KeyChange = namedtuple("KeyChange", "new_key_id new_verifier_key old_key_id old_signature new_signature reason")


def key_change_statement(origin, change):
    return b"GLK1" + text(origin) + number(change.old_key_id, 4) + text(change.new_verifier_key) + text(change.reason)


def build_key_change(change):
    return (number(change.new_key_id, 4) + text(change.new_verifier_key) + number(change.old_key_id, 4)
            + number(len(change.old_signature), 1) + change.old_signature
            + number(len(change.new_signature), 1) + change.new_signature + text(change.reason))


def parse_key_change(body):
    reader = Reader(body)
    change = KeyChange(reader.number(4), reader.text(), reader.number(4), reader.bytes(reader.number(1)),
                       reader.bytes(reader.number(1)), reader.text())
    reader.done()
    key = parse_verifier_key(change.new_verifier_key)
    require(key.type == KEY_ED25519 and key.key_id == change.new_key_id, "key change names another key")
    require(len(change.new_signature) == 64 and len(change.old_signature) in (0, 64), "bad signature length")
    require(change.old_key_id or not change.old_signature, "first key with an old signature")
    return change


# --- section 10: erasure and adoption

Erasure = namedtuple("Erasure", "generation transaction_id record columns legal_basis")
Adoption = namedtuple("Adoption", "previous_generation previous_system_identifier generation system_identifier"
                                  " tree_size root reason")


def build_erasure(erasure):
    return (number(erasure.generation, 4) + number(erasure.transaction_id, 8) + varint(erasure.record)
            + varint(len(erasure.columns)) + b"".join(varint(column) for column in erasure.columns)
            + text(erasure.legal_basis))


def parse_erasure(body):
    reader = Reader(body)
    erasure = Erasure(reader.number(4), reader.number(8), reader.varint(),
                      [reader.column_id() for _ in range(reader.varint())], reader.text())
    reader.done()
    return erasure


def build_adoption(adoption):
    return (number(adoption.previous_generation, 4) + number(adoption.previous_system_identifier, 8)
            + number(adoption.generation, 4) + number(adoption.system_identifier, 8)
            + number(adoption.tree_size, 8) + adoption.root + text(adoption.reason))


def parse_adoption(body):
    reader = Reader(body)
    adoption = Adoption(reader.number(4), reader.number(8), reader.number(4), reader.number(8), reader.number(8),
                        reader.bytes(32), reader.text())
    reader.done()
    return adoption


# --- the log as dumped from its tables

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
        self.failures = []
        self.entries = {(int(row["generation"]), int(row["transaction_id"])): row for row in self.tables["entry"]}
        self.contexts = {row["context_id"]: row for row in self.tables["context"]}
        self.chunks = self.by_entry("record_chunk")
        self.personal = self.by_entry("personal")
        self.erased = set()         # (generation, transaction id, record, column id)
        self.erased_contexts = set()
        self.streams = {}           # entry -> its records
        self.key_changes = {}       # entry -> parsed K records, checked in log order
        self.records = 0
        ledger = self.tables["ledger"]
        self.origin = ledger[0]["origin"].encode() if ledger else b""

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
            except FormatError as error:
                self.fail("entry", key, "is malformed:", error)

    def check_personal(self, key, index, fields, values):
        wanted = {(field.column_id, field.old): field.value for field in fields if field.personal}
        where = ("entry", key, "record", index)
        for value in values:
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
                secret_of_records = as_bytes(row["record_secret"])
                require(secret_of_records is not None, "no secret at all")
            else:
                self.expect(as_bytes(row["record_secret"]) is None, "entry", key, "has two secrets")
                secret_of_records = record_secret(secret)
                self.check_context(key, row, secret)
            require(len(secret or secret_of_records) == 16, "secret is not 16 bytes")
            self.check_records(key, row, secret_of_records)
        except FormatError as error:
            self.fail("entry", key, "is malformed:", error)

    def header(self, key, row):
        header = Header(self.origin, key[0], as_position(row["position"]), key[1], as_time(row["entry_time"]),
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
            leaf = leaf_hash(self.header(key, self.entries[key]))
            leaves.append(leaf)
            edge.append(leaf)
        self.expect(last not in numbered, "leaf", last, "is both a seal and an entry")
        return True

    def check_seal(self, row, edge, leaves, previous):
        """previous: (parsed seal, its leaf) or None; returns the same of this one"""
        content = as_bytes(row["content"])
        seal, leaf = parse_seal(content), leaf_hash(content)
        where = "seal", row["height"]
        self.expect(seal.origin == self.origin, *where, "is of another origin")
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
        """Key changes in log order; returns the keys they announced."""
        announced = {}
        for key in order:
            for change in self.key_changes.get(key, []):
                new = parse_verifier_key(change.new_verifier_key)
                statement = key_change_statement(new.name, change)
                self.expect(self.origin in (b"", new.name), "key", "%08x" % new.key_id, "is of another origin")
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
            except FormatError as error:
                self.fail("signing key", row["key_id"], "is malformed:", error)
        for row in self.tables["checkpoint"]:
            where = "checkpoint", row["tree_size"]
            try:
                checkpoint = parse_checkpoint(row["note"].encode("utf-8"))
            except FormatError as error:
                self.fail(*where, "is malformed:", error)
                continue
            self.expect(checkpoint.origin == self.origin, *where, "is of another origin")
            self.expect(checkpoint.size == int(row["tree_size"]), *where, "says size", checkpoint.size)
            self.expect(roots.get(checkpoint.size) == checkpoint.root, *where, "does not match a seal")
            key = keys.get(int(row["key_id"]))
            if self.expect(key is not None, *where, "has an unknown key"):
                verdict = verify_checkpoint(checkpoint, key)[0]
                self.expect(verdict == "valid", *where, "signature is", verdict)

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
            except FormatError as error:
                self.fail("block", row["height"], "is malformed:", error)
                break
            roots[edge.size] = edge.root()
        for index, key in sorted(numbered.items()):
            self.expect(index < edge.size, "leaf", index, "is beyond the last seal")
            order.append(key)
        # what is not sealed yet comes after what is
        order += sorted((key for key in self.entries if key not in seen),
                        key=lambda key: (key[0], as_position(self.entries[key]["position"]), key[1]))
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


# --- vectors: lines of words, '#' begins a comment line; bytes in hex, '-' for none


def words_of(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words and not words[0].startswith("#"):
                yield words


def from_hex(word):
    return b"" if word == "-" else bytes.fromhex(word)


def to_hex(data):
    return data.hex() or "-"


def from_hex_list(word):
    return [] if word == "-" else [bytes.fromhex(item) for item in word.split(",")]


def to_hex_list(items):
    return ",".join(item.hex() for item in items) or "-"


PARSERS = {
    "record": lambda data: parse_body(parse_record(data)),
    "stream": parse_stream,
    "personal": parse_personal,
    "context": parse_context,
    "header": parse_header,
    "seal": parse_seal,
    "vkey": parse_verifier_key,
    "checkpoint": parse_checkpoint,
}


def accepts(kind, data):
    try:
        PARSERS[kind](data)
        return True
    except FormatError:
        return False


class SelfTest:
    """Runs the vector lines of every *.txt file in a directory; a line's first word names the method."""

    def __init__(self, directory):
        self.directory = directory
        self.leaves = []
        self.roots = {}
        self.lines = 0
        self.failures = []

    def run(self):
        for name in sorted(os.listdir(self.directory)):
            if not name.endswith(".txt"):
                continue
            for words in words_of(os.path.join(self.directory, name)):
                self.lines += 1
                try:
                    good = getattr(self, words[0].replace("-", "_"))(*words[1:])
                except FormatError as error:
                    good = print("# " + str(error))
                if not good:
                    self.failures.append(name + ": " + " ".join(words)[:200])
        return self.failures

    # RFC 6962

    def leaf(self, data, leaf):
        return leaf_hash(from_hex(data)) == from_hex(leaf)

    def node(self, left, right, node):
        return node_hash(from_hex(left), from_hex(right)) == from_hex(node)

    def tree_leaf(self, data):
        self.leaves.append(leaf_hash(from_hex(data)))
        return True

    def root(self, size, root):
        edge = Edge()
        for leaf in self.leaves[:int(size)]:
            edge.append(leaf)
        self.roots[int(size)] = from_hex(root)
        return tree_root(self.leaves[:int(size)]) == edge.root() == from_hex(root)

    def numbered_root(self, size, root):
        return tree_root([leaf_hash(b"entry %d" % i) for i in range(int(size))]) == from_hex(root)

    def inclusion(self, index, size, path):
        index, size, path = int(index), int(size), from_hex_list(path)
        leaf, root = self.leaves[index], self.roots[size]
        return (prove_inclusion(index, self.leaves[:size]) == path
                and verify_inclusion(index, size, leaf, path, root)
                and not verify_inclusion(index, size, leaf, path + [root], root)
                and not verify_inclusion(index, size, leaf, path[:-1] if path else [leaf], root)
                and not verify_inclusion(index, size, leaf, path, NO_HASH))

    def consistency(self, old_size, size, path):
        old_size, size, path = int(old_size), int(size), from_hex_list(path)
        old, new = self.roots[old_size], self.roots[size]
        return (prove_consistency(old_size, self.leaves[:size]) == path
                and verify_consistency(old_size, size, path, old, new)
                and not verify_consistency(old_size, size, path + [new], old, new)
                and not (path and verify_consistency(old_size, size, path[:-1], old, new))
                and not verify_consistency(old_size, size, path, NO_HASH, new)
                and not verify_consistency(old_size, size, path, old, NO_HASH))

    # notes and tiles

    def base64(self, data, encoded):
        encoded = b"" if encoded == "-" else encoded.encode()
        return base64.b64encode(from_hex(data)) == encoded and decode_base64(encoded) == from_hex(data)

    def vkey(self, key, name, ident, key_type, public):
        wanted = Key(from_hex(name), int(ident, 16), int(key_type), from_hex(public))
        return (parse_verifier_key(key.encode()) == wanted
                and build_verifier_key(wanted.name, wanted.type, wanted.public) == key.encode())

    def key_id(self, name, key_type, public, ident):
        return key_id(from_hex(name), int(key_type), from_hex(public)) == int(ident, 16)

    def body(self, origin, size, root, body):
        return checkpoint_body(from_hex(origin), int(size), from_hex(root)) == from_hex(body)

    def signature_line(self, name, ident, payload, line):
        wanted = from_hex(name), int(ident, 16), from_hex(payload)
        return (signature_line(*wanted) == from_hex(line)
                and parse_signature_line(from_hex(line).decode("utf-8")[:-1]) == wanted)

    def note(self, key, body, signatures):
        key, lines = parse_verifier_key(key.encode()), from_hex(signatures).decode("utf-8")[:-1].split("\n")
        note = Checkpoint(from_hex(body), key.name, 0, b"", [parse_signature_line(line) for line in lines])
        return verify_checkpoint(note, key) == ("valid", None)

    def checkpoint_file(self, name, key, time):
        with open(os.path.join(self.directory, name), "rb") as file:
            checkpoint = parse_checkpoint(file.read())
        wanted = None if time == "-" else int(time)
        return verify_checkpoint(checkpoint, parse_verifier_key(key.encode())) == ("valid", wanted)

    def tile_path(self, level, n, width, path):
        return tile_path(int(level), int(n), int(width)) == path

    def tile_width(self, size, level, width):
        return tile_partial_width(int(size), int(level)) == int(width)

    # govledger's own objects

    def varint(self, value, data):
        return varint(int(value)) == from_hex(data) and Reader(from_hex(data)).varint() == int(value)

    def salt(self, secret, index, column, value):
        return salt(from_hex(secret), int(index), int(column)) == from_hex(value)

    def secrets(self, secret, of_records, of_context):
        return (record_secret(from_hex(secret)) == from_hex(of_records)
                and context_salt(from_hex(secret)) == from_hex(of_context))

    def record_leaf(self, secret_of_records, index, record, leaf):
        return record_leaf(from_hex(secret_of_records), int(index), from_hex(record)) == from_hex(leaf)

    def record_root(self, secret, stream, root):
        of_records, records = record_secret(from_hex(secret)), parse_stream(from_hex(stream))
        leaves = [record_leaf(of_records, index, record) for index, record in enumerate(records)]
        return build_stream(records) == from_hex(stream) and tree_root(leaves) == from_hex(root)

    def record(self, data, kind, table_id, relation_id, command_id, body):
        wanted = Record(kind, int(table_id), int(relation_id), int(command_id), from_hex(body))
        return parse_record(from_hex(data)) == wanted and build_record(*wanted) == from_hex(data)

    def fields(self, data, *wanted):
        """column id, personal, old, 1 if there is a value, value; five words a field"""
        words = iter(wanted)
        fields = [Field(int(column_id), from_hex(value) if present == "1" else None, personal == "1", old == "1")
                  for column_id, personal, old, present, value in zip(words, words, words, words, words)]
        return parse_row(parse_record(from_hex(data))) == fields

    def personal_leaf(self, value_salt, column_id, present, value, leaf):
        value = from_hex(value) if present == "1" else None
        return personal_leaf(from_hex(value_salt), int(column_id), value) == from_hex(leaf)

    def personal(self, data, column_id, old, value_salt, present, value):
        wanted = Personal(int(column_id), old == "1", from_hex(value_salt), from_hex(value) if present == "1" else None)
        return parse_personal(from_hex(data)) == [wanted] and build_personal([wanted]) == from_hex(data)

    def context(self, data, *values):
        fields = {field: from_hex(value) for field, value in enumerate(values, 1)}
        return (build_context(fields) == from_hex(data)
                and parse_context(from_hex(data)) == {field: value for field, value in fields.items() if value})

    def commitment(self, value_salt, context, commitment):
        return context_commitment(from_hex(value_salt), from_hex(context)) == from_hex(commitment)

    def header(self, data, leaf, *words):
        origin, *numbers, root, commitment, signature = words
        header = Header(from_hex(origin), *map(int, numbers), from_hex(root), from_hex(commitment), from_hex(signature))
        return self.object(data, leaf, header, build_header, parse_header)

    def seal(self, data, leaf, *words):
        values = [from_hex(word) if field in ("origin", "previous_seal", "root", "state_root") else int(word)
                  for field, word in zip(Seal._fields, words)]
        return self.object(data, leaf, Seal(*values), build_seal, parse_seal)

    @staticmethod
    def object(data, leaf, wanted, build, parse):
        return (parse(from_hex(data)) == wanted and build(wanted) == from_hex(data)
                and leaf_hash(from_hex(data)) == from_hex(leaf))

    def schema(self, data, operation, schema, name, visibility, flags, columns, relations, reason):
        """columns id:name:type:flags:ordinal,..., relations id:schema:name,..., names in hex"""
        columns = [] if columns == "-" else [column.split(":") for column in columns.split(",")]
        relations = [] if relations == "-" else [relation.split(":") for relation in relations.split(",")]
        wanted = Schema(operation, from_hex(schema), from_hex(name), int(visibility), int(flags),
                        [Column(int(c[0]), from_hex(c[1]), from_hex(c[2]), int(c[3]), int(c[4])) for c in columns],
                        [Relation(int(r[0]), from_hex(r[1]), from_hex(r[2])) for r in relations], from_hex(reason))
        return parse_schema(from_hex(data)) == wanted and build_schema(wanted) == from_hex(data)

    def key_change(self, data, origin, statement, new_id, new_key, old_id, old_key, old_signature, new_signature, reason):
        """old_key: '-' if there is none or it is lost"""
        change = KeyChange(int(new_id, 16), new_key.encode(), int(old_id, 16), from_hex(old_signature),
                           from_hex(new_signature), from_hex(reason))
        signed = from_hex(statement)
        good = (parse_key_change(from_hex(data)) == change and build_key_change(change) == from_hex(data)
                and key_change_statement(from_hex(origin), change) == signed
                and ed25519_verify(parse_verifier_key(change.new_verifier_key).public, signed, change.new_signature))
        if old_key != "-":
            old = parse_verifier_key(old_key.encode())
            good = good and old.key_id == change.old_key_id and ed25519_verify(old.public, signed, change.old_signature)
        return good

    def erasure(self, data, generation, transaction_id, record, columns, basis):
        columns = [] if columns == "-" else [int(column) for column in columns.split(",")]
        wanted = Erasure(int(generation), int(transaction_id), int(record), columns, from_hex(basis))
        return parse_erasure(from_hex(data)) == wanted and build_erasure(wanted) == from_hex(data)

    def adoption(self, data, *words):
        *numbers, root, reason = words
        wanted = Adoption(*map(int, numbers), from_hex(root), from_hex(reason))
        return parse_adoption(from_hex(data)) == wanted and build_adoption(wanted) == from_hex(data)

    def accept(self, kind, data):
        return accepts(kind, from_hex(data))

    def refuse(self, kind, data):
        return not accepts(kind, from_hex(data))


def self_test(directory):
    test = SelfTest(directory)
    failures = test.run()
    for failure in failures:
        print("FAILED " + failure)
    print("%d vectors, %d failures" % (test.lines, len(failures)))
    return 1 if failures or not test.lines else 0


# --- making vectors

LOG_SEED, NEW_SEED = bytes(range(32)), bytes(range(64, 96))
ORIGIN = b"ledger.example.gov/registry"


class VectorFile:
    def __init__(self):
        self.lines = []
        self.objects = []           # (parser, bytes) to make damaged copies of

    def comment(self, words):
        self.lines += ["", "# " + words]

    def line(self, *words):
        """Bytes are written in hex, lists of integers with commas."""
        out = []
        for word in words:
            if isinstance(word, bytes):
                word = to_hex(word)
            elif isinstance(word, list):
                word = ",".join(str(item) for item in word) or "-"
            out.append(str(word))
        self.lines.append(" ".join(out))

    def remember(self, kind, data):
        self.objects.append((kind, data))
        return data


def vector_records():
    leaf = personal_leaf(bytes(16), 3, b"Ana")
    image = build_image([(1, b"42", 0), (2, b"", 0), (3, leaf, 1), (200, "Škofja Loka".encode(), 0)])
    changes = build_changes([(1, b"41", 0), (2, None, 0), (3, personal_leaf(bytes(16), 3, None), 1)])
    return [
        build_record("I", 7, 0, 3, image),
        build_record("G", 7, 129, 0, build_image([])),
        build_record("U", 7, 2, 2**40, image + changes),
        build_record("U", 7, 0, 0, image + build_changes([])),
        build_record("D", 2**31 - 1, 0, 1, build_image([(0, b"\0\xff", 0), (COLUMN_ID_MAX, b"x" * 200, 0)])),
        build_record("T", 7, 2, 9),
        build_record("N", body=text("čšž".encode())),
        build_record("N", body=text(b"")),
    ]


def vectors_of_salts(out):
    out.comment("salt SECRET NUMBER COLUMN SALT; secrets SECRET RECORD-SECRET CONTEXT-SALT")
    secret = bytes(range(16))
    for index, column in ((0, 0), (1, 0), (255, 7), (2**32, COLUMN_ID_MAX), (5, 7 + 2**31), (2**64 - 1, 2**32 - 1)):
        out.line("salt", secret, index, column, salt(secret, index, column))
    for value in (secret, bytes(16), b"\xff" * 16):
        out.line("secrets", value, record_secret(value), context_salt(value))
    out.comment("personal-leaf SALT COLUMN PRESENT VALUE LEAF")
    for column, value in ((0, b"Ana"), (3, b""), (3, None), (COLUMN_ID_MAX, b"x" * 100), (300, bytes(range(256)))):
        value_salt = salt(secret, 9, column)
        out.line("personal-leaf", value_salt, column, int(value is not None), value or b"",
                 personal_leaf(value_salt, column, value))
    out.comment("personal BYTES COLUMN OLD SALT PRESENT VALUE")
    for value in (Personal(3, False, secret, b"Ana"), Personal(3, True, secret, None), Personal(300, True, secret, b"")):
        data = out.remember("personal", build_personal([value]))
        out.line("personal", data, value.column_id, int(value.old), value.salt, int(value.value is not None),
                 value.value or b"")


def vectors_of_records(out):
    out.comment("varint VALUE BYTES")
    for value in (0, 1, 127, 128, 129, 255, 16383, 16384, 2**31, 2**32 - 1, 2**56 - 1, 2**56, 2**62, NUMBER_MAX):
        out.line("varint", value, varint(value))
    records = vector_records()
    out.comment("record BYTES KIND TABLE RELATION COMMAND BODY; fields BYTES (COLUMN PERSONAL OLD PRESENT VALUE)*")
    for data in records:
        out.remember("record", data)
        out.line("record", data, *parse_record(data))
        if data[:1] != b"N":
            words = []
            for field in parse_row(parse_record(data)):
                words += [field.column_id, int(field.personal), int(field.old), int(field.value is not None),
                          field.value or b""]
            out.line("fields", data, *words)
    out.comment("record-leaf RECORD-SECRET NUMBER RECORD LEAF; record-root SECRET STREAM ROOT")
    secret = bytes(range(16))
    for index, data in enumerate(records):
        out.line("record-leaf", record_secret(secret), index, data, record_leaf(record_secret(secret), index, data))
    for count in (1, 2, 3, 7, 8):
        leaves = [record_leaf(record_secret(secret), i, data) for i, data in enumerate(records[:count])]
        out.line("record-root", secret, out.remember("stream", build_stream(records[:count])), tree_root(leaves))


def vectors_of_entries(out):
    out.comment("context BYTES FIELD1 .. FIELD7; commitment SALT CONTEXT COMMITMENT")
    value_salt = context_salt(bytes(range(16)))
    everything = {1: b"clerk", 2: b"registry_owner", 3: b"192.0.2.7", 4: b"cn=clerk", 5: b"psql", 6: "Žiga".encode(),
                  7: b"correction " * 20}
    contexts = [everything, {1: b"clerk", 7: b"why"}, {}]
    for fields in contexts:
        data = out.remember("context", build_context(fields))
        out.line("context", data, *(fields.get(field, b"") for field in range(1, 8)))
        out.line("commitment", value_salt, data, context_commitment(value_salt, data))
    out.comment("header BYTES LEAF ORIGIN GENERATION POSITION TRANSACTION TIME RECORDS ROOT COMMITMENT SIGNATURE")
    root = tree_root([record_leaf(bytes(16), 0, b"N")])
    commitment = context_commitment(value_salt, build_context(everything))
    longest = 4096 - len(build_header(Header(b"o", 0, 0, 0, 0, 1, root, root, b"")))
    for header in (Header(ORIGIN, 1, 0x16B3748, 731, 1700000000123456, 1, root, commitment, b""),
                   Header(b"x" * 255, 2**32 - 1, 2**64 - 1, 2**64 - 1, -1, 2**63 - 1, root, NO_HASH, bytes(64)),
                   Header(b"o", 0, 0, 0, -2**63, 1, NO_HASH, root, b"s" * longest)):
        data = out.remember("header", build_header(header))
        out.line("header", data, leaf_hash(data), *header)
    out.comment("seal BYTES LEAF ORIGIN GENERATION EPOCH HEIGHT PREVIOUS SIZE ROOT TIME SYSTEM TIMELINE KEY STATE-ROOT")
    for seal in (Seal(ORIGIN, 1, 1, 1, NO_HASH, 1, root, 1700000001000000, 7300000000000000001, 1, 0x62949D65, b""),
                 Seal(ORIGIN, 2, 3, 2**32, root, 2**62, commitment, 1700000002000000, 2**64 - 1, 7, 0, root)):
        data = out.remember("seal", build_seal(seal))
        out.line("seal", data, leaf_hash(data), *seal)


def vectors_of_bodies(out):
    out.comment("schema BODY OPERATION SCHEMA NAME VISIBILITY FLAGS COLUMNS RELATIONS REASON")
    columns = [Column(1, b"id", b"bigint", 0, 1), Column(3, "priimek".encode(), b"text", 1, 0)]
    for schema in (Schema("P", b"public", b"person", 0, 2, columns, [], b"law 12/2026"),
                   Schema("C", b"public", "oseba_š".encode(), 2, 3, columns, [Relation(2, b"public", b"person_1")], b""),
                   Schema("U", b"", b"", 1, 0, [], [], b"")):
        body = build_schema(schema)
        out.remember("record", build_record("S", 7, 0, 0, body))
        out.line("schema", body, *schema[:5],
                 ["%d:%s:%s:%d:%d" % (c[0], c[1].hex(), c[2].hex(), c[3], c[4]) for c in schema.columns],
                 ["%d:%s:%s" % (r[0], r[1].hex(), r[2].hex()) for r in schema.relations], schema.reason)

    out.comment("key-change BODY ORIGIN STATEMENT NEW-ID NEW-KEY OLD-ID OLD-KEY OLD-SIGNATURE NEW-SIGNATURE REASON")
    first, second = (build_verifier_key(ORIGIN, KEY_ED25519, ed25519_public(seed)) for seed in (LOG_SEED, NEW_SEED))
    first_id, second_id = parse_verifier_key(first).key_id, parse_verifier_key(second).key_id
    for new_id, new_key, new_seed, old_id, old_key, reason in (
            (first_id, first, LOG_SEED, 0, None, b"first key"), (second_id, second, NEW_SEED, first_id, first, b""),
            (second_id, second, NEW_SEED, first_id, None, b"the old key is lost")):
        change = KeyChange(new_id, new_key, old_id, b"", b"", reason)
        statement = key_change_statement(ORIGIN, change)
        change = change._replace(new_signature=ed25519_sign(new_seed, statement),
                                 old_signature=ed25519_sign(LOG_SEED, statement) if old_key else b"")
        body = build_key_change(change)
        out.remember("record", build_record("K", body=body))
        out.line("key-change", body, ORIGIN, statement, "%08x" % new_id, new_key.decode(), "%08x" % old_id,
                 old_key.decode() if old_key else "-", change.old_signature, change.new_signature, reason)

    out.comment("erasure BODY GENERATION TRANSACTION RECORD COLUMNS BASIS")
    for erasure in (Erasure(1, 731, 0, [3, 200], b"GDPR 17"), Erasure(2, 2**64 - 1, CONTEXT_ERASED, [], b"")):
        body = build_erasure(erasure)
        out.remember("record", build_record("E", body=body))
        out.line("erasure", body, *erasure)
    out.comment("adoption BODY OLD-GENERATION OLD-SYSTEM GENERATION SYSTEM SIZE ROOT REASON")
    adoption = Adoption(1, 7300000000000000001, 2, 2**64 - 1, 300, EMPTY_ROOT, "požar".encode())
    body = build_adoption(adoption)
    out.remember("record", build_record("A", body=body))
    out.line("adoption", body, *adoption)


def notes_to_damage(out):
    """Checkpoint and keys made from the public test seeds, for the verdicts only."""
    for size, root in ((0, EMPTY_ROOT), (NUMBER_MAX, leaf_hash(b""))):
        body = checkpoint_body(ORIGIN, size, root)
        ident = key_id(ORIGIN, KEY_ED25519, ed25519_public(LOG_SEED))
        line = signature_line(ORIGIN, ident, ed25519_sign(LOG_SEED, body))
        out.remember("checkpoint", body + b"\n" + line)
        out.remember("checkpoint", body + b"\n" + line + signature_line("priča".encode(), 9, bytes(200)))
    out.remember("vkey", build_verifier_key(ORIGIN, KEY_ED25519, ed25519_public(LOG_SEED)))
    out.remember("vkey", build_verifier_key("priča".encode(), KEY_COSIGNATURE, ed25519_public(NEW_SEED)))


def handmade(data, old, new):
    require(data.count(old) >= 1, "nothing to replace")
    return data.replace(old, new, 1)


def handmade_damage():
    """(parser, bytes) that random damage would hardly hit."""
    root, other = base64.b64encode(EMPTY_ROOT), base64.b64encode(leaf_hash(b""))
    line = signature_line(b"a", 1, b"s")
    note = b"a\n1\n" + other + b"\n\n" + line
    yield from (("checkpoint", data) for data in (
        note, handmade(note, b"\n1\n", b"\n0\n"), b"a\n0\n" + root + b"\n\n" + line,
        handmade(note, b"\n1\n", b"\n01\n"), handmade(note, b"\n1\n", b"\n+1\n"), handmade(note, b"\n1\n", b"\n1 \n"),
        handmade(note, b"\n1\n", b"\n9223372036854775807\n"), handmade(note, b"\n1\n", b"\n9223372036854775808\n"),
        handmade(note, b"\n1\n", b"\n99999999999999999999\n"), handmade(note, b"\n1\n", b"\n\n"),
        handmade(note, b"\n1\n", b"\n1\n\n"), handmade(note, b"a\n", b"\n"), handmade(note, b"a\n", b"a\tb\n"),
        handmade(note, b"a\n", b"a b\n"), handmade(note, b"a\n", b"a\r\n"), handmade(note, b"a\n", b"o" * 255 + b"\n"),
        handmade(note, b"a\n", b"o" * 256 + b"\n"), handmade(note, b"\n\n", b"\nextension\n\n"),
        handmade(note, b"\n\n", b"\n\n\n"), handmade(note, b"\n\n", b"\n"), note + b"\n", note[:-1], note + line,
        note + b"x\n", note + "— a b c\n".encode(), note + "—  AAAAAAA=\n".encode(), note + "— a+b AAAAAAA=\n".encode(),
        note + "— a AAAAAA==\n".encode(), note + "— a AAAAAAB=\n".encode(), note + "— a AAAAAAA\n".encode(),
        note + "— a AAAAAAA=".encode(), note + "— a AAAAAAA= \n".encode(), note + "— a AA AAAA=\n".encode(),
        note + "– a AAAAAAA=\n".encode(), b"", b"\n", b"\n\n", b"\n\n\n", b"a\n\n"))
    for space in (0x20, 0x7F, 0x85, 0xA0, 0xA1, 0x1680, 0x1681, 0x180E, 0x2000, 0x200A, 0x200B, 0x2028, 0x2029, 0x202A,
                  0x202F, 0x205F, 0x2060, 0x3000, 0x3001, 0xFEFF):
        name = ("a%cb" % space).encode()
        yield "checkpoint", note + signature_line(name, 1, b"s")
        yield "vkey", build_verifier_key(name, KEY_ED25519, bytes(32))
    key = build_verifier_key(b"a", KEY_ED25519, bytes(32))
    yield from (("vkey", data) for data in (
        key, key.upper(), key + b"\n", key[:-1], b"+" + key, key[1:], key[2:], build_verifier_key(b"a", 2, bytes(32)),
        build_verifier_key(b"a", 1, bytes(31)), build_verifier_key(b"a", 1, bytes(33)), b"", b"a", b"a+", b"a+00000000"))
    for bad in (b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf",
                b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xee\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80",
                b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"a\0b"):
        yield "record", build_record("N", body=text(bad))
    for body in (b"\x80\x00", b"\x81\x00", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", b"\xff" * 8 + b"\x7f",
                 b"\xff" * 9 + b"\x00", b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\x00", b"\x01a", b"\x01"):
        yield "record", build_record("N", body=body)
        yield "record", build_record("I", 1, 0, 0, body)
    for fields in ([(1, b"a", 0), (1, b"b", 0)], [(2, b"a", 0), (1, b"b", 0)], [(0, b"a", 0), (0, b"b", 0)],
                   [(COLUMN_ID_MAX + 1, b"", 0)], [(1, bytes(31), 1)], [(1, bytes(33), 1)], [(1, b"", 1)]):
        yield "record", build_record("I", 1, 0, 0, build_image(fields))
        yield "record", build_record("U", 1, 0, 0, build_image([]) + build_changes(fields))
    for kind in "KEANZ\0":
        yield "record", build_record(kind, 1, 0, 0, text(b""))
    yield from (("context", data) for data in (b"\1\0", b"\0\1a", b"\x08\1a", b"\1\1a\1\1a", b"\2\1a\1\1a", b"\7\1a", b"\1"))
    header = Header(b"o", 1, 1, 1, 1, 1, NO_HASH, NO_HASH, bytes(4096))
    yield "header", build_header(header)
    yield "header", build_header(header._replace(records=0, actor_signature=b""))
    for origin in (b"", b"a b", b"a+b", b"a\x7f", b"\xc4\x8d", b"~!"):
        yield "header", build_header(header._replace(origin=origin, actor_signature=b""))
    seal = Seal(b"o", 1, 1, 1, NO_HASH, 1, NO_HASH, 1, 1, 1, 1, b"")
    for changed in (seal._replace(height=0), seal._replace(previous_seal=b"\1" * 32), seal._replace(state_root=bytes(31)),
                    seal._replace(height=2, previous_seal=NO_HASH), seal._replace(origin=b"+")):
        yield "seal", build_seal(changed)


def random_damage(objects, seed, count):
    """Copies with bytes changed, inserted or removed, the same for the same seed."""
    import random
    chance = random.Random(seed)
    for _ in range(count):
        kind, data = chance.choice(objects)
        data = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 3))):
            at = chance.randrange(len(data) + 1)
            how = chance.randrange(4)
            if how == 0:
                data.insert(at, chance.choice((0, 1, 0x0A, 0x20, 0x7F, 0x80, 0xFF, chance.randrange(256))))
            elif at < len(data) and how == 1:
                del data[at]
            elif at < len(data) and how == 2:
                data[at] = (data[at] + chance.choice((1, 255))) % 256
            elif at < len(data):
                data[at] ^= 1 << chance.randrange(8)
        yield kind, bytes(data)


def make_vectors(directory, seed=1, count=300):
    out = VectorFile()
    out.lines += ["# govledger's own objects (src/format/README.md), written by test/interop/govledger.py make-vectors.",
                  "# Bytes in hex, '-' for none; numbers in decimal, key ids in hex."]
    for section in (vectors_of_salts, vectors_of_records, vectors_of_entries, vectors_of_bodies, notes_to_damage):
        section(out)
    out.comment("accept and refuse: is it a well-formed object of that kind?")
    short = [(kind, data) for kind, data in out.objects if len(data) < 700]
    for kind, data in (*out.objects, *handmade_damage(), *random_damage(short, seed, count)):
        out.line("accept" if accepts(kind, data) else "refuse", kind, data)
    with open(os.path.join(directory, "govledger.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(out.lines) + "\n")
    return 0


def main(arguments):
    commands = {"self-test": self_test, "make-vectors": make_vectors, "check-log": check_log}
    if len(arguments) < 2 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    numbers = [int(word) for word in arguments[2:]]     # make-vectors: seed and count of damaged copies
    return commands[arguments[0]](arguments[1], *numbers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
