"""Placeholders in queries. What is put in is of few letters, and quoted as the query's language wants it: nothing can end a string."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from slipway.contract.analysis import PLACEHOLDER
from slipway.delivery.model.analysis import Subject
from slipway.errors import OperationError

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def words(subject: Subject) -> Mapping[str, str]:
    """By placeholder. OperationError where a release's id could mean something in a query."""
    since, until = subject.span
    found = {
        "colour": subject.colour.value,
        "release": subject.release,
        "window": str(subject.window_seconds),
        "since": str(since),
        "until": str(until),
    }
    for name, word in found.items():
        if not WORD.fullmatch(word):
            raise OperationError(f"the {name} {word!r} cannot be put into a query")
    return found


def fill(text: str, found: Mapping[str, str], quote: Callable[[str], str]) -> str:
    """`text` with its placeholders filled, in one pass: what was put in is not looked at again. Others stay as they are."""
    return PLACEHOLDER.sub(lambda match: quote(found[match[1]]) if match[1] in found else match[0], text)
