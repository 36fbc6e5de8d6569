"""What an application's documents are called."""

from __future__ import annotations

_WORDS = {
    "photo_id": "Photo ID",
    "pay_stub": "Pay stub",
    "bank_statement": "Bank statement",
    "tax_return": "Tax return",
    "employment_letter": "Letter from your employer",
    "landlord_reference": "Reference from your landlord",
}


def words_of(kind: str) -> str:
    """A kind of document as an applicant knows it; one that is newer than this code by its own name."""
    return _WORDS.get(kind) or kind.replace("_", " ").capitalize()
