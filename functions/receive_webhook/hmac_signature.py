"""A plain HMAC-SHA256 of the body in a header: GitHub's way, and that of senders that know no better.

It says nothing of when it was made, so what was sent once can be sent again; the event's id is what makes that harmless.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Literal

from functions.receive_webhook.incoming import Incoming
from shared.errors import InvalidSignature

Encoding = Literal["hex", "base64"]
_ENCODE: dict[Encoding, Callable[[bytes], bytes]] = {
    "hex": lambda digest: digest.hex().encode(),
    "base64": base64.b64encode,
}


def verify(
    request: Incoming, keys: Sequence[str], *, header: str, prefix: str = "", encoding: Encoding = "hex"
) -> None:
    """Return if one of the keys signed the body; it takes the same time whatever is wrong. Raises InvalidSignature."""
    sent = request.headers.get(header, "")
    given = sent.removeprefix(prefix)
    signature = (given.lower() if encoding == "hex" else given).encode("utf-8", "replace")
    expected = [_ENCODE[encoding](hmac.digest(key.encode(), request.body, "sha256")) for key in keys]
    fits = any([hmac.compare_digest(each, signature) for each in expected])  # noqa: C419  # all, in any case
    if not sent:
        raise InvalidSignature(f"the header {header} is missing")
    if not sent.startswith(prefix):
        raise InvalidSignature(f"the header {header} does not begin with {prefix!r}")
    if not fits:
        raise InvalidSignature("no key made this signature")
