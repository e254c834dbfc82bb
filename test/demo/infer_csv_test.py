#!/usr/bin/env python3
"""Unit tests of infer_csv.py; needs no database. Prints TAP."""
import io
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import infer_csv
from infer_csv import CsvError


def infer(content, name="data.csv"):
    """(plan, load text) of a file with that content, which is text or bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        load = io.StringIO()
        return infer_csv.infer(path, load), load.getvalue()


def types(content):
    return infer(content)[0].types


def type_of(*values):
    return types("k,v\n" + "".join("%d,%s\n" % (i, v) for i, v in enumerate(values)))[1]


class Types(unittest.TestCase):
    def check(self, expected, *values):
        self.assertEqual(type_of(*values), expected, values)

    def test_integer_and_its_limits(self):
        self.check("integer", "0", "-7", "2147483647", "-2147483648")
        self.check("bigint", "1", "2147483648")
        self.check("bigint", "-9223372036854775808")
        self.check("numeric", "9223372036854775808")

    def test_numeric(self):
        self.check("numeric", "1", "1.50", "-.5")
        self.check("numeric", "0.0")
        self.check("text", "1.")
        self.check("text", "9" * 1001)

    def test_what_looks_like_a_number_but_is_a_code_stays_text(self):
        for value in ("007", "+44", "-0", "00", "01.5", "1e5", "0x1F", "1,5".replace(",", "_"), " 1", "1 ", "NaN", "\u0661"):
            self.check("text", "1", value)

    def test_date(self):
        self.check("date", "2022-01-04", "2024-02-29")
        self.check("text", "2023-02-29")
        self.check("text", "04/01/2022")
        self.check("text", "0000-01-01")

    def test_timestamp(self):
        self.check("timestamptz", "2022-01-04 10:00", "2022-01-04T10:00:00.123456Z", "2022-01-04 10:00:00+05:30",
                   "2022-01-04 10:00:00-08")
        self.check("text", "2022-01-04 24:00")
        self.check("text", "2022-01-04 10:00:60")
        self.check("text", "2022-01-04 10:00:00.1234567")
        self.check("text", "2022-01-04 10:00", "2022-01-04")
        self.check("text", "2022-01-04 10:00:00+99")

    def test_boolean(self):
        self.check("boolean", "true", "FALSE", "True")
        self.check("text", "Y", "N")
        self.check("text", "t", "f")
        self.check("text", "true", "1")

    def test_uuid(self):
        self.check("uuid", "F3B6C199-5495-6E40-E053-6C04A8C0B3B4", "f3b6c199-5495-6e40-e053-6c04a8c0b3b5")
        self.check("text", "F3B6C199-5495-6E40-E053-6C04A8C0B3B")

    def test_empty_is_null_and_decides_nothing(self):
        self.check("integer", "", "3", "")
        self.check("text", "", "")

    def test_mixed_is_text(self):
        self.check("text", "1", "2022-01-04")


class Names(unittest.TestCase):
    def names(self, header):
        return infer(header + "\n" + ",".join("x" * (header.count(",") + 1)) + "\n")[0].names

    def test_words(self):
        self.assertEqual(self.names("Unique ID,price (GBP), % share ,a--b"), ["unique_id", "price_gbp", "share", "a_b"])

    def test_duplicates_and_empty(self):
        self.assertEqual(self.names("a,A,a_2,,a"), ["a", "a_2", "a_2_2", "column_4", "a_3"])

    def test_other_scripts_and_quotes(self):
        plan, _ = infer("Größe,select,1st,площадь,user\n1,2,3,4,5\n")
        self.assertEqual(plan.names, ["größe", "select", "1st", "площадь", "user"])
        self.assertIn('"größe" integer', plan.create_table())
        self.assertIn('"select" integer', plan.create_table())
        self.assertIn('"1st" integer', plan.create_table())
        self.assertIn('"user" integer', plan.create_table())

    def test_long_names_stay_apart(self):
        names = infer("%s,%s\n1,2\n" % ("ä" * 70, "ä" * 71))[0].names
        self.assertEqual(len(set(names)), 2)
        self.assertTrue(all(len(n.encode()) <= 63 for n in names))

    def test_quote_in_name_is_doubled(self):
        self.assertEqual(infer_csv.quote_name('a"b'), '"a""b"')

    def test_table(self):
        self.assertEqual(infer("a\n1\n", "Newcastle 2022.CSV")[0].table, "newcastle_2022")
        self.assertEqual(infer("a\n1\n", "--.csv")[0].table, "data")


class Keys(unittest.TestCase):
    def key(self, content):
        return infer(content)[0].key

    def test_first_unique_column(self):
        self.assertEqual(self.key("a,b,c\n1,1,1\n1,2,2\n"), ["b"])

    def test_identifier_before_measure(self):
        self.assertEqual(self.key("price,day,id\n1.5,2022-01-01,x\n2.5,2022-01-02,y\n"), ["id"])

    def test_null_is_no_key(self):
        self.assertEqual(self.key("a,b\n,1\n2,2\n"), ["b"])

    def test_pair(self):
        self.assertEqual(self.key("x,a,b\n1,1,1\n1,1,2\n1,2,1\n"), ["a", "b"])

    def test_none(self):
        self.assertEqual(self.key("a,b\n1,1\n1,1\n"), [])

    def test_equal_values_written_differently_are_equal(self):
        self.assertEqual(self.key("a\n1.0\n1.00\n"), [])
        self.assertEqual(self.key("a\n-0.0\n0.0\n"), [])
        self.assertEqual(self.key("a\n.5\n0.50\n"), [])
        self.assertEqual(self.key("a\n2022-01-01 00:00Z\n2022-01-01 02:00+02\n"), [])
        self.assertEqual(self.key("a\ntrue\nTRUE\n"), [])
        self.assertEqual(self.key("a\nF3B6C199-5495-6E40-E053-6C04A8C0B3B4\nf3b6c199-5495-6e40-e053-6c04a8c0b3b4\n"), [])

    def test_near_values_are_not_equal(self):
        self.assertEqual(self.key("a\n-1\n-2\n"), ["a"])
        self.assertEqual(self.key("a\n0\n2305843009213693951\n"), ["a"])
        self.assertEqual(self.key("a\n10\n1\n"), ["a"])

    def test_too_long_for_an_index(self):
        self.assertEqual(self.key("a\n%s\n%s\n" % ("x" * 1001, "y" * 1001)), [])


class WorkColumn(unittest.TestCase):
    def work(self, content):
        plan, _ = infer(content)
        return None if plan.work is None else plan.names[plan.work]

    def test_number_then_text_then_any(self):
        self.assertEqual(self.work("id,t,n\n1,a,5\n2,b,6\n"), "n")
        self.assertEqual(self.work("id,d,t\n1,2022-01-01,a\n2,2022-01-02,b\n"), "t")
        self.assertEqual(self.work("id,d\nx,2022-01-01\ny,2022-01-02\n"), "d")

    def test_full_and_varied_first(self):
        self.assertEqual(self.work("id,n,t\n1,,a\n2,6,b\n"), "t")
        self.assertEqual(self.work("id,n,t\n1,6,a\n2,6,b\n"), "t")

    def test_all_key(self):
        self.assertIsNone(self.work("id\n1\n2\n"))


class Files(unittest.TestCase):
    def refuse(self, message, content):
        with self.assertRaisesRegex(CsvError, message):
            infer(content)

    def test_bom_and_crlf(self):
        plan, load = infer(b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n")
        self.assertEqual((plan.names, load), (["a", "b"], "1\tx\n2\ty\n"))

    def test_quotes_newlines_tabs_backslashes_null(self):
        plan, load = infer('a,b\n1,"x\ny ""z"""\n2,"t\tb\\n"\n3,""\n4,\n')
        self.assertEqual(plan.rows, 4)
        self.assertEqual(load, '1\tx\\ny "z"\n2\tt\\tb\\\\n\n3\t\\N\n4\t\\N\n')

    def test_no_newline_at_the_end_and_blank_lines(self):
        self.assertEqual(infer("\na,b\n\n1,2\n\n3,4")[0].rows, 2)

    def test_other_separators(self):
        self.assertEqual(infer("a;b\n1;2,5\n")[0].names, ["a", "b"])
        self.assertEqual(infer("a\tb\n1\t2\n")[0].names, ["a", "b"])
        self.assertEqual(infer('"a;b",c\n1,2\n')[0].names, ["a_b", "c"])

    def test_ragged(self):
        self.refuse(r"^line 3 has 1 field, the header has 2$", "a,b\n1,2\n3\n")
        self.refuse(r"^line 4 has 3 fields, the header has 2$", 'a,b\n"x\ny",2\n3,4,5\n')

    def test_open_quote(self):
        self.refuse(r"^line 2: a quote is opened and never closed$", 'a,b\n1,"x\n2,y\n')

    def test_text_after_quote(self):
        self.refuse(r"^line 2: ", 'a,b\n1,"x"y\n')

    def test_not_utf8(self):
        self.refuse(r"^line 3: byte 0xe9 is not UTF-8", b"a,b\n1,2\n3,caf\xe9\n")
        self.refuse(r"^line 2: byte 0xc3 is not UTF-8", b"a\n\xc3")
        self.refuse(r"^the file is UTF-16", "a,b\n1,2\n".encode("utf-16"))

    def test_bad_byte_across_the_read_buffer(self):
        self.refuse(r"^line 3: byte 0xe2 is not UTF-8", b"a\n" + b"x" * ((1 << 20) - 4) + b"\n" + b"\xe2\x82x\n")

    def test_zero_byte(self):
        self.refuse(r"^line 2 holds a zero byte", b"a\n\0\n")

    def test_empty(self):
        self.refuse(r"^the file is empty$", "")
        self.refuse(r"^the file is empty$", "\ufeff")
        self.refuse(r"^the file is empty$", "\n\n")
        self.refuse(r"no row below", "a,b\n")

    def test_too_many_columns(self):
        self.refuse(r"1601 fields", ",".join("c%d" % i for i in range(1601)) + "\n")


