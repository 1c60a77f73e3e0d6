"""The CloudWatch dashboard of a service: both colours side by side, and the database under them."""

from collections.abc import Mapping
from typing import Any

import pulumi

WIDGET_WIDTH = 12
WIDGET_HEIGHT = 6


def render_dashboard(
    *,
    service: str,
    region: str,
    load_balancer: pulumi.Input[str],
    target_groups: Mapping[str, pulumi.Input[str]],
    database: pulumi.Input[str],
) -> pulumi.Output[str]:
    """The dashboard's body as JSON: requests, server errors, latency and healthy pods by colour; CPU and connections of the database."""

    def body(parts: dict[str, Any]) -> dict[str, Any]:
        groups: dict[str, str] = parts["groups"]

        def by_colour(metric: str, statistic: str) -> list[list[Any]]:
            return [
                [
                    "AWS/ApplicationELB",
                    metric,
                    "LoadBalancer",
                    parts["balancer"],
                    "TargetGroup",
                    group,
                    {"stat": statistic, "label": colour, "color": {"blue": "#1f77b4", "green": "#2ca02c"}.get(colour)},
                ]
                for colour, group in groups.items()
            ]

        def of_database(metric: str) -> list[list[Any]]:
            return [["AWS/RDS", metric, "DBInstanceIdentifier", parts["database"], {"stat": "Average"}]]

        charts = {
            f"{service}: requests": by_colour("RequestCount", "Sum"),
            f"{service}: server errors": by_colour("HTTPCode_Target_5XX_Count", "Sum"),
            f"{service}: p99 seconds": by_colour("TargetResponseTime", "p99"),
            f"{service}: healthy pods": by_colour("HealthyHostCount", "Minimum"),
            "database: CPU percent": of_database("CPUUtilization"),
            "database: connections": of_database("DatabaseConnections"),
        }
        return {"widgets": [_widget(at, title, metrics, region) for at, (title, metrics) in enumerate(charts.items())]}

    parts = pulumi.Output.all(balancer=load_balancer, groups=dict(target_groups), database=database)
    return pulumi.Output.json_dumps(parts.apply(body))


def _widget(position: int, title: str, metrics: list[list[Any]], region: str) -> dict[str, Any]:
    row, column = divmod(position, 2)
    return {
        "type": "metric",
        "x": column * WIDGET_WIDTH,
        "y": row * WIDGET_HEIGHT,
        "width": WIDGET_WIDTH,
        "height": WIDGET_HEIGHT,
        "properties": {"title": title, "metrics": metrics, "region": region, "view": "timeSeries", "period": 60},
    }
