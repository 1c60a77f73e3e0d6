"""Reading a kubeconfig: server, authority and credentials of one context, whoever wrote the file."""

from __future__ import annotations

import base64
import json
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
FILES = frozenset({"certificate-authority", "client-certificate", "client-key", "tokenFile"})
"""Keys that name a file, from the kubeconfig's own folder."""
UNSUPPORTED = frozenset({"proxy-url", "tls-server-name", "username", "password", "auth-provider", "as"})
"""Left out in silence, another server would be asked, or in another's name."""


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
    document = _load(path)
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


def load_contexts(path: Path) -> tuple[list[str], str]:
    """The names of all contexts, and the current one's (or nothing). Raises UsageError for a file that is no kubeconfig."""
    document = _load(path)
    entries: list[dict[str, Any]] = document.get("contexts") or []
    return [str(entry.get("name")) for entry in entries], str(document.get("current-context") or "")


def isolate_context(path: Path, context: str) -> str:
    """A kubeconfig of one context alone, good in any folder. Raises UsageError for what the sandbox cannot follow."""
    document = _load(path)
    chosen = _named(document, path, "contexts", context)
    cluster = _named(document, path, "clusters", chosen["context"].get("cluster", ""))
    user = _named(document, path, "users", chosen["context"].get("user", ""))
    for kind, holder in (("cluster", cluster), ("user", user)):
        entry: dict[str, Any] = holder[kind] or {}
        for key in UNSUPPORTED & entry.keys():
            raise UsageError(f"the context {context} has {key}, which the sandbox does not follow", where=str(path))
        for key in FILES & entry.keys():
            entry[key] = str((path.parent / entry[key]).resolve())
    made = {"apiVersion": "v1", "kind": "Config", "current-context": context}
    return json.dumps(made | {"contexts": [chosen], "clusters": [cluster], "users": [user]}, indent=1)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded: object = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise UsageError(f"is not YAML: {error}", where=str(path)) from error
    if not isinstance(loaded, dict):
        raise UsageError("is not a kubeconfig", where=str(path))
    return cast("dict[str, Any]", loaded)


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
