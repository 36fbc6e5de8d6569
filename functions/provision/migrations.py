"""`Custom::Migrations`: the schema that the stack's code expects. It goes forward only, and data stays."""

from __future__ import annotations

import re

from functions.provision.answer import Answer
from functions.provision.request import Request
from infra.migrations import migrate
from shared import secrets

_LATER = "the secret at DATABASE_SECRET_ARN has no DATABASE_URL yet: put it there, then run `make migrate` with that URL"


def answer_migrations(request: Request) -> Answer:
    """Apply what is missing. The end of the stack and its way back to an earlier version change nothing.

    Raises MigrationError, psycopg.Error or SecretUnavailable.
    """
    name = f"{request.stack}.migrations"
    if request.request_type == "Delete":
        return Answer("SUCCESS", request.physical_resource_id or name, "The database is left as it is.")
    if _goes_back(request):
        return Answer("SUCCESS", name, "Migrations go forward only.", {"Applied": "", "Note": ""})
    url = secrets.find("DATABASE_URL")
    if url is None:
        return Answer("SUCCESS", name, f"Not migrated: {_LATER}", {"Applied": "", "Note": _LATER})
    applied = ", ".join(migrate(url))
    return Answer("SUCCESS", name, data={"Applied": applied[:1024], "Note": ""})


def _goes_back(request: Request) -> bool:
    """Whether this is a rollback: Lambda never gives a new version a lower number.

    The database may be just what the deploy failed for, and a rollback that fails leaves the stack stuck.
    """
    if request.request_type != "Update":
        return False
    wanted = _version(request.resource_properties.get("Version"))
    before = _version(request.old_resource_properties.get("Version"))
    return wanted is not None and before is not None and wanted < before


def _version(arn: object) -> int | None:
    match = re.search(r":(\d+)$", str(arn))
    return int(match[1]) if match else None
