"""The mail that tells an agent which leads a listing suits."""

from __future__ import annotations

from functions.crm_match.matching import Agent, Listing, Match, Matches
from shared.emails.data import LeadMatch, LeadMatchesData
from shared.errors import InvalidJob
from shared.jobs.send_email import SendEmail
from shared.observability import logger
from shared.settings import AppSettings

_LONGEST = 100  # characters of a text in a mail


def tell(agent: Agent, listing_id: int, listing: Listing, matches: Matches) -> SendEmail | None:
    """The best matches; None for an address that no mail can be sent to: the matches are in the application too."""
    data = LeadMatchesData(
        name=_line(agent.name),
        listing_title=_line(listing.title),
        listing_url=f"{AppSettings.load().app_url}/listings/{listing_id}",
        matches=[_told(each) for each in matches.best],
        total=matches.good,
    )
    try:
        return SendEmail(to=agent.email, data=data)
    except InvalidJob as error:
        logger.warning("the agent cannot be told", extra={"reason": str(error)})
        return None


def _told(match: Match) -> LeadMatch:
    notes = [reason.note for reason in match.score.reasons if reason.note is not None]
    said = ", ".join(notes) or "no particular wishes"
    return LeadMatch(
        lead_name=_line(match.lead_name),
        score=match.score.points,
        reason=_line(said[0].upper() + said[1:]),
    )


def _line(text: str) -> str:
    """A text as a mail takes it: one line, without what cannot be seen, and not too long."""
    seen = " ".join("".join(each for each in word if each.isprintable()) for word in text.split())
    return (seen if len(seen) <= _LONGEST else f"{seen[: _LONGEST - 1]}…") or "–"
