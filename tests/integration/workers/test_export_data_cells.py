"""export-data: what becomes of each value in a CSV file and in JSON lines."""

from __future__ import annotations

import pytest

from infra.seed import Seeded
from shared.database import Connection
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.exporting import Exporter, cells, objects

TEXTS = {
    "plain": b"plain",
    "a,b": b'"a,b"',
    'say "hi"': b'"say ""hi"""',
    "one\ntwo\r\nthree": b'"one\ntwo\r\nthree"',
    "Straße 7, 東京 🙂": '"Straße 7, 東京 🙂"'.encode(),
    "": b'""',
    "\\N": b"\\N",
    # What a spreadsheet would run
    "=1+1": b"'=1+1",
    '=HYPERLINK("https://example.com")': b'"\'=HYPERLINK(""https://example.com"")"',
    "+12025550123": b"'+12025550123",
    "-5": b"'-5",
    "@SUM(A1)": b"'@SUM(A1)",
    "\t=1": b"'\t=1",
    "\r=1": b'"\'\r=1"',
    "\n=1": b'"\'\n=1"',
    "＝1": "'＝1".encode(),
    # and what it would not
    "'=1": b"'=1",
    "a=1\n=2": b'"a=1\n=2"',
    " =1": b" =1",
}


@pytest.fixture
def export(run: Runner, files: Files, seeded: Seeded) -> Exporter:
    """Exports the first organization's rows."""
    return Exporter(run, files, seeded.organization_id)


@pytest.fixture
def texts(seeded: Seeded, connection: Connection) -> list[str]:
    """An activity log with the texts above, in this order."""
    for text in TEXTS:
        connection.execute(
            "INSERT INTO app.activity_logs (organization_id, action, source, subject_type, subject_id, occurred_at) "
            "VALUES (%s, 'a.b', 'test', 'text', %s, '2026-01-01Z')",
            [seeded.organization_id, text],
        )
    return list(TEXTS)


def test_text_is_quoted_and_cannot_run_as_a_formula(export: Exporter, texts: list[str]) -> None:
    content = export(
        entity_type="activity_logs", columns=["subject_id", "action"], filters={"source": "test"}
    )
    assert content == b"subject_id,action\r\n" + b"".join(cell + b",a.b\r\n" for cell in TEXTS.values())


def test_a_reader_finds_the_texts(export: Exporter, texts: list[str]) -> None:
    content = export(entity_type="activity_logs", columns=["subject_id"], filters={"source": "test"})
    found = [row["subject_id"] for row in cells(content)]
    assert [text.removeprefix("'") for text in found] == [text.removeprefix("'") for text in texts]


def test_json_lines_hold_text_as_it_is(export: Exporter, connection: Connection) -> None:
    texts = [*TEXTS, '\\three\t\\u0041 \x01\x02 "']
    for text in texts:
        connection.execute(
            "INSERT INTO app.activity_logs (organization_id, action, source, data, occurred_at) "
            "VALUES (%s, 'a.b', 'test', jsonb_build_object('text', %s::text), '2026-01-01Z')",
            [export.organization_id, text],
        )
    content = export(
        entity_type="activity_logs", format="jsonl", columns=["data", "user_id"], filters={"source": "test"}
    )
    assert content.count(b"\n") == len(texts)
    assert objects(content) == [{"data": {"text": text}, "user_id": None} for text in texts]


def test_numbers_stay_numbers(export: Exporter, seeded: Seeded, connection: Connection) -> None:
    connection.execute(
        """UPDATE app.listings SET status = 'withdrawn', latitude = -33.5, longitude = -70.25, unit = NULL, description = '',
        dogs_allowed = true, amenities = '{gym,=1}', photos = '[]', available_from = '2026-02-03' WHERE id = %s""",
        [seeded.listing_id],
    )
    connection.execute("UPDATE app.listings SET status = 'draft' WHERE id <> %s", [seeded.listing_id])
    chosen = {
        "entity_type": "listings",
        "columns": ["latitude", "longitude", "unit", "description", "dogs_allowed", "amenities", "photos", "available_from"],
        "filters": {"status": "withdrawn"},
    }  # fmt: skip
    (_header, line, _end) = export(**chosen).split(b"\r\n")
    assert line == b'-33.500000,-70.250000,,"",true,"[""gym"",""=1""]",[],2026-02-03'
    (found,) = objects(export(**chosen, format="jsonl"))
    assert found == {
        "latitude": -33.5, "longitude": -70.25, "unit": None, "description": "", "dogs_allowed": True,
        "amenities": ["gym", "=1"], "photos": [], "available_from": "2026-02-03",
    }  # fmt: skip


def test_a_line_with_nothing_in_it_is_still_a_row(
    export: Exporter, seeded: Seeded, connection: Connection
) -> None:
    connection.execute("UPDATE app.users SET phone = NULL")
    content = export(entity_type="users", columns=["phone"])
    members = connection.execute(
        "SELECT user_id FROM app.memberships WHERE organization_id = %s", [seeded.organization_id]
    ).fetchall()
    assert content == b"phone\r\n" + b'""\r\n' * len(members)
    assert len(cells(content)) == len(members) > 0


def test_times_are_in_utc_wherever_the_server_is(
    export: Exporter, seeded: Seeded, connection: Connection
) -> None:
    connection.execute(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET timezone = ''Asia/Tokyo'''; END $$"
    )
    connection.execute(
        "INSERT INTO app.activity_logs (organization_id, action, source, occurred_at) VALUES (%s, 'a', 'test', %s)",
        [seeded.organization_id, "2026-01-01T00:30:00.000001Z"],
    )
    for file_format in ("csv", "jsonl"):
        content = export(
            entity_type="activity_logs",
            format=file_format,
            columns=["occurred_at"],
            filters={"source": "test"},
        )
        assert b"2026-01-01T00:30:00.000001Z" in content
