#!/usr/bin/env python3
"""Read any CSV file and say how PostgreSQL can hold it as it is: table, columns, types and key.

usage: infer_csv.py FILE LOADFILE

Reads FILE (UTF-8, header line first), writes its rows to LOADFILE in COPY text format and prints the plan as
assignments of bash, one `name=value` a line, quoted for `eval`.

Rules. A type is given only where every value of the column survives it: a code that starts with 0 or + stays text,
so do 1e5, Y/N and dates in any other order than year-month-day. Empty is NULL. A timestamp without zone is UTC.
The key is the first column that is unique and never empty, else the first such pair of columns, else there is none.
"""
import csv
import datetime
import os
import re
import shlex
import sys
from array import array

MAX_KEY_BYTES = 1000            # a B-tree row must stay below 2704 bytes, also for a pair
MAX_NUMERIC_DIGITS = 1000
MAX_COLUMNS = 1600              # PostgreSQL's own limit
MAX_NAME_BYTES = 63

# Words PostgreSQL 15 does not take as a column or table name without quotes (reserved ones and type or function names).
RESERVED = set("""
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning
right select session_user similar some symmetric table tablesample then to trailing true union unique user using
variadic verbose when where window with
""".split())


class CsvError(Exception):
    """The file cannot be taken as it is; the message says where and why."""


