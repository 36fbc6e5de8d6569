"""StreetEasy: its own feed format, version 1.6."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from functions.syndicate_listing.listing import Listing, dollars
from functions.syndicate_listing.platforms.adapter import Adapter
from functions.syndicate_listing.platforms.xml import add, document, nest

_PROPERTY_TYPES = {
    "apartment": "rental",
    "condo": "condo",
    "townhouse": "townhouse",
    "house": "house",
    "room": "other",
}
# What the format has an element for; every other amenity is listed in `other`.
_AMENITIES = {
    "balcony",
    "dishwasher",
    "doorman",
    "elevator",
    "fireplace",
    "garage",
    "gym",
    "parking",
    "pool",
    "storage",
}


class StreetEasy(Adapter):
    """A property's status says whether it is on the market, so it is taken down by a feed as well."""

    def feed(self, listing: Listing) -> bytes:
        """The property as one to let."""
        return _document(listing, "active")

    def removal(self, listing: Listing) -> bytes:
        """The same property, let or off the market."""
        return _document(listing, "rented" if listing.status == "rented" else "off-market")


def _document(listing: Listing, status: str) -> bytes:
    root = Element("streeteasy", version="1.6")
    home = nest(
        nest(root, "properties"),
        "property",
        type="rental",
        status=status,
        id=listing.reference,
        url=listing.url,
    )
    _add_place(home, listing)
    _add_details(home, listing)
    media = nest(home, "media")
    for position, photo in enumerate(listing.photos):
        add(media, "photo", url=photo, position=position)
    agent = nest(nest(home, "agents"), "agent", id=listing.agent_id)
    add(agent, "name", listing.contact_name)
    add(agent, "company", listing.organization)
    add(agent, "email", listing.contact_email)
    add(agent, "lead_email", listing.contact_email)
    add(agent, "phone_numbers", listing.contact_phone)
    return document(root)


def _add_place(home: Element, listing: Listing) -> None:
    place = nest(home, "location")
    add(place, "address", listing.street)
    add(place, "apartment", listing.unit)
    add(place, "city", listing.city)
    add(place, "state", listing.state)
    add(place, "zipcode", listing.zip)


def _add_details(home: Element, listing: Listing) -> None:
    details = nest(home, "details")
    add(details, "price", dollars(listing.price))
    add(details, "bedrooms", listing.bedrooms)
    add(details, "bathrooms", listing.bathrooms)
    add(
        details, "totalrooms", listing.bedrooms + 1
    )  # the format asks; we know of one more room, the living room
    add(details, "squareFeet", listing.square_feet)
    add(details, "availableOn", listing.available_from)
    add(details, "description", listing.description or None)
    add(details, "propertyType", _PROPERTY_TYPES[listing.property_type])
    _add_amenities(details, listing)


def _add_amenities(details: Element, listing: Listing) -> None:
    amenities = nest(details, "amenities")
    for name in sorted(_AMENITIES.intersection(listing.amenity_names)):
        add(amenities, name)
    if listing.cats_allowed or listing.dogs_allowed:
        add(amenities, "pets")
    rest = [name for name in listing.amenity_names if name not in _AMENITIES]
    add(amenities, "other", ", ".join(rest) or None)


ADAPTER = StreetEasy()
