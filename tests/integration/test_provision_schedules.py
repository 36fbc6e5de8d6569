"""Custom::QStashSchedule: CloudFormation's requests, answered over HTTP, with a real QStash server behind."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from qstash import QStash
from qstash.schedule import Schedule

import shared.secrets
from functions.provision.answer import AnswerNotDelivered
from functions.provision.handler import handler
from infra.local.qstash import QStashServer
from shared.errors import SecretUnavailable
from tests.integration.delivering import URL
from tests.integration.provisioning import SIGNED, STACK, Context, ResponseUrl, listening, request

pytestmark = pytest.mark.usefixtures("endpoints")
CLEANUP = {"JobType": "cleanup-old-data", "Cron": "0 3 * * *", "TimeZone": "Europe/Paris", "Overlap": "skip"}
NAME = f"{STACK}.template.Thing"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def endpoints(environment: pytest.MonkeyPatch) -> None:
    names = ("cleanup-old-data", "generate-report", "send-notification", "record-failure")
    environment.setenv("JOB_ENDPOINTS", json.dumps(dict.fromkeys(names, URL)))


@pytest.fixture
def response() -> Iterator[ResponseUrl]:
    with listening() as opened:
        yield opened


@pytest.fixture
def ask(response: ResponseUrl) -> Ask:
    """Ask for a change of the resource; what CloudFormation was answered."""

    def call(kind: str, properties: dict[str, Any], *, seconds: float = 60, **more: Any) -> dict[str, Any]:
        handler(request(kind, "Custom::QStashSchedule", response.url, properties, **more), Context(seconds))
        return response.answer

    return call


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def kept(client: QStash) -> dict[str, Schedule]:
    return {each.schedule_id: each for each in client.schedule.list()}


def test_creating_makes_the_schedule(ask: Ask, client: QStash) -> None:
    answer = ask("Create", CLEANUP | {"Payload": '{"retention": {"activityLogs": 90}}', "Retries": "2"})
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    assert answer["Data"] == {"ScheduleId": NAME, "Note": ""}
    found = kept(client)[NAME]
    body = json.loads(found.body or "")
    assert (found.cron, found.retries, found.destination) == ("CRON_TZ=Europe/Paris 0 3 * * *", 4, URL)
    assert (body["type"], body["payload"]["retention"]["activityLogs"]) == ("cleanup-old-data", 90)
    assert (body["metadata"]["schedule"]["id"], body["metadata"]["schedule"]["overlap"]) == (NAME, "skip")


def test_the_answer_is_one_that_cloudformation_takes(response: ResponseUrl, qstash: QStashServer) -> None:
    handler(request("Create", "Custom::QStashSchedule", response.url, CLEANUP), Context(60))
    (put,) = response.puts
    assert put.path == SIGNED
    assert "content-type" not in put.headers
    asked = request("Create", "", "", {})
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert put.answer[name] == asked[name]


def test_creating_twice_changes_nothing(ask: Ask, client: QStash) -> None:
    ask("Create", CLEANUP)
    before = kept(client)
    assert ask("Create", CLEANUP)["PhysicalResourceId"] == NAME
    assert kept(client) == before


def test_an_update_changes_it_in_place_and_leaves_a_pause(ask: Ask, client: QStash) -> None:
    ask("Create", CLEANUP)
    client.schedule.pause(NAME)
    answer = ask("Update", CLEANUP | {"Cron": "30 4 * * *"}, PhysicalResourceId=NAME)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    (found,) = kept(client).values()
    assert (found.cron, found.paused) == ("CRON_TZ=Europe/Paris 30 4 * * *", True)


def test_a_replaced_resource_takes_its_old_schedule_along(ask: Ask, client: QStash) -> None:
    """Another physical id than before makes CloudFormation delete the one before."""
    ask("Create", CLEANUP, LogicalResourceId="Before")
    old = f"{STACK}.template.Before"
    answer = ask("Update", CLEANUP, PhysicalResourceId=old)
    assert answer["PhysicalResourceId"] == NAME
    assert set(kept(client)) == {old, NAME}
    assert ask("Delete", CLEANUP, PhysicalResourceId=old)["Status"] == "SUCCESS"
    assert set(kept(client)) == {NAME}


def test_deleting_removes_it_once_and_for_all(ask: Ask, client: QStash) -> None:
    ask("Create", CLEANUP)
    for _time in range(2):
        answer = ask("Delete", {"JobType": "no longer known"}, PhysicalResourceId=NAME)
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
        assert kept(client) == {}


@pytest.mark.parametrize("theirs", ["not-made", "posthaste.template.Thing", "mine", ""])
def test_deleting_what_is_not_the_stacks_own_leaves_it(ask: Ask, client: QStash, theirs: str) -> None:
    if theirs:
        client.schedule.create(destination=URL, cron="0 1 * * *", schedule_id=theirs)
    assert ask("Delete", CLEANUP, PhysicalResourceId=theirs)["Status"] == "SUCCESS"
    assert set(kept(client)) == ({theirs} if theirs else set())


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"Cron": "61 * * * *"}, "minute: '61' is not within"),
        ({"TimeZone": "Mars/Olympus"}, "'Mars/Olympus' is not a known"),
        ({"JobType": "clean-up"}, "JobType: there is no job type 'clean-up'"),
        ({"JobType": "export-data", "Payload": '{"exportType": 1}'}, "Payload.exportType"),
        ({"Payload": '{"archive": "perhaps"}'}, "Payload.archive"),
        ({"Payload": "{"}, "Payload"),
        ({"Payload": {"archive": "true"}}, "Payload: Input should be a valid string"),
        ({"Overlap": "queue"}, "Overlap"),
        ({"Retries": "many"}, "Retries"),
        ({"Crom": "0 3 * * *"}, "Crom"),
        ({"JobType": "send-reminder", "Payload": '{"reminderType": "day1"}'}, "no URL for 'send-reminder'"),
    ],
)
def test_what_is_wrong_fails_and_is_named(
    ask: Ask, client: QStash, properties: dict[str, Any], said: str
) -> None:
    answer = ask("Create", CLEANUP | properties)
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("Thing: ")
    assert said in answer["Reason"]
    assert answer["PhysicalResourceId"]
    assert kept(client) == {}


def test_all_that_is_wrong_is_named_at_once(ask: Ask, client: QStash) -> None:
    reason = ask("Create", CLEANUP | {"Cron": "x", "TimeZone": "y", "JobType": "z"})["Reason"]
    assert all(name in reason for name in ("Cron", "TimeZone", "JobType"))


def test_a_failed_update_keeps_the_id(ask: Ask, client: QStash) -> None:
    ask("Create", CLEANUP)
    answer = ask("Update", CLEANUP | {"Cron": "x"}, PhysicalResourceId=NAME)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", NAME)
    assert kept(client)[NAME].cron == "CRON_TZ=Europe/Paris 0 3 * * *"


def test_a_sensitive_payload_does_not_belong_in_a_template(ask: Ask, client: QStash) -> None:
    payload = {"userId": 1, "notificationType": "x"}
    answer = ask("Create", CLEANUP | {"JobType": "send-notification", "Payload": json.dumps(payload)})
    assert answer["Status"] == "FAILED"
    assert kept(client) == {}


def test_without_a_token_a_first_deploy_succeeds_and_says_what_to_do(
    ask: Ask, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("QSTASH_TOKEN")
    environment.setenv("QSTASH_SECRET_ARN", "arn:secret")
    environment.setattr("shared.secrets._secret_string", lambda _arn: "{}")
    answer = ask("Create", CLEANUP)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    assert "QSTASH_TOKEN" in answer["Reason"]
    assert "make schedules" in answer["Data"]["Note"]
    assert ask("Create", CLEANUP | {"Cron": "x"})["Status"] == "FAILED"
    assert ask("Delete", CLEANUP, PhysicalResourceId=NAME)["Status"] == "SUCCESS"


def test_once_the_token_is_filled_in_the_next_deploy_makes_the_schedule(
    ask: Ask, qstash: QStashServer, client: QStash, environment: pytest.MonkeyPatch
) -> None:
    secret = {"arn:secret": "{}"}
    environment.delenv("QSTASH_TOKEN")
    environment.setenv("QSTASH_SECRET_ARN", "arn:secret")
    environment.setattr("shared.secrets._secret_string", lambda arn: secret[arn])
    assert "Not scheduled" in ask("Create", CLEANUP)["Reason"]
    assert kept(client) == {}
    secret["arn:secret"] = json.dumps({"QSTASH_TOKEN": qstash.token})
    environment.setattr("shared.secrets._REFRESH_SECONDS", -1.0)  # a deploy comes more than a minute later
    answer = ask("Update", CLEANUP | {"Version": "arn:…:8"}, PhysicalResourceId=NAME)
    assert (answer["Status"], answer["Data"]["Note"]) == ("SUCCESS", "")
    assert set(kept(client)) == {NAME}


def test_secrets_that_a_new_role_may_not_read_yet_are_asked_for_again(
    ask: Ask, qstash: QStashServer, client: QStash, environment: pytest.MonkeyPatch
) -> None:
    answers = [None, None, json.dumps({"QSTASH_TOKEN": qstash.token})]

    def read(arn: str) -> str:
        answer = answers.pop(0)
        if answer is None:
            raise SecretUnavailable(f"could not read {arn}: AccessDenied")
        return answer

    environment.delenv("QSTASH_TOKEN")
    environment.setenv("QSTASH_SECRET_ARN", "arn:secret")
    environment.setattr("shared.secrets._secret_string", read)
    environment.setattr("functions.provision.handler._WAITS_FOR_IAM", (0.0, 0.0))
    assert ask("Create", CLEANUP)["Status"] == "SUCCESS"
    assert set(kept(client)) == {NAME}
    shared.secrets._cache.clear()
    answers += [None, None, None]
    assert "AccessDenied" in ask("Create", CLEANUP)["Reason"]


def test_an_unreachable_qstash_fails_it(ask: Ask, environment: pytest.MonkeyPatch) -> None:
    answer = ask("Create", CLEANUP)
    assert answer["Status"] == "FAILED"
    assert "QStash at http://127.0.0.1:1" in answer["Reason"]
    assert answer["PhysicalResourceId"] == NAME


def test_a_refused_token_fails_it(ask: Ask, qstash: QStashServer, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QSTASH_TOKEN", "wrong")
    assert "401" in ask("Create", CLEANUP)["Reason"]


def test_a_qstash_that_hangs_fails_it_before_lambdas_time_is_up(
    ask: Ask, environment: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment.setenv("QSTASH_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        answer = ask("Create", CLEANUP, seconds=30.3)  # 30 of it are for the answer
    assert answer["Status"] == "FAILED"
    assert "timed out after 0.3 s" in answer["Reason"]


def test_what_cannot_be_read_is_answered_too(response: ResponseUrl) -> None:
    handler({"ResponseURL": response.url, "RequestType": "Upsert"}, Context(60))
    answer = response.answer
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "not-made")
    assert "RequestType" in answer["Reason"]
    handler(request("Create", "Custom::Other", response.url, {}), Context(60))
    assert "Custom::Other" in response.answer["Reason"]


def test_an_answer_has_at_most_4096_bytes(response: ResponseUrl) -> None:
    handler(request("Create", "Custom::QStashSchedule", response.url, {"é" * 3000: ""}), Context(60))
    (put,) = response.puts
    assert len(put.body) <= 4096
    assert "JobType" in put.answer["Reason"] or "é" in put.answer["Reason"]


def test_a_response_url_that_fails_at_first_is_told_again(
    response: ResponseUrl, qstash: QStashServer
) -> None:
    response.statuses = [503]
    handler(request("Create", "Custom::QStashSchedule", response.url, CLEANUP), Context(60))
    assert [put.answer["Status"] for put in response.puts] == ["SUCCESS", "SUCCESS"]


def test_an_expired_response_url_is_not_asked_twice(response: ResponseUrl, qstash: QStashServer) -> None:
    response.statuses = [403]
    with pytest.raises(AnswerNotDelivered, match="403"):
        handler(request("Create", "Custom::QStashSchedule", response.url, CLEANUP), Context(60))
    assert len(response.puts) == 1


def test_an_unreachable_response_url_makes_lambda_invoke_again(qstash: QStashServer) -> None:
    event = request("Create", "Custom::QStashSchedule", "http://127.0.0.1:1/", CLEANUP)
    with pytest.raises(AnswerNotDelivered):
        handler(event, Context(1.2))
