"""The one error every user-facing failure is: what was wrong, where, and how to mend it.

SlipwayError
├── UsageError          exit 2   settings, stack files, arguments
├── MachineError        exit 3   the machine: a missing tool, a busy port, no disk, not root
├── LockedError         exit 4   somebody else holds the stack or the lease
├── OperationError      exit 1   a step, a wait or a check failed
├── PolicyError         exit 5   refused by a mandatory policy or a gate
├── NotFoundError       exit 6   no such stack, release or environment
├── ChangesError        exit 7   --expect-no-changes, and there were some
└── RolledBackError     exit 10  the release was bad and traffic is back on the old one
"""

from __future__ import annotations


class SlipwayError(Exception):
    """Base of everything shown to a user as one message, never as a traceback."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        """`where`: file and key, or URN. `remedy`: one sentence in the imperative."""
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        remedy = f"\n  → {self.remedy}" if self.remedy else ""
        return f"{where}{self.what}{remedy}"


class UsageError(SlipwayError):
    """Settings, stack files or arguments cannot be accepted."""

    exit_code = 2


class MachineError(SlipwayError):
    """The machine lacks something: a tool, a port, disk space, root."""

    exit_code = 3


class LockedError(SlipwayError):
    """Somebody else holds the stack's lock or the environment's lease."""

    exit_code = 4


class OperationError(SlipwayError):
    """A step, a wait or a check failed; what was done is recorded."""

    exit_code = 1


class PolicyError(SlipwayError):
    """A mandatory policy, or a gate of delivery, refused the change."""

    exit_code = 5


class NotFoundError(SlipwayError):
    """No stack, release or environment of that name."""

    exit_code = 6


class ChangesError(SlipwayError):
    """`--expect-no-changes` was given, and there are changes."""

    exit_code = 7


class RolledBackError(SlipwayError):
    """The release was bad; traffic is back on the release that ran before."""

    exit_code = 10
