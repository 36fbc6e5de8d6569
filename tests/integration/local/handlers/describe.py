"""Tells what a function sees of itself."""

import os
from typing import Any

invocations = 0


def handler(event: object, context: Any) -> dict[str, object]:
    global invocations  # noqa: PLW0603 - that globals outlive an invocation is the point
    invocations += 1
    return {
        "invocations": invocations,
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "directory": os.getcwd(),  # noqa: PTH109
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
    }
