"""One module per format: `write` makes a file's bytes of a report."""

from __future__ import annotations

from importlib import import_module

from functions.generate_report.model import Report
from shared.jobs.generate_report import ReportFormat

CONTENT_TYPES = {
    ReportFormat.PDF: "application/pdf",
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ReportFormat.JSON: "application/json",
}


def write(report: Report, format: ReportFormat) -> bytes:  # noqa: A002  # as the payload names it
    """The file; only its own format's packages are loaded."""
    content: bytes = import_module(f"functions.generate_report.formats.as_{format}").write(report)
    return content
