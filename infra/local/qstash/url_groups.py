"""URL groups: one name for several endpoints, each of which gets a message of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import check_quota
from .journal import AccountJournal
from .plans import Plan
from .wire.headers import Headers


@dataclass(slots=True)
class Endpoint:
    """One destination of a group."""

    url: str
    name: str | None = None


@dataclass(slots=True)
class UrlGroup:
    """One group. Times are in seconds since 1970; `headers` are added to each message that does not set them."""

    name: str
    created_at: float
    updated_at: float
    endpoints: list[Endpoint] = field(default_factory=list)
    headers: Headers = field(default_factory=dict)


class UrlGroups:
    """The groups of one account."""

    def __init__(self, *, clock: Callable[[], float], plan: Plan, journal: AccountJournal) -> None:
        self._clock = clock
        self._plan = plan
        self._journal = journal
        self._groups: dict[str, UrlGroup] = {}

    def get(self, name: str) -> UrlGroup | None:
        """The group of that name."""
        return self._groups.get(name)

    def all(self) -> list[UrlGroup]:
        """All groups, oldest first."""
        return list(self._groups.values())

    def upsert(self, name: str, endpoints: list[Endpoint]) -> None:
        """Add endpoints, or rename those of the same URL or move those of the same name. Raises QuotaExceeded."""
        known = self._groups.get(name)
        merged = _merge(known.endpoints if known else [], endpoints)
        check_quota("maxEndpointsPerTopic", len(merged), self._plan.max_endpoints)
        self._ensure(name).endpoints = merged
        self._changed(name)

    def remove(self, group: UrlGroup, endpoints: list[Endpoint]) -> None:
        """Remove endpoints by their URL or name; with the last one the group goes, too."""
        urls = {endpoint.url for endpoint in endpoints if endpoint.url}
        names = {endpoint.name for endpoint in endpoints if endpoint.name}
        group.endpoints = [
            endpoint
            for endpoint in group.endpoints
            if endpoint.url not in urls and endpoint.name not in names
        ]
        if group.endpoints:
            self._changed(group.name)
        else:
            self.delete(group.name)

    def set_headers(self, name: str, headers: Headers) -> None:
        """Set the headers that all messages to the group get by default. Raises QuotaExceeded."""
        self._ensure(name).headers = headers
        self._changed(name)

    def delete(self, name: str) -> None:
        """Delete the group, if there is one. Messages that it has made go on."""
        if self._groups.pop(name, None) is not None:
            self._journal.drop("group", name)

    def add(self, group: UrlGroup) -> None:
        """Take in a group from an earlier run."""
        self._groups[group.name] = group

    def _ensure(self, name: str) -> UrlGroup:
        if name not in self._groups:
            check_quota("maxTopics", len(self._groups) + 1, self._plan.max_url_groups)
            self._groups[name] = UrlGroup(name, self._clock(), self._clock())
        return self._groups[name]

    def _changed(self, name: str) -> None:
        group = self._groups[name]
        group.updated_at = self._clock()
        self._journal.put("group", name, group)


def _merge(old: list[Endpoint], new: list[Endpoint]) -> list[Endpoint]:
    merged = [Endpoint(endpoint.url, endpoint.name) for endpoint in old]
    for endpoint in new:
        same = next((each for each in merged if _are_same(each, endpoint)), None)
        if same is None:
            merged.append(Endpoint(endpoint.url, endpoint.name))
        else:
            same.url, same.name = endpoint.url, endpoint.name or same.name
    return merged


def _are_same(one: Endpoint, other: Endpoint) -> bool:
    return one.url == other.url or (one.name is not None and one.name == other.name)
