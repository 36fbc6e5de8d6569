"""export-data: memory stays flat, however many rows there are. `python -m bench.export_memory` does it with a million."""

from __future__ import annotations

import sys

from bench.export_memory import FEW, MOST_MEMORY, fill, measure, storage, tell, worker_environment

MANY = 100_000  # rows; 30 MB as a file


def test_many_rows_take_as_much_memory_as_a_few(database_url: str) -> None:
    with storage() as files:
        environment = worker_environment(database_url) | files
        few, many = (measure(environment, fill(database_url, rows)) for rows in (FEW, MANY))
    sys.stdout.write(tell(few, many))
    assert (few.rows, many.rows) == (FEW, MANY)
    assert many.peak <= few.peak * MOST_MEMORY
