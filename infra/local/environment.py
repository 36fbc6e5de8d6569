"""What the running `make dev` tells other commands: the variables of a producer, and where its HTTP API is.

Apart from the cloud itself, which takes a second to import.
"""

from __future__ import annotations

from infra.template import ROOT

FOLDER = ROOT / ".local" / "dev"
ENVIRONMENT = FOLDER / "env"


def running() -> dict[str, str] | None:
    """The variables of the local cloud that runs; None where none does."""
    try:
        lines = ENVIRONMENT.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
