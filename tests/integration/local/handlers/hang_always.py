"""Its init never ends."""

import signal

signal.pause()


def handler(event: object, context: object) -> None:
    """Never called."""
