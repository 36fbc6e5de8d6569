"""A slice of `make fuzz-api`."""

from __future__ import annotations

from infra.local.qstash import QStashServer
from shared.database import Connection
from tests.fuzz_api.requests import send_many
from tests.fuzz_api.stage import others, set_up
from tests.integration.jobs_api.conftest import Keys


def test_generated_requests_are_answered_and_change_nothing_of_others(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    world = set_up(connection)
    before = others(connection)
    send_many(world, 400, first_seed=1)
    assert others(connection) == before
    assert world.sent >= 400
    assert {200, 400, 401, 403, 404} <= set(world.answers)
