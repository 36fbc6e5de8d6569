"""Makes the schedules of a stack what its template declares, or says what would have to change."""

from __future__ import annotations

from collections.abc import Callable

from infra.schedules.changes import Change, carry_out, changes
from infra.schedules.declaration import ScheduleSettings
from infra.schedules.stack import Stack, entered
from infra.schedules.template import declared_schedules
from infra.template import Template


def apply(
    stack: Stack,
    template: Template | None = None,
    *,
    dry_run: bool = False,
    announce: Callable[[Change], None] = lambda _change: None,
) -> list[Change]:
    """Create, update and delete until QStash has what the template declares; what was done, or would be.

    All is checked before anything is changed. Each change is announced when it is done: after an error, the same call
    again does the rest. Schedules whose id does not begin as this stack's do are not touched.

    Raises InvalidSchedules, MissingSettings or SecretUnavailable, and nothing was changed; PublishRejected or
    PublishFailed.

        >>> apply(Stack("local", variables=cloud.environment))  # doctest: +SKIP
        [Change(action='create', schedule_id='local.template.CleanupSchedule', ...)]
    """
    with entered(stack.variables):
        settings = ScheduleSettings.load()
        wanted = declared_schedules(template or Template(), stack.parameters, stack.name, settings)
        found = changes(wanted, stack.name, settings)
        for change in found:
            if not dry_run:
                carry_out(change, settings)
            announce(change)
        return found
