"""The custom resource TargetGroupBinding, as far as the sandbox serves it."""

from __future__ import annotations

from typing import Any

GROUP = "elbv2.k8s.aws"
VERSION = "v1beta1"
PLURAL = "targetgroupbindings"
KIND = "TargetGroupBinding"

_SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["serviceRef", "targetGroupARN"],
    "properties": {
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
        "networking": {
            "type": "object",
            "description": "Accepted and without effect: load balancers of the sandbox reach every pod.",
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": "targetgroupbinding"},
        "versions": [
            {
                "name": VERSION,
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
                            "spec": _SPEC,
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
