"""The product's failure callback, under a clock that chaos can put wrong, in a process that it can kill at a named point."""

from __future__ import annotations

from functions.record_failure import handler as product
from tests.chaos import clock, doom, jobs

clock.install("function")
jobs.install()
handler = doom.watched(product.handler)
