"""Writes to its log in several ways, and has used much memory for a moment."""

import logging
import sys


def handler(event: object, context: object) -> None:
    ballast = b"x" * 80_000_000
    print("to stdout", len(ballast))  # noqa: T201
    print("to stderr", file=sys.stderr)  # noqa: T201
    logging.getLogger().warning("to the logger")
    sys.stdout.write("without an end")
