"""The provider's own configuration: what it means, what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from slipway.engine.provider import CheckFailure, ProviderError
from slipway.engine.values import UNKNOWN, PropertyMap, unwrap_secrets
from slipway.sandbox.providers.kubernetes.kubeconfig import KubeconfigError, Target, load_kubeconfig, resolve

_FLAGS = {
    "deleteUnreachable": ("PULUMI_K8S_DELETE_UNREACHABLE", False),
    "enableConfigMapMutable": ("PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", False),
    "enablePatchForce": ("PULUMI_K8S_ENABLE_PATCH_FORCE", False),
    "enableSecretMutable": ("PULUMI_K8S_ENABLE_SECRET_MUTABLE", False),
    "enableServerSideApply": ("PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", True),
    "skipUpdateUnreachable": ("PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", False),
    "upsertExistingObjects": ("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", False),
}
_TOLERATED = {
    "suppressDeprecationWarnings",
    "suppressHelmHookWarnings",
    "helmReleaseSettings",
    "strictMode",
    "alwaysRender",
}
_TEXTS = {
    "kubeconfig",
    "context",
    "cluster",
    "namespace",
    "clusterIdentifier",
    "kubeClientSettings",
    "renderYamlToDirectory",
}
_ENGINE_KEYS = {"version", "__internal", "pluginDownloadURL"}

RENDER_REFUSAL = "renderYamlToDirectory is not supported here: this provider only works on a live cluster"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, read."""

    kubeconfig: Any = ""
    """Text, path, mapping, or "" for the environment's."""
    context: str = ""
    cluster: str = ""
    namespace: str = ""
    read_timeout_seconds: float | None = None
    """From `kubeClientSettings.timeout`. None: the client's default."""
    delete_unreachable: bool = False
    config_maps_mutable: bool = False
    patch_force: bool = False
    secrets_mutable: bool = False
    server_side_apply: bool = True
    skip_update_unreachable: bool = False
    upsert: bool = False

    def target(self) -> Target:
        """The cluster and user; `KubeconfigError` if the kubeconfig cannot give them."""
        document, base_path = load_kubeconfig(self.kubeconfig)
        return resolve(
            document, context=self.context, cluster=self.cluster, namespace=self.namespace, base_path=base_path
        )


def check_settings(inputs: PropertyMap) -> tuple[CheckFailure, ...]:
    """Why a configuration is refused. Unknown values are let through: the cluster may not exist yet."""
    plain = cast("PropertyMap", unwrap_secrets(inputs))
    failures: list[CheckFailure] = []
    for key, value in plain.items():
        if value is UNKNOWN or value is None or key in _ENGINE_KEYS or key in _TOLERATED:
            continue
        if key in _FLAGS:
            if str(value).lower() not in ("true", "false"):
                failures.append(CheckFailure(property=key, reason=f"want true or false, got {value!r}"))
        elif key not in _TEXTS:
            failures.append(CheckFailure(property=key, reason=f"{key!r} is no setting of the kubernetes provider"))
    if plain.get("renderYamlToDirectory"):
        failures.append(CheckFailure(property="renderYamlToDirectory", reason=RENDER_REFUSAL))
    return tuple(failures)


def read_settings(inputs: PropertyMap) -> Settings:
    """The settings in a known configuration."""
    plain = {key: value for key, value in cast("PropertyMap", unwrap_secrets(inputs)).items() if value is not None}
    if plain.get("renderYamlToDirectory"):
        raise ProviderError(RENDER_REFUSAL)
    flags = {key: _flag(plain, key) for key in _FLAGS}
    return Settings(
        kubeconfig=plain.get("kubeconfig") or "",
        context=str(plain.get("context") or ""),
        cluster=str(plain.get("cluster") or ""),
        namespace=str(plain.get("namespace") or ""),
        read_timeout_seconds=_client_timeout(plain.get("kubeClientSettings")),
        delete_unreachable=flags["deleteUnreachable"],
        config_maps_mutable=flags["enableConfigMapMutable"],
        patch_force=flags["enablePatchForce"],
        secrets_mutable=flags["enableSecretMutable"],
        server_side_apply=flags["enableServerSideApply"],
        skip_update_unreachable=flags["skipUpdateUnreachable"],
        upsert=flags["upsertExistingObjects"],
    )


def _flag(plain: Mapping[str, Any], key: str) -> bool:
    variable, default = _FLAGS[key]
    value = plain.get(key)
    if value is None or value == "":
        value = os.environ.get(variable) or default
    return str(value).lower() == "true"


def _client_timeout(value: Any) -> float | None:
    """Seconds, from the object or its JSON text. Burst and QPS limit client-go only; the connection pool is our limit."""
    if not value and not os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT"):
        return None
    try:
        settings = cast("dict[str, Any]", json.loads(value) if isinstance(value, str) else value)
        seconds: Any = (settings or {}).get("timeout") or os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT")
        return float(seconds) if seconds else None
    except (ValueError, AttributeError, TypeError):
        raise ProviderError(f"kubeClientSettings: want an object with burst, qps and timeout, got {value!r}") from None


__all__ = ["KubeconfigError", "Settings", "check_settings", "read_settings"]
