"""Who may do what in the image registry: its two processes in a network namespace, asked over HTTP by every verb.

Not tried here: a push or pull by a Docker engine or a node, and what goes through the daemon (see the end-to-end tests).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway.sandbox.accounts import unreachable
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import HOST_ADDRESS, REGISTRY_PORT
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.registry import store_socket
from slipway.sandbox.registry_access import LIFETIME, RegistryAccess
from tests.listening import run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(program) for program in ("ip", "haproxy", "docker-registry")),
    reason="needs root and the sandbox's packages",
)
START = """
import sys
from pathlib import Path
from slipway.sandbox.host_address import add_host_address
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.registry import Registry
paths = SandboxPaths(Path(sys.argv[1]))
add_host_address()
for _ in range(2):  # it may be repeated
    Registry(paths, ProcessTable(paths)).start()
"""
ASK = """
import json, sys
import httpx
answers = []
with httpx.Client(trust_env=False) as client:
    for method, url, auth in json.load(sys.stdin):
        answer = client.request(method, url, auth=tuple(auth) if auth else None)
        answers.append([answer.status_code, dict(answer.headers), answer.text])
print(json.dumps(answers))
"""
BLOB = f"sha256:{'0' * 64}"
READS = [
    ("GET", "/v2/"),
    ("HEAD", "/v2/"),
    ("GET", "/v2/app/tags/list"),
    ("GET", "/v2/app/manifests/1"),
    ("HEAD", f"/v2/app/blobs/{BLOB}"),
]
WRITES = [
    ("POST", "/v2/app/blobs/uploads/"),
    ("PATCH", "/v2/app/blobs/uploads/1"),
    ("PUT", "/v2/app/blobs/uploads/1"),
    ("DELETE", "/v2/app/blobs/uploads/1"),
    ("PUT", "/v2/app/manifests/1"),
    ("DELETE", f"/v2/app/manifests/{BLOB}"),
    ("DELETE", f"/v2/app/blobs/{BLOB}"),
    ("OPTIONS", "/v2/"),
    ("GET", "/v2/_catalog"),
    ("GET", "/v2/%5Fcatalog"),
]
"""And the list of all repositories, which nodes need not see."""
Ask = Callable[[Sequence[tuple[str, str]], Any], list[tuple[int, dict[str, str], str]]]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> SandboxPaths:
    return SandboxPaths(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def ask(paths: SandboxPaths) -> Iterator[Ask]:
    namespace, processes = f"test-registry-{os.getpid()}", ProcessTable(paths)
    run("ip", "netns", "add", namespace)
    run("ip", "-n", namespace, "link", "set", "lo", "up")

    def requests(wanted: Sequence[tuple[str, str]], auth: Any) -> list[tuple[int, dict[str, str], str]]:
        addresses = ("127.0.0.1", HOST_ADDRESS)
        calls = [(verb, f"http://{host}:{REGISTRY_PORT}{path}", auth) for host in addresses for verb, path in wanted]
        return json.loads(run(sys.executable, "-c", ASK, namespace=namespace, text=json.dumps(calls)))

    try:
        run(sys.executable, "-c", START, str(paths.home), namespace=namespace)
        yield requests
    finally:
        for record in list(processes.records()):
            processes.stop(record.name)
        unreachable(paths.sandbox / "registry")
        run("ip", "netns", "delete", namespace)


@pytest.fixture(scope="module")
def credentials(paths: SandboxPaths, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str] | None]:
    access, foreign = RegistryAccess(paths), RegistryAccess(SandboxPaths(tmp_path_factory.mktemp("foreign")))
    now = datetime.now(UTC)
    push, _ = access.token(now, push=True)
    header, claims, _ = push.split(".")
    return {
        "push": ("AWS", push),
        "caller": ("AWS", access.token(now, push=True, caller="AKIAOFSOMEBODY")[0]),
        "pull": tuple(access.pull_credentials().values()),
        "none": None,
        "empty": ("AWS", ""),
        "another user": ("aws", push),
        "another sandbox's": ("AWS", foreign.token(now, push=True)[0]),
        "unsigned": ("AWS", f"{header}.{claims}."),
        "expired": ("AWS", access.token(now - LIFETIME, push=True)[0]),
    }


def test_push_token_opens_everything(ask: Ask, credentials: dict[str, Any]) -> None:
    statuses = {status for status, _, _ in ask([*READS, *WRITES], credentials["push"])}
    assert not statuses & {401, 403}
    assert {200, 202, 404} <= statuses


def test_pull_credentials_read_and_write_nothing(ask: Ask, credentials: dict[str, Any]) -> None:
    reads = [status for status, _, _ in ask(READS, credentials["pull"])]
    assert reads == [200, 200, 404, 404, 404] * 2
    writes = ask(WRITES, credentials["pull"])
    assert [status for status, _, _ in writes] == [403] * len(WRITES) * 2
    assert {json.loads(text)["errors"][0]["code"] for _, _, text in writes} == {"DENIED"}


def test_token_of_a_caller_opens_nothing_while_the_daemon_that_knows_its_rights_is_away(
    ask: Ask, credentials: dict[str, Any]
) -> None:
    by_daemon = [
        ("POST", "/v2/app/blobs/uploads/"),
        ("POST", f"/v2/app/blobs/uploads/?mount={BLOB}&from=other"),
        ("GET", "/v2/app/manifests/1"),
        ("GET", "/v2/app/manif%65sts/1"),
        ("GET", "/v2/app/blobs/manifests/1"),
        ("GET", "/v2/app/blobs/uploads/manifests/1"),
        ("PUT", f"/v2/app/manifests/{BLOB}"),
        ("GET", f"/v2/app/referrers/{BLOB}"),
        ("GET", "/v2/app/tags/list"),
        ("GET", "/v2/_catalog"),
    ]
    assert {status for status, _, _ in ask(by_daemon, credentials["caller"])} == {503}
    deletes = [("DELETE", f"/v2/app/manifests/{BLOB}"), ("DELETE", f"/v2/app/blobs/{BLOB}")]
    assert {status for status, _, _ in ask(deletes, credentials["caller"])} == {403}
    # Of a layer's own upload the registry says that nobody began it.
    parts = [("GET", "/v2/"), ("PATCH", "/v2/app/blobs/uploads/1"), ("HEAD", f"/v2/app/blobs/{BLOB}")]
    assert [status for status, _, _ in ask(parts, credentials["caller"])] == [200, 404, 404] * 2


@pytest.mark.parametrize("kind", ["none", "empty", "another user", "another sandbox's", "unsigned", "expired"])
def test_refuses_every_verb_without_credentials_that_are_good_now(
    ask: Ask, credentials: dict[str, Any], kind: str
) -> None:
    answers = ask([*READS, *WRITES], credentials[kind])
    assert [status for status, _, _ in answers] == [401] * len(answers)
    assert {headers["www-authenticate"] for _, headers, _ in answers} == {
        f'Basic realm="http://127.0.0.1:{REGISTRY_PORT}/",service="ecr.amazonaws.com"'
    }
    assert any("expired. Reauthenticate" in text for _, _, text in answers) == (kind == "expired")


def test_registry_itself_can_be_asked_by_its_own_account_only(ask: Ask, paths: SandboxPaths) -> None:
    socket = store_socket(paths)
    assert socket.is_socket()
    assert (stat.S_IMODE(socket.parent.stat().st_mode), socket.parent.owner()) == (0o700, "docker-registry")
    key = paths.sandbox / "registry-access/key.pem"
    assert (stat.S_IMODE(key.stat().st_mode), key.owner()) == (0o600, "root")
    refused = run("setpriv", "--reuid=haproxy", "--clear-groups", "sh", "-c", f"test -e {socket} || echo refused")
    assert refused == "refused\n"
