"""Dashboards."""

from __future__ import annotations

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource, capital


class Dashboard(Resource):
    """aws.cloudwatch.Dashboard"""

    token = "aws:cloudwatch/dashboard:Dashboard"
    service = "cloudwatch"
    deletion = "delete_dashboards"
    id_arguments = ("DashboardNames",)
    force_new = frozenset({"dashboardName"})
    json_properties = frozenset({"dashboardBody"})

    def create(self, call: Call) -> str:
        """Put; a dashboard of the same name is taken over, as with the real API."""
        self._put(call, call.inputs["dashboardName"])
        return call.inputs["dashboardName"]

    def _put(self, call: Call, name: str) -> None:
        answer = call.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=call.inputs["dashboardBody"])
        if faults := answer.get("DashboardValidationMessages"):
            raise ProviderError(f"{self.token}: {name}: {faults[0].get('Message', faults[0])}")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The dashboard."""
        found = call.client("cloudwatch").get_dashboard(DashboardName=id)
        return {name: found[capital(name)] for name in ("dashboardArn", "dashboardBody", "dashboardName")}

    def update(self, call: Call, id: str) -> None:
        """Put again."""
        self._put(call, id)
