"""Other values in a module and in the environment, for as long as a block runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced(names: dict[str, Any], name: str, value: object) -> Iterator[None]:
    """Another value under a name while the block runs."""
    before, names[name] = names[name], value
    try:
        yield
    finally:
        names[name] = before


@contextmanager
def variables(values: dict[str, str]) -> Iterator[None]:
    """These variables in the environment while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
