"""The files beside the pages, and a name for what they hold."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"


@cache
def version() -> str:
    """It is part of their addresses, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
