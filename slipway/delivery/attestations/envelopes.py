# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false
# securesystemslib names in its documentation what it does not declare as exported.
"""DSSE envelopes: signed, opened, and read into evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.attestations.licences import find_denied, licences_of
from slipway.delivery.attestations.statements import (
    PROVENANCE_TYPE,
    SBOM_TYPE,
    Statement,
    dump_statement,
    read_provenance,
)
from slipway.delivery.model.provenance import Evidence, Provenance

if TYPE_CHECKING:
    from securesystemslib.signer import Key, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class ForgedError(ValueError):
    """The envelope does not count; the text says why, as the end of a sentence."""


def seal(statement: Statement, signer: Signer) -> bytes:
    """The statement in a signed envelope."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415 - 0.1 s, for a release only

    envelope = Envelope(dump_statement(statement), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), sort_keys=True).encode()


def unseal(content: bytes, key: Key, digest: str) -> Statement:
    """The statement of an envelope that `key` signed about `digest`; ForgedError for anything else."""
    from securesystemslib.dsse import Envelope  # noqa: PLC0415 - see above
    from securesystemslib.exceptions import VerificationError  # noqa: PLC0415 - see above

    try:
        envelope = Envelope.from_dict(cast("dict[str, Any]", json.loads(content)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ForgedError("is no DSSE envelope") from None
    if key.keyid not in envelope.signatures:
        raise ForgedError("is signed by another key")
    try:
        envelope.verify([key], 1)
    except VerificationError:
        raise ForgedError("was changed after it was signed") from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ForgedError("holds no in-toto statement")
    try:
        statement = Statement.model_validate_json(envelope.payload)
    except ValidationError:
        raise ForgedError("holds no in-toto statement") from None
    if not statement.names(digest):
        raise ForgedError("is about another image")
    return statement


def weigh(envelopes: Sequence[bytes], key: Key, digest: str, demands: SupplyChain, repository: str) -> Evidence:
    """What the envelopes prove about an image."""
    provenance: list[Provenance] = []
    licences: dict[str, str] | None = None
    discarded: list[str] = []
    readers: dict[str, Callable[[Statement], object]] = {PROVENANCE_TYPE: read_provenance, SBOM_TYPE: licences_of}
    for content in envelopes:
        try:
            statement = unseal(content, key, digest)
            found = readers.get(statement.predicate_type, lambda _: None)(statement)
        except ForgedError as error:
            discarded.append(str(error))
        except ValueError:
            discarded.append("cannot be read")
        else:
            if isinstance(found, Provenance):
                provenance.append(found)
            elif found is not None:
                licences = {**(licences or {}), **cast("dict[str, str]", found)}
    return Evidence(
        demands=demands,
        repository=repository,
        provenance=tuple(provenance),
        licences=licences,
        denied=find_denied(licences or {}, demands.denied_licences),
        discarded=tuple(dict.fromkeys(discarded)),
    )
