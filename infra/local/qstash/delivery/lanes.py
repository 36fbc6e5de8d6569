"""How many deliveries are open at once: so many to each destination, so that a slow one holds up no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yarl import URL

MOST_PER_DESTINATION = 100
_MOST = 4_000
_OTHER_FILES = 200


@dataclass(slots=True)
class _Lane:
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_PER_DESTINATION))
    users: int = 0


class Lanes:
    """A hundred deliveries to each host and port at once, and as many in all as the process may open files."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._room = asyncio.Semaphore(most_open())

    @asynccontextmanager
    async def lane(self, url: URL) -> AsyncIterator[None]:
        """Hold one place on the way to `url`."""
        key = f"{url.raw_host}:{url.port}"
        lane = self._lanes.setdefault(key, _Lane())
        lane.users += 1
        try:
            async with lane.room, self._room:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                self._lanes.pop(key, None)


def most_open() -> int:
    """How many deliveries may be open at once in all."""
    try:
        import resource  # noqa: PLC0415  # not there on Windows
    except ImportError:
        return 400
    return max(50, min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES))
