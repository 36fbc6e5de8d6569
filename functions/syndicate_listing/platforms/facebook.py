"""Facebook Marketplace: a home listing catalog's XML feed."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from functions.syndicate_listing.listing import Listing, dollars
from functions.syndicate_listing.platforms.adapter import Adapter
from functions.syndicate_listing.platforms.xml import add, document, nest

_MOST_PHOTOS = 20
_LONGEST_DESCRIPTION = 5_000  # characters
_PROPERTY_TYPES = {
    "apartment": "apartment",
    "condo": "condo",
    "townhouse": "townhouse",
    "house": "house",
    "room": "other",
}
_PETS = {(True, True): "all", (True, False): "cat", (False, True): "dog", (False, False): "none"}


class Facebook(Adapter):
    """The catalog keeps what was sent until its availability changes, so it is taken down by a feed as well."""

    needs = ("latitude", "longitude", "photos", "description", "square_feet")

    def feed(self, listing: Listing) -> bytes:
        """The listing as one to let."""
        return _document(listing, "for_rent")

    def removal(self, listing: Listing) -> bytes:
        """The same listing, off the market."""
        return _document(listing, "off_market")


def _document(listing: Listing, availability: str) -> bytes:
    root = Element("listings")
    add(root, "title", listing.organization)
    add(root, "link", rel="self", href=listing.url)
    item = nest(root, "listing")
    add(item, "home_listing_id", listing.reference)
    add(item, "name", listing.title)
    add(item, "availability", availability)
    add(item, "description", listing.description[:_LONGEST_DESCRIPTION])
    _add_address(item, listing)
    add(item, "latitude", listing.latitude)
    add(item, "longitude", listing.longitude)
    for photo in listing.photos[:_MOST_PHOTOS]:
        add(nest(item, "image"), "url", photo)
    _add_home(item, listing)
    return document(root)


def _add_address(item: Element, listing: Listing) -> None:
    address = nest(item, "address", format="simple")
    parts = {
        "addr1": listing.street,
        "addr2": listing.unit,
        "city": listing.city,
        "region": listing.state,
        "country": "United States",
        "postal_code": listing.zip,
    }
    for name, value in parts.items():
        add(address, "component", value, name=name)


def _add_home(item: Element, listing: Listing) -> None:
    add(item, "listing_type", "for_rent_by_agent")
    add(item, "num_baths", listing.bathrooms)
    add(item, "num_beds", listing.bedrooms)
    add(item, "num_rooms", listing.bedrooms + 1)
    add(item, "num_units", 1)
    add(item, "area_size", listing.square_feet)
    add(item, "area_unit", "sq_ft")
    add(item, "pet_policy", _PETS[listing.cats_allowed, listing.dogs_allowed])
    add(item, "price", f"{dollars(listing.price)} USD")
    add(item, "property_type", _PROPERTY_TYPES[listing.property_type])
    add(item, "url", listing.url)


ADAPTER = Facebook()
