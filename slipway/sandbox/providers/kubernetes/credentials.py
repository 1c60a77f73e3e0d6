"""Tokens from exec credentials of a kubeconfig, such as `aws eks get-token`.

The official client runs the command too, but without a time limit, and goes on without a token when it fails: the user then sees
"Unauthorized" instead of the reason. Tokens are shared by all clients of the process until they expire, as client-go does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from slipway.sandbox.providers.kubernetes.eks_token import answer_get_token

EXEC_TIMEOUT_SECONDS = 60
_EARLY = timedelta(seconds=60)  # a token that ends within a minute could end in the middle of a request
_lock = threading.Lock()
_locks: dict[str, threading.Lock] = {}
_credentials: dict[str, ExecCredential] = {}


class CredentialError(Exception):
    """The command gave no credential; the message has its own words."""


@dataclass(frozen=True)
class ExecCredential:
    """What one run of the command answered."""

    token: str
    certificate_pem: str
    key_pem: str
    expires: datetime | None

    def __repr__(self) -> str:
        return f"ExecCredential(expires={self.expires})"

    def is_fresh(self) -> bool:
        """Whether it can still be used for a while."""
        return self.expires is None or datetime.now(UTC) < self.expires - _EARLY


class ExecSource:
    """The `exec` section of one kubeconfig user."""

    def __init__(self, section: dict[str, Any], cluster: dict[str, Any]) -> None:
        self._section = section
        self._cluster = cluster
        # The environment is part of the identity: the same command under other AWS credentials gives another token.
        environment = {key: value for key, value in os.environ.items() if key.startswith(("AWS_", "SLIPWAY_"))}
        self._key = json.dumps([section, cluster, environment], sort_keys=True, default=str)

    def credential(self, *, renew: bool = False) -> ExecCredential:
        """A credential that is fresh; `renew` runs the command even so (the server refused the last one)."""
        with _lock:
            own = _locks.setdefault(self._key, threading.Lock())
        with own:  # one run for all threads that wait for it
            known = _credentials.get(self._key)
            if known is None or renew or not known.is_fresh():
                known = _credentials[self._key] = self._run()
            return known

    def _run(self) -> ExecCredential:
        command = str(self._section.get("command") or "")
        if not command:
            raise CredentialError("the kubeconfig's exec section has no command")
        if shutil.which(command) is None:
            hint = self._section.get("installHint")
            raise CredentialError(
                f"the kubeconfig's command {command!r} is not on PATH" + (f": {hint}" if hint else "")
            )
        arguments = [str(part) for part in cast("list[Any]", self._section.get("args") or [])]
        answered = answer_get_token(self._section, arguments)
        if answered is not None:
            token, expires = answered
            return ExecCredential(token=token, certificate_pem="", key_pem="", expires=expires)
        try:
            done = subprocess.run(
                [command, *arguments],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=EXEC_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CredentialError(
                f"the kubeconfig's command {command!r} did not answer in {EXEC_TIMEOUT_SECONDS} s"
            ) from None
        except OSError as error:
            raise CredentialError(f"the kubeconfig's command {command!r} cannot be run: {error.strerror}") from None
        if done.returncode != 0:
            words = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise CredentialError(
                f"the kubeconfig's command {command!r} failed with exit code {done.returncode}: {words[0]}"
            )
        return self._parse(done.stdout, command)

    def _environment(self) -> dict[str, str]:
        version = str(self._section.get("apiVersion") or "client.authentication.k8s.io/v1")
        spec: dict[str, Any] = {"interactive": False}
        if self._section.get("provideClusterInfo"):
            spec["cluster"] = self._cluster
        info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
        entries = cast("list[dict[str, Any]]", self._section.get("env") or [])
        added = {str(entry["name"]): str(entry.get("value", "")) for entry in entries}
        return {**os.environ, **added, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _parse(self, text: str, command: str) -> ExecCredential:
        try:
            status = cast("dict[str, Any]", json.loads(text)["status"])
            expires = status.get("expirationTimestamp")
            credential = ExecCredential(
                token=str(status.get("token") or ""),
                certificate_pem=str(status.get("clientCertificateData") or ""),
                key_pem=str(status.get("clientKeyData") or ""),
                expires=datetime.fromisoformat(str(expires)).astimezone(UTC) if expires else None,
            )
        except (ValueError, KeyError, TypeError):
            # Never quote the output: it holds the token.
            raise CredentialError(
                f"the kubeconfig's command {command!r} did not answer with an ExecCredential"
            ) from None
        if not credential.token and not credential.certificate_pem:
            raise CredentialError(f"the kubeconfig's command {command!r} answered neither token nor certificate")
        return credential
