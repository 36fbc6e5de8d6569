"""The statements of this function, one a file. Of the table of jobs they only read: writing is `shared.executions`'."""

from functools import cache
from pathlib import Path

from functions.jobs_api.sql.fragments import filled_in

_FOLDER = Path(__file__).parent


@cache
def statement(name: str) -> bytes:
    """The statement of this name, its placeholders filled in."""
    return filled_in((_FOLDER / f"{name}.sql").read_text("utf-8")).encode()
