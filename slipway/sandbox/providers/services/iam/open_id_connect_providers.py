"""OpenID Connect identity providers."""

from __future__ import annotations

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource
from slipway.sandbox.providers.framework.tags import Tagging, tag_map


class OpenIdConnectProvider(Resource):
    """aws.iam.OpenIdConnectProvider"""

    token = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    service = "iam"
    deletion = "delete_open_id_connect_provider"
    id_arguments = ("OpenIDConnectProviderArn",)
    tagging = Tagging(
        "tag_open_id_connect_provider", "untag_open_id_connect_provider", "OpenIDConnectProviderArn", by=""
    )
    force_new = frozenset({"url"})
    conflict_codes = frozenset({"EntityAlreadyExists"})

    def create(self, call: Call) -> str:
        arguments = call.given("url", ClientIDList="clientIdLists", ThumbprintList="thumbprintLists")
        return call.client("iam").create_open_id_connect_provider(**arguments, Tags=call.tag_list)[
            "OpenIDConnectProviderArn"
        ]

    def find(self, call: Call) -> str | None:
        """By URL."""
        host = str(call.inputs["url"]).removeprefix("https://")
        return call.session.arn("iam", f"oidc-provider/{host}", region="")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The provider; AWS answers its URL without the scheme, Terraform shows it so."""
        provider = call.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=id)
        given = str(call.inputs.get("url") or call.outputs.get("url") or "")
        live = str(provider["Url"])
        return {
            "arn": id,
            "clientIdLists": sorted(provider.get("ClientIDList") or []),
            "tagsAll": tag_map(provider.get("Tags")),
            "thumbprintLists": list(provider.get("ThumbprintList") or []),
            "url": given if given.removeprefix("https://") == live.removeprefix("https://") else live,
        }

    def update(self, call: Call, id: str) -> None:
        """Clients and thumbprints."""
        iam = call.client("iam")
        if call.changes("thumbprintLists") and call.inputs.get("thumbprintLists"):
            iam.update_open_id_connect_provider_thumbprint(
                OpenIDConnectProviderArn=id, ThumbprintList=call.inputs["thumbprintLists"]
            )
        if call.changes("clientIdLists"):
            old, new = set(call.outputs.get("clientIdLists") or []), set(call.inputs["clientIdLists"])
            for client in sorted(new - old):
                iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=id, ClientID=client)
            for client in sorted(old - new):
                iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=id, ClientID=client)
