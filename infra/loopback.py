"""Which hosts are this machine itself."""

from __future__ import annotations

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Whether what is sent there never leaves the machine.

    >>> is_this_machine("127.0.0.1"), is_this_machine("db.acme.io")
    (True, False)
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