class Shell(unittest.TestCase):
    def test_nothing_in_a_file_is_a_command(self):
        import subprocess
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "$(touch x)'`.csv")
            with open(path, "w") as f:
                f.write("$(touch pwned),`id`'\n1,2\n")
            out = subprocess.run([sys.executable, infer_csv.__file__, path, os.path.join(folder, "load")],
                                 check=True, stdout=subprocess.PIPE, cwd=folder).stdout
            said = subprocess.run(["bash", "-c", 'eval "$1"; printf %s "$columns"', "-", out.decode()],
                                  check=True, stdout=subprocess.PIPE, cwd=folder).stdout
            self.assertEqual(said, b"touch_pwned, id")
            self.assertFalse(os.path.exists(os.path.join(folder, "pwned")))

    def test_missing_file(self):
        import subprocess
        r = subprocess.run([sys.executable, infer_csv.__file__, "/no/such.csv", os.devnull], stderr=subprocess.PIPE)
        self.assertEqual((r.returncode, r.stderr), (1, b"/no/such.csv: No such file or directory\n"))


class Tap(unittest.TextTestResult):
    number = 0

    def line(self, test, ok, note=""):
        Tap.number += 1
        sys.stdout.write("%sok %d - %s%s\n" % ("" if ok else "not ", Tap.number, test.id().split(".", 1)[1], note))

    def addSuccess(self, test):
        self.line(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, False)

    addError = addFailure


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    print("1..%d" % suite.countTestCases())
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0, resultclass=Tap).run(suite)
    sys.exit(not result.wasSuccessful())
