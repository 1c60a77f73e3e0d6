"""What a failed CLI means for a user: one error of ours, with what to do."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.errors import (
    ChangesError,
    LockedError,
    MachineError,
    NotFoundError,
    OperationError,
    PolicyError,
    SlipwayError,
    UsageError,
)
from slipway.scrubbing import scrub
from slipway.stack.event_log import EventLog
from slipway.stack.locks import COLOURS, LOCKED
from slipway.stack.process import Finished

SHOWN_CHARACTERS = 2000
NO_STACK = "no stack named"
INTERRUPTED_CODES = frozenset({8, 130})
"""The CLI's own code for a cancelled operation, and ours for one that a signal ended."""


class InterruptedOperationError(SlipwayError):
    """Somebody ended the operation; what was done until then is in the state."""

    exit_code = 130


@dataclass(frozen=True, kw_only=True)
class _Sign:
    """A failure that is known by what the CLI prints, or by its exit code."""

    kind: type[SlipwayError]
    texts: tuple[str, ...] = ()
    code: int | None = None
    what: str = "pulumi failed: {said}"
    where: str = "{stack}"
    remedy: str = ""


_SIGNS = (
    _Sign(
        kind=LockedError,
        texts=(LOCKED, "Another update is currently in progress"),
        what="the stack is locked: {said}",
        remedy="wait; if nothing runs there any more: `pulumi cancel --stack {stack}`",
    ),
    _Sign(
        kind=UsageError,
        texts=("incorrect passphrase", "passphrase must be set"),
        what="the stack's secrets cannot be read: {said}",
        where="Pulumi.{stack}.yaml",
        remedy="set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase of the stack",
    ),
    _Sign(
        kind=UsageError,
        texts=("constructing secrets manager",),
        what="the stack's secrets cannot be read: {said}",
        where="Pulumi.{stack}.yaml",
        remedy="check that these credentials may use the key that `secretsprovider` names, with `kms:Decrypt` for a KMS key",
    ),
    _Sign(
        kind=MachineError,
        texts=("no space left on device",),
        what="the disk is full: {said}",
        remedy="free some space and run it again",
    ),
    _Sign(
        kind=OperationError,
        texts=("error reading from server: EOF", "connect: connection refused"),
        what="a provider ended while it was asked: {said}",
        remedy="run the same command again: it goes on where it stopped",
    ),
    _Sign(
        kind=OperationError,
        texts=("cannot be overwritten because the tag is immutable",),
        what="another run has pushed an image of the same source meanwhile: {said}",
        remedy="run the same command again: it takes the image that is there",
    ),
    _Sign(
        kind=NotFoundError,
        texts=(NO_STACK,),
        code=6,
        what="there is no stack {stack} yet",
        remedy="`slipway up {stack}` makes it",
    ),
    _Sign(kind=ChangesError, texts=("no changes were expected",), code=7, what="{said}"),
    _Sign(kind=UsageError, code=2),
    _Sign(kind=MachineError, code=3),
)
"""The first that fits. Source of the codes: `sdk/go/common/util/cmdutil/exit.go`; older versions have the texts only."""


def failure(finished: Finished, log: EventLog, stack: str) -> SlipwayError:
    """The error for a CLI that ended with another code than 0."""
    text = COLOURS.sub("", finished.stderr)
    said = _said(text, log)
    if finished.interrupted or finished.code in INTERRUPTED_CODES:
        what = "interrupted; what was done is in the state"
        return InterruptedOperationError(
            what, where=stack, remedy="run the same command again: it goes on where it stopped"
        )
    if log.refusals:
        return PolicyError("\n".join(log.refusals), where=stack)
    everything = "\n".join([text, *log.errors])
    for sign in _SIGNS:
        if finished.code == sign.code or any(part in everything for part in sign.texts):
            what, where, remedy = (part.format(said=said, stack=stack) for part in (sign.what, sign.where, sign.remedy))
            return sign.kind(what, where=where, remedy=remedy)
    return OperationError(f"pulumi failed: {said}", where=stack)


def _said(text: str, log: EventLog) -> str:
    lines = "\n".join(log.errors) or "\n".join(
        line.removeprefix("error: ") for line in text.strip().splitlines() if line.strip()
    )
    return scrub(lines)[-SHOWN_CHARACTERS:] or "it gave no reason"
