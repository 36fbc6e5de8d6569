"""`make shell`: a Python prompt in the environment of the running `make dev`."""

from __future__ import annotations

import code
import os
import sys

from infra.local.console import fail
from infra.local.environment import running

_BANNER = """\
Posthaste, connected to make dev. Enqueue something:
  >>> from shared.emails import WelcomeData, enqueue_welcome
  >>> enqueue_welcome("ada@example.com", WelcomeData(name="Ada"))"""


def main() -> int:
    """Run the prompt; the exit code."""
    variables = running()
    if variables is None:
        return fail("there is no local cloud to talk to: start it with `make dev` in another terminal")
    os.environ.update(variables)
    code.interact(banner=_BANNER, exitmsg="", local={})
    return 0


if __name__ == "__main__":
    sys.exit(main())
