"""`python -m infra.reference`: write docs/reference.md and docs/http-reference.md anew.

A test holds the pages to the code, so that neither changes without the other.
"""

from __future__ import annotations

from infra.reference.pages import PAGES

if __name__ == "__main__":
    for path, text in PAGES.items():
        path.write_text(text(), "utf-8")
