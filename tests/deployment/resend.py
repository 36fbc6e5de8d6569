"""Resend's `GET /domains`, for its real SDK: the account's domains, or its words for a key that may not ask."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager

from tests.deployment.serving import Answer, Asked, serving

DOMAINS = {"acme.io": "verified", "new.io": "pending"}
FULL, SENDING = "re_local", "re_sending"  # may do all; may only send
_RESTRICTED = {
    "statusCode": 401,
    "name": "restricted_api_key",
    "message": "This API key is restricted to only send emails",
}
_INVALID = {"statusCode": 400, "name": "validation_error", "message": "API key is invalid"}


def resend_answers() -> AbstractContextManager[str]:
    """The address that Resend has meanwhile."""

    def answer(asked: Asked) -> Answer:
        assert asked.path == "/domains"
        match asked.headers["Authorization"].removeprefix("Bearer "):
            case str(key) if key == FULL:
                listed = [{"name": name, "status": status} for name, status in DOMAINS.items()]
                return 200, json.dumps({"object": "list", "data": listed})
            case str(key) if key == SENDING:
                return 401, json.dumps(_RESTRICTED)
        return 400, json.dumps(_INVALID)

    return serving(answer)
