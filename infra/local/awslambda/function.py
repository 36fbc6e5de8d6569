"""What a function is, what an invocation of it gives back, and why one can be refused."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REQUEST_LIMIT = 6 * 1024 * 1024
"""Largest event in bytes."""

RESPONSE_LIMIT = 6_291_556
"""Largest response in bytes."""

SESSION_TOKEN = "local-session-token"  # noqa: S105 - nothing checks it but the extension stand-in
"""What functions find in AWS_SESSION_TOKEN unless the server is told otherwise."""


@dataclass(frozen=True)
class Function:
    """One Lambda function.

    `timeout` is in seconds, `memory` in MB (reported, not enforced). `concurrency` is how many environments may
    run at once; None means the server's default.
    """

    name: str
    handler: str
    timeout: float = 30
    memory: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    concurrency: int | None = None


@dataclass(frozen=True)
class FunctionError:
    """Why an invocation failed: what the handler raised, or what the platform says of it (`Sandbox.Timedout`)."""

    type: str
    message: str
    trace: tuple[str, ...] = ()

    @property
    def raised(self) -> bool:
        """Whether the runtime itself reported it (and has logged it), rather than the platform."""
        return not self.type.startswith(
            ("Sandbox.", "Function.", "Runtime.ExitError", "Runtime.InvalidEntrypoint")
        )

    @classmethod
    def parse(cls, body: bytes, default_type: str) -> "FunctionError":
        """Read the error object that a runtime posts; anything unreadable becomes the message."""
        try:
            fields = json.loads(body)
            return cls(
                str(fields.get("errorType") or default_type),
                str(fields.get("errorMessage") or ""),
                tuple(str(line) for line in fields.get("stackTrace") or ()),
            )
        except (ValueError, AttributeError, TypeError):
            return cls(default_type, body.decode(errors="replace"))


@dataclass(frozen=True)
class InvokeResult:
    """The end of one invocation: `payload` as the handler returned it, or `error`."""

    request_id: str
    body: bytes = b""
    error: FunctionError | None = None

    @property
    def payload(self) -> object:
        """What the handler returned, parsed; None after an error. ValueError if a runtime answered no JSON."""
        return json.loads(self.body) if self.body else None


class InvokeRefused(Exception):
    """The function was not run."""


class FunctionNotFound(InvokeRefused):
    """There is no function of that name."""


class TooManyRequests(InvokeRefused):
    """As many environments as the function's concurrency allows are busy."""


class RequestTooLarge(InvokeRefused):
    """The event has more than 6 MB."""


class ServerStopped(InvokeRefused):
    """The server is not running."""


@dataclass(frozen=True)
class Machine:
    """What all environments of one server share. `group` is the process group they are started in."""

    task_root: Path
    python: str = sys.executable
    host: str = "127.0.0.1"
    region: str = "us-east-1"
    session_token: str = SESSION_TOKEN
    freeze: bool = True
    group: int = 0

    def arn(self, name: str) -> str:
        """The ARN of the function called `name`."""
        return f"arn:aws:lambda:{self.region}:123456789012:function:{name}"
