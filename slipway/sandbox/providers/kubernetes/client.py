"""One connection pool to one API server: plain requests with JSON in and out, time limits, and errors with the server's own words.

The official client supplies kubeconfig, TLS and the pool. Its generated classes are not used: a provider of every kind needs paths and
plain objects, and its dynamic client keeps discovery in files keyed by host, which outlive a cluster that is made anew.
"""

# The official client is untyped where it is the wire.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import urllib3

from slipway.sandbox.providers.kubernetes.credentials import CredentialError, ExecSource
from slipway.sandbox.providers.kubernetes.discovery import ApiResource, Discovery
from slipway.sandbox.providers.kubernetes.failures import ApiError, LostConnectionError, UnreachableError
from slipway.sandbox.providers.kubernetes.kubeconfig import Target
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60  # the API server's own limit for one request; source: kube-apiserver --request-timeout
WATCH_SECONDS = 290  # the server ends a watch after 5 to 10 minutes anyway
_BUSY_RETRIES = 8

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"


class ClusterClient:
    """Requests to one cluster, from any number of threads."""

    def __init__(self, target: Target, *, read_timeout_seconds: float = READ_TIMEOUT_SECONDS) -> None:
        self._target = target
        self._read_timeout_seconds = read_timeout_seconds
        section = target.user.get("exec")
        self._exec = ExecSource(cast("dict[str, Any]", section), target.cluster) if isinstance(section, dict) else None
        self._api: ApiClient | None = None
        self._lock = threading.Lock()
        self.discovery = Discovery(lambda path: self.request("GET", path))

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._target.cluster.get("server"))

    def get(self, resource: ApiResource, namespace: str, name: str) -> KubernetesObject:
        """The live object; `ApiError` with `is_gone` if there is none."""
        return self.request("GET", resource.path(namespace, name))

    def find(self, resource: ApiResource, namespace: str, name: str) -> KubernetesObject | None:
        """The live object, or None."""
        try:
            return self.get(resource, namespace, name)
        except ApiError as error:
            if error.is_gone:
                return None
            raise

    def apply(
        self,
        resource: ApiResource,
        obj: KubernetesObject,
        *,
        namespace: str,
        name: str,
        manager: str,
        force: bool,
        dry_run: bool,
    ) -> KubernetesObject:
        """Server-side apply: make the object, or change the fields this manager owns."""
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Warn"}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", resource.path(namespace, name), query=query, body=obj, content_type=APPLY)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """Send one request and answer the object in the response."""
        renewed = False
        for attempt in range(_BUSY_RETRIES):
            headers, api = self._prepared(content_type if body is not None else None)
            response = self._send(api, method, self._url(api, path, query), headers, body)
            status, text = int(response.status), cast("bytes", response.read())
            if status == 401 and self._exec is not None and not renewed:
                renewed = True  # revoked or expired early: client-go asks the command again, once
                self._renew()
                continue
            if status == 429 and attempt + 1 < _BUSY_RETRIES:
                time.sleep(min(float(response.headers.get("Retry-After") or 1), 10))
                continue
            if status >= 400:
                raise _api_error(status, str(response.reason), text)
            return cast("dict[str, Any]", json.loads(text)) if text else {}
        raise ApiError(429, "TooManyRequests", "the API server stays too busy to answer")

    @contextmanager
    def watch(self, path: str, query: Mapping[str, str]) -> Generator[urllib3.BaseHTTPResponse]:
        """Open a watch; iterate over the response for one JSON event a line. `shutdown()` on it ends it from another thread."""
        headers, api = self._prepared(None)
        url = self._url(api, path, {**query, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS)})
        pool: urllib3.PoolManager = api.rest_client.pool_manager
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=WATCH_SECONDS + 30)
        try:
            response = pool.request("GET", url, headers=headers, preload_content=False, timeout=timeout, retries=False)
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(_words(error)) from error
        try:
            if response.status >= 400:
                raise _api_error(response.status, str(response.reason), response.read())
            yield response
        finally:
            response.close()

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            if self._api is not None:
                self._api.close()
                self._api.rest_client.close()
                self._api = None

    def _send(self, api: ApiClient, method: str, url: str, headers: dict[str, str], body: Any) -> Any:
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - see where `connect` is imported

        timeout = (CONNECT_TIMEOUT_SECONDS, self._read_timeout_seconds)
        try:
            return api.rest_client.request(method, url, headers=headers, body=body, _request_timeout=timeout)
        except (urllib3.exceptions.ProtocolError, urllib3.exceptions.ReadTimeoutError) as error:
            if method == "GET":
                raise UnreachableError(_words(error)) from error
            raise LostConnectionError(
                f"the connection to {self.server} broke while {method} was under way: {_words(error)}"
            ) from error
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise UnreachableError(_words(error)) from error

    def _prepared(self, content_type: str | None) -> tuple[dict[str, str], ApiClient]:
        headers = {"Accept": "application/json", "User-Agent": "slipway"}
        if content_type:
            headers["Content-Type"] = content_type
        try:
            credential = self._exec.credential() if self._exec else None
            with self._lock:
                if self._api is None:
                    certificate, key = (credential.certificate_pem, credential.key_pem) if credential else ("", "")
                    # Late: a preview that changes nothing asks no cluster, and the client takes 0.25 s to import.
                    from slipway.sandbox.providers.kubernetes.connection import connect  # noqa: PLC0415

                    self._api = connect(self._target, certificate, key)
                api = self._api
            if credential is not None and credential.token:
                headers["Authorization"] = f"Bearer {credential.token}"
            else:
                api.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        except CredentialError as error:
            raise UnreachableError(str(error)) from error
        return headers, api

    def _renew(self) -> None:
        if self._exec is not None:
            try:
                self._exec.credential(renew=True)
            except CredentialError as error:
                raise UnreachableError(str(error)) from error

    def _url(self, api: ApiClient, path: str, query: Mapping[str, str] | None) -> str:
        host = str(api.configuration.host).rstrip("/")
        return f"{host}{path}" + (f"?{urlencode(query)}" if query else "")


def _api_error(status: int, reason: str, text: bytes) -> ApiError:
    try:
        document = cast("dict[str, Any]", json.loads(text))
        return ApiError(
            status,
            str(document.get("reason") or reason),
            str(document.get("message") or reason),
            document.get("details"),
        )
    except (ValueError, AttributeError):
        return ApiError(status, reason, text.decode(errors="replace").strip()[:500] or reason)


def _words(error: Exception) -> str:
    """The cause in a few words: urllib3 wraps it several times, each time with the object's address."""
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    return text.rpartition(">: ")[2] or text
