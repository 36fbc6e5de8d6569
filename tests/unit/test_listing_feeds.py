"""Feeds: each platform's format held to its schema, for every home that the application can hold."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.syndicate_listing.errors import PlatformRefused
from functions.syndicate_listing.listing import Listing, _clean, dollars
from functions.syndicate_listing.platforms import adapter_of
from functions.syndicate_listing.platforms.adapter import Receipt, missing
from functions.syndicate_listing.platforms.craigslist_areas import _AREAS, area_of
from infra.local.platforms import feeds
from infra.local.platforms.answers import posting
from infra.local.platforms.feeds import InvalidFeed
from infra.seed.metros import METROS
from shared.jobs.syndicate_listing import Platform

each_platform = pytest.mark.parametrize("platform", list(Platform))
ACCOUNT = {"USERNAME": "ada", "PASSWORD": "s3cret", "ACCOUNT_ID": "14", "API_KEY": "key"}
LISTING = Listing(
    id=42,
    organization_id=1,
    organization="Ash & Oak",
    status="active",
    title="Sunny 2-bedroom apartment",
    description="Light <all day>.\n\nHeat & water included.",
    property_type="apartment",
    street="100 Main St",
    unit="2B",
    city="Brooklyn",
    state="NY",
    zip="11201",
    latitude=Decimal("40.678200"),
    longitude=Decimal("-73.944200"),
    price=245_050,
    deposit=245_000,
    bedrooms=2,
    bathrooms=Decimal("1.5"),
    square_feet=900,
    available_from=date(2026, 6, 1),
    lease_months_min=12,
    lease_months_max=24,
    cats_allowed=True,
    dogs_allowed=False,
    amenities=("bike_storage", "gym"),
    photos=("https://images.example.com/1.jpg", "https://images.example.com/2.jpg"),
    agent_id=7,
    contact_name="Ada Agent",
    contact_email="ada@example.com",
    contact_phone="+12065550100",
    updated_at=datetime(2026, 5, 1, tzinfo=UTC),
    url="https://app.example.com/listings/42",
)

texts = st.text(min_size=1, max_size=80).map(_clean).filter(bool)
listings = st.builds(
    replace,
    st.just(LISTING),
    organization=texts,
    title=texts,
    description=texts,
    street=texts,
    unit=st.none() | texts,
    contact_name=texts,
    amenities=st.lists(texts, max_size=4).map(tuple),
    status=st.sampled_from(["active", "rented", "withdrawn"]),
    property_type=st.sampled_from(["apartment", "condo", "townhouse", "house", "room"]),
    city=st.sampled_from(sorted(city for city, state in _AREAS if state == "NY")),
    zip=st.sampled_from(["11201", "11201-0001"]),
    price=st.integers(1, 10**8),
    deposit=st.none() | st.integers(0, 10**8),
    bedrooms=st.integers(0, 20),
    bathrooms=st.integers(0, 40).map(lambda halves: Decimal(halves) / 2),
    square_feet=st.none() | st.integers(1, 10**6),
    available_from=st.none() | st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    lease_months_max=st.none() | st.integers(12, 60),
    cats_allowed=st.booleans(),
    dogs_allowed=st.booleans(),
    photos=st.lists(st.sampled_from(LISTING.photos), max_size=30).map(tuple),
    contact_phone=st.none() | st.just("+12065550100"),
)


def travelling(platform: Platform, listing: Listing) -> bytes:
    adapter = adapter_of(platform)
    return adapter.sign(adapter.feed(listing), ACCOUNT)


# --- formats -------------------------------------------------------------------------------------------------


@each_platform
@settings(deadline=None)  # the first reads the schema
@given(listing=listings)
def test_each_home_makes_a_valid_feed(platform: Platform, listing: Listing) -> None:
    if not missing(adapter_of(platform), listing):
        body = travelling(platform, listing)
        feeds.check(platform, body)
        assert feeds.read(platform, body) == feeds.Feed("42", removes=False)


@each_platform
@settings(deadline=None)  # the first reads the schema
@given(listing=listings)
def test_each_home_can_be_taken_down_validly(platform: Platform, listing: Listing) -> None:
    adapter = adapter_of(platform)
    removal = adapter.removal(listing)
    if removal is not None and not missing(adapter, listing):
        feeds.check(platform, removal)
        assert feeds.read(platform, removal) == feeds.Feed("42", removes=True)


@each_platform
def test_the_same_home_makes_the_same_bytes(platform: Platform) -> None:
    adapter = adapter_of(platform)
    assert adapter.feed(LISTING) == adapter.feed(replace(LISTING))


@each_platform
def test_a_home_without_a_place_on_the_map(platform: Platform) -> None:
    listing = replace(LISTING, latitude=None, longitude=None)
    adapter = adapter_of(platform)
    if platform is Platform.FACEBOOK:
        assert missing(adapter, listing) == ["latitude", "longitude"]
    else:
        feeds.check(platform, travelling(platform, listing))


@each_platform
@pytest.mark.parametrize(
    "fields", [{"price": 100_100}, {"description": "Another"}, {"bedrooms": 3}, {"cats_allowed": False}]
)
def test_what_matters_changes_the_feed(platform: Platform, fields: dict[str, Any]) -> None:
    adapter = adapter_of(platform)
    assert adapter.feed(replace(LISTING, **fields)) != adapter.feed(LISTING)


@each_platform
@pytest.mark.parametrize("body", [b"", b"<", b"[]", b"{}", b"<listings/>", b"\xff"])
def test_the_stand_in_refuses_what_is_no_feed(platform: Platform, body: bytes) -> None:
    with pytest.raises(InvalidFeed):
        feeds.check(platform, body)


@each_platform
def test_no_platform_takes_anothers_feed(platform: Platform) -> None:
    for other in Platform:
        if other is not platform:
            with pytest.raises(InvalidFeed):
                feeds.check(platform, travelling(other, LISTING))


@each_platform
def test_texts_arrive_as_they_were_written(platform: Platform) -> None:
    said = 'Light <all day> & "quiet" — 日本語 🏠'
    body = travelling(platform, replace(LISTING, description=said))
    if platform is Platform.REALTOR:
        assert json.loads(body)["PublicRemarks"] == said
    else:
        assert said in "".join(fromstring(body).itertext())


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_what_xml_cannot_carry_is_left_out(text: str) -> None:
    body = travelling(Platform.ZILLOW, replace(LISTING, title=f"x{_clean(text)}"))
    fromstring(body)


def test_everything_else_is_kept() -> None:
    assert _clean("tab\tline\nend é 🏠") == "tab\tline\nend é 🏠"
    assert _clean(["a\x00", "\x07", " b "]) == ("a", "b")
    assert {field.name for field in fields(LISTING)} >= {"title", "url"}


# --- what each says ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cents", "said"), [(1, "0.01"), (100, "1"), (245_050, "2450.50")])
def test_money(cents: int, said: str) -> None:
    assert dollars(cents) == said


def test_zillow() -> None:
    listing = fromstring(travelling(Platform.ZILLOW, LISTING)).find("Listing")
    assert listing is not None
    assert listing.attrib == {"id": "42", "type": "RENTAL", "companyId": "1", "propertyType": "CONDO"}
    said = {each.tag: each.text for each in listing if each.text}
    assert (said["price"], said["deposit"], said["leaseTerm"]) == ("2450.50", "2450", "12 to 24 months")
    assert (said["numFullBaths"], said["numHalfBaths"]) == ("1", "1")


def test_facebook() -> None:
    listing = fromstring(travelling(Platform.FACEBOOK, LISTING)).find("listing")
    assert listing is not None
    assert listing.findtext("price") == "2450.50 USD"
    assert listing.findtext("pet_policy") == "cat"
    assert listing.findtext("address/component[@name='city']") == "Brooklyn"


def test_facebook_takes_twenty_photos_and_five_thousand_characters() -> None:
    many = replace(LISTING, photos=LISTING.photos * 20, description="x" * 6_000)
    feeds.check(Platform.FACEBOOK, travelling(Platform.FACEBOOK, many))


@pytest.mark.parametrize(("status", "said"), [("rented", "rented"), ("withdrawn", "off-market")])
def test_streeteasy_hears_why_it_is_gone(status: str, said: str) -> None:
    removal = adapter_of(Platform.STREETEASY).removal(replace(LISTING, status=status))
    assert removal is not None
    home = fromstring(removal).find("properties/property")
    assert home is not None
    assert home.get("status") == said


@pytest.mark.parametrize(("status", "said"), [("rented", "Closed"), ("withdrawn", "Withdrawn")])
def test_realtor_hears_why_it_is_gone(status: str, said: str) -> None:
    removal = adapter_of(Platform.REALTOR).removal(replace(LISTING, status=status))
    assert removal is not None
    assert json.loads(removal)["StandardStatus"] == said


def test_craigslists_password_is_in_what_travels_only() -> None:
    adapter = adapter_of(Platform.CRAIGSLIST)
    assert b"s3cret" not in adapter.feed(LISTING)
    assert feeds.password_in(travelling(Platform.CRAIGSLIST, LISTING)) == "s3cret"


def test_a_craigslist_price_is_never_less_than_the_rent() -> None:
    assert b'price="2451"' in adapter_of(Platform.CRAIGSLIST).feed(LISTING)


def test_craigslist_has_an_area_for_each_city_of_the_seed() -> None:
    for metro in METROS:
        for city in metro.cities:
            assert len(area_of(city.name, metro.state)[0]) == 3


# --- answers -------------------------------------------------------------------------------------------------


@each_platform
@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b"{}", b"<ok/>", b'{"id": null}', b"\xff"])
def test_an_answer_that_says_nothing_is_a_yes(platform: Platform, body: bytes) -> None:
    assert adapter_of(platform).receipt(body) == Receipt()


def test_usual_answers_name_the_listing() -> None:
    answer = b'{"id": 17, "url": "https://zillow.example.com/17"}'
    assert adapter_of(Platform.ZILLOW).receipt(answer) == Receipt("17", "https://zillow.example.com/17")


def test_realtor_answers_with_the_resource() -> None:
    assert adapter_of(Platform.REALTOR).receipt(b'{"ListingKey": "K1"}') == Receipt("K1")


def test_craigslist_answers_with_the_posting() -> None:
    adapter = adapter_of(Platform.CRAIGSLIST)
    yes = posting("42", "POSTED", "", "99", "https://newyork.craigslist.example.com/99").body
    assert isinstance(yes, bytes)
    assert adapter.receipt(yes) == Receipt("99", "https://newyork.craigslist.example.com/99")
    no = posting("42", "INVALID", "no & no").body
    assert isinstance(no, bytes)
    with pytest.raises(PlatformRefused, match="INVALID: no & no"):
        adapter.receipt(no)
