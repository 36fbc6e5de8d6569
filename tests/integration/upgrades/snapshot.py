"""`python -m tests.integration.upgrades.snapshot`: keep the code that jobs run on as it is now, before a migration is added to it.

Writes `releases/NNNN.tar.xz`, NNNN being the newest migration that this code knows. The tests run that code, as it is in
there, against the schema that later migrations make.
"""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

from infra.migrations import migrations
from infra.template import ROOT

RELEASES = Path(__file__).parent / "releases"
_CONTENTS = ("shared", "functions/__init__.py", "functions/reconcile", "functions/record_failure")


def write(folder: Path = RELEASES, root: Path = ROOT) -> Path:
    """Write the snapshot, in place of an earlier one of the same schema; the same code gives the same file."""
    path = folder / f"{migrations()[-1].version:04}.tar.xz"
    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(file for each in _CONTENTS for file in _files(root / each)):
            _add(archive, file, str(file.relative_to(root)))
    return path


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return [each for each in found if "__pycache__" not in each.parts]


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    content = file.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    sys.stdout.write(f"{write().relative_to(ROOT)}\n")
