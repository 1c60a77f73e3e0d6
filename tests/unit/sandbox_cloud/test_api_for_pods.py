"""What the AWS API's address for pods answers that the machine's own address answers otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.sandbox.aws import guard
from slipway.sandbox.aws.answers import json_answer
from slipway.sandbox.aws.application import AwsApplication
from slipway.sandbox.aws.operations import Operation, is_unsigned, recognise_operation
from slipway.sandbox.ports import HOST_ADDRESS, POD_IDENTITY_ADDRESS

STS = Operation("sts", "AssumeRoleWithWebIdentity", True, "xml")


class NoState:
    def save(self, service: str) -> None: ...

    def save_soon(self) -> None: ...


def status(path: str, server: str, host: str) -> str:
    """Of the answer to a GET."""
    application = AwsApplication(NoState())
    application.add_route("status", lambda _: json_answer({}))
    application.add_host(POD_IDENTITY_ADDRESS, lambda environ: json_answer({"path": environ["PATH_INFO"]}))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": host, "SERVER_NAME": server}
    environ |= {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000"}
    seen: list[str] = []

    def start_response(line: str, _headers: list[tuple[str, str]]) -> None:
        seen.append(line)

    list(application({**environ, "SERVER_PORT": "4566"}, start_response))
    return seen[0]


@pytest.mark.parametrize(
    ("path", "server", "host", "expected"),
    [
        ("/_slipway/status", "127.0.0.1", "127.0.0.1:4566", "200 OK"),
        ("/_slipway/status", HOST_ADDRESS, f"{HOST_ADDRESS}:4566", "403 Forbidden"),
        ("/v1/credentials", HOST_ADDRESS, POD_IDENTITY_ADDRESS, "200 OK"),
        ("/v1/credentials", "127.0.0.1", POD_IDENTITY_ADDRESS, "403 Forbidden"),
        ("/v1/credentials", HOST_ADDRESS, "evil.example", "403 Forbidden"),
    ],
)
def test_pods_get_the_agent_and_none_of_the_sandboxs_own_pages(
    path: str, server: str, host: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "refuse_user", lambda *_: None)
    assert status(path, server, host) == expected


@pytest.mark.parametrize(("server", "unsigned"), [("127.0.0.1", True), (HOST_ADDRESS, False)])
def test_only_the_machine_gets_a_role_by_an_identity_provider(server: str, unsigned: bool) -> None:
    environ: dict[str, Any] = {"SERVER_NAME": server}

    assert is_unsigned(STS, environ, b"Action=AssumeRoleWithWebIdentity") == unsigned


def test_pod_identity_runs_beside_other_calls_and_is_kept_with_sts() -> None:
    path = "/clusters/shop/assume-role-for-pod-identity"
    operation = recognise_operation("eks", {"REQUEST_METHOD": "POST", "PATH_INFO": path}, b"{}")

    assert (operation.service, operation.concurrent, operation.saved_at_once) == ("sts", True, True)
