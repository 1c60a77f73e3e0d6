"""What the EKS types share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipway.sandbox.providers.framework.faults import is_not_found
from slipway.sandbox.providers.framework.resource import Call


def wait_gone(call: Call, what: str, describe: Callable[[], Any], *, seconds: float) -> None:
    """Wait until `describe` fails with a not-found error."""

    def gone() -> bool:
        try:
            describe()
        except Exception as error:
            if is_not_found(error):
                return True
            raise
        return False

    call.wait(f"{what} to be deleted", gone, seconds=seconds, interval_seconds=2)
