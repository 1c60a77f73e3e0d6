"""Users and role sessions of a sandbox, and what they are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
Document = dict[str, Any]


def allow(action: object, resource: object = "*", **more: object) -> Document:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object, resource: object = "*", **more: object) -> Document:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: Document) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(**principal: object) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]})


class Identities:
    """Users and role sessions, made by the owner."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon
        self.owner = daemon.client
        self.iam, self.sts = daemon.client("iam"), daemon.client("sts")

    def user(self, *statements: Document) -> Callable[..., Any]:
        name = f"user-{uuid4().hex[:8]}"
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self._clients(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, *statements: Document, trusted: str = trust(AWS=ROOT), **settings: Any) -> str:
        name = f"role-{uuid4().hex[:8]}"
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted, **settings)["Role"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return str(made["Arn"])

    def session(self, *statements: Document, tags: dict[str, str] | None = None, **asked: Any) -> Callable[..., Any]:
        session_tags = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        role = asked.pop("role", None) or self.role(*statements)
        asked |= {"Tags": session_tags} if tags else {}
        return self.of(self.sts.assume_role(RoleArn=role, RoleSessionName="test", **asked))

    def of(self, assumed: Any) -> Callable[..., Any]:
        made = assumed["Credentials"]
        return self._clients(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    def _clients(self, *keys: str) -> Callable[..., Any]:
        session = botocore.session.Session()
        session.set_credentials(*keys)
        config = Config(retries={"max_attempts": 1})
        return lambda service, region="us-east-1": session.create_client(
            service, region, endpoint_url=self._daemon.url, config=config
        )


def refusal(call: Callable[..., object], **arguments: object) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def refused(call: Callable[..., object], **arguments: object) -> bool:
    return refusal(call, **arguments)[0] in {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
        "403",
    }


def tampered(client: Any, change: Callable[[Any], None]) -> Any:
    """A client whose requests are changed before they are signed."""
    client.meta.events.register("before-sign.*.*", lambda request, **_: change(request))
    return client