# ---------------------------------------------------------------- types

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_NUMERIC = re.compile(r"-?(?:0|[1-9][0-9]*)?\.[0-9]+\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_BOOLEAN = ("true", "false")


def _is_date(value):
    if not _DATE.match(value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _timestamp(value):
    """The instant a timestamp text names, in UTC; None where it names none."""
    m = _TIMESTAMP.match(value)
    if not m or not _is_date(m[1]):
        return None
    hour, minute, second = int(m[2]), int(m[3]), int(m[4] or 0)
    zone_hour, zone_minute = int(m[7] or 0), int(m[8] or 0)
    if hour > 23 or minute > 59 or second > 59 or zone_hour > 14 or zone_minute > 59:
        return None
    local = datetime.datetime.fromisoformat(m[1]).replace(
        hour=hour, minute=minute, second=second, microsecond=int((m[5] or "").ljust(6, "0")))
    offset = datetime.timedelta(hours=zone_hour, minutes=zone_minute)
    try:
        return local + offset if m[6] == "-" else local - offset
    except OverflowError:
        return None


def value_type(value):
    """The narrowest type that keeps this one value, which is not empty."""
    if _INTEGER.match(value):
        if value == "-0" or len(value) > MAX_NUMERIC_DIGITS:
            return "text"
        number = int(value)
        if -2**31 <= number < 2**31:
            return "integer"
        return "bigint" if -2**63 <= number < 2**63 else "numeric"
    if _NUMERIC.match(value):
        return "numeric" if len(value) <= MAX_NUMERIC_DIGITS else "text"
    if _is_date(value):
        return "date"
    if _timestamp(value) is not None:
        return "timestamptz"
    if value.lower() in _BOOLEAN:
        return "boolean"
    if _UUID.match(value):
        return "uuid"
    return "text"


_NUMBERS = ["integer", "bigint", "numeric"]


def wider_type(a, b):
    """The type that holds what a and b hold; None is the type of no value."""
    if a is None or a == b:
        return b
    if a in _NUMBERS and b in _NUMBERS:
        return max(a, b, key=_NUMBERS.index)
    return "text"


def canonical(value, type_name):
    """One text for all texts of the same value of the type, so that what PostgreSQL finds equal is equal here."""
    if type_name == "numeric":
        value = value.replace("-.", "-0.") if value.startswith("-") else value
        value = "0" + value if value.startswith(".") else value
        value = value.rstrip("0").rstrip(".") if "." in value else value
        return "0" if value == "-0" else value
    if type_name == "timestamptz":
        return _timestamp(value).isoformat()
    if type_name in ("boolean", "uuid"):
        return value.lower()
    return value


# ---------------------------------------------------------------- names

def _cut(name, room=MAX_NAME_BYTES):
    return name.encode()[:room].decode(errors="ignore")


def make_name(text, fallback):
    """Lower case, words joined by _, letters of every script kept, at most 63 bytes."""
    name = re.sub(r"[^\w]+", "_", text.strip().lower()).strip("_")
    return _cut(name).strip("_") or fallback


def make_names(header):
    """One name for each header field, no two alike."""
    names = []
    taken = set()
    for number, text in enumerate(header, 1):
        base = make_name(text, "column_%d" % number)
        name, copy = base, 1
        while name in taken:
            copy += 1
            suffix = "_%d" % copy
            name = _cut(base, MAX_NAME_BYTES - len(suffix)) + suffix
        taken.add(name)
        names.append(name)
    return names


def quote_name(name):
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- reading

def _line_of(path, offset):
    """Number of the line that holds the byte at that offset."""
    line = 1
    with open(path, "rb") as f:
        while offset > 0:
            chunk = f.read(min(offset, 1 << 20))
            if not chunk:
                break
            line += chunk.count(b"\n")
            offset -= len(chunk)
    return line


def _check_encoding(path):
    """Refuse what is not UTF-8 text before anything else is read; the first bad byte is named."""
    import codecs
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with open(path, "rb") as f:
        while True:
            chunk = f.read(1 << 20)
            if offset == 0:
                if not chunk:
                    raise CsvError("the file is empty")
                if chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise CsvError("the file is UTF-16: convert it first, for example with iconv -f UTF-16 -t UTF-8")
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as e:
                at = offset - held + e.start
                raise CsvError("line %d: byte 0x%02x is not UTF-8: convert the file first, for example with "
                               "iconv -f WINDOWS-1252 -t UTF-8" % (_line_of(path, at), e.object[e.start])) from None
            at = chunk.find(b"\0")
            if at >= 0:
                raise CsvError("line %d holds a zero byte: this is no text file" % _line_of(path, offset + at))
            if not chunk:
                return
            offset += len(chunk)


def _delimiter(first_line):
    """The separator that the header uses most outside quotes; a comma where none is used."""
    bare = re.sub(r'"[^"]*"', "", first_line)
    return max(",;\t|", key=bare.count)        # the first of equals: the comma


def read_rows(path):
    """Yield the header, then every row, each with the number of its first line."""
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8-sig", newline="") as f:
        first = f.readline()
        while first and not first.strip():
            first = f.readline()
        if not first:
            raise CsvError("the file is empty")
        f.seek(0)
        reader = csv.reader(f, delimiter=_delimiter(first), strict=True)
        width = None
        line = 1
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as e:
                why = str(e)
                if "unexpected end of data" in why:
                    why = "a quote is opened and never closed"
                raise CsvError("line %d: %s" % (line, why)) from None
            if row:                             # a blank line is no row
                if width is None:
                    width = len(row)
                elif len(row) != width:
                    raise CsvError("line %d has %d field%s, the header has %d"
                                   % (line, len(row), "" if len(row) == 1 else "s", width))
                yield line, row
            line = reader.line_num + 1


# ---------------------------------------------------------------- key

def find_key(columns, types, rows):
    """columns: one array of value hashes each, None where a column cannot be part of a key."""
    usable = [i for i, c in enumerate(columns) if c is not None]
    distinct = {i: len(set(columns[i])) for i in usable}
    # A measure or a time may be unique by chance: an identifier goes first.
    singles = sorted(usable, key=lambda i: types[i] in ("numeric", "date", "timestamptz"))
    for i in singles:
        if distinct[i] == rows:
            return [i]
    for n, i in enumerate(usable):
        for j in usable[n + 1:]:
            if distinct[i] * distinct[j] >= rows and len(set(zip(columns[i], columns[j]))) == rows:
                return [i, j]
    return []


# ---------------------------------------------------------------- plan

class Plan:
    """table, names, types, key (column names), rows; work is the number of the column that the demo edits, or None"""

    def __init__(self, table, names, types, key, rows, work):
        self.table, self.names, self.types, self.key, self.rows, self.work = table, names, types, key, rows, work

    def create_table(self):
        columns = ["%s %s" % (quote_name(n), t) for n, t in zip(self.names, self.types)]
        if self.key:
            columns.append("PRIMARY KEY (%s)" % ", ".join(map(quote_name, self.key)))
        return "CREATE TABLE %s (\n  %s\n)" % (quote_name(self.table), ",\n  ".join(columns))


def choose_work_column(types, key, filled, varied):
    """The column to edit: not in the key, no NULLs and not all alike if possible, a number rather than a text rather than another."""
    order = ["numeric", "bigint", "integer", "text", "date", "timestamptz", "boolean", "uuid"]
    free = [i for i in range(len(types)) if i not in key]
    return min(free, key=lambda i: (not varied[i], not filled[i], order.index(types[i]), i), default=None)


def _copy_text(value):
    if value == "":
        return "\\N"
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def infer(path, load=None):
    """The plan for the file at path; its rows go to the text stream load."""
    _check_encoding(path)
    rows = read_rows(path)
    header = next(rows, None)
    if header is None:
        raise CsvError("the file is empty")
    names = make_names(header[1])
    width = len(names)
    if width > MAX_COLUMNS:
        raise CsvError("the header has %d fields, a table holds at most %d" % (width, MAX_COLUMNS))
    types = [None] * width
    filled = [True] * width
    varied = [False] * width
    first = None
    count = 0
    for _, row in rows:
        count += 1
        first = first or row
        for i, value in enumerate(row):
            if value == "":
                filled[i] = False
            if value != first[i]:
                varied[i] = True
            if value != "" and types[i] != "text":
                types[i] = wider_type(types[i], value_type(value))
    if count == 0:
        raise CsvError("there is a header and no row below it")
    types = [t or "text" for t in types]

    hashes = [array("q") for _ in names]
    rows = read_rows(path)
    next(rows)
    for _, row in rows:
        for i, value in enumerate(row):
            if hashes[i] is not None:
                if value == "" or len(value.encode()) > MAX_KEY_BYTES:
                    hashes[i] = None
                else:
                    hashes[i].append(hash(canonical(value, types[i])))
        if load is not None:
            load.write("\t".join(map(_copy_text, row)) + "\n")
    key = find_key(hashes, types, count)
    table = make_name(os.path.splitext(os.path.basename(path))[0], "data")
    work = choose_work_column(types, key, filled, varied)
    return Plan(table, names, types, [names[i] for i in key], count, work)


def _shell(plan):
    """The plan as assignments of bash."""
    work = plan.work
    values = {
        "table": quote_name(plan.table),
        "create_table": plan.create_table(),
        "columns": ", ".join(map(quote_name, plan.names)),
        "key": ", ".join(map(quote_name, plan.key)),
        "rows": str(plan.rows),
        "column": "" if work is None else quote_name(plan.names[work]),
        "column_name": "" if work is None else plan.names[work],
        "column_type": "" if work is None else plan.types[work],
    }
    lines = ["%s=%s\n" % (k, shlex.quote(v)) for k, v in values.items()]
    lines.append("key_names=(%s)\n" % " ".join(map(shlex.quote, plan.key)))
    lines.append("keys=(%s)\n" % " ".join(shlex.quote(quote_name(k)) for k in plan.key))
    return "".join(lines)


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: infer_csv.py FILE LOADFILE")
    path, load = arguments
    try:
        with open(load, "w", encoding="utf-8", newline="") as f:
            plan = infer(path, f)
    except (CsvError, OSError) as e:
        sys.exit("%s: %s" % (path, e.strerror if isinstance(e, OSError) else e))
    # Written as bytes: the plan is UTF-8 whatever the locale is.
    sys.stdout.buffer.write(_shell(plan).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
