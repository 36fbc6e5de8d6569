"""Realtor.com: a Property of the RESO Data Dictionary, as JSON."""

from __future__ import annotations

import json
from typing import Any

from functions.syndicate_listing.listing import Listing
from functions.syndicate_listing.platforms.adapter import Adapter, Receipt, json_object

_SUB_TYPES = {
    "apartment": "Apartment",
    "condo": "Condominium",
    "townhouse": "Townhouse",
    "house": "Single Family Residence",
    "room": "Apartment",
}
_PETS = {
    (True, True): ["Cats OK", "Dogs OK"],
    (True, False): ["Cats OK"],
    (False, True): ["Dogs OK"],
    (False, False): ["No"],
}


class Realtor(Adapter):
    """StandardStatus says whether it is on the market, so it is taken down by the same resource as well."""

    content_type = "application/json"

    def feed(self, listing: Listing) -> bytes:
        """The property as one to let."""
        return _resource(listing, "Active")

    def removal(self, listing: Listing) -> bytes:
        """The same property, let or withdrawn."""
        return _resource(listing, "Closed" if listing.status == "rented" else "Withdrawn")

    def receipt(self, body: bytes) -> Receipt:
        """The key under which the Web API has it; what it answers with has no page for people."""
        key = json_object(body).get("ListingKey")
        return Receipt(key if isinstance(key, str) else None)


def _resource(listing: Listing, status: str) -> bytes:
    fields = _offer(listing) | _place(listing) | _home(listing) | {"StandardStatus": status}
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given, ensure_ascii=False).encode()


def _offer(listing: Listing) -> dict[str, Any]:
    return {
        "ListingId": listing.reference,
        "PropertyType": "Residential Lease",
        "PropertySubType": _SUB_TYPES[listing.property_type],
        "ListPrice": listing.price / 100,
        "LeaseAmountFrequency": "Monthly",
        "AvailabilityDate": None if listing.available_from is None else listing.available_from.isoformat(),
        "ListAgentFullName": listing.contact_name,
        "ListAgentEmail": listing.contact_email,
        "ListAgentPreferredPhone": listing.contact_phone,
        "ListOfficeName": listing.organization,
        "ModificationTimestamp": listing.updated_at.isoformat(),
        "PublicRemarks": listing.description or None,
        "Media": [
            {"MediaCategory": "Photo", "MediaURL": photo, "Order": order}
            for order, photo in enumerate(listing.photos)
        ],
    }


def _place(listing: Listing) -> dict[str, Any]:
    unit = "" if listing.unit is None else f" #{listing.unit}"
    return {
        "UnparsedAddress": f"{listing.street}{unit}, {listing.city}, {listing.state} {listing.zip}",
        "UnitNumber": listing.unit,
        "City": listing.city,
        "StateOrProvince": listing.state,
        "PostalCode": listing.zip,
        "Country": "US",
        "Latitude": None if listing.latitude is None else float(listing.latitude),
        "Longitude": None if listing.longitude is None else float(listing.longitude),
    }


def _home(listing: Listing) -> dict[str, Any]:
    return {
        "BedroomsTotal": listing.bedrooms,
        "BathroomsFull": listing.full_baths,
        "BathroomsHalf": listing.half_baths,
        "BathroomsTotalInteger": listing.full_baths + listing.half_baths,
        "LivingArea": listing.square_feet,
        "LivingAreaUnits": None if listing.square_feet is None else "Square Feet",
        "PetsAllowed": _PETS[listing.cats_allowed, listing.dogs_allowed],
    }


ADAPTER = Realtor()
