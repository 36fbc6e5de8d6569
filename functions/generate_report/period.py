"""The days a report is on, those it is compared with, and the steps its charts go in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from shared.emails.wording import calendar_day
from shared.jobs.generate_report import GenerateReport

Step = Literal["day", "week", "month"]
_DAY = timedelta(days=1)
_MOST_DAYS, _MOST_WEEKS = 45, 31  # that a chart shows singly


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date

    @property
    def whole_months(self) -> bool:
        """Whether it begins with a month and ends with one."""
        return self.first.day == 1 and (self.last + _DAY).day == 1

    @property
    def before(self) -> Period:
        """As many days right before it; of whole months as many months."""
        last = self.first - _DAY
        if not self.whole_months:
            return Period(last - (self.last - self.first), last)
        months = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        return Period(_months_earlier(self.first, months), last)

    @property
    def step(self) -> Step:
        """What one place on a chart's axis stands for."""
        days = (self.last - self.first).days + 1
        if days <= _MOST_DAYS:
            return "day"
        return "week" if days <= _MOST_WEEKS * 7 and not self.whole_months else "month"

    @property
    def trend_from(self) -> date:
        """Where a trend by month begins: with the period's first month, and at least a year before its end."""
        return min(self.first.replace(day=1), _months_earlier(self.last, 11))

    @property
    def words(self) -> str:
        """As people write it: April 2026; else with both days."""
        if self.whole_months and (self.first.year, self.first.month) == (self.last.year, self.last.month):
            return f"{self.first:%B %Y}"
        if self.first == self.last:
            return calendar_day(self.first)
        return f"{calendar_day(self.first)} – {calendar_day(self.last)}"


def period_of(payload: GenerateReport, asked_on: date) -> Period:
    """The days asked for; else the last month that was over on the day it was asked."""
    if payload.start_date is not None and payload.end_date is not None:
        return Period(payload.start_date, payload.end_date)
    last = asked_on.replace(day=1) - _DAY
    return Period(last.replace(day=1), last)


def _months_earlier(day: date, months: int) -> date:
    """The first day of the month so many before a day's."""
    month = day.year * 12 + day.month - 1 - months
    return date(month // 12, month % 12 + 1, 1)
