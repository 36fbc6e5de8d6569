"""The server: accounts, timer and sender behind one address."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from infra.local.qstash.accounts import DEFAULT_USER, IDENTITIES, Account, Identity
from infra.local.qstash.api.app import make_app
from infra.local.qstash.delivery.courier import Courier, Rules
from infra.local.qstash.delivery.faults import Faults
from infra.local.qstash.delivery.sender import Sender
from infra.local.qstash.delivery.signing import SigningKeys
from infra.local.qstash.intake import Intake
from infra.local.qstash.records import Message
from infra.local.qstash.schedules import Schedules
from infra.local.qstash.store import Store
from infra.local.qstash.timer import Timer
from infra.local.qstash.wire.options import Quotas

DEFAULT_MAX_RETRIES = 5
_MOST_NAMED = 5


class QStashServer:
    """A QStash that runs in the current event loop and keeps its state in memory.

    `backoff_scale` multiplies every wait before a retry; 0.0 retries at once. `clock` gives seconds since 1970; who
    sets it forward calls `wake`. `max_retries`, `max_delay` (seconds) and `max_schedules` are each account's quotas,
    None for no limit.

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
        max_retries: int | None = DEFAULT_MAX_RETRIES,
        max_delay: float | None = None,
        max_schedules: int | None = None,
    ) -> None:
        self.faults = Faults()
        self._host = host
        self._port = port
        self._clock = clock
        self._rules = Rules(clock, backoff_scale, log or (lambda _line: None), self.faults)
        self._quotas = Quotas(max_retries, max_delay)
        self._max_schedules = max_schedules
        self._timer = Timer(clock)
        self._sender = Sender(clock)
        self._accounts = {identity.token: self._open_account(identity) for identity in IDENTITIES}
        self._runner: web.AppRunner | None = None
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
        app = make_app(self._accounts, self.faults)
        # A body is passed on as it came, so it must not be unpacked here.
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._changed = asyncio.Event()
        await self._sender.open()
        self._timing = asyncio.create_task(self._timer.run())
        for account in self._accounts.values():
            account.courier.resume()
            account.schedules.arm()

    async def stop(self) -> None:
        """Close every connection and break off every delivery; `start` goes on with the same messages and port."""
        if self._runner is None or self._timing is None:
            return
        await self._runner.cleanup()
        self._timing.cancel()
        with suppress(asyncio.CancelledError):
            await self._timing
        for account in self._accounts.values():
            await account.courier.pause()
        self._timer.clear()
        await self._sender.close()
        self._runner = self._timing = None

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

        Returns the new message's id. Raises KeyError for an unknown schedule and RuntimeError unless it is running.
        """
        if self._runner is None:
            raise RuntimeError("the server is not running")
        for account in self._accounts.values():
            schedule = account.schedules.get(schedule_id)
            if schedule is not None:
                return account.schedules.fire(schedule).id
        raise KeyError(schedule_id)

    def _open_account(self, identity: Identity) -> Account:
        keys = SigningKeys(identity.current_key, identity.next_key)
        store = Store(self._clock)
        courier = Courier(
            store=store,
            keys=keys,
            rules=self._rules,
            timer=self._timer,
            sender=self._sender,
            on_change=self._on_change,
        )
        schedules = Schedules(
            courier=courier,
            timer=self._timer,
            clock=self._clock,
            limit=self._max_schedules,
            on_change=self._on_change,
        )
        return Account(Intake(courier, self._quotas, self._clock), courier, schedules)

    def _on_change(self) -> None:
        self._changed.set()

    def _pending(self) -> list[Message]:
        return [message for account in self._accounts.values() for message in account.courier.pending()]

    def _describe_pending(self) -> str:
        due = [schedule for account in self._accounts.values() for schedule in account.schedules.due()]
        pending = self._pending()
        named = [f"schedule {schedule.id} is due" for schedule in due[:_MOST_NAMED]] + [
            f"{message.id} to {message.url} is {message.state}, due in {message.due - self._clock():.1f} s"
            for message in pending[:_MOST_NAMED]
        ]
        return "; ".join(named) + (
            f"; and {len(pending) - _MOST_NAMED} more" if len(pending) > _MOST_NAMED else ""
        )


def _is_busy(account: Account) -> bool:
    return account.courier.busy or bool(account.schedules.due())
