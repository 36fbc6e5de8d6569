"""What senders never send, and somebody else will: as texts, as values of JSON, as bytes within it."""

from __future__ import annotations

from typing import Any

TEXTS = ["", "\x00", "\ud800", "\udfff\ud800", "é", "\u2028", "💥", "' OR 1=1 --", "\r\nX-Injected: 1", "%00", "null",
         "x" * 300, "x" * 5_000, "-1", "1e999", "NaN", "../..", "${jndi:ldap://x}", "\t", "\\u0000", "\ufeff"]  # fmt: skip
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    2**63,
    [],
    {},
    [[]],
    "",
    "0",
    {"object": None},
    [None] * 50,
]
JSON = [
    b"\\u0000", b'"\\ud800"', b"NaN", b"-Infinity", b"1e400", b"1e-20000", b"9" * 4_500, b"[" * 500, b'{"a":' * 300,
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"//", b"'", b",,", b"}", b"\\", b"\n", b'"\\x41"', b"0x1", b"01",
]  # fmt: skip
