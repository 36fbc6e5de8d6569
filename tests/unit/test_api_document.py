"""The OpenAPI document is what the routes are."""

from __future__ import annotations

import json
import re

from functions.jobs_api.api.openapi import DOCUMENT
from infra import api_document
from infra.template import ROOT

KEPT = json.loads(DOCUMENT.read_text("utf-8"))


def test_the_document_is_that_of_the_routes() -> None:
    assert DOCUMENT.read_text("utf-8") == api_document.text(), "run make openapi"


def test_each_operation_is_described_and_named_once() -> None:
    operations = [each for path in KEPT["paths"].values() for each in path.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names) > 15
    assert all(each["summary"] for each in operations)
    assert KEPT["openapi"] == "3.1.0"


def test_a_summary_is_the_routes_and_not_that_of_a_page_of_the_same_name() -> None:
    paths = KEPT["paths"]
    assert paths["/v1/jobs"]["get"]["summary"] == "List jobs, newest first"
    assert paths["/v1/jobs/{job_id}"]["get"]["summary"] == "Read one job"
    assert paths["/v1/jobs/{job_id}/cancel"]["post"]["summary"] == "Cancel a job that has not ended"


def test_every_answer_has_a_shape() -> None:
    for path, operations in KEPT["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                assert response["content"]["application/json"]["schema"], (method, path, status)


def test_the_guide_names_each_operation_and_no_other() -> None:
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    named = set(re.findall(r"^\| `((?:GET|POST) /\S*)` \|", guide, re.MULTILINE))
    assert named == {
        f"{method.upper()} {path}" for path, methods in KEPT["paths"].items() for method in methods
    }
