"""The report as JSON: the whole model, money in the currency's smallest unit."""

from __future__ import annotations

from functions.generate_report.model import Report


def write(report: Report) -> bytes:
    """The file."""
    return (report.model_dump_json(by_alias=True, indent=2) + "\n").encode()
