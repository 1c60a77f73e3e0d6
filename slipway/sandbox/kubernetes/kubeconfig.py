"""Reading a kubeconfig: server, authority and credentials of one context, whoever wrote the file."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.errors import UsageError

EXEC_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to reach and convince one API server. PEM values are the PEM text itself; empty means the kubeconfig has none."""

    server: str
    authority_pem: bytes
    skip_tls_verify: bool
    certificate_pem: bytes
    key_pem: bytes
    token: str
    exec_plugin: tuple[str, ...]
    """A command that prints an ExecCredential, with its environment as NAME=VALUE words before it for env(1)."""

    def tls_context(self) -> ssl.SSLContext:
        """For a client: trusts the authority, shows the certificate."""
        authority = self.authority_pem.decode() or None
        context = ssl.create_default_context(cadata=authority)
        if self.skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate_pem:
            # Python takes client certificates from files only.
            with tempfile.NamedTemporaryFile() as pair:
                pair.write(self.certificate_pem + b"\n" + self.key_pem)
                pair.flush()
                context.load_cert_chain(pair.name)
        return context

    def headers(self) -> dict[str, str]:
        """The bearer token, if it convinces with one; a credential plugin is run each time."""
        token = self.token or (_run_exec_plugin(self.exec_plugin) if self.exec_plugin else "")
        return {"Authorization": f"Bearer {token}"} if token else {}


def load_credentials(path: Path, context: str = "") -> Credentials:
    """The credentials of a context, the current one unless named. Raises UsageError with the file and the key that is wrong."""
    try:
        loaded: object = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"is not YAML: {error}", where=str(path)) from error
    if not isinstance(loaded, dict):
        raise UsageError("is not a kubeconfig", where=str(path))
    document = cast("dict[str, Any]", loaded)
    name: str = context or document.get("current-context") or ""
    chosen = _named(document, path, "contexts", name)["context"]
    cluster = _named(document, path, "clusters", chosen.get("cluster", ""))["cluster"]
    user: dict[str, Any] = _named(document, path, "users", chosen.get("user", ""))["user"] or {}
    if "server" not in cluster:
        raise UsageError("has no server", where=f"{path}: clusters[{chosen['cluster']}]")
    return Credentials(
        server=cluster["server"].rstrip("/"),
        authority_pem=_material(path, cluster, "certificate-authority"),
        skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
        certificate_pem=_material(path, user, "client-certificate"),
        key_pem=_material(path, user, "client-key"),
        token=user.get("token") or _token_file(path, user),
        exec_plugin=_exec_plugin(user),
    )


def _named(document: dict[str, Any], path: Path, kind: str, name: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = document.get(kind) or []
    found = next((entry for entry in entries if entry.get("name") == name), None)
    if found is None:
        names = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        raise UsageError(f"has no entry {name!r} in {kind}; there are: {names}", where=str(path))
    return found


def _material(path: Path, entry: dict[str, Any], key: str) -> bytes:
    if inline := entry.get(f"{key}-data"):
        return base64.b64decode(inline)
    if named := entry.get(key):
        return (path.parent / named).read_bytes()
    return b""


def _token_file(path: Path, user: dict[str, Any]) -> str:
    named = user.get("tokenFile")
    return (path.parent / named).read_text().strip() if named else ""


def _exec_plugin(user: dict[str, Any]) -> tuple[str, ...]:
    plugin = user.get("exec")
    if not plugin:
        return ()
    variables: list[dict[str, str]] = plugin.get("env") or []
    words = [f"{entry['name']}={entry['value']}" for entry in variables]
    version = plugin.get("apiVersion", "client.authentication.k8s.io/v1")
    info = f'{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":false}}}}'
    return (*words, f"KUBERNETES_EXEC_INFO={info}", plugin["command"], *(plugin.get("args") or []))


def _run_exec_plugin(words: tuple[str, ...]) -> str:
    done = subprocess.run(
        ["env", *words], capture_output=True, text=True, timeout=EXEC_TIMEOUT_SECONDS, check=False, env=os.environ
    )
    if done.returncode != 0:
        raise UsageError(
            f"the credential plugin failed: {done.stderr.strip()[-300:]}", where="kubeconfig: users[].user.exec"
        )
    return yaml.safe_load(done.stdout)["status"]["token"]
