"""The product's sweep, under a clock that chaos can put wrong."""

from __future__ import annotations

from functions.reconcile.handler import handler
from tests.chaos import clock

__all__ = ["handler"]

clock.install()
