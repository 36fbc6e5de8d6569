"""Feeds as the platforms read them: checked against the schemas, then asked which home they are about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import jsonschema
import xmlschema

from functions.syndicate_listing.platforms.craigslist import CL, RDF, RSS
from infra.template import ROOT
from shared.jobs.syndicate_listing import Platform

_SCHEMAS = ROOT / "functions" / "syndicate_listing" / "schemas"
_FILES = {Platform.CRAIGSLIST: "craigslist-rdf.xsd"}


class InvalidFeed(Exception):
    """The feed is not in the platform's format; says where not."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Which home a feed is about, and whether it takes it down."""

    reference: str
    removes: bool


def check(platform: Platform, body: bytes) -> None:
    """Raise InvalidFeed unless this is a feed in the platform's format."""
    try:
        if platform is Platform.REALTOR:
            _realtor_schema().validate(json.loads(body))
        else:
            _xml_schema(platform).validate(_parsed(body))
    except jsonschema.ValidationError as error:
        raise InvalidFeed(f"{error.json_path}: {error.message}") from error
    except xmlschema.XMLSchemaValidationError as error:
        raise InvalidFeed(f"{error.path}: {error.reason}") from error
    except (ValueError, ParseError) as error:
        raise InvalidFeed(f"the feed cannot be parsed: {error}") from error


def read(platform: Platform, body: bytes) -> Feed:
    """What a valid feed says."""
    return _READERS[platform](body)


def password_in(body: bytes) -> str | None:
    """The password that a craigslist feed carries."""
    try:
        auth = _parsed(body).find(f"{RSS}channel/{CL}auth")
    except ParseError:
        return None
    return None if auth is None else auth.get("password")


@cache
def _xml_schema(platform: Platform) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(_SCHEMAS / _FILES.get(platform, f"{platform.value}.xsd")))


@cache
def _realtor_schema() -> Any:
    schema = json.loads((_SCHEMAS / "realtor.schema.json").read_text("utf-8"))
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=formats)


def _zillow(body: bytes) -> Feed:
    return Feed(_found(body, "Listing").attrib["id"], removes=False)


def _apartments(body: bytes) -> Feed:
    return Feed(_found(body, "Property").attrib["IDValue"], removes=False)


def _craigslist(body: bytes) -> Feed:
    return Feed(_found(body, f"{RSS}item").attrib[f"{RDF}about"], removes=False)


def _facebook(body: bytes) -> Feed:
    listing = _found(body, "listing")
    reference, availability = listing.findtext("home_listing_id"), listing.findtext("availability")
    return Feed(reference or "", removes=availability == "off_market")


def _streeteasy(body: bytes) -> Feed:
    home = _found(body, "properties/property")
    return Feed(home.attrib["id"], removes=home.get("status") != "active")


def _realtor(body: bytes) -> Feed:
    resource = json.loads(body)
    return Feed(resource["ListingId"], removes=resource["StandardStatus"] != "Active")


def _found(body: bytes, path: str) -> Element:
    found = _parsed(body).find(path)
    if found is None:  # the schema has seen to that
        raise InvalidFeed(f"there is no {path}")
    return found


def _parsed(body: bytes) -> Element:
    return fromstring(body)  # noqa: S314  # only this machine's feeds come here


_READERS: dict[Platform, Callable[[bytes], Feed]] = {
    Platform.ZILLOW: _zillow,
    Platform.APARTMENTS: _apartments,
    Platform.CRAIGSLIST: _craigslist,
    Platform.FACEBOOK: _facebook,
    Platform.STREETEASY: _streeteasy,
    Platform.REALTOR: _realtor,
}
