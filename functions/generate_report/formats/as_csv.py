"""The report's main table as CSV, for a spreadsheet: plain numbers, money in whole units, days as ISO has them."""

from __future__ import annotations

import csv
import io
import re

from functions.generate_report.model import Report, Unit, Value
from shared.emails.wording import major_units

# What a spreadsheet would run as a formula gets an apostrophe before it, which makes it text.
_FORMULA = re.compile(r"^(?=[-=+@\t\r\n＝＋－＠])")


def write(report: Report) -> bytes:
    """The file: a header of the columns' names, and a line for each row (RFC 4180)."""
    table = report.tables[0]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(column.name for column in table.columns)
    for row in table.rows:
        writer.writerow(
            _cell(cell, column.unit, table.currency(row, column))
            for cell, column in zip(row, table.columns, strict=True)
        )
    return text.getvalue().encode()


def _cell(value: Value, unit: Unit, currency: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _FORMULA.sub("'", value)
    if unit is Unit.MONEY and currency is not None and isinstance(value, int):
        return str(major_units(value, currency))
    return str(value)
