"""`make shell`: a Python prompt in the environment of the running `make dev`."""

from __future__ import annotations

import code
import os
import sys

from infra.local.console import fail
from infra.local.dev import ENVIRONMENT

_BANNER = """\
Posthaste, connected to make dev. Enqueue something:
  >>> from shared.emails import WelcomeData, enqueue_welcome
  >>> enqueue_welcome("ada@example.com", WelcomeData(name="Ada"))"""


def main() -> int:
    """Run the prompt; the exit code."""
    if not ENVIRONMENT.exists():
        return fail("there is no local cloud to talk to: start it with `make dev` in another terminal")
    for line in ENVIRONMENT.read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        os.environ[name] = value.strip("'")
    code.interact(banner=_BANNER, exitmsg="", local={})
    return 0


if __name__ == "__main__":
    sys.exit(main())
