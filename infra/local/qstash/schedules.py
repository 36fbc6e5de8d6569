"""One account's schedules: kept, due, and fired as ordinary messages."""

from collections.abc import Callable
from functools import partial

from .cron import Cron
from .delivery.courier import Courier
from .errors import Refused, check_quota
from .ids import new_id
from .intake import Intake, deduplication_key
from .journal import AccountJournal
from .records import Message, Schedule
from .timer import Timer


class Schedules:
    """All schedules of one account; at most `limit`, where that is not None.

    `on_change` is called whenever one of them may no longer be due.
    """

    def __init__(
        self,
        *,
        courier: Courier,
        intake: Intake,
        timer: Timer,
        clock: Callable[[], float],
        limit: int | None,
        journal: AccountJournal,
        on_change: Callable[[], None],
    ) -> None:
        self._courier = courier
        self._intake = intake
        self._journal = journal
        self._timer = timer
        self._clock = clock
        self._limit = limit
        self._on_change = on_change
        self._schedules: dict[str, Schedule] = {}

    def put(self, schedule_id: str | None, cron: Cron, draft: Message) -> tuple[Schedule, bool]:
        """Keep a schedule for that message, in place of any of that id; a new id for None.

        Returns it and False, or an existing one and True if the draft's deduplication id was used for that one within
        the last ten minutes. Raises QuotaExceeded.
        """
        key = deduplication_key(draft)
        earlier = self._duplicate_of(key)
        if earlier is not None:
            return earlier, True
        schedule = self._make(schedule_id or new_id("scd"), cron, draft)
        if key is not None:
            self._courier.store.remember_key(_own(key), schedule.id)
        return schedule, False

    def get(self, schedule_id: str) -> Schedule | None:
        """The schedule of that id."""
        return self._schedules.get(schedule_id)

    def all(self) -> list[Schedule]:
        """All schedules, oldest first."""
        return list(self._schedules.values())

    def delete(self, schedule: Schedule) -> None:
        """Fire it no more; messages that it has created go on."""
        del self._schedules[schedule.id]
        self._journal.drop("schedule", schedule.id)
        self._journal.otherwise(partial(self._put_back, schedule.id, schedule))
        self._on_change()

    def pause(self, schedule: Schedule) -> None:
        """Let its times pass until it is resumed."""
        schedule.next_at = None
        self._save(schedule)
        self._on_change()

    def resume(self, schedule: Schedule) -> None:
        """Fire it again, from its next time on; not for those that passed during the pause."""
        if schedule.paused:
            self._set_next(schedule, self._clock())

    def fire(self, schedule: Schedule) -> tuple[Message, ...]:
        """Create its messages now: one, or for a URL group one for each endpoint.

        None if the group is gone or the plan allows no more messages; then the schedule says so as its error.
        """
        schedule.last_at, schedule.error = self._clock(), None
        try:
            draft = self._intake.fire(schedule.template)
            self._intake.check_room(len(draft.messages))
            self._intake.accept(draft)
            schedule.last_messages = draft.messages
        except Refused as refusal:
            schedule.last_messages, schedule.error = (), refusal.text
        self._save(schedule)
        return schedule.last_messages

    def add(self, schedule: Schedule) -> None:
        """Take in a schedule from an earlier run."""
        self._schedules[schedule.id] = schedule

    def arm(self) -> None:
        """Set the timer for all of them, after it was cleared."""
        for schedule in self._schedules.values():
            self._set_timer(schedule)

    def due(self) -> list[Schedule]:
        """Those whose time has come, but which the timer has not fired yet."""
        now = self._clock()
        return [
            schedule
            for schedule in self._schedules.values()
            if schedule.next_at is not None and schedule.next_at <= now
        ]

    def _duplicate_of(self, key: str | None) -> Schedule | None:
        earlier = None if key is None else self._courier.store.duplicate_of(_own(key))
        return None if earlier is None else self._schedules.get(earlier)

    def _make(self, schedule_id: str, cron: Cron, draft: Message) -> Schedule:
        if schedule_id not in self._schedules:
            check_quota("maxSchedules", len(self._schedules) + 1, self._limit)
        draft.schedule_id = schedule_id
        self._journal.otherwise(partial(self._put_back, schedule_id, self._schedules.pop(schedule_id, None)))
        schedule = self._schedules[schedule_id] = Schedule(cron, draft)
        self._set_next(schedule, draft.created_at)
        self._on_change()
        return schedule

    def _put_back(self, schedule_id: str, earlier: Schedule | None) -> None:
        self._schedules.pop(schedule_id, None)
        if earlier is None:
            self._journal.drop("schedule", schedule_id)
        else:
            self._schedules[schedule_id] = earlier
            self._save(earlier)
            self._set_timer(earlier)
        self._on_change()

    def _set_next(self, schedule: Schedule, after: float) -> None:
        schedule.next_at = schedule.cron.next_after(after)
        self._save(schedule)
        self._set_timer(schedule)

    def _set_timer(self, schedule: Schedule) -> None:
        if schedule.next_at is not None:
            self._timer.at(schedule.next_at, partial(self._tick, schedule, schedule.next_at))

    def _tick(self, schedule: Schedule, due: float) -> None:
        # It may have been deleted, replaced or paused since, or armed twice.
        if self._schedules.get(schedule.id) is not schedule or schedule.next_at != due:
            return
        self.fire(schedule)
        # A clock that has jumped ahead skips what it jumped over; one that is set back repeats no time.
        self._set_next(schedule, max(due, self._clock()))

    def _save(self, schedule: Schedule) -> None:
        self._journal.put("schedule", schedule.id, schedule)


def _own(key: str) -> str:
    # The ids of schedules are not those of messages.
    return f"schedule:{key}"
