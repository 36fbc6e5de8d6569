"""Where a public host is to be found while it is tested: deliveries for it go elsewhere, signed for its own URL."""

from yarl import URL


class Hosts:
    """A table of hosts, such as `api.example.com` to `http://127.0.0.1:3000`. A host may have a port."""

    def __init__(self) -> None:
        self._targets: dict[str, URL] = {}

    def table(self) -> dict[str, str]:
        """The table as it is."""
        return {host: str(target) for host, target in self._targets.items()}

    def replace(self, table: dict[str, str]) -> None:
        """Use that table from now on. Raises ValueError, saying what is wrong, and changes nothing then."""
        self._targets = {_host(host): _target(target) for host, target in table.items()}

    def locate(self, url: URL) -> URL:
        """Where to send what is for `url`: the same path and query, perhaps on another host."""
        if not self._targets:
            return url
        host = (url.host or "").lower()
        target = self._targets.get(f"{host}:{url.port}") or self._targets.get(host)
        if target is None:
            return url
        return URL.build(
            scheme=target.scheme,
            host=target.host or "",
            port=target.port,
            path=url.raw_path,
            query_string=url.raw_query_string,
            encoded=True,
        )


def _host(text: str) -> str:
    if "/" in text or not text:
        raise ValueError(f"{text!a} is no host: write api.example.com or api.example.com:8443")
    return text.lower()


def _target(text: str) -> URL:
    try:
        url = URL(text if "://" in text else f"http://{text}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.path != "/" or url.query:
        raise ValueError(f"{text!a} is no place for a host: write http://127.0.0.1:3000, without a path")
    return url
