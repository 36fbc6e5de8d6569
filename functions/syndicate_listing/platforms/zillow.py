"""Zillow (and Trulia and HotPads with it): the Zillow Rental Network's feed format, `hotPadsItems` 2.1."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from functions.syndicate_listing.listing import Listing, dollars
from functions.syndicate_listing.platforms.adapter import Adapter
from functions.syndicate_listing.platforms.xml import add, document, nest

_PROPERTY_TYPES = {
    "apartment": "CONDO",  # their word for a single unit in a building
    "condo": "CONDO",
    "townhouse": "TOWNHOUSE",
    "house": "HOUSE",
    "room": "CONDO",
}


class Zillow(Adapter):
    """The format lists what is to let: what comes off is left out, so taking one down is a DELETE."""

    def feed(self, listing: Listing) -> bytes:
        """One company and its one listing."""
        root = Element("hotPadsItems", version="2.1")
        company = nest(root, "Company", id=listing.organization_id)
        add(company, "name", listing.organization)
        item = nest(
            root,
            "Listing",
            id=listing.reference,
            type="ROOM" if listing.property_type == "room" else "RENTAL",
            companyId=listing.organization_id,
            propertyType=_PROPERTY_TYPES[listing.property_type],
        )
        _add_place(item, listing)
        _add_contact(item, listing)
        _add_home(item, listing)
        return document(root)


def _add_place(item: Element, listing: Listing) -> None:
    add(item, "name", listing.title)
    add(item, "unit", listing.unit)
    add(item, "street", listing.street, hide="false")
    add(item, "city", listing.city)
    add(item, "state", listing.state)
    add(item, "zip", listing.zip)
    add(item, "country", "US")
    add(item, "latitude", listing.latitude)
    add(item, "longitude", listing.longitude)
    add(item, "lastUpdated", listing.updated_at.isoformat(timespec="seconds"))


def _add_contact(item: Element, listing: Listing) -> None:
    add(item, "contactName", listing.contact_name)
    add(item, "contactEmail", listing.contact_email)
    add(item, "contactPhone", listing.contact_phone)
    add(item, "description", listing.description or None)
    add(item, "leaseTerm", listing.lease_term)
    add(item, "website", listing.url)


def _add_home(item: Element, listing: Listing) -> None:
    _add_tag(item, "CATS_ALLOWED", str(listing.cats_allowed).lower())
    _add_tag(item, "DOGS_ALLOWED", str(listing.dogs_allowed).lower())
    for amenity in listing.amenity_names:
        _add_tag(item, "PROPERTY_AMENITY", amenity)
    for photo in listing.photos:
        add(item, "ListingPhoto", source=photo)
    add(item, "price", dollars(listing.price))
    add(item, "pricingFrequency", "MONTH")
    add(item, "deposit", None if listing.deposit is None else dollars(listing.deposit))
    add(item, "numBedrooms", listing.bedrooms)
    add(item, "numFullBaths", listing.full_baths)
    add(item, "numHalfBaths", listing.half_baths)
    add(item, "squareFeet", listing.square_feet)
    add(item, "dateAvailable", listing.available_from)


def _add_tag(item: Element, kind: str, text: str) -> None:
    add(nest(item, "ListingTag", type=kind), "tag", text)


ADAPTER = Zillow()
