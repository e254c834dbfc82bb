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
import hashlib
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

ROW_KINDS, EVENT_KINDS = "IGUDTS", "KEALN"


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
    parse = {"S": parse_schema, "K": parse_key_change, "E": parse_erasure, "A": parse_adoption,
             "L": parse_succession, "N": parse_note}
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


# --- section 10: erasure, adoption and succession

Erasure = namedtuple("Erasure", "generation transaction_id record columns legal_basis")
Adoption = namedtuple("Adoption", "previous_generation previous_system_identifier generation system_identifier"
                                  " tree_size root reason")


Succession = namedtuple("Succession", "origin previous_generation previous_system_identifier generation"
                                      " system_identifier tree_size root lost_from known_size known_root reason")


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


def build_succession(succession):
    return (text(succession.origin)
            + number(succession.previous_generation, 4) + number(succession.previous_system_identifier, 8)
            + number(succession.generation, 4) + number(succession.system_identifier, 8)
            + number(succession.tree_size, 8) + succession.root + number(succession.lost_from, 8)
            + number(succession.known_size, 8) + succession.known_root + text(succession.reason))


def parse_succession(body):
    reader = Reader(body)
    succession = Succession(reader.text(), reader.number(4), reader.number(8), reader.number(4), reader.number(8),
                            reader.number(8), reader.bytes(32), reader.number(8), reader.number(8), reader.bytes(32),
                            reader.text())
    reader.done()
    require(succession.lost_from <= succession.tree_size, "more of the former log was signed than there is")
    require(succession.lost_from < succession.known_size, "nothing of the former log is lost")
    return succession


def main(arguments):
    import govledger_log
    import govledger_vectors
    commands = {"self-test": govledger_vectors.self_test, "make-vectors": govledger_vectors.make_vectors,
                "check-log": govledger_log.check_log}
    if len(arguments) < 2 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    numbers = [int(word) for word in arguments[2:]]     # make-vectors: seed and count of damaged copies
    return commands[arguments[0]](arguments[1], *numbers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
