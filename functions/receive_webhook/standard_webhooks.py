"""Signatures after the Standard Webhooks specification, and Svix's, which are the same under other header names.

By the specification's own library, 60 kB of standard Python; Svix's package wraps it into a client of their API, with 24 MB
of dependencies and a quarter of a second to import.
"""

from __future__ import annotations

from collections.abc import Sequence

from standardwebhooks import Webhook, WebhookVerificationError

from functions.receive_webhook.incoming import Incoming
from shared.errors import InvalidSignature

_PARTS = ("id", "timestamp", "signature")


def verify(request: Incoming, keys: Sequence[str], *, prefix: str = "webhook") -> None:
    """Return if one of the keys signed it in the last five minutes. Raises InvalidSignature.

    `prefix` is what the headers' names begin with: `webhook`, or `svix`.
    """
    headers = {f"webhook-{part}": request.headers.get(f"{prefix}-{part}", "") for part in _PARTS}
    reasons = []
    for key in keys:
        try:
            Webhook(key).verify(request.body, headers, json_parse=False)
        except WebhookVerificationError as error:
            reasons.append(str(error))
        except Exception as error:  # noqa: BLE001  # what is no base64, no text, no list: it fits no key
            reasons.append(f"{type(error).__name__} in the key, a header or the body")
        else:
            return
    raise InvalidSignature("; ".join(dict.fromkeys(reasons)))
