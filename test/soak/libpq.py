"""Just enough of libpq, through ctypes, to drive several sessions at once. Nothing to install."""
import ctypes
import ctypes.util

_pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
_free = _pq.PQfreemem
for _name, _result, _arguments in (
        ("PQconnectdb", "p", "s"), ("PQstatus", "i", "p"), ("PQerrorMessage", "s", "p"), ("PQfinish", "", "p"),
        ("PQsetNoticeProcessor", "p", "ppp"), ("PQsendQuery", "i", "ps"), ("PQconsumeInput", "i", "p"),
        ("PQisBusy", "i", "p"), ("PQgetResult", "p", "p"), ("PQsocket", "i", "p"), ("PQbackendPID", "i", "p"),
        ("PQtransactionStatus", "i", "p"), ("PQresultStatus", "i", "p"), ("PQresultErrorField", "s", "pi"),
        ("PQresultErrorMessage", "s", "p"), ("PQntuples", "i", "p"), ("PQnfields", "i", "p"), ("PQclear", "", "p"),
        ("PQgetvalue", "p", "pii"), ("PQgetlength", "i", "pii"), ("PQgetisnull", "i", "pii"),
        ("PQgetCopyData", "i", "ppi"), ("PQputCopyData", "i", "psi"), ("PQputCopyEnd", "i", "ps"),
        ("PQfreemem", "", "p")):
    _types = {"p": ctypes.c_void_p, "i": ctypes.c_int, "s": ctypes.c_char_p, "": None}
    getattr(_pq, _name).restype = _types[_result]
    getattr(_pq, _name).argtypes = [_types[_letter] for _letter in _arguments]

_NOTICE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
_ignore_notice = _NOTICE(lambda argument, message: None)

COMMAND_OK, TUPLES_OK, COPY_OUT, COPY_IN = 1, 2, 3, 4
IDLE, ACTIVE, IN_TRANSACTION, IN_ERROR, UNKNOWN = range(5)


class Error(Exception):
    """What the server said; `state` is the SQLSTATE, empty if the connection broke."""

    def __init__(self, state, message):
        super().__init__(message)
        self.state = state


class Session:
    """One connection. `run` waits for the answer; `send`, `busy` and `finish` do not."""

    def __init__(self, conninfo=""):
        self.connection = _pq.PQconnectdb(conninfo.encode())
        if _pq.PQstatus(self.connection) != 0:
            message = self.message()
            self.close()
            raise Error("", message)
        _pq.PQsetNoticeProcessor(self.connection, ctypes.cast(_ignore_notice, ctypes.c_void_p), None)
        self.pid = _pq.PQbackendPID(self.connection)

    def message(self):
        return (_pq.PQerrorMessage(self.connection) or b"").decode("utf-8", "replace").strip()

    def close(self):
        if self.connection:
            _pq.PQfinish(self.connection)
            self.connection = None

    def status(self):
        return _pq.PQtransactionStatus(self.connection)

    def socket(self):
        return _pq.PQsocket(self.connection)

    def send(self, sql):
        if not _pq.PQsendQuery(self.connection, sql.encode()):
            raise Error("", self.message())

    def busy(self):
        if not _pq.PQconsumeInput(self.connection):
            return False            # broken: finish says so
        return bool(_pq.PQisBusy(self.connection))

    def finish(self, copy_in=b""):
        """Rows of the last statement as lists of str or None; for COPY TO its bytes. Raises Error."""
        rows, error = [], None
        while True:
            result = _pq.PQgetResult(self.connection)
            if not result:
                break
            status = _pq.PQresultStatus(result)
            if status == COPY_OUT:
                rows = self.copy_out()
            elif status == COPY_IN:
                _pq.PQputCopyData(self.connection, copy_in, len(copy_in))
                _pq.PQputCopyEnd(self.connection, None)
            elif status == TUPLES_OK:
                rows = self.rows(result)
            elif status != COMMAND_OK:
                state = _pq.PQresultErrorField(result, ord("C")) or b""
                error = Error(state.decode(), _pq.PQresultErrorMessage(result).decode("utf-8", "replace").strip())
            _pq.PQclear(result)
        if error:
            raise error
        return rows

    def run(self, sql, copy_in=b""):
        self.send(sql)
        return self.finish(copy_in)

    def value(self, sql):
        return self.run(sql)[0][0]

    def copy_out(self):
        out, pointer = bytearray(), ctypes.c_void_p()
        while True:
            length = _pq.PQgetCopyData(self.connection, ctypes.byref(pointer), 0)
            if length <= 0:
                return bytes(out)
            out += ctypes.string_at(pointer, length)
            _free(pointer)

    @staticmethod
    def rows(result):
        rows = []
        for row in range(_pq.PQntuples(result)):
            rows.append([None if _pq.PQgetisnull(result, row, column) else ctypes.string_at(
                _pq.PQgetvalue(result, row, column), _pq.PQgetlength(result, row, column)).decode("utf-8", "replace")
                for column in range(_pq.PQnfields(result))])
        return rows
