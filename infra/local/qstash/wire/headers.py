"""Header names and values as Go's net/http keeps them: canonical case, a list of values for each name."""

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

Headers = dict[str, list[str]]

_OF_ONE_CONNECTION = frozenset({
    "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
    "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
})  # fmt: skip


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """`bypass-tunnel-reminder` as `Bypass-Tunnel-Reminder`."""
    return "-".join(part.capitalize() for part in name.split("-"))


def collect(pairs: Iterable[tuple[str, str]]) -> Headers:
    """All values by canonical name, in the order they came."""
    headers: Headers = {}
    for name, value in pairs:
        headers.setdefault(canonical(name), []).append(value)
    return headers


def first(headers: Headers, name: str) -> str | None:
    """The first value of a canonical name without surrounding space; None where there is none or it is empty."""
    values = headers.get(name)
    return (values[0].strip() or None) if values else None


def strip_prefix(headers: Headers, prefix: str) -> Headers:
    """Those headers whose name begins with `prefix`, without it."""
    return {
        canonical(name[len(prefix) :]): values
        for name, values in headers.items()
        if name.startswith(prefix) and len(name) > len(prefix)
    }


def may_travel(name: str) -> bool:
    """Whether a canonical name may be forwarded; headers of one connection may not."""
    return name not in _OF_ONE_CONNECTION and _TOKEN.fullmatch(name) is not None


def is_header(name: str, value: str) -> bool:
    """Whether this could be sent as a header: a token for a name, and no line break in the value."""
    return _TOKEN.fullmatch(name) is not None and not any(sign in value for sign in "\r\n\0")
