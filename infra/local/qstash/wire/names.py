"""Names of queues, URL groups and schedules."""

import re

from ..errors import Refused

_NAME = re.compile(r"[A-Za-z0-9._-]{1,256}")


def is_name(text: str) -> bool:
    """Whether it holds only letters, digits, `-`, `_` and `.`."""
    return _NAME.fullmatch(text) is not None


def check_name(text: object, what: str) -> str:
    """`text`, if it is a name. Raises Refused (400), which says that the `what` is invalid."""
    if not isinstance(text, str) or not is_name(text):
        raise Refused(400, f"invalid {what}: {text!a} may hold only letters, digits, '-', '_' and '.'")
    return text
