"""Signing keys."""

from .calls import Call, Reply


def get_keys(call: Call) -> Reply:
    """`GET /v2/keys`."""
    keys = call.account.courier.keys
    return Reply(200, {"current": keys.current, "next": keys.next})


def rotate_keys(call: Call) -> Reply:
    """`POST /v2/keys/rotate`."""
    call.account.courier.rotate_keys()
    return get_keys(call)
