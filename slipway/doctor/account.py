"""How the checks ask AWS: by bounded calls that only read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.parsers import ResponseParserError

CONFIG = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
"""A person waits for the answer: an endpoint that is away is said within half a minute."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"})


class CannotAskError(Exception):
    """AWS gave no answer to one call."""

    def __init__(self, action: str, code: str, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(f"{action}: {' '.join(reason.split())}")
        self.action = action
        """As IAM names it, such as `ec2:DescribeVpcs`."""
        self.code = code
        """AWS's error code; empty when there was no answer from AWS."""
        self.unreachable = unreachable
        """Whether the endpoint is away, or something else answers there."""

    @property
    def remedy(self) -> str:
        """What lets the call be answered."""
        if self.unreachable:
            return "check network, proxy and AWS_ENDPOINT_URL"
        return f"allow {self.action}" if self.code in DENIED else "check it by hand"


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """`aws`, or that of China or of the US government."""
        return self.arn.split(":")[1]


class Account:
    """The account of the caller's credentials, in one region."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._clients: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Any:
        return boto3.Session(region_name=self.region)

    def client(self, service: str) -> Any:
        """boto3's client of a service, made once."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=CONFIG)
        return self._clients[service]

    def ask(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """The whole answer to a call that reads, page by page. CannotAskError when there is none."""
        action = operation
        try:
            client = self.client(service)
            model = client.meta.service_model
            action = f"{model.endpoint_prefix}:{client.meta.method_to_api_mapping[operation]}"
            if client.can_paginate(operation):
                return client.get_paginator(operation).paginate(**request).build_full_result()
            return getattr(client, operation)(**request)
        except ClientError as error:
            fault = error.response.get("Error", {})
            code, message = fault.get("Code", ""), fault.get("Message", "")
            raise CannotAskError(action, code, ": ".join(filter(None, (code, message)))) from error
        except (UnreachableError, HTTPClientError, ResponseParserError) as error:
            raise CannotAskError(action, "", str(error), unreachable=True) from error
        except (BotoCoreError, ValueError) as error:
            # botocore itself refuses settings with a ValueError, such as an endpoint that is no URL.
            raise CannotAskError(action, "", str(error)) from error

    @cached_property
    def caller(self) -> Caller:
        """The identity behind the credentials; any that are valid may ask."""
        answer = self.ask("sts", "get_caller_identity")
        return Caller(account=answer["Account"], arn=answer["Arn"])
