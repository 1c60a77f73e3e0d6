# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# license-expression has no types.
"""Licences: what a bill of materials says of each package, and which of them are denied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from slipway.delivery.attestations.statements import Statement


class _Licence(BaseModel):
    id: str = ""
    name: str = ""


class _Choice(BaseModel):
    license: _Licence = _Licence()
    expression: str = ""


class _Component(BaseModel):
    name: str
    version: str = ""
    purl: str = ""
    licenses: tuple[_Choice, ...] = ()


class _Bill(BaseModel):
    components: tuple[_Component, ...] = ()


def licences_of(statement: Statement) -> dict[str, str]:
    """The licence of each package of a CycloneDX document, several joined by AND; empty where none is known."""
    found: dict[str, str] = {}
    for component in _Bill.model_validate(statement.predicate).components:
        texts = [each.expression or each.license.id or each.license.name for each in component.licenses]
        parts = [f"({text})" if len(texts) > 1 else text for text in texts if text]
        found[component.purl or f"{component.name} {component.version}"] = " AND ".join(parts)
    return found


def find_denied(licences: Mapping[str, str], denied: Sequence[str]) -> tuple[str, ...]:
    """Packages that cannot be used without a denied licence: `A OR B` is denied only if both are."""
    if not denied:
        return ()
    from license_expression import ExpressionError, ParseError, get_spdx_licensing  # noqa: PLC0415 - reads 2,500 licences

    known: Any = get_spdx_licensing()
    wanted = {str(known.parse(name).render()) for name in denied}
    found: list[str] = []
    for package, text in licences.items():
        try:
            parsed = known.parse(text)
        except (ExpressionError, ParseError):
            continue  # a free text; it is told as unknown when the image is built
        if parsed is not None and _is_denied(parsed, wanted, known.OR):
            found.append(f"{package} ({text})")
    return tuple(found)


def _is_denied(expression: Any, denied: set[str], choice: type) -> bool:
    arguments: tuple[Any, ...] = getattr(expression, "args", ())
    if not arguments:
        licence = getattr(expression, "license_symbol", expression)  # `X WITH exception` is as X
        return str(licence.key) in denied
    verdicts = [_is_denied(each, denied, choice) for each in arguments]
    return all(verdicts) if isinstance(expression, choice) else any(verdicts)
