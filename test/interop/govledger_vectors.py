"""Reads and writes the vectors: lines of words, '#' begins a comment line; bytes in hex, '-' for none."""
import base64
import os
import random

from govledger import (
    Adoption, build_adoption, build_changes, build_context, build_erasure, build_header, build_image,
    build_key_change, build_personal, build_record, build_schema, build_seal, build_stream,
    build_succession, build_verifier_key, Checkpoint, checkpoint_body, Column, COLUMN_ID_MAX, context_commitment,
    CONTEXT_ERASED, context_salt, decode_base64, ed25519_public, ed25519_sign, ed25519_verify, Edge,
    EMPTY_ROOT, Erasure, Field, FormatError, Header, Key, key_change_statement, KEY_COSIGNATURE,
    KEY_ED25519, key_id, KeyChange, leaf_hash, NO_HASH, node_hash, NUMBER_MAX, parse_adoption, parse_body,
    parse_checkpoint, parse_context, parse_erasure, parse_header, parse_key_change, parse_personal,
    parse_record, parse_row, parse_schema, parse_seal, parse_signature_line, parse_stream,
    parse_succession, parse_verifier_key, Personal, personal_leaf, prove_consistency, prove_inclusion, Reader, Record,
    record_leaf, record_secret, Relation, require, salt, Schema, Seal, signature_line, Succession, text,
    tile_partial_width, tile_path, tree_root, varint, verify_checkpoint, verify_consistency,
    verify_inclusion,
)


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

    def key_change(self, data, origin, statement, new_id, new_key, old_id, old_key, old_signature, new_signature,
                   reason):
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

    def succession(self, data, *words):
        origin, *numbers, size, root, lost_from, known_size, known_root, reason = words
        wanted = Succession(from_hex(origin), *map(int, numbers), int(size), from_hex(root), int(lost_from),
                            int(known_size), from_hex(known_root), from_hex(reason))
        return parse_succession(from_hex(data)) == wanted and build_succession(wanted) == from_hex(data)

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
    for value in (Personal(3, False, secret, b"Ana"), Personal(3, True, secret, None),
                  Personal(300, True, secret, b"")):
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
                   Schema("C", b"public", "oseba_š".encode(), 2, 3, columns, [Relation(2, b"public", b"person_1")],
                          b""),
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
    out.comment("succession BODY FORMER-ORIGIN OLD-GENERATION OLD-SYSTEM GENERATION SYSTEM SIZE ROOT LOST-FROM KNOWN-SIZE"
                " KNOWN-ROOT REASON")
    for succession in (Succession(ORIGIN, 1, 7300000000000000001, 2, 7300000000000000001, 300, EMPTY_ROOT, 290, 512,
                                  leaf_hash(b""), "poplava".encode()),
                       Succession(ORIGIN, 2, 1, 3, 2**64 - 1, 0, EMPTY_ROOT, 0, 1, leaf_hash(b"x"), b"")):
        body = build_succession(succession)
        out.remember("record", build_record("L", body=body))
        out.line("succession", body, *succession)


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
        note + b"x\n", note + "— a b c\n".encode(), note + "—  AAAAAAA=\n".encode(),
        note + "— a+b AAAAAAA=\n".encode(),
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
        build_verifier_key(b"a", 1, bytes(31)), build_verifier_key(b"a", 1, bytes(33)), b"", b"a", b"a+",
        b"a+00000000"))
    for bad in (b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x80", b"\xe0\x9f\xbf", b"\xe0\xa0\x80",
                b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xee\x80\x80", b"\xf0\x8f\xbf\xbf",
                b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff",
                b"\xe2\x82", b"\xf0\x9f\x98", b"a\0b"):
        yield "record", build_record("N", body=text(bad))
    for body in (b"\x80\x00", b"\x81\x00", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", b"\xff" * 8 + b"\x7f",
                 b"\xff" * 9 + b"\x00", b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\x00", b"\x01a", b"\x01"):
        yield "record", build_record("N", body=body)
        yield "record", build_record("I", 1, 0, 0, body)
    for fields in ([(1, b"a", 0), (1, b"b", 0)], [(2, b"a", 0), (1, b"b", 0)], [(0, b"a", 0), (0, b"b", 0)],
                   [(COLUMN_ID_MAX + 1, b"", 0)], [(1, bytes(31), 1)], [(1, bytes(33), 1)], [(1, b"", 1)]):
        yield "record", build_record("I", 1, 0, 0, build_image(fields))
        yield "record", build_record("U", 1, 0, 0, build_image([]) + build_changes(fields))
    for kind in "KEALNZ\0":
        yield "record", build_record(kind, 1, 0, 0, text(b""))
    for data in (b"\1\0", b"\0\1a", b"\x08\1a", b"\1\1a\1\1a", b"\2\1a\1\1a", b"\7\1a", b"\1"):
        yield "context", data
    yield "stream", b"\0"
    header = Header(b"o", 1, 1, 1, 1, 1, NO_HASH, NO_HASH, bytes(4096))
    yield "header", build_header(header)
    yield "header", build_header(header._replace(records=0, actor_signature=b""))
    for origin in (b"", b"a b", b"a+b", b"a\x7f", b"\xc4\x8d", b"~!"):
        yield "header", build_header(header._replace(origin=origin, actor_signature=b""))
    seal = Seal(b"o", 1, 1, 1, NO_HASH, 1, NO_HASH, 1, 1, 1, 1, b"")
    for changed in (seal._replace(height=0), seal._replace(previous_seal=b"\1" * 32),
                    seal._replace(state_root=bytes(31)), seal._replace(height=2, previous_seal=NO_HASH),
                    seal._replace(origin=b"+")):
        yield "seal", build_seal(changed)


def handmade_bodies():
    """Bodies and keys that are well-formed but for one thing."""
    for command in (b"\xff" * 8 + b"\x7f", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x00"):
        yield "record", b"T\1\0" + command
    yield "personal", b"\1\2" + bytes(16) + b"\1\0"
    yield "personal", b"\1\1" + bytes(16) + b"\2\0"
    yield "personal", b"\1\1" + bytes(16) + b"\0\1a"
    schema = Schema("P", b"", b"", 0, 0, [Column(1, b"", b"", 0, 0)], [], b"")
    for changed in (schema._replace(operation="Q"), schema._replace(visibility=3), schema._replace(flags=4),
                    schema._replace(flags=3, visibility=2), schema._replace(columns=[Column(1, b"", b"", 2, 0)]),
                    schema._replace(name=b"\xff"), schema._replace(reason=b"\xff"),
                    schema._replace(columns=[Column(COLUMN_ID_MAX + 1, b"", b"", 0, 0)])):
        yield "record", build_record("S", 1, 0, 0, build_schema(changed))
    succession = Succession(b"o", 1, 1, 2, 1, 5, EMPTY_ROOT, 5, 6, EMPTY_ROOT, b"")
    for changed in (succession, succession._replace(lost_from=6), succession._replace(known_size=5),
                    succession._replace(origin=b"\xff"), succession._replace(reason=b"\xff")):
        yield "record", build_record("L", body=build_succession(changed))
    yield "record", build_record("L", 1, 0, 0, build_succession(succession))
    public, signature = ed25519_public(LOG_SEED), bytes(64)
    key = build_verifier_key(ORIGIN, KEY_ED25519, public)
    witness = build_verifier_key(ORIGIN, KEY_COSIGNATURE, public)
    ident = parse_verifier_key(key).key_id
    change = KeyChange(ident, key, 7, signature, signature, b"")
    for changed in (change, change._replace(new_key_id=ident + 1), change._replace(old_key_id=0),
                    change._replace(old_key_id=0, old_signature=b""), change._replace(old_signature=bytes(63)),
                    change._replace(new_signature=bytes(63)), change._replace(new_signature=b""),
                    change._replace(new_verifier_key=witness, new_key_id=parse_verifier_key(witness).key_id),
                    change._replace(new_verifier_key=b"x")):
        yield "record", build_record("K", body=build_key_change(changed))
    header = build_header(Header(b"o", 1, 1, 1, 1, 1, NO_HASH, NO_HASH, b""))
    seal = build_seal(Seal(b"o", 1, 1, 1, NO_HASH, 1, NO_HASH, 1, 1, 1, 1, b""))
    yield from (("header", header), ("header", b"GLE2" + header[4:]), ("header", b"GLS1" + header[4:]),
                ("seal", seal), ("seal", b"GLS2" + seal[4:]), ("seal", seal[:-1] + b"\1"),
                ("seal", seal[:-1] + b"\x20"))
    key = build_verifier_key(b"a", KEY_ED25519, public)
    yield "vkey", key[:10] + b"-" + key[11:]
    yield "vkey", key[:11] + base64.b64encode(b"\1" + public + b"x")
    yield "vkey", build_verifier_key(b"\xff", KEY_ED25519, public)
    body = checkpoint_body(b"a\xff", 1, EMPTY_ROOT)
    yield "checkpoint", body + b"\n" + signature_line(b"a", 1, b"s")


def random_damage(objects, seed, count):
    """Copies with bytes changed, inserted or removed, the same for the same seed."""
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
    out.lines += ["# govledger's own objects (src/format/README.md), written by govledger.py make-vectors.",
                  "# Bytes in hex, '-' for none; numbers in decimal, key ids in hex."]
    for section in (vectors_of_salts, vectors_of_records, vectors_of_entries, vectors_of_bodies, notes_to_damage):
        section(out)
    out.comment("accept and refuse: is it a well-formed object of that kind?")
    short = [(kind, data) for kind, data in out.objects if len(data) < 700]
    for kind, data in (*out.objects, *handmade_damage(), *handmade_bodies(), *random_damage(short, seed, count)):
        out.line("accept" if accepts(kind, data) else "refuse", kind, data)
    with open(os.path.join(directory, "govledger.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(out.lines) + "\n")
    return 0
