"""Writes costs.md from the price table and the stack files: python -m docs.generate_costs (a test says when it is due)."""

from pathlib import Path

from slipway.doctor import read_project
from slipway.doctor.prices import HOURS_PER_MONTH, REGION, Cost, estimate_costs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/costs.md"
ENVIRONMENTS = ("dev", "staging", "prod")
HEAD = f"""# Monthly cost

Generated from `slipway/doctor/prices.py` and the stack files by `python -m docs.generate_costs`; change them there.

What each environment costs in USD a month before any traffic, as its stack file is committed: on-demand list prices of {REGION},
{HOURS_PER_MONTH} hours. `slipway doctor <environment>` tells the sum for a stack file of yours.
"""
FOOT = """
Not in it:

* Nodes beyond `cluster.nodes.desired`, and the database's storage beyond `database.storageGib`: both grow with load.
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
