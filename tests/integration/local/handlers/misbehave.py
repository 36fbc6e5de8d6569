"""Ends in every bad way there is; the path says which."""

import os
import signal
from typing import Any


class Odd:
    """Nothing JSON could hold."""


def handler(event: dict[str, Any], context: object) -> object:
    match event["rawPath"]:
        case "/raise":
            raise ValueError("that went wrong")
        case "/exit":
            os._exit(3)
        case "/hang":
            signal.pause()
        case "/big":
            return "x" * 6_300_000
        case "/deep":
            return handler(event, context)
        case "/odd":
            return Odd()
    return os.getpid()
