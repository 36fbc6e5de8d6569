"""Where the homes are: cities with their ZIP codes, places on the map and usual rents."""

from __future__ import annotations

from dataclasses import dataclass

# What a home of so many bedrooms costs, and how large it is, beside one of one bedroom.
RENT_FACTOR = (0.82, 1.0, 1.36, 1.75, 2.2)
SQUARE_FEET = (460, 680, 950, 1350, 1850)


@dataclass(frozen=True, slots=True)
class City:
    """A city; `rent` is that of one bedroom, in dollars a month."""

    name: str
    zips: tuple[str, ...]
    latitude: float
    longitude: float
    rent: int


@dataclass(frozen=True, slots=True)
class Metro:
    """Cities that people choose among."""

    state: str
    area_code: str
    time_zone: str
    cities: tuple[City, ...]


METROS = (
    Metro("WA", "206", "America/Los_Angeles", (
        City("Seattle", ("98103", "98115", "98122"), 47.6205, -122.3210, 2150),
        City("Bellevue", ("98004", "98006"), 47.6101, -122.2015, 2450),
        City("Renton", ("98055", "98057"), 47.4829, -122.2171, 1850))),
    Metro("NY", "718", "America/New_York", (
        City("Brooklyn", ("11201", "11215", "11238"), 40.6782, -73.9442, 3100),
        City("Astoria", ("11102", "11103"), 40.7644, -73.9235, 2600),
        City("Long Island City", ("11101",), 40.7447, -73.9485, 3400))),
    Metro("TX", "512", "America/Chicago", (
        City("Austin", ("78702", "78704", "78751"), 30.2672, -97.7431, 1600),
        City("Round Rock", ("78664", "78681"), 30.5083, -97.6789, 1400),
        City("Pflugerville", ("78660",), 30.4394, -97.6200, 1450))),
    Metro("MA", "617", "America/New_York", (
        City("Boston", ("02116", "02118", "02130"), 42.3601, -71.0589, 2900),
        City("Cambridge", ("02138", "02139"), 42.3736, -71.1097, 3000),
        City("Somerville", ("02143", "02144"), 42.3876, -71.0995, 2700))),
    Metro("IL", "312", "America/Chicago", (
        City("Chicago", ("60614", "60618", "60647"), 41.8781, -87.6298, 1800),
        City("Evanston", ("60201", "60202"), 42.0451, -87.6877, 1750),
        City("Oak Park", ("60301", "60302"), 41.8850, -87.7845, 1600))),
    Metro("CO", "303", "America/Denver", (
        City("Denver", ("80205", "80210", "80211"), 39.7392, -104.9903, 1700),
        City("Aurora", ("80012", "80014"), 39.7294, -104.8319, 1450),
        City("Lakewood", ("80226", "80232"), 39.7047, -105.0814, 1550))),
    Metro("OR", "503", "America/Los_Angeles", (
        City("Portland", ("97202", "97211", "97214"), 45.5152, -122.6784, 1550),
        City("Beaverton", ("97005", "97008"), 45.4871, -122.8037, 1600),
        City("Gresham", ("97030", "97080"), 45.5001, -122.4302, 1400))),
    Metro("GA", "404", "America/New_York", (
        City("Atlanta", ("30307", "30308", "30312"), 33.7490, -84.3880, 1650),
        City("Decatur", ("30030",), 33.7748, -84.2963, 1700),
        City("Marietta", ("30060", "30064"), 33.9526, -84.5499, 1450))),
)  # fmt: skip
