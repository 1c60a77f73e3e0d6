"""An address that answers JSON, and what is looked for in the answer."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# JMESPath has no types.

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import JsonValue

from slipway.contract.analysis import HttpEntry
from slipway.delivery.adapters.analysis.filling import fill, words
from slipway.delivery.adapters.analysis.secret_values import ReadSecret, header_of
from slipway.delivery.adapters.analysis.web import ask_json
from slipway.delivery.model.analysis import Answer, Subject
from slipway.errors import OperationError


class HttpJson:
    """Answers entries of type `http`."""

    def __init__(self, read_secret: ReadSecret) -> None:
        self._read_secret = read_secret

    def answer(self, entry: HttpEntry, subject: Subject) -> Answer:
        """See `Provider.answer`. One request for all numbers of the entry."""
        found = words(subject)
        document = ask_json(
            entry.method,
            fill(entry.url, found, _quote_url),
            timeout_seconds=entry.timeout_seconds,
            headers={"Accept": "application/json", **entry.headers},
            masked=header_of(entry.secret_header, self._read_secret, entry.timeout_seconds),
            json=None if entry.body is None else _filled(entry.body, found),
        )
        numbers = [_number(query, document) for query in entry.queries]
        if not entry.counts:
            return Answer(value=numbers[0])
        bad, total = numbers
        return Answer() if bad is None or total is None else Answer(bad=round(bad), total=round(total))


def _quote_url(word: str) -> str:
    return quote(word, safe="")


def _filled(value: JsonValue, found: Mapping[str, str]) -> JsonValue:
    """The texts of a document with their placeholders filled; quotes are the encoder's."""
    if isinstance(value, str):
        return fill(value, found, str)
    if isinstance(value, list):
        return [_filled(each, found) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, found) for key, each in value.items()}
    return value


def _number(query: str, document: Any) -> float | None:
    """A number, or a text that is one. Messages do not repeat the answer, which may have anything in it."""
    try:
        found = cast("object", jmespath.search(query, document))
    except (JMESPathError, ArithmeticError, RecursionError) as error:
        raise OperationError(f"{query!r} cannot be applied to the answer: {type(error).__name__}") from None
    if found is None:
        return None
    if isinstance(found, (int, float, str)) and not isinstance(found, bool):
        try:
            number = float(found)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise OperationError(f"{query!r} gives no number")
