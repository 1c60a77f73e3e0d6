"""From botocore's errors to one line for the user: the operation, AWS's code and AWS's message."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager

from slipway.providers.provider import ProviderError, StatusUnknownError

_NOT_FOUND = re.compile(r"NotFound|NoSuch|DoesNotExist|NonExistent|^404$|^InvalidAllocationID|InvalidAMIID.Unavailable")


class AlreadyExistsError(ProviderError):
    """What a create looked for first is there: AWS would refuse, or silently make a second one of the same name."""


def error_code(error: BaseException) -> str:
    """AWS's code of a failed call; "" for anything else."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def is_not_found(error: BaseException) -> bool:
    """Whether a call failed because what it names does not exist."""
    return bool(_NOT_FOUND.search(error_code(error)))


@contextmanager
def reported(where: str) -> Generator[None]:
    """Turn botocore's errors into ProviderError; everything else passes."""
    from botocore.exceptions import (  # noqa: PLC0415 - not needed by a preview without AWS calls
        BotoCoreError,
        ClientError,
        ConnectionClosedError,
        EndpointConnectionError,
        ReadTimeoutError,
    )

    try:
        yield
    except ClientError as error:
        fault = error.response.get("Error", {})
        message = " ".join(str(fault.get("Message", "")).split())
        raise ProviderError(f"{where}: {error.operation_name}: {fault.get('Code', 'Unknown')}: {message}") from error
    except EndpointConnectionError as error:
        raise ProviderError(f"{where}: cannot reach the AWS endpoint; is the sandbox running? ({error})") from error
    except (ReadTimeoutError, ConnectionClosedError) as error:
        raise StatusUnknownError(f"{where}: the connection was lost before AWS answered: {error}") from error
    except BotoCoreError as error:
        raise ProviderError(f"{where}: {' '.join(str(error).split())}") from error
