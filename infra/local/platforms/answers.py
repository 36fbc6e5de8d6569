"""What the platforms answer to a feed, each in its own format."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.sax.saxutils import escape

from aiohttp import web

from functions.syndicate_listing.platforms.craigslist import CL, RDF, RSS
from shared.jobs.syndicate_listing import Platform

_CRAIGSLIST = """<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns="{rss}" xmlns:rdf="{rdf}" xmlns:cl="{cl}">
  <item rdf:about="{reference}">
    <cl:postedStatus>{status}</cl:postedStatus>
    <cl:postedExplanation>{explanation}</cl:postedExplanation>
    <cl:postingID>{id}</cl:postingID>
    <cl:postingViewURL>{url}</cl:postingViewURL>
  </item>
</rdf:RDF>
"""


class Refusal(Exception):
    """A no, usually an answer other than a 2xx; `retry_after` as the header has it, `body` instead of the words."""

    def __init__(
        self, status: int, words: str, retry_after: str | None = None, body: bytes | None = None
    ) -> None:
        super().__init__(words)
        self.status, self.words, self.retry_after, self.body = status, words, retry_after, body

    def to_response(self) -> web.Response:
        """The refusal as it goes out."""
        body = json.dumps({"error": self.words}).encode() if self.body is None else self.body
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.Response(body=body, status=self.status, headers=headers)


def accepted(platform: Platform, reference: str, external_id: str, url: str) -> web.Response:
    """The platform has the home now."""
    answer: Callable[[str, str, str], web.Response] = {
        Platform.CRAIGSLIST: _craigslist,
        Platform.REALTOR: _realtor,
    }.get(platform, _usual)
    return answer(reference, external_id, url)


def _usual(_reference: str, external_id: str, url: str) -> web.Response:
    return web.json_response({"id": external_id, "url": url}, status=201)


def _realtor(reference: str, external_id: str, _url: str) -> web.Response:
    resource = {"@odata.context": "$metadata#Property", "ListingKey": external_id, "ListingId": reference}
    return web.json_response(resource, status=201)


def _craigslist(reference: str, external_id: str, url: str) -> web.Response:
    return posting(reference, "POSTED", "", external_id, url)


def posting(
    reference: str, status: str, explanation: str, external_id: str = "", url: str = ""
) -> web.Response:
    """Craigslist's answer, with HTTP 200 whatever it made of the posting."""
    names = {"rss": RSS.strip("{}"), "rdf": RDF.strip("{}"), "cl": CL.strip("{}")}
    text = _CRAIGSLIST.format(
        **names, reference=reference, status=status, explanation=escape(explanation), id=external_id, url=url
    )
    return web.Response(text=text, content_type="text/xml")
