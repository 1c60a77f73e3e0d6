"""Kubeconfigs of other makers: what is read of them and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.errors import UsageError
from slipway.sandbox.kubernetes.kubeconfig import load_credentials

KUBECONFIG = """
current-context: kind
contexts:
- {name: kind, context: {cluster: local, user: dev}}
- {name: lost, context: {cluster: nowhere, user: dev}}
clusters:
- {name: local, cluster: {server: "https://127.0.0.1:1234/", certificate-authority: ca.pem}}
users:
- {name: dev, user: {token: secret-token}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(b"PEM")
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return path


def test_files_are_found_beside_the_kubeconfig_when_paths_are_relative(path: Path) -> None:
    credentials = load_credentials(path)

    assert credentials.server == "https://127.0.0.1:1234"
    assert credentials.authority_pem == b"PEM"
    assert credentials.headers() == {"Authorization": "Bearer secret-token"}


def test_refuses_a_context_that_is_not_there_naming_those_that_are(path: Path) -> None:
    with pytest.raises(UsageError, match="has no entry 'minikube' in contexts; there are: kind, lost"):
        load_credentials(path, "minikube")


def test_refuses_a_context_whose_cluster_is_missing(path: Path) -> None:
    with pytest.raises(UsageError, match="has no entry 'nowhere' in clusters"):
        load_credentials(path, "lost")


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("just words", "is not a kubeconfig")])
def test_refuses_what_is_no_kubeconfig(path: Path, text: str, message: str) -> None:
    path.write_text(text)

    with pytest.raises(UsageError, match=message):
        load_credentials(path)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_credentials(tmp_path / "none")
