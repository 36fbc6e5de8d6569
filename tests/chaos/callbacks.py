"""Where failure callbacks go: a web server that notes who was said to have failed, and at times is not there."""

from __future__ import annotations

import random
from collections import Counter

from aiohttp import web


class Callbacks:
    """Runs on the event loop it is started in. `told` counts by job id and run."""

    def __init__(self) -> None:
        self.told: Counter[tuple[str, int]] = Counter()
        self._tried: set[tuple[str, int]] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        told = await request.json()
        key = (told["jobId"], told["run"])
        if key not in self._tried and random.random() < 0.2:
            self._tried.add(key)
            return web.Response(status=503)  # QStash comes again
        self.told[key] += 1
        return web.Response()
