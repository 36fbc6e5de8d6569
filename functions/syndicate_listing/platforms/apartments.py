"""Apartments.com: property marketing in MITS 4 (Multifamily Information and Transactions Standards)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from functions.syndicate_listing.listing import Listing, dollars
from functions.syndicate_listing.platforms.adapter import Adapter
from functions.syndicate_listing.platforms.xml import add, document, nest


class Apartments(Adapter):
    """One property with one floor plan and one unit; the format says what is there, so taking down is a DELETE."""

    def feed(self, listing: Listing) -> bytes:
        """The property that the unit is all of."""
        root = Element("PhysicalProperty")
        unit = nest(root, "Property", IDValue=listing.reference)
        _add_property(unit, listing)
        _add_policy(unit, listing)
        _add_floorplan(unit, listing)
        _add_unit(unit, listing)
        for rank, photo in enumerate(listing.photos, 1):
            _add_photo(unit, photo, rank)
        return document(root)


def _add_property(parent: Element, listing: Listing) -> None:
    named = nest(parent, "PropertyID")
    add(
        named,
        "Identification",
        IDValue=listing.reference,
        IDType="property",
        OrganizationName=listing.organization,
    )
    add(named, "MarketingName", listing.title)
    add(named, "WebSite", listing.url)
    address = nest(named, "Address", AddressType="property")
    add(address, "AddressLine1", listing.street)
    add(address, "AddressLine2", listing.unit)
    add(address, "City", listing.city)
    add(address, "State", listing.state)
    add(address, "PostalCode", listing.zip)
    add(address, "Country", "US")
    if listing.contact_phone is not None:
        add(nest(named, "Phone", PhoneType="office"), "PhoneNumber", listing.contact_phone)
    add(named, "Email", listing.contact_email)
    place = nest(
        parent, "ILS_Identification", ILS_IdentificationType=_kind(listing), RentalType="Market Rate"
    )
    add(place, "Latitude", listing.latitude)
    add(place, "Longitude", listing.longitude)
    about = nest(parent, "Information")
    add(about, "UnitCount", 1)
    add(about, "LongDescription", listing.description or None)


def _kind(listing: Listing) -> str:
    return {"house": "House for Rent", "townhouse": "Townhouse", "condo": "Condo"}.get(
        listing.property_type, "Apartment"
    )


def _add_policy(parent: Element, listing: Listing) -> None:
    policy = nest(parent, "Policy")
    for kind, allowed in (("Cats", listing.cats_allowed), ("Dogs", listing.dogs_allowed)):
        add(policy, "Pet", PetType=kind, Allowed=str(allowed).lower())


def _add_floorplan(parent: Element, listing: Listing) -> None:
    plan = nest(parent, "Floorplan", IDValue=listing.reference)
    add(plan, "Name", listing.title)
    add(plan, "UnitCount", 1)
    add(nest(plan, "Room", RoomType="Bedroom"), "Count", listing.bedrooms)
    add(nest(plan, "Room", RoomType="Bathroom"), "Count", listing.bathrooms)
    if listing.square_feet is not None:
        add(plan, "SquareFeet", Min=listing.square_feet, Max=listing.square_feet)
    add(plan, "MarketRent", Min=dollars(listing.price), Max=dollars(listing.price))
    if listing.deposit is not None:
        deposit = nest(plan, "Deposit", DepositType="Security Deposit")
        add(nest(deposit, "Amount"), "ValueRange", Exact=dollars(listing.deposit))
    for amenity in listing.amenity_names:
        add(nest(plan, "Amenity", AmenityType="Other"), "Description", amenity)


def _add_unit(parent: Element, listing: Listing) -> None:
    offer = nest(parent, "ILS_Unit", IDValue=listing.reference)
    unit = nest(nest(offer, "Units"), "Unit")
    add(unit, "Identification", IDValue=listing.reference, IDType="unit")
    add(unit, "MarketingName", listing.unit or listing.title)
    add(unit, "UnitBedrooms", listing.bedrooms)
    add(unit, "UnitBathrooms", listing.bathrooms)
    add(unit, "MinSquareFeet", listing.square_feet)
    add(unit, "MaxSquareFeet", listing.square_feet)
    add(unit, "UnitRent", dollars(listing.price))
    add(unit, "UnitLeasedStatus", "available")
    add(unit, "FloorplanID", IDValue=listing.reference)
    availability = nest(offer, "Availability")
    add(availability, "VacancyClass", "Unoccupied")
    if listing.available_from is not None:
        day = listing.available_from
        add(availability, "MadeReadyDate", Month=day.month, Day=day.day, Year=day.year)


def _add_photo(parent: Element, photo: str, rank: int) -> None:
    file = nest(parent, "File", FileID=rank, Active="true")
    add(file, "FileType", "Photo")
    add(file, "Src", photo)
    add(file, "Rank", rank)


ADAPTER = Apartments()
