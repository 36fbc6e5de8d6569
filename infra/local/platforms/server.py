"""The platforms' server: feeds in, what is advertised out, and told to fail or to be slow."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import encode_basic_auth, web

from infra.local.platforms import feeds
from infra.local.platforms.answers import Refusal, accepted, posting
from infra.local.platforms.feeds import Feed, InvalidFeed
from infra.local.qstash.listener import Listener, listen
from shared.jobs.syndicate_listing import Platform

_MAX_FEED_BYTES = 4 * 2**20
_SECONDS_TO_ANSWER = 2.0  # what is under way at a stop
_PASSWORD = "local"  # noqa: S105  # of all its accounts


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A home as a platform shows it: the feed it came with, and how often it was sent."""

    external_id: str
    url: str
    feed: bytes
    sent: int = 1


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it was answered."""

    platform: Platform
    method: str
    idempotency_key: str
    body: bytes
    status: int


@dataclass(slots=True)
class _Failures:
    """Refuse this many more requests to one platform, or to any."""

    left: int
    refusal: Refusal
    platform: Platform | None


class ListingPlatforms:
    """A stand-in for all six platforms: add its `environment` to a worker's and read what it advertises.

    platforms = ListingPlatforms()
    await platforms.start()
    platforms.fail_next(2, platform=Platform.ZILLOW, status=429, retry_after="5")
    platforms.advertised(Platform.STREETEASY)["42"].feed

    It keeps everything in memory. `GET /` shows what is advertised, `GET /zillow` what is advertised there.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 8026) -> None:
        self._host, self._port = host, port
        self._homes: dict[Platform, dict[str, Advertisement]] = defaultdict(dict)
        self._answers: dict[str, web.Response] = {}
        self._failures: list[_Failures] = []
        self._held: dict[Platform, asyncio.Event] = {}
        self._arrival = asyncio.Condition()
        self._waiting: dict[Platform, int] = defaultdict(int)
        self._listener: Listener | None = None
        self.requests: list[Received] = []

    @property
    def url(self) -> str:
        """Where it listens; with port 0 the real port is known after `start`."""
        return f"http://{self._host}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of an account on each platform."""
        entries = {f"{each.upper()}_ENDPOINT": f"{self.url}/{each.value}" for each in Platform}
        entries |= {f"{each.upper()}_API_KEY": _PASSWORD for each in Platform if each != Platform.CRAIGSLIST}
        return entries | {f"CRAIGSLIST_{each}": _PASSWORD for each in ("USERNAME", "PASSWORD", "ACCOUNT_ID")}

    def advertised(self, platform: Platform) -> dict[str, Advertisement]:
        """What a platform shows, by our references."""
        return dict(self._homes[platform])

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SECONDS_TO_ANSWER)
        self._listener = await listen(runner, self._host, self._port)
        self._port = self._listener.port

    async def stop(self) -> None:
        """Stop listening; what was advertised stays readable here."""
        if self._listener:
            await self._listener.close()
            self._listener = None

    def fail_next(
        self,
        count: int,
        *,
        platform: Platform | None = None,
        status: int = 503,
        retry_after: str | None = None,
        words: str = "come back later",
        body: bytes | None = None,
    ) -> None:
        """Answer the next `count` requests (to one platform, if given) with `status` and these words, or this body."""
        self._failures.append(_Failures(count, Refusal(status, words, retry_after, body), platform))

    async def hold(self, platform: Platform) -> None:
        """Keep the platform's requests waiting until `release`."""
        self._held[platform] = asyncio.Event()

    async def release(self, platform: Platform) -> None:
        """Answer what waits, and everything after it at once."""
        self._held.pop(platform).set()

    async def wait_until_held(self, platform: Platform) -> None:
        """Return once a request waits."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: self._waiting[platform] > 0)

    # --- requests -------------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_FEED_BYTES)
        application.add_routes(
            [
                web.get("/", self._show_all),
                web.get("/{platform}", self._show),
                web.post("/{platform}", self._in_its_words(self._take)),
                web.delete("/{platform}/{reference}", self._in_its_words(self._delete)),
            ]
        )
        return application

    def _in_its_words(
        self, act: Callable[[Platform, web.Request, bytes], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            platform, body = _platform(request), await request.read()
            await self._wait(platform)
            try:
                self._fail_if_told_to(platform)
                response = self._once(platform, request, body, act)
            except Refusal as refusal:
                response = refusal.to_response()
            key = request.headers.get("Idempotency-Key", "")
            self.requests.append(Received(platform, request.method, key, body, response.status))
            return response

        return answer

    async def _wait(self, platform: Platform) -> None:
        held = self._held.get(platform)
        if held is None:
            return
        async with self._arrival:
            self._waiting[platform] += 1
            self._arrival.notify_all()
        await held.wait()
        self._waiting[platform] -= 1

    def _fail_if_told_to(self, platform: Platform) -> None:
        failure = next((each for each in self._failures if each.platform in {None, platform}), None)
        if failure is None:
            return
        failure.left -= 1
        self._failures = [each for each in self._failures if each.left > 0]
        raise failure.refusal

    def _once(
        self,
        platform: Platform,
        request: web.Request,
        body: bytes,
        act: Callable[[Platform, web.Request, bytes], web.Response],
    ) -> web.Response:
        """Do what is asked; a key that was seen before gets the answer of before."""
        _check_account(platform, request, body)
        key = request.headers.get("Idempotency-Key")
        if not key:
            raise Refusal(400, "Idempotency-Key is missing")
        if key in self._answers:
            return _copy(self._answers[key])
        self._answers[key] = response = act(platform, request, body)
        return _copy(response)

    def _take(self, platform: Platform, _request: web.Request, body: bytes) -> web.Response:
        try:
            feeds.check(platform, body)
        except InvalidFeed as error:
            if platform is Platform.CRAIGSLIST:
                return posting("", "INVALID", str(error))
            raise Refusal(422, str(error)) from error
        feed = feeds.read(platform, body)
        return self._forget(platform, feed.reference) if feed.removes else self._keep(platform, feed, body)

    def _keep(self, platform: Platform, feed: Feed, body: bytes) -> web.Response:
        known = self._homes[platform].get(feed.reference)
        external_id = f"{platform.value}-{feed.reference}"
        url = f"{self.url}/{platform.value}/{feed.reference}"
        sent = 1 if known is None else known.sent + 1
        self._homes[platform][feed.reference] = Advertisement(external_id, url, body, sent)
        return accepted(platform, feed.reference, external_id, url)

    def _delete(self, platform: Platform, request: web.Request, _body: bytes) -> web.Response:
        return self._forget(platform, request.match_info["reference"])

    def _forget(self, platform: Platform, reference: str) -> web.Response:
        if self._homes[platform].pop(reference, None) is None:
            raise Refusal(404, f"{platform.value} has no {reference}")
        return web.Response(status=204)

    async def _show_all(self, _request: web.Request) -> web.Response:
        return web.json_response({each.value: self._shown(each) for each in Platform})

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(_platform(request)))

    def _shown(self, platform: Platform) -> list[dict[str, object]]:
        return [
            {"reference": reference, "id": each.external_id, "sent": each.sent, "feed": each.feed.decode()}
            for reference, each in self._homes[platform].items()
        ]


def _platform(request: web.Request) -> Platform:
    try:
        return Platform(request.match_info["platform"])
    except ValueError:
        raise web.HTTPNotFound(text=f"there are {', '.join(Platform)}") from None


def _check_account(platform: Platform, request: web.Request, body: bytes) -> None:
    authorization = request.headers.get("Authorization", "")
    if platform is not Platform.CRAIGSLIST:
        known = authorization == f"Bearer {_PASSWORD}"
    elif request.method == "POST":
        known = feeds.password_in(body) == _PASSWORD
    else:
        known = authorization == encode_basic_auth(_PASSWORD, _PASSWORD)
    if not known:
        raise Refusal(401, "these credentials are nobody's")


def _copy(response: web.Response) -> web.Response:
    """A response can be sent once."""
    return web.Response(
        body=response.body, status=response.status, content_type=response.content_type or "text/plain"
    )
