"""The server: accounts, timer and sender behind one address."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from .accounts import DEFAULT_USER, IDENTITIES, Account, open_account
from .api.app import make_runner
from .clock import Clock
from .delivery.courier import Rules
from .delivery.faults import Faults
from .delivery.hosts import Hosts
from .delivery.sender import DEFAULT_REGION, Sender
from .disk.file import FileJournal
from .disk.restoring import restore
from .journal import Journal
from .listener import Listener, listen
from .plans import DEFAULT_MAX_RETRIES, Plan
from .records import Message
from .timer import Timer

_MOST_NAMED = 5
_GLANCE = 0.005


class QStashServer:
    """A QStash that runs in the current event loop and keeps its state in memory, or in the file `state`, too.

    `backoff_scale` multiplies every wait before a retry; 0.0 retries at once. `clock` gives seconds since 1970; who
    sets it forward calls `wake`, or moves it by `advance`. `plan` sets the account's quotas, of which `max_retries`,
    `max_delay` (seconds) and `max_schedules` can be set alone, None for no limit. `hosts` says where public hosts are
    to be found, as in `{"api.example.com": "http://127.0.0.1:3000"}`. Raises Unreadable if `state` is no such file.

    Example::

        server = QStashServer(port=0)
        await server.start()
        client = QStash(server.token, base_url=server.url)
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        backoff_scale: float = 1.0,
        clock: Callable[[], float] = time.time,
        log: Callable[[str], None] | None = None,
        plan: Plan | None = None,
        max_retries: int | None = DEFAULT_MAX_RETRIES,
        max_delay: float | None = None,
        max_schedules: int | None = None,
        hosts: Mapping[str, str] | None = None,
        state: Path | None = None,
        region: str = DEFAULT_REGION,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        self.faults = Faults()
        self.hosts = Hosts()
        self.hosts.replace(dict(hosts or {}))
        self.allowed_hosts = frozenset(allowed_hosts)
        self._host = host
        self._port = port
        self._log = log or (lambda _line: None)
        self._plan = plan or Plan(max_retries, max_delay, max_schedules=max_schedules)
        self._journal = Journal() if state is None else FileJournal(state, self._log)
        self.clock = Clock(clock, self._journal)
        self._rules = Rules(self.clock, backoff_scale, self._log, self.faults)
        self._timer = Timer(self.clock)
        self._sender = Sender(self.clock, self.hosts, region, self._plan.largest_answer)
        self._accounts = self._open_accounts()
        if isinstance(self._journal, FileJournal):
            restore(self._journal, self._accounts.values(), self.clock)
        self._listener: Listener | None = None
        self._timing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens; after `start`, with the port that was free."""
        return f"http://{self._host}:{self._port}"

    @property
    def token(self) -> str:
        """The default user's token."""
        return DEFAULT_USER.token

    @property
    def current_signing_key(self) -> str:
        """The key that the default user's deliveries are signed with now."""
        return self._accounts[DEFAULT_USER.token].courier.keys.current

    @property
    def next_signing_key(self) -> str:
        """The default user's next key."""
        return self._accounts[DEFAULT_USER.token].courier.keys.next

    async def start(self) -> None:
        """Listen, and deliver what is due. Raises OSError if the port is taken."""
        self._listener = await listen(make_runner(self), self._host, self._port)
        self._port = self._listener.port
        self._changed = asyncio.Event()
        await self._sender.open()
        self._timing = asyncio.create_task(self._timer.run())
        self._resume()

    async def stop(self) -> None:
        """Close every connection and break off every delivery; `start` goes on with the same messages and port.

        Raises Unwritable, when all that is done, if the state file cannot be written; `close` tries again.
        """
        if self._listener is None or self._timing is None:
            return
        await self._listener.close()
        self._timing.cancel()
        with suppress(asyncio.CancelledError):
            await self._timing
        for account in self._accounts.values():
            await account.courier.pause()
        self._timer.clear()
        await self._sender.close()
        self._listener = self._timing = None
        self._journal.commit()

    def close(self) -> None:
        """Give up the state file, after the last `stop`."""
        self._journal.close()

    def commit(self) -> None:
        """Write down all changes, where there is a state file. Raises Unwritable."""
        self._journal.commit()

    def written_or_taken_back(self) -> AbstractContextManager[None]:
        """Write down what the block changes, or take it back. Raises Unwritable. The block must not await."""
        return self._journal.written_or_taken_back()

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The users' accounts, by token."""
        return self._accounts

    def advance(self, seconds: float) -> None:
        """Move the clock, and deliver what has become due."""
        self.clock.advance(seconds)
        self.wake()

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109 - part of the interface
        """Move the clock forward from one due time to the next, until no message is pending.

        All retries and delays pass in a moment, and schedules fire when their times are passed. Raises TimeoutError
        after `timeout` seconds of wall clock, saying what is left.
        """
        try:
            async with asyncio.timeout(timeout):
                while self._pending():
                    if self._is_at_rest() and (due := self._next_due()) < math.inf:
                        self.advance(due - self.clock())
                    await asyncio.sleep(_GLANCE)
        except TimeoutError:
            raise TimeoutError(f"still pending after {timeout:g} s: {self._describe_pending()}") from None

    async def reset(self) -> None:
        """Forget everything of all users, and tell the time again; keys are those of the beginning."""
        running = self._listener is not None
        for account in self._accounts.values():
            await account.courier.pause()
        self._timer.clear()
        self._sender.lanes.reset()
        self._journal.clear()
        self.faults.clear()
        self.hosts.replace({})
        self.clock.ahead = 0.0
        self._accounts = self._open_accounts()
        if running:
            self._resume()
        self._on_change()

    def wake(self) -> None:
        """Look at the clock now rather than within a second."""
        self._timer.wake()

    def pending(self) -> int:
        """How many messages, callbacks among them, are waiting, due later or under way."""
        return len(self._pending())

    async def wait_idle(self, timeout: float) -> None:  # noqa: ASYNC109 - part of the interface
        """Wait until nothing is pending and no schedule is due.

        Raises TimeoutError after `timeout` seconds of wall clock, saying what is left.
        """
        try:
            async with asyncio.timeout(timeout):
                while any(_is_busy(account) for account in self._accounts.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"still pending after {timeout:g} s: {self._describe_pending()}") from None

    async def redeliver(self, message_id: str) -> int:
        """Send one more signed copy of a message now, whatever has become of it.

        Returns the HTTP status, 0 if no response came. Raises KeyError for an unknown message.
        """
        for account in self._accounts.values():
            message = account.courier.store.known(message_id)
            if message is not None:
                return await account.courier.redeliver(message)
        raise KeyError(message_id)

    async def trigger(self, schedule_id: str) -> str:
        """Fire a schedule now, paused or not; its own times stay as they are.

        Returns the new message's id, for a URL group the first one's. Raises KeyError for an unknown schedule and
        RuntimeError unless the server is running and the schedule's URL group is there.
        """
        if self._listener is None:
            raise RuntimeError("the server is not running")
        for account in self._accounts.values():
            schedule = account.schedules.get(schedule_id)
            if schedule is not None:
                fired = account.schedules.fire(schedule)
                if not fired:
                    raise RuntimeError(schedule.error)
                return fired[0].id
        raise KeyError(schedule_id)

    def _open_accounts(self) -> dict[str, Account]:
        return {
            identity.token: open_account(
                identity,
                plan=self._plan,
                rules=self._rules,
                timer=self._timer,
                sender=self._sender,
                journal=self._journal,
                on_change=self._on_change,
            )
            for identity in IDENTITIES
        }

    def _resume(self) -> None:
        for account in self._accounts.values():
            account.courier.resume()
            account.schedules.arm()

    def _next_due(self) -> float:
        return min(account.courier.next_due() for account in self._accounts.values())

    def _is_at_rest(self) -> bool:
        return self._timer.next_due() > self.clock() and not any(
            account.courier.sending for account in self._accounts.values()
        )

    def _on_change(self) -> None:
        self._changed.set()

    def _pending(self) -> list[Message]:
        return [message for account in self._accounts.values() for message in account.courier.pending()]

    def _describe_pending(self) -> str:
        due = [schedule for account in self._accounts.values() for schedule in account.schedules.due()]
        pending = self._pending()
        named = [f"schedule {schedule.id} is due" for schedule in due[:_MOST_NAMED]] + [
            f"{message.id} to {message.url} is {message.state}, due in {message.due - self.clock():.1f} s"
            for message in pending[:_MOST_NAMED]
        ]
        return "; ".join(named) + (
            f"; and {len(pending) - _MOST_NAMED} more" if len(pending) > _MOST_NAMED else ""
        )


def _is_busy(account: Account) -> bool:
    return account.courier.busy or bool(account.schedules.due())
