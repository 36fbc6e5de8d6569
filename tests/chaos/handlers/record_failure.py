"""The product's failure callback, under a clock that chaos can put wrong."""

from __future__ import annotations

from functions.record_failure.handler import handler
from tests.chaos import clock

__all__ = ["handler"]

clock.install()
