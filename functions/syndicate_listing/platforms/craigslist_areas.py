"""Craigslist's codes for the areas that its sites cover; elsewhere nothing can be posted."""

from __future__ import annotations

from functions.syndicate_listing.errors import PlatformRefused

# area and, where the site has them and asks for one, subarea
_AREAS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("Astoria", "NY"): ("nyc", "que"),
    ("Bronx", "NY"): ("nyc", "brx"),
    ("Brooklyn", "NY"): ("nyc", "brk"),
    ("Long Island City", "NY"): ("nyc", "que"),
    ("New York", "NY"): ("nyc", "mnh"),
    ("Queens", "NY"): ("nyc", "que"),
    ("Staten Island", "NY"): ("nyc", "stn"),
    ("Atlanta", "GA"): ("atl", None),
    ("Decatur", "GA"): ("atl", None),
    ("Marietta", "GA"): ("atl", None),
    ("Aurora", "CO"): ("den", None),
    ("Denver", "CO"): ("den", None),
    ("Lakewood", "CO"): ("den", None),
    ("Austin", "TX"): ("aus", None),
    ("Pflugerville", "TX"): ("aus", None),
    ("Round Rock", "TX"): ("aus", None),
    ("Beaverton", "OR"): ("pdx", None),
    ("Gresham", "OR"): ("pdx", None),
    ("Portland", "OR"): ("pdx", None),
    ("Bellevue", "WA"): ("sea", None),
    ("Renton", "WA"): ("sea", None),
    ("Seattle", "WA"): ("sea", None),
    ("Boston", "MA"): ("bos", None),
    ("Cambridge", "MA"): ("bos", None),
    ("Somerville", "MA"): ("bos", None),
    ("Chicago", "IL"): ("chi", None),
    ("Evanston", "IL"): ("chi", None),
    ("Oak Park", "IL"): ("chi", None),
}


def area_of(city: str, state: str) -> tuple[str, str | None]:
    """The area's and the subarea's code. Raises PlatformRefused for a city that is not in the table."""
    try:
        return _AREAS[city.strip().title(), state]
    except KeyError:
        raise PlatformRefused(
            f"no craigslist area is known for {city}, {state}: add its code to craigslist_areas.py"
        ) from None
