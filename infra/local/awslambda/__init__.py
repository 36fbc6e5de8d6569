"""The local Lambda: real runtime processes behind function URLs, without an account or a container."""

from infra.local.awslambda.function import (
    SESSION_TOKEN,
    Function,
    FunctionError,
    FunctionNotFound,
    InvokeRefused,
    InvokeResult,
    RequestTooLarge,
    ServerStopped,
    TooManyRequests,
)
from infra.local.awslambda.server import LambdaServer

__all__ = [
    "SESSION_TOKEN",
    "Function",
    "FunctionError",
    "FunctionNotFound",
    "InvokeRefused",
    "InvokeResult",
    "LambdaServer",
    "RequestTooLarge",
    "ServerStopped",
    "TooManyRequests",
]
