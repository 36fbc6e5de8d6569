"""QStash's schedules: put, listed, paused, resumed and deleted, and one run of theirs by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from shared.envelope import Envelope
from shared.publishing.client import NotFound, call, failing_as_publish_failed, sdk
from shared.publishing.messages import default_options, schedule_message
from shared.publishing.sending import send
from shared.registry import get_job_config
from shared.settings import DispatcherSettings


def put_schedule(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> None:
    """Make a schedule, or replace the one of that id; `options` are those of a row. Raises as `publish` does."""
    with failing_as_publish_failed(settings):
        schedule = schedule_message(schedule_id, cron, envelope, options, settings)
        call(settings, lambda _http: sdk(settings).schedule.create(**schedule))


def publish_run(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> str:
    """Deliver once, now, what a schedule delivers; the message's id. Raises as `publish` does."""
    with failing_as_publish_failed(settings):
        config = get_job_config(envelope.type)
        organization_id = envelope.metadata.organization_id
        usual = default_options(config, config.retries, organization_id, settings)
        message = schedule_message(schedule_id, cron, envelope, usual | dict(options), settings)
        message["url"] = message.pop("destination")
        del message["cron"], message["schedule_id"]
        return send(settings, message)


def list_schedules(settings: DispatcherSettings) -> list[dict[str, Any]]:
    """All schedules of the account, as QStash's API describes them. Raises PublishFailed."""
    with failing_as_publish_failed(settings):
        # Not the SDK's own method: its parser raises for the whole list where one's last run has a state it does not know.
        return list(call(settings, lambda http: http.request(path="/v2/schedules", method="GET")))


def act_on_schedule(
    schedule_id: str, action: Literal["delete", "pause", "resume"], settings: DispatcherSettings
) -> bool:
    """Do it; False where there is no such schedule. Raises PublishFailed if QStash cannot be asked."""
    with failing_as_publish_failed(settings):
        try:  # asked first, for QStash may well answer 200 when something that is not there is deleted
            call(settings, lambda http: http.request(path=f"/v2/schedules/{schedule_id}", method="GET"))
        except NotFound:
            return False
        call(settings, lambda _http: getattr(sdk(settings).schedule, action)(schedule_id))
        return True
