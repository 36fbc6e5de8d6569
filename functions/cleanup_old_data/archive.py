"""Keeps what is deleted: each batch as a file of gzipped JSON lines, a row of the table each."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import sql

from shared import storage
from shared.database import Connection

_GZIP = 31  # zlib's window bits for a gzip file
# Where S3 hangs, or this process vanishes, the rows are let go after so long, and none is deleted.
_LIMITS = b"SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '60s'"
# JSON holds no control character unescaped, so that nothing in it is quoted.
_COPY = sql.SQL(
    r"COPY ({} RETURNING row_to_json(old)) TO STDOUT (FORMAT csv, ENCODING 'UTF8', DELIMITER E'\x01', QUOTE E'\x02')"
)


def delete(connection: Connection, deletion: sql.Composed, values: Mapping[str, Any], key: str) -> int:
    """Run a DELETE of rows known as `old`, which takes effect once they are in S3 under this key; how many they were.

    Without rows there is no file. Raises StorageFailed, and what psycopg raises: then nothing is deleted.
    """
    # The transaction is open while the file goes up, because so the file has exactly the rows that are deleted. They are
    # rows that nobody writes any more. A crash before the commit leaves a file of rows that are there still: the next
    # attempt archives them again, under another key.
    with connection.transaction():
        connection.execute(_LIMITS)
        with connection.cursor().copy(_COPY.format(deletion), values) as lines:
            return _store(map(bytes, lines), key)


def _store(lines: Iterator[bytes], key: str) -> int:
    count, line = 0, next(lines, None)
    if line is None:
        return 0
    gzip = zlib.compressobj(wbits=_GZIP)
    with storage.upload(key, content_type="application/gzip") as file:
        while line is not None:
            file.write(gzip.compress(line))
            count, line = count + 1, next(lines, None)
        file.write(gzip.flush())
    return count
