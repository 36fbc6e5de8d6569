"""The chain on a job's page and in the API: what put it there, what it put there; and that another's is not told."""

from __future__ import annotations

from uuid import UUID

import pytest

from functions.jobs_api.sql.fragments import SHOWN_CHILDREN
from shared.database import Connection
from tests.integration.jobs_api.browser import Browser
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import NOBODYS, batch, everything, failed
from tests.integration.test_executions import put


def chain(connection: Connection, *organizations: int | None) -> list[UUID]:
    """Jobs, each enqueued by the one before."""
    made: list[UUID] = []
    for organization in organizations:
        parent = made[-1] if made else None
        made.append(
            put(connection, organization_id=organization, parent_job_id=parent, status="completed", attempt=1)
        )
    return made


def test_a_job_tells_of_its_parent_and_of_its_children(keys: Keys, connection: Connection) -> None:
    first, middle, last = chain(connection, 9, 9, None)
    shown = keys.ops.get(f"/v1/jobs/{middle}").json
    assert (shown["parent"]["jobId"], shown["parent"]["type"], shown["parent"]["status"]) == (
        str(first), "crm-match", "completed",
    )  # fmt: skip
    assert [child["jobId"] for child in shown["children"]] == [str(last)]
    assert (shown["moreChildren"], keys.ops.get(f"/v1/jobs/{first}").json["parent"]) == (False, None)
    listed = keys.ops.get("/v1/jobs", parentJobId=middle).json["jobs"]
    assert [job["jobId"] for job in listed] == [str(last)]
    assert keys.ops.get("/v1/jobs/count", parentJobId=first).json == {"count": 1, "complete": True}


def test_many_children_are_shown_in_part_and_listed_whole(keys: Keys, connection: Connection) -> None:
    parent = put(connection)
    children = [str(put(connection, parent_job_id=parent)) for _number in range(SHOWN_CHILDREN + 5)]
    shown = keys.ops.get(f"/v1/jobs/{parent}").json
    assert ([child["jobId"] for child in shown["children"]], shown["moreChildren"]) == (
        children[:SHOWN_CHILDREN], True,
    )  # fmt: skip
    assert len(keys.ops.get("/v1/jobs", parentJobId=parent).json["jobs"]) == len(children)


def test_a_parent_that_retention_has_deleted_is_none(keys: Keys, connection: Connection) -> None:
    job_id = put(connection, parent_job_id=NOBODYS)
    assert keys.ops.get(f"/v1/jobs/{job_id}").json["parent"] is None


def test_another_organizations_part_of_a_chain_is_not_told(keys: Keys, connection: Connection) -> None:
    above, own, below = chain(connection, FOREIGN, OWN, FOREIGN)
    beside = put(connection, organization_id=OWN, parent_job_id=own)
    answer = keys.own.get(f"/v1/jobs/{own}")
    assert (answer.json["parent"], [child["jobId"] for child in answer.json["children"]]) == (
        None,
        [str(beside)],
    )
    assert (str(above) in answer.text, str(below) in answer.text) == (False, False)
    listed = keys.own.get("/v1/jobs", parentJobId=own)
    assert [job["jobId"] for job in listed.json["jobs"]] == [str(beside)]
    browser = Browser()
    browser.sign_in(keys.own.key)
    page = browser.open(f"/jobs/{own}").text
    assert (str(above) in page, str(below) in page, str(beside) in page) == (False, False, True)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/count"])
def test_what_belongs_to_anothers_job_or_batch_is_as_if_it_were_not_there(
    keys: Keys, connection: Connection, path: str
) -> None:
    (parent,) = chain(connection, FOREIGN)
    put(connection, organization_id=OWN, parent_job_id=parent)
    foreign = batch(connection, FOREIGN)
    for name, value, nobodys in (("parentJobId", parent, NOBODYS), ("batchId", foreign, NOBODYS)):
        answer, none = keys.own.get(path, **{name: value}), keys.own.get(path, **{name: nobodys})
        assert (answer.status, none.status) == (404, 404)
        assert answer.text.replace(str(value), "") == none.text.replace(str(nobodys), "")
    before = everything(connection)
    assert keys.own.post("/v1/jobs/cancel", {"filter": {"parentJobId": str(parent)}}).status == 404
    assert everything(connection) == before


def test_a_jobs_page_shows_its_chain(keys: Keys, connection: Connection) -> None:
    first, middle, last = chain(connection, None, None, None)
    batch_id = batch(connection)
    connection.execute("UPDATE job_executions SET completes_batch = %s WHERE job_id = %s", [batch_id, middle])
    browser = Browser()
    browser.sign_in(keys.ops.key)
    page = browser.open(f"/jobs/{middle}").text
    assert (
        page.index("put there by") < page.index(str(first)) < page.index("Then</b>") < page.index(str(last))
    )
    assert f"batches/{batch_id}" in page
    assert browser.open(f"/jobs?parentJobId={middle}").text.count(str(last)) == 1


@pytest.mark.parametrize(("status", "live"), [("pending", True), ("retrying", True), ("failed", False)])
def test_a_page_renews_itself_while_a_child_may_change(
    keys: Keys, connection: Connection, status: str, live: bool
) -> None:
    (parent,) = chain(connection, None)
    if status == "failed":
        failed(connection, parent_job_id=parent)
    else:
        put(connection, parent_job_id=parent, status=status, attempt=0 if status == "pending" else 1)
    browser = Browser()
    browser.sign_in(keys.ops.key)
    assert ('data-live="2"' in browser.open(f"/jobs/{parent}").text) is live
