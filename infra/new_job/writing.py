"""Writes a plan: all of it or, where anything fails, nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from infra.new_job.errors import Refused
from infra.new_job.plan import Change

_SUFFIX = ".new-job~"  # make dev looks at no file whose name ends so


def write(root: Path, changes: Sequence[Change]) -> None:
    """Write the files that need it. Each is written beside its place first and then moved there.

    Raises OSError, or Refused where a file was changed since it was read; then all is as it was. A process that is
    killed between two moves leaves a part, and the same command again adds the rest.
    """
    needed = [each for each in changes if each.is_needed]
    made: list[Path] = []
    moved: list[Change] = []
    try:
        for each in needed:
            made += _make_folders((root / each.path).parent)
            _stage(root / each.path, each.after)
        for each in needed:
            _check_unchanged(root, each)
            moved.append(each)
            _staged(root / each.path).replace(root / each.path)
    except BaseException:
        _put_back(root, moved)
        for each in needed:
            _staged(root / each.path).unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):  # not empty: somebody else has put something there
                folder.rmdir()
        raise


def _put_back(root: Path, moved: Sequence[Change]) -> None:
    for each in reversed(moved):
        path = root / each.path
        if each.before is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != each.before.encode():
            _stage(path, each.before)
            _staged(path).replace(path)


def _stage(path: Path, text: str) -> None:
    staged = _staged(path)
    staged.write_bytes(text.encode())
    if path.exists():
        shutil.copymode(path, staged)


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}{_SUFFIX}")


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; those that were not there."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()][::-1]
    for each in missing:
        each.mkdir()
    return missing


def _check_unchanged(root: Path, change: Change) -> None:
    path = root / change.path
    found = path.read_bytes().decode("utf-8", "replace") if path.exists() else None
    if found != change.before:
        raise Refused(f"{change.path} was changed meanwhile: run make new-job again")
