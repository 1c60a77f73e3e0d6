"""What the environment will cost a month, before traffic."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State
from slipway.doctor.prices import REGION, estimate_costs


def check_cost(case: Case) -> Iterator[Finding]:
    """One line with the sum; what the table lacks is named."""
    facts = case.project.facts
    costs = estimate_costs(facts)
    known = sum(cost.usd_per_month or 0 for cost in costs)
    where = "" if facts.region == REGION else f", at {REGION}'s prices"
    text = f"about {known:.0f} USD a month before traffic{where}"
    missing = [f"{cost.part} ({cost.detail})" for cost in costs if cost.usd_per_month is None]
    if missing:
        remedy = "look its price up at calculator.aws"
        yield Finding(State.NOT_ASKED, f"{text}, without {'; '.join(missing)}: not in the price table", remedy)
    else:
        yield Finding(State.OK, text)
