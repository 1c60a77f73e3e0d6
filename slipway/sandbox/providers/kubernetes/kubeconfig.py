"""From a kubeconfig, as the provider's `kubeconfig` input or the environment gives it, to the cluster and user to be."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml


class KubeconfigError(Exception):
    """The kubeconfig cannot be used; the message says which part and why."""


@dataclass(frozen=True)
class Target:
    """One cluster, as one user, resolved from a kubeconfig."""

    document: dict[str, Any]
    """The kubeconfig itself, its context already chosen."""
    cluster: dict[str, Any]
    user: dict[str, Any] = field(repr=False)
    namespace: str
    base_path: str = ""
    """The folder of the kubeconfig file: relative certificate paths start there."""


def load_kubeconfig(text_or_path: Any) -> tuple[dict[str, Any], str]:
    """The document and the folder it came from. `text_or_path`: YAML or JSON text, a mapping, a path (or several, joined by `:`), or
    "" for `$KUBECONFIG` or `~/.kube/config`."""
    if isinstance(text_or_path, dict):
        return cast("dict[str, Any]", text_or_path), ""
    given = str(text_or_path or "").strip()
    if not given:
        given = os.environ.get("KUBECONFIG") or "~/.kube/config"
        if not any(path.is_file() for path in _paths(given)):
            raise KubeconfigError(f"no kubeconfig is set, and there is none at {given}")
    # One line of JSON is text too: asking the file system for it fails where a name may have 255 bytes at most.
    paths = [] if "\n" in given or given.startswith("{") else [path for path in _paths(given) if path.is_file()]
    if not paths:
        return _parse(given, "the kubeconfig text"), ""
    merged: dict[str, Any] = {}
    for path in paths:
        merged = _merge(merged, _parse(path.read_text(), str(path)))
    return merged, str(paths[0].parent)


def _paths(given: str) -> list[Path]:
    try:
        return [Path(part).expanduser() for part in given.split(os.pathsep) if part]
    except RuntimeError:  # "~user" of somebody unknown: it is no path then
        return []


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)  # JSON is YAML too
    except yaml.YAMLError as error:
        # The parser quotes the text it fails at, and the text holds credentials.
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark is not None else ""
        raise KubeconfigError(f"{where} is neither YAML nor JSON{line}") from None
    if not isinstance(document, dict):
        raise KubeconfigError(
            f"{where} is no kubeconfig: got {type(document).__name__}, want a mapping, or a path that exists"
        )
    return cast("dict[str, Any]", document)


def _merge(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = {**second, **{key: value for key, value in first.items() if value}}
    for section in ("clusters", "contexts", "users"):
        entries = cast("list[dict[str, Any]]", [*(first.get(section) or []), *(second.get(section) or [])])
        merged[section] = list({str(entry.get("name")): entry for entry in reversed(entries)}.values())
    return merged


def _named(document: dict[str, Any], section: str, name: str) -> dict[str, Any] | None:
    singular = section[:-1]
    for entry in cast("list[dict[str, Any]]", document.get(section) or []):
        if entry.get("name") == name:
            return cast("dict[str, Any]", entry.get(singular) or {})
    return None


def resolve(
    document: dict[str, Any], *, context: str = "", cluster: str = "", namespace: str = "", base_path: str = ""
) -> Target:
    """Choose context, cluster and user; the arguments override what the kubeconfig says."""
    chosen = context or str(document.get("current-context") or "")
    found_context = _named(document, "contexts", chosen) if chosen else {}
    if found_context is None:
        raise KubeconfigError(f"the kubeconfig has no context {chosen!r}")
    cluster_name = cluster or str(found_context.get("cluster") or "")
    found_cluster = _named(document, "clusters", cluster_name)
    if found_cluster is None:
        raise KubeconfigError(
            f"the kubeconfig has no cluster {cluster_name!r}"
            if cluster_name
            else "the kubeconfig has no current-context"
        )
    if not found_cluster.get("server"):
        raise KubeconfigError(f"cluster {cluster_name!r} of the kubeconfig has no server")
    user_name = str(found_context.get("user") or "")
    user = _named(document, "users", user_name) if user_name else {}
    if user is None:
        raise KubeconfigError(f"the kubeconfig has no user {user_name!r}")
    return Target(
        document=document,
        cluster=found_cluster,
        user=user,
        namespace=namespace or str(found_context.get("namespace") or "") or "default",
        base_path=base_path,
    )


def active_cluster(text_or_path: Any, *, context: str = "", cluster: str = "") -> str | None:
    """A text that changes when, and only when, the kubeconfig points to another cluster; None while that cannot be told."""
    try:
        document, base_path = load_kubeconfig(text_or_path)
        found = resolve(document, context=context, cluster=cluster, base_path=base_path).cluster
    except KubeconfigError:
        return None
    return json.dumps(found, sort_keys=True)
