"""Kubeconfigs, settings and functions of the Kubernetes provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.engine.provider import CallContext, DiffChanges, ProviderError
from slipway.engine.values import UNKNOWN, Secret
from slipway.sandbox.providers.kubernetes.invokes import decode_yaml, invoke
from slipway.sandbox.providers.kubernetes.kubeconfig import KubeconfigError, load_kubeconfig, resolve
from slipway.sandbox.providers.kubernetes.provider import KubernetesProvider
from slipway.sandbox.providers.kubernetes.settings import check_settings, read_settings

CONTEXT = CallContext(
    urn="urn:pulumi:d::p::pulumi:providers:kubernetes::k", type="pulumi:providers:kubernetes", name="k"
)


def kubeconfig(server: str = "https://one:6443", token: str = "t0ken") -> dict[str, Any]:  # noqa: S107
    return {
        "current-context": "main",
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "other", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": server}},
            {"name": "d", "cluster": {"server": "https://two:6443"}},
        ],
        "users": [{"name": "u", "user": {"token": token}}],
    }


@pytest.mark.parametrize("form", ["json", "yaml", "path", "mapping"])
def test_kubeconfig_is_read_in_every_form(form: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig()))
    forms = {
        "json": json.dumps(kubeconfig()),
        "yaml": yaml.safe_dump(kubeconfig()),
        "path": str(tmp_path / "config"),
        "mapping": kubeconfig(),
    }
    document, base_path = load_kubeconfig(forms[form])
    assert resolve(document).cluster["server"] == "https://one:6443"
    assert base_path == (str(tmp_path) if form == "path" else "")


def test_context_overrides_the_current_one() -> None:
    found = resolve(kubeconfig(), context="other")
    assert (found.cluster["server"], found.namespace) == ("https://two:6443", "default")
    assert resolve(kubeconfig()).namespace == "shop"


@pytest.mark.parametrize("context", ["nope"])
def test_refuses_a_context_that_is_not_there(context: str) -> None:
    with pytest.raises(KubeconfigError, match="no context 'nope'"):
        resolve(kubeconfig(), context=context)


def test_error_of_a_broken_kubeconfig_does_not_quote_it() -> None:
    with pytest.raises(KubeconfigError) as failure:
        load_kubeconfig("users:\n- token: s3cret\n  bad: [unclosed")
    assert "s3cret" not in str(failure.value)


def test_other_credentials_of_the_same_cluster_replace_nothing() -> None:
    old, new = json.dumps(kubeconfig()), json.dumps(kubeconfig(token="fresh"))
    found = KubernetesProvider().diff_config(CONTEXT, {"kubeconfig": Secret(old)}, {}, {"kubeconfig": Secret(new)})
    assert (found.changes, found.replaces) == (DiffChanges.SOME, ())


@pytest.mark.parametrize("new", [json.dumps(kubeconfig("https://three:6443")), UNKNOWN])
def test_another_cluster_replaces_everything_on_it(new: Any) -> None:
    old = json.dumps(kubeconfig())
    found = KubernetesProvider().diff_config(CONTEXT, {"kubeconfig": old}, {}, {"kubeconfig": new})
    assert found.replaces == ("kubeconfig",)


def test_settings_come_as_json_text() -> None:
    found = read_settings(
        {"enableServerSideApply": "false", "kubeClientSettings": '{"burst": 10, "timeout": 7}', "namespace": "shop"}
    )
    assert (found.server_side_apply, found.read_timeout_seconds, found.namespace) == (False, 7.0, "shop")
    assert read_settings({}).server_side_apply


def test_refuses_settings_it_would_ignore() -> None:
    failures = check_settings(
        {"renderYamlToDirectory": "out", "enablePatchForce": "maybe", "typo": "x", "suppressHelmHookWarnings": "true"}
    )
    assert sorted(failure.property for failure in failures) == ["enablePatchForce", "renderYamlToDirectory", "typo"]


def test_manifest_is_decoded_as_kubernetes_reads_it() -> None:
    documents = [
        "kind: A\napiVersion: v1\nmetadata: {annotations: {day: 2024-01-01}}\n",
        "",
        "note: no kind\n",
        "kind: Namespace\napiVersion: v1\n",
    ]
    first, second = decode_yaml("---\n".join(documents), "shop")
    assert first["metadata"] == {"annotations": {"day": "2024-01-01"}, "namespace": "shop"}
    assert second == {"kind": "Namespace", "apiVersion": "v1"}


def test_refuses_helm_by_name() -> None:
    with pytest.raises(ProviderError, match="helm template"):
        invoke("kubernetes:helm:template", {})
