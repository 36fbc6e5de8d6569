"""How many deliveries are open at once: so many to each destination, so that a slow one holds up no other."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_PER_DESTINATION = 100
_MOST = 4_000
_OTHER_FILES = 200

_Start = Callable[[], None]


@dataclass(slots=True)
class _Lane:
    active: int = 0
    waiting: deque[_Start] = field(default_factory=deque)


class Lanes:
    """A hundred deliveries to each host and port at once, and as many in all as the process may open files.

    Who enters is started at once or when someone else leaves, first come first served.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[str] = deque()
        self._active = 0
        self._most = most_open()

    def enter(self, key: str, start: _Start) -> None:
        """Call `start` when there is a place on the way to `key`, a host and port."""
        lane = self._lanes.setdefault(key, _Lane())
        lane.waiting.append(start)
        self._ready.append(key)
        self._let_through()

    def leave(self, key: str) -> None:
        """One that was started is over."""
        lane = self._lanes[key]
        lane.active -= 1
        self._active -= 1
        if lane.waiting:
            self._ready.append(key)
        elif not lane.active:
            del self._lanes[key]
        self._let_through()

    def reset(self) -> None:
        """Forget all of them."""
        self._lanes.clear()
        self._ready.clear()
        self._active = 0

    def _let_through(self) -> None:
        # A lane is named in `ready` whenever it may have got room; once too often does no harm.
        while self._ready and self._active < self._most:
            lane = self._lanes.get(self._ready.popleft())
            if lane is not None and lane.waiting and lane.active < MOST_PER_DESTINATION:
                lane.active += 1
                self._active += 1
                lane.waiting.popleft()()


def most_open() -> int:
    """How many deliveries may be open at once in all."""
    try:
        import resource  # noqa: PLC0415  # not there on Windows
    except ImportError:
        return 400
    return max(50, min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_FILES))
