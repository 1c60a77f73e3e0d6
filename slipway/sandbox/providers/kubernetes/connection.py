"""TLS and the connection pool to one API server, made by the official client from the chosen part of a kubeconfig."""

# The official client is untyped where it is the wire.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.kube_config import new_client_from_config_dict

from slipway.sandbox.providers.kubernetes.failures import UnreachableError
from slipway.sandbox.providers.kubernetes.kubeconfig import Target

_POOL = 100  # one connection per waiting resource and per watch


def connect(target: Target, certificate_pem: str, key_pem: str) -> ApiClient:
    """The pool of one cluster and user; a certificate comes from an exec credential. UnreachableError for what cannot be used."""
    user = {key: value for key, value in target.user.items() if key != "exec"}
    if certificate_pem:
        user["client-certificate-data"] = base64.b64encode(certificate_pem.encode()).decode()
        user["client-key-data"] = base64.b64encode(key_pem.encode()).decode()
    configuration = Configuration()
    configuration.connection_pool_maxsize = _POOL
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": _with_absolute_paths(target.cluster, target.base_path)}],
        "users": [{"name": "it", "user": _with_absolute_paths(user, target.base_path)}],
    }
    try:
        return new_client_from_config_dict(
            document, context="it", persist_config=False, client_configuration=configuration
        )
    except ConfigException as error:
        raise UnreachableError(str(error)) from error


def _with_absolute_paths(section: Mapping[str, Any], base_path: str) -> dict[str, Any]:
    paths = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {
        key: str(Path(base_path) / str(value)) if key in paths and base_path else value
        for key, value in section.items()
    }
