"""generate-report: formats whose figures agree, and which others can read."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from functions.generate_report.model import Report
from functions.generate_report.words import rows_words
from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.generate_report import GenerateReport, ReportFormat, ReportType
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.reporting import (
    Document,
    Page,
    Reporter,
    add_job,
    add_organization,
    lines,
    pages,
)

NO_DATA = "No data in this period."


@pytest.fixture
def reporter(run: Runner, files: Files, seeded: Seeded) -> Reporter:
    """Makes the first organization's reports."""
    return Reporter(run, files, seeded.organization_id)


def name_of(connection: Connection, organization_id: int) -> str:
    row = connection.execute("SELECT name FROM app.organizations WHERE id = %s", [organization_id]).fetchone()
    assert row is not None
    return str(row["name"])


def last_year(seeded: Seeded) -> dict[str, date]:
    return {"start_date": seeded.now.date() - timedelta(days=365), "end_date": seeded.now.date()}


# --- formats ------------------------------------------------------------------------------------------------


def in_all_formats(reporter: Reporter, report_type: str, **fields: Any) -> dict[str, bytes]:
    """The same report as each kind of file, as of the same moment."""
    made = {}
    for kind in ReportFormat:
        made[kind.value] = reporter.file(GenerateReport(report_type=report_type, format=kind, **fields))
    return made


@pytest.mark.parametrize("report_type", ReportType)
def test_figures_agree_across_formats(
    reporter: Reporter, seeded: Seeded, connection: Connection, report_type: ReportType
) -> None:
    # The day before, so that the jobs of this test are not in it.
    yesterday = seeded.now.date() - timedelta(days=2)
    span = {"start_date": yesterday - timedelta(days=200), "end_date": yesterday}
    add_job(connection, seeded.organization_id, seeded.now - timedelta(days=30), 0.25)
    failed = {"status": "failed", "error": "no", "attempt": 3, "job_type": "export-data"}
    add_job(connection, seeded.organization_id, seeded.now - timedelta(days=40), 95, **failed)
    made = in_all_formats(reporter, report_type, **span)
    assert json.loads(made["json"])["figures"][0]["value"] is not None
    report = Report.model_validate_json(made["json"])
    page, text = Page(made["html"]), "".join(pages(made["pdf"]))
    for figure in report.figures:
        said = page.figures[figure.name]
        assert "".join(figure.label.split()) + "".join(said[0].split()) in text
    assert set(page.figures) == {figure.name for figure in report.figures}
    for table in report.tables:
        written = rows_words(table)
        shown = page.tables.get(table.name, [[]])
        assert [[cell.strip() for cell in row] for row in shown[1:]] == written
        for cells in written:
            assert "".join("".join(cells).split()) in text
    main = lines(made["csv"])
    assert len(main) == len(report.tables[0].rows)
    for line, row in zip(main, Document(json.loads(made["json"])).rows(report.tables[0].name), strict=True):
        for column in report.tables[0].columns:
            value = row[column.name]
            if value is None:
                assert line[column.name] == ""
            elif column.unit in {"seconds", "percent"}:
                assert float(line[column.name]) == value
            elif column.unit == "money":
                assert round(float(line[column.name]) * 100) == value
            else:
                assert line[column.name] == str(value)


@pytest.mark.parametrize("report_type", ReportType)
def test_the_page_stands_alone(reporter: Reporter, seeded: Seeded, report_type: ReportType) -> None:
    content = reporter.file(GenerateReport(report_type=report_type, format="html", **last_year(seeded)))
    page = Page(content)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "img", "iframe"}
        assert not {"src", "href"} & attributes.keys()
    assert content.count(b"url(") == content.count(b"url(#clip-")
    ids = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert b"@import" not in content


@pytest.mark.parametrize("report_type", [each for each in ReportType if each != "job-performance"])
def test_charts_are_drawn(reporter: Reporter, seeded: Seeded, report_type: ReportType) -> None:
    page = Page(reporter.file(GenerateReport(report_type=report_type, format="html", **last_year(seeded))))
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    report = reporter.report(report_type, **last_year(seeded))
    assert len(drawn) == len(report.content["charts"]) >= 2
    text = " ".join(page.text)
    for chart in report.content["charts"]:
        assert chart["valueLabel"] in text
        assert chart["placeLabel"] in text


def test_markup_in_names_is_text(run: Runner, files: Files, connection: Connection) -> None:
    name = "<script>alert('Łódź & Sons')</script>"
    reporter = Reporter(run, files, add_organization(connection, name))
    page = Page(reporter.file(GenerateReport(report_type="revenue", format="html")))
    assert name in "".join(page.text)
    assert not [tag for tag, _ in page.tags if tag == "script"]
    (text,) = pages(reporter.file(GenerateReport(report_type="revenue")))
    assert "<script>alert('Łódź&Sons')</script>" in text


def test_formulas_are_text_in_a_csv(reporter: Reporter, seeded: Seeded, connection: Connection) -> None:
    connection.execute("UPDATE app.listings SET title = '=HYPERLINK(1)' WHERE id = %s", [seeded.listing_id])
    made = lines(reporter.file(GenerateReport(report_type="listing-activity", format="csv")))
    titles = {line["title"] for line in made}
    assert "'=HYPERLINK(1)" in titles
    assert "=HYPERLINK(1)" not in titles


@pytest.mark.parametrize("report_type", ReportType)
def test_a_report_without_data(
    run: Runner, files: Files, connection: Connection, report_type: ReportType
) -> None:
    reporter = Reporter(run, files, add_organization(connection))
    days = {"start_date": date(2020, 1, 1), "end_date": date(2020, 1, 31)}
    made = in_all_formats(reporter, report_type, **days)
    (text,) = pages(made["pdf"])
    assert "".join(NO_DATA.split()) in text
    assert "SakuraHomes" in text
    assert "January2020" in text
    assert "Page1of1" in text
    assert NO_DATA in "".join(Page(made["html"]).text)
    assert lines(made["csv"]) == []
    assert Document(json.loads(made["json"])).content["charts"] == []


def test_every_page_is_numbered_and_named(reporter: Reporter, seeded: Seeded, connection: Connection) -> None:
    for number in range(120):
        connection.execute(
            """INSERT INTO app.listings (organization_id, agent_id, title, property_type, street, city, state, zip, price,
                bedrooms, bathrooms, created_at)
            SELECT organization_id, agent_id, %s, property_type, street, city, state, zip, price, 2, 1.5, '2025-01-01Z'
            FROM app.listings WHERE id = %s""",
            [f"Home {number}", seeded.listing_id],
        )
    found = pages(reporter.file(GenerateReport(report_type="listing-activity")))
    assert len(found) >= 4
    name = "".join(name_of(connection, seeded.organization_id).split())
    for number, text in enumerate(found, start=1):
        assert f"Page{number}of{len(found)}" in text
        assert name in text
        assert "Madeon" in text
