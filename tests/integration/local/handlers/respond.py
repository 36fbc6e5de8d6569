"""Answers with what the body says, word for word."""

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> object:
    return json.loads(event["body"])
