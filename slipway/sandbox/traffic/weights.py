"""Which request goes to which target group.

Each forward action owns 1,000 slots. A counter per action steps through them with a stride that is coprime to 1,000, so every
1,000 requests in a row are split exactly, and any run of up to 200 requests is within 2 requests of its share.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipway.sandbox.traffic.model import WeightedGroup

SLOTS = 1000
STRIDE = 707
"""The best of all strides below 1,000 by trial, over weights of 1 to 50 % and windows of 20 to 200 requests. A client that
repeats 2 to 10 requests in turn sees each of them split within a tenth of the wanted share, too."""


def assign_slots(groups: Sequence[WeightedGroup]) -> tuple[str, ...]:
    """The target group's ARN of each slot; empty when every weight is zero.

    Largest remainders decide the last slots; a weight above zero gets one slot at least (a weight is 0 to 999, so a share
    below a thousandth occurs only with three groups or more).
    """
    wanted = [group for group in groups if group.weight > 0]
    if not wanted:
        return ()
    total = sum(group.weight for group in wanted)
    shares = [max(1, SLOTS * group.weight // total) for group in wanted]
    by_remainder = sorted(range(len(wanted)), key=lambda index: -(SLOTS * wanted[index].weight % total))
    missing = SLOTS - sum(shares)
    for index in by_remainder[: max(missing, 0)]:
        shares[index] += 1
    while sum(shares) > SLOTS:
        shares[shares.index(max(shares))] -= 1
    return tuple(group.arn for group, share in zip(wanted, shares, strict=True) for _ in range(share))
