"""Runs until someone writes to the named pipe that the event tells."""

import json
import os
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], context: object) -> int:
    pipe = json.loads(event["body"])["pipe"] if "body" in event else event["pipe"]
    Path(pipe).read_bytes()
    return os.getpid()
