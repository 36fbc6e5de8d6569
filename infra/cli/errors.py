"""Why a command ends without having done what it was to do, each with its exit code."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130


class NotDone(Exception):
    """Not found, refused, failed, or unhealthy: what was asked for is not so."""

    code = 1


class Wrong(NotDone):
    """What was typed is wrong: an option, a job type, JSON that is none. Nothing was changed."""

    code = 2


class Invalid(Wrong):
    """The API found it wrong; `problems` are (field, what is wrong) pairs."""

    def __init__(self, message: str, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


class Unreachable(NotDone):
    """The API cannot be reached, does not answer, or not as this command understands it."""

    code = 3


class NotAllowed(NotDone):
    """There is no API key, it is none of the API's, or it lacks the right."""

    code = 4
