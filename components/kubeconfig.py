"""A kubeconfig without a credential in it: each use asks AWS for a short-lived token."""

from typing import Any

import pulumi

CREDENTIAL_API_VERSION = "client.authentication.k8s.io/v1beta1"


def render_kubeconfig(
    *,
    cluster_name: pulumi.Input[str],
    endpoint: pulumi.Input[str],
    certificate_authority: pulumi.Input[str | None],
    region: str,
) -> pulumi.Output[str]:
    """The kubeconfig as JSON. Who may do what is decided by the cluster's access entries, at the time of use."""

    def document(parts: dict[str, Any]) -> dict[str, Any]:
        name = parts["name"]
        command = ["eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json"]
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": parts["endpoint"], "certificate-authority-data": parts["authority"]},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": CREDENTIAL_API_VERSION,
                            "command": "aws",
                            "args": command,
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
        }

    parts = pulumi.Output.all(name=cluster_name, endpoint=endpoint, authority=certificate_authority)
    return pulumi.Output.json_dumps(parts.apply(document))
