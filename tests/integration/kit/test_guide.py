"""docs/testing.md as its reader follows it: each snippet is a file, and all of them pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.template import ROOT

_SNIPPET = re.compile(r"^```python\n# ([\w/]+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The application of the guide."""
    text = (ROOT / "docs" / "testing.md").read_text("utf-8")
    snippets = _SNIPPET.findall(text)
    assert len(snippets) == text.count("```python") > 10
    for name, code in snippets:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    return tmp_path


def test_the_guides_snippets_run(project: Path, database_url: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),  # in place of an installed package
        "DATABASE_URL": database_url,
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        str(project),
    ]
    done = subprocess.run(
        command, env=environment, cwd=project, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout  # the one that needs make dev
