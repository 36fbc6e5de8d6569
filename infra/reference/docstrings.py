"""Docstrings as Markdown: prose stays as it is, examples become blocks of code."""

from __future__ import annotations

import ast
import re
from itertools import groupby
from textwrap import dedent

_INDENTED = re.compile(r"^ {4}", re.MULTILINE)
_SKIP = re.compile(r"^\.\.\. # doctest: .*\n| *# doctest: .*$", re.MULTILINE)


def markdown(docstring: str) -> str:
    """A docstring's paragraphs, with its examples in fences."""
    parts = [paragraph for paragraph in docstring.strip().split("\n\n") if paragraph.strip()]
    blocks = [(_kind(part), part) for part in parts]
    texts = []
    for kind, same in groupby(blocks, key=lambda block: block[0]):
        joined = "\n\n".join(part for _kind, part in same)
        texts.append(joined if kind is None else f"```{kind}\n{_SKIP.sub('', dedent(joined)).rstrip()}\n```")
    return "\n\n".join(texts)


def _kind(paragraph: str) -> str | None:
    """The language of a paragraph that is code; None for prose."""
    if paragraph.lstrip().startswith(">>>"):
        return "pycon"
    if all(_INDENTED.match(line) for line in paragraph.splitlines()) or _is_call(paragraph):
        return "python"
    return None


def _is_call(paragraph: str) -> bool:
    """An example on its own: whatever formats docstrings has taken its indentation."""
    try:
        statements = ast.parse(paragraph).body
    except SyntaxError:
        return False
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) for each in statements)
