"""Craigslist: the bulk posting interface, RSS 1.0 with elements of its own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from xml.etree.ElementTree import Element, ParseError, fromstring, register_namespace

from functions.syndicate_listing.errors import PlatformRefused
from functions.syndicate_listing.listing import Listing
from functions.syndicate_listing.platforms.adapter import Adapter, Receipt
from functions.syndicate_listing.platforms.craigslist_areas import area_of
from functions.syndicate_listing.platforms.xml import add, document, nest

RSS = "{http://purl.org/rss/1.0/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
CL = "{http://www.craigslist.org/about/cl-bulk-ns/1.0}"
_TAKEN = {"POSTED", "VALID"}
_LONGEST_TITLE = 70  # characters

register_namespace("", RSS.strip("{}"))
register_namespace("rdf", RDF.strip("{}"))
register_namespace("cl", CL.strip("{}"))


class Craigslist(Adapter):
    """It only posts: taking down is a DELETE. Photos would have to travel as JPEG inside the feed, and stay out."""

    content_type = "text/xml; charset=utf-8"
    needs = ("description",)

    def feed(self, listing: Listing) -> bytes:
        """A channel with one item. Raises PlatformRefused where craigslist has no area for the city."""
        area, subarea = area_of(listing.city, listing.state)
        root = Element(f"{RDF}RDF")
        items = nest(nest(root, f"{RSS}channel"), f"{RSS}items")
        items.append(Element(f"{RDF}li", {f"{RDF}resource": listing.reference}))
        item = Element(f"{RSS}item", {f"{RDF}about": listing.reference})
        root.append(item)
        add(item, f"{CL}category", "roo" if listing.property_type == "room" else "apa")
        add(item, f"{CL}area", area)
        add(item, f"{CL}subarea", subarea)
        add(item, f"{CL}neighborhood", listing.city)
        _add_home(item, listing)
        add(item, f"{CL}replyEmail", listing.contact_email, privacy="C")
        add(item, f"{RSS}title", listing.title[:_LONGEST_TITLE])
        add(item, f"{RSS}description", f"{listing.description}\n\n{listing.url}")
        return document(root)

    def headers(self, account: Mapping[str, str]) -> dict[str, str]:
        """For what has no feed to hold the account."""
        name = f"{account['USERNAME']}:{account['PASSWORD']}"
        return {"Authorization": f"Basic {b64encode(name.encode()).decode()}"}

    def sign(self, feed: bytes, account: Mapping[str, str]) -> bytes:
        """The feed with the account in its channel."""
        root = fromstring(feed)  # noqa: S314  # it is ours
        channel = root.find(f"{RSS}channel")
        assert channel is not None  # noqa: S101  # see above
        add(
            channel,
            f"{CL}auth",
            username=account["USERNAME"],
            password=account["PASSWORD"],
            accountID=account["ACCOUNT_ID"],
        )
        return document(root)

    def receipt(self, body: bytes) -> Receipt:
        """Each posting's status stands in the answer, whose HTTP status is 200 also where it was not posted."""
        try:
            root = fromstring(body)  # noqa: S314  # expat expands no entity of an external file
        except ParseError:
            return Receipt()
        item = root.find(f"{RSS}item")
        if item is None:
            return Receipt()
        status = _said(item, "postedStatus")
        if status is not None and status.upper() not in _TAKEN:
            raise PlatformRefused(
                f"{status}: {_said(item, 'postedExplanation') or 'no explanation was given'}"
            )
        return Receipt(_said(item, "postingID"), _said(item, "postingViewURL"))


def _add_home(item: Element, listing: Listing) -> None:
    add(
        item,
        f"{CL}housingInfo",
        price=-(-listing.price // 100),  # whole dollars, and never less than it costs
        bedrooms=listing.bedrooms,
        sqft=listing.square_feet,
        catsOK=int(listing.cats_allowed),
        dogsOK=int(listing.dogs_allowed),
    )
    add(
        item,
        f"{CL}mapLocation",
        city=listing.city,
        state=listing.state,
        postal=listing.zip,
        crossStreet1=listing.street,
        latitude=listing.latitude,
        longitude=listing.longitude,
    )


def _said(item: Element, name: str) -> str | None:
    return (item.findtext(f"{CL}{name}") or "").strip() or None


ADAPTER = Craigslist()
