"""Answers with the event."""


def handler(event: object, context: object) -> object:
    return event
