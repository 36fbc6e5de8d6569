"""Ids such as `msg_…`: no two alike, but no secrets."""

import random

# Seeded by the system once: asking it anew for each id costs as much as all else that is done to accept a message.
_draw = random.Random().getrandbits  # noqa: S311


def new_id(kind: str, digits: int = 28) -> str:
    """A fresh id of so many hexadecimal digits, as in `scd_0f3a…`."""
    return f"{kind}_{_draw(4 * digits):0{digits}x}"
