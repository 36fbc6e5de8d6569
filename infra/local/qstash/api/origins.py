"""Who may ask: nobody's website, though the reader's browser would do it for it."""

import ipaddress
from collections.abc import Collection

from aiohttp import web
from yarl import URL

from ..errors import Refused


def check_origin(request: web.Request, allowed_hosts: Collection[str]) -> None:
    """Refuse what a foreign page sends, and a name that its owner has pointed at this machine. Raises Refused (403).

    Addresses, names without a dot (as in Docker's networks), `*.localhost` and `*.internal` are ours, and whatever
    else is among `allowed_hosts`.
    """
    host = _host_of(f"http://{request.headers.get('Host', '')}")
    if not (_is_local(host) or host in allowed_hosts):
        raise Refused(403, f"host {host[:100]!a} is not allowed: start the server with --allow-host")
    origin = request.headers.get("Origin")
    asked = request.headers.get("Host", "")
    if request.method != "GET" and origin is not None and origin.partition("://")[2] != asked:
        raise Refused(403, "a page of another origin may not do this")


def check_website(request: web.Request, allowed_hosts: Collection[str]) -> None:
    """Refuse what a website that the developer visits sends to the API, whose tokens are public. Raises Refused (403).

    Pages that this machine serves itself may ask, and those of `allowed_hosts`.
    """
    origin = request.headers.get("Origin")
    host = "" if origin is None else _host_of(origin)
    if origin is not None and not (_is_near(host) or host in allowed_hosts):
        raise Refused(403, "a page of another origin may not do this")


def _host_of(url: str) -> str:
    try:
        return (URL(url).host or "").lower()
    except ValueError:
        return ""


def _is_near(host: str) -> bool:
    """Whether only this machine or its network can have sent what comes from there."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return _is_local(host)


def _is_local(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith((".localhost", ".internal")))
    return True
