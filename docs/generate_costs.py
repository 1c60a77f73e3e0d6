"""Writes costs.md from the price table and the stack files: python -m docs.generate_costs (a test says when it is due)."""

from pathlib import Path

from slipway.doctor import read_project
from slipway.doctor.prices import (
    AUTO_MODE_FEE,
    AUTO_NODE,
    HOURS_PER_MONTH,
    INSTANCE_PER_HOUR,
    NODE_DISK_PER_GIB,
    REGION,
    Cost,
    estimate_costs,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/costs.md"
ENVIRONMENTS = ("dev", "staging", "prod")
HEAD = f"""# Monthly cost

Generated from `slipway/doctor/prices.py` and the stack files by `python -m docs.generate_costs`; change them there.

What each environment costs in USD a month before any traffic, as its stack file is committed: on-demand list prices of {REGION},
{HOURS_PER_MONTH} hours. `slipway doctor <environment>` tells the sum for a stack file of yours.
"""


def _auto_table() -> str:
    (kind, disk_gib), lines = AUTO_NODE, ["| zones | nodes | EC2 and disks | with Auto Mode |", "|---|---|---:|---:|"]
    for zones in (2, 3):
        disks, nodes = zones * disk_gib * NODE_DISK_PER_GIB, zones * INSTANCE_PER_HOUR[kind] * HOURS_PER_MONTH
        fee = nodes * AUTO_MODE_FEE
        lines.append(
            f"| {zones} | {zones} x {kind}, {disk_gib} GiB | {nodes + disks:.0f} | {nodes + disks + fee:.0f} |"
        )
    return "\n".join(lines)


FOOT = f"""
In EKS Auto Mode (`cluster.compute: auto`) AWS makes the nodes that the pods need, for about {AUTO_MODE_FEE:.0%} on top of their EC2 price.
At the least that is about one small node in each zone:

{_auto_table()}

Not in it:

* Nodes beyond `cluster.nodes.desired` (in Auto Mode, beyond the table's), and the database's storage beyond `database.storageGib`: both
  grow with load.
* The old colour, which has as many pods as the new one until the rollback window is over.
* Data through NAT gateways (0.045 USD per GB; S3 and DynamoDB bypass them), the load balancer's capacity units, traffic to the
  internet and between zones.
* Logs (0.50 USD per GB taken in): the control plane's and the database's, kept for `monitoring.logRetentionDays`.
* Images, the ledger and the state: cents. The hosted zone of a domain: 0.50 USD. Its certificate is free.
* Extended support of Kubernetes (0.60 USD an hour), which is [never entered](components.md#cluster).
* Free tiers, savings plans and taxes.
"""


def render() -> str:
    """The whole page."""
    columns = {environment: estimate_costs(read_project(ROOT, environment).facts) for environment in ENVIRONMENTS}
    lines = [HEAD, f"| | {' | '.join(ENVIRONMENTS)} |", "|---|" + "---:|" * len(columns)]
    rows = zip(*columns.values(), strict=True)
    lines += [f"| {row[0].part} | {' | '.join(map(_cell, row))} |" for row in rows]
    sums = (sum(cost.usd_per_month or 0 for cost in costs) for costs in columns.values())
    lines.append(f"| **sum** | {' | '.join(f'**{total:.0f}**' for total in sums)} |")
    return "\n".join(lines) + "\n" + FOOT


def _cell(cost: Cost) -> str:
    price = "?" if cost.usd_per_month is None else f"{cost.usd_per_month:.0f}"
    return f"{cost.detail}: {price}" if cost.detail else price


if __name__ == "__main__":
    PAGE.write_text(render())
