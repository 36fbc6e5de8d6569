"""The payload of `send-reminder`: one reminder of one application, or the check that starts the reminders of all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import PositiveInt, model_validator
from pydantic_core import PydanticCustomError

from shared.envelope import Payload
from shared.registry import JobType


class ReminderType(StrEnum):
    """A series of reminders, each so many days after an application was started, and one on request."""

    DAY1 = "day1"
    DAY3 = "day3"
    DAY5 = "day5"
    DAY7 = "day7"
    MISSING_DOCS = "missingDocs"

    @property
    def in_series(self) -> bool:
        """Whether it follows from the one before, and nobody has to ask for it."""
        return self is not ReminderType.MISSING_DOCS

    @property
    def wait(self) -> timedelta:
        """How long after an application's start it is due; on request: at once."""
        return _WAITS.get(self, timedelta(0))

    @property
    def later(self) -> Sequence[ReminderType]:
        """Those of the series that come after it."""
        return [each for each in _WAITS if self.in_series and each.wait > self.wait]


_WAITS = {
    ReminderType.DAY1: timedelta(days=1),
    ReminderType.DAY3: timedelta(days=3),
    ReminderType.DAY5: timedelta(days=5),
    ReminderType.DAY7: timedelta(days=7),
}


class SendReminder(Payload, type=JobType.SEND_REMINDER):
    """One reminder of an application: the one named, else the applicant's latest in the job's organization.

    Without an applicant, which only day1 may be, it is the check that starts the reminders of every application that has
    been incomplete for a day, of the job's organization or of all; `after_application_id` is where the check before it
    stopped. Raises InvalidJob where the fields do not go together.

        SendReminder(reminder_type=ReminderType.DAY1, applicant_id=7)
        SendReminder(reminder_type=ReminderType.DAY1)
    """

    reminder_type: ReminderType
    applicant_id: PositiveInt | None = None
    application_id: PositiveInt | None = None
    after_application_id: PositiveInt | None = None

    @model_validator(mode="after")
    def _is_a_reminder_or_the_check(self) -> Self:
        if self.applicant_id is None and (
            self.application_id is not None or self.reminder_type != ReminderType.DAY1
        ):
            raise PydanticCustomError(
                "applicant_missing", "applicantId is missing: only the check, which is day1 alone, has none"
            )
        if self.applicant_id is not None and self.after_application_id is not None:
            raise PydanticCustomError(
                "not_the_check", "afterApplicationId is the check's, which has no applicantId"
            )
        return self
