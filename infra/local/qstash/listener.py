"""The address where the server is asked, and the connections to it."""

import asyncio
from contextlib import suppress

from aiohttp import web

# How often the event loop turns between the system's word of a connection and the framework's knowing of it.
_TURNS_TO_CONNECT = 3


class Listener:
    """A web server that is being asked. `listen` makes one."""

    def __init__(self, runner: web.AppRunner | web.ServerRunner, server: asyncio.Server) -> None:
        self._runner = runner
        self._server = server
        self._port = int(server.sockets[0].getsockname()[1])

    @property
    def port(self) -> int:
        """The port, also where any free one was asked for, and when it is closed."""
        return self._port

    async def close(self) -> None:
        """Take no more connections, give those under way the runner's time, and leave none open."""
        await self.stop_accepting()
        web_server = self._runner.server
        connections = [] if web_server is None else web_server.connections
        transports = [each.transport for each in connections if each.transport is not None]
        await self._runner.cleanup()
        # Left to itself a connection would stay until its client has read all of the answer.
        for transport in transports:
            transport.abort()

    async def stop_accepting(self) -> None:
        """Take no more connections; those that are open stay."""
        # An asyncio server that is closed while it accepts a connection forgets that one, open.
        with suppress(NotImplementedError):  # on Windows, where it is not read like this
            for each in self._server.sockets:
                asyncio.get_running_loop().remove_reader(each.fileno())
        for _ in range(_TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        self._server.close()


async def listen(runner: web.AppRunner | web.ServerRunner, host: str, port: int) -> Listener:
    """Serve what it runs from now on. Raises OSError if the port is taken or the host is not here."""
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - for the type checker: `setup` makes it
    try:
        server = await asyncio.get_running_loop().create_server(runner.server, host, port, backlog=1024)
    except OSError:
        await runner.cleanup()
        raise
    return Listener(runner, server)
