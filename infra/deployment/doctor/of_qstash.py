"""QStash must sign with the keys that the functions have, and keep the schedules that the template declares."""

from __future__ import annotations

from infra.deployment.doctor.target import Target
from infra.deployment.probes.qstash import signing_keys
from infra.deployment.probes.wrong import Works, Wrong
from infra.schedules.applying import apply
from infra.schedules.declaration import ScheduleSettings, id_prefix
from infra.schedules.stack import entered
from infra.schedules.template import InvalidSchedules
from infra.template import Template
from shared import publishing
from shared.errors import PosthasteError


def compare_keys(target: Target) -> Works:
    """Raises Wrong where QStash does not take the token, or signs with other keys than the functions verify with."""
    found = signing_keys(target.qstash_url, target.entries["QSTASH_TOKEN"])
    ours = target.entries.get("QSTASH_CURRENT_SIGNING_KEY"), target.entries.get("QSTASH_NEXT_SIGNING_KEY")
    if ours == (found.current, found.next):
        return Works(f"{target.qstash_url} knows the token, and its signing keys are the secret's")
    fetch = f"{target.make('secrets')} takes over those of QStash"
    if found.current in ours:
        return Works(
            f"{target.qstash_url} knows the token",
            [
                f"its signing keys were rolled: deliveries are still accepted, after the next roll they would not be; {fetch}"
            ],
        )
    raise Wrong("QStash signs with a key that is not in the secret, so every delivery is refused", fetch)


def compare_schedules(target: Target, template: Template) -> Works:
    """Raises Wrong where QStash does not have what the template declares."""
    with entered(target.variables):
        try:
            differing = apply(target.stack, template, dry_run=True)
            paused = [
                str(each["scheduleId"])
                for each in publishing.list_schedules(ScheduleSettings.load())
                if each.get("isPaused") and str(each["scheduleId"]).startswith(id_prefix(target.name))
            ]
        except (InvalidSchedules, PosthasteError) as error:
            raise Wrong(f"schedules cannot be compared: {error}", target.make("schedules")) from None
    if differing:
        told = ", ".join(f"{each.action} {each.schedule_id}" for each in differing)
        raise Wrong(f"QStash has others than declared: to {told}", target.make("schedules"))
    return Works("all are at QStash as declared", [f"{each} is paused" for each in paused])
