"""Who may use a table from other accounts."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource


class ResourcePolicy(Resource):
    """aws.dynamodb.ResourcePolicy"""

    token = "aws:dynamodb/resourcePolicy:ResourcePolicy"
    service = "dynamodb"
    force_new = frozenset({"resourceArn"})
    json_properties = frozenset({"policy"})
    deletion = "delete_resource_policy"
    id_arguments = ("ResourceArn",)
    unsupported = frozenset({"confirmRemoveSelfResourceAccess"})

    def create(self, call: Call) -> str:
        """Put it."""
        self.update(call, call.inputs["resourceArn"])
        return call.inputs["resourceArn"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The policy."""
        found = call.client("dynamodb").get_resource_policy(ResourceArn=id)
        return {"policy": found["Policy"], "resourceArn": id, "revisionId": found.get("RevisionId", "")}

    def update(self, call: Call, id: str) -> None:
        """Put it again."""
        call.client("dynamodb").put_resource_policy(ResourceArn=id, Policy=call.inputs["policy"])
