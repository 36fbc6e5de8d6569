"""`Upstash-Redact-Fields`: what lists and logs show as a hash only. Deliveries are never redacted."""

import hashlib
import re
from dataclasses import dataclass

from .headers import Headers, canonical

_HEADER = re.compile(r"headers?\[\s*([^\[\]]+?)\s*\]")


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which fields are not to be shown. `headers` are canonical names."""

    body: bool = False
    all_headers: bool = False
    headers: frozenset[str] = frozenset()

    def redact_headers(self, headers: Headers) -> Headers:
        """The headers as they may be shown."""
        return {
            name: [hashed(value.encode(errors="replace")) for value in values]
            if self._hides(name)
            else values
            for name, values in headers.items()
        }

    def _hides(self, name: str) -> bool:
        return self.all_headers or name in self.headers


def parse_redaction(text: str) -> Redaction:
    """The fields in `body, header, header[Name]`, any subset. Raises ValueError for any other."""
    body = all_headers = False
    names: set[str] = set()
    for field in filter(None, (piece.strip() for piece in text.split(","))):
        match = _HEADER.fullmatch(field)
        if match is not None:
            names.add(canonical(match[1]))
        elif field in ("header", "headers"):
            all_headers = True
        elif field == "body":
            body = True
        else:
            raise ValueError(f"unexpected {field!a}, it takes body, header and header[Name]")
    return Redaction(body, all_headers, frozenset(names))


def hashed(data: bytes) -> str:
    """What is shown in place of `data`."""
    return f"REDACTED:{hashlib.sha256(data).hexdigest()}"
