"""The custom resources TargetGroupBinding, as far as the sandbox serves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PLURAL = "targetgroupbindings"
KIND = "TargetGroupBinding"
_COMMON: dict[str, Any] = {
    "serviceRef": {
        "type": "object",
        "required": ["name", "port"],
        "properties": {
            "name": {"type": "string"},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        },
    },
    "targetGroupARN": {"type": "string", "minLength": 1},
    # AWS's resource also has `instance`; the API server says what is supported here.
    "targetType": {"type": "string", "enum": ["ip"]},
    "ipAddressType": {"type": "string", "enum": ["ipv4"]},
    "vpcID": {"type": "string"},
}


@dataclass(frozen=True)
class BindingApi:
    """One of the two kinds of bindings, each with a controller of its own on AWS."""

    group: str
    version: str
    required: tuple[str, ...]
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    """Properties of the specification that only this one has."""

    @property
    def crd_name(self) -> str:
        """Of the custom resource definition."""
        return f"{PLURAL}.{self.group}"

    def crd(self) -> dict[str, Any]:
        """The custom resource definition."""
        properties = {**_COMMON, **self.more}
        return _crd(self, {"type": "object", "required": [*self.required], "properties": properties})


_NETWORKING: dict[str, Any] = {
    "type": "object",
    "description": "Accepted and without effect: load balancers of the sandbox reach every pod.",
    "x-kubernetes-preserve-unknown-fields": True,
}
APIS = {
    api.group: api
    for api in (
        # AWS Load Balancer Controller.
        BindingApi("elbv2.k8s.aws", "v1beta1", ("serviceRef", "targetGroupARN"), {"networking": _NETWORKING}),
        # EKS Auto Mode.
        BindingApi("eks.amazonaws.com", "v1", ("serviceRef", "targetGroupARN", "targetType")),
    )
}
"""By group."""


def _crd(api: BindingApi, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": api.crd_name},
        "spec": {
            "group": api.group,
            "scope": "Namespaced",
            "names": {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": "targetgroupbinding"},
            "versions": [
                {
                    "name": api.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "SERVICE-NAME", "type": "string", "jsonPath": ".spec.serviceRef.name"},
                        {"name": "SERVICE-PORT", "type": "string", "jsonPath": ".spec.serviceRef.port"},
                        {"name": "TARGET-TYPE", "type": "string", "jsonPath": ".spec.targetType"},
                        {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": spec,
                                "status": {
                                    "type": "object",
                                    "properties": {"observedGeneration": {"type": "integer", "format": "int64"}},
                                    "x-kubernetes-preserve-unknown-fields": True,
                                },
                            },
                        }
                    },
                }
            ],
        },
    }
