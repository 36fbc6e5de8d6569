"""Which page is made of what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infra.reference import http_api, python_api
from infra.template import ROOT

PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "docs" / "reference.md": python_api.text,
    ROOT / "docs" / "http-reference.md": http_api.text,
}
