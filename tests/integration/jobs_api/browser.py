"""A browser without scripts, as far as forms, cookies and the address go."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode, urljoin, urlsplit

from tests.integration.jobs_api.client import HOST, Answer, Client

OWN_FORM = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Origin": f"https://{HOST}",
    "Sec-Fetch-Site": "same-origin",
}


class Browser:
    """Keeps a cookie, follows redirects and sends what forms hold."""

    def __init__(self, ip: str = "203.0.113.7") -> None:
        self._client = Client(ip=ip)
        self.cookie = ""
        self.path = "/"
        self.page = Answer(0, {}, "")

    def open(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Go to an address, and on from there as far as it leads."""
        parts = urlsplit(path)
        answer = self._client.send(
            "GET", parts.path, query=parts.query, headers=self._headers() | (headers or {})
        )
        return self._arrive(path, answer)

    def post(self, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        """Send a form."""
        body = urlencode(fields).encode()
        answer = self._client.send(
            "POST", path, body=body, headers=self._headers() | (OWN_FORM if headers is None else headers)
        )
        return self._arrive(path, answer)

    def submit(self, action: str, **changes: str) -> Answer:
        """Send the page's form whose action ends so, with what it holds and what was typed."""
        forms = re.findall(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', self.page.text, re.DOTALL)
        where, inner = next(
            (unescape(where), inner) for where, inner in forms if unescape(where).endswith(action)
        )
        held = {
            name: unescape(value)
            for name, value in re.findall(r'<input[^>]*name="([^"]*)" value="([^"]*)"', inner)
        }
        held |= {
            name: unescape(text)
            for name, text in re.findall(
                r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', inner, re.DOTALL
            )
        }
        return self.post(urljoin(self.path, where), held | changes)

    def sign_in(self, key: str | None) -> Answer:
        """Begin a session."""
        self.open("/sign-in")
        return self.submit("/sign-in", key=key or "")

    @property
    def token(self) -> str:
        """The session's token in the page's forms."""
        found = re.search(r'name="token" value="([^"]*)"', self.page.text)
        return found[1] if found else ""

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def _arrive(self, path: str, answer: Answer) -> Answer:
        for line in answer.cookies:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookie = f"{name}={value}" if value else ""
        if answer.status == 303:
            return self.open(urljoin(path, answer.headers["location"]))
        self.path, self.page = urlsplit(path).path, answer
        return answer
