"""Freeze windows, as tables: when they are open, and what they refuse to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from slipway.contract.freeze import FreezeWindow

ONCE = {"start": "2026-12-23T18:00:00+01:00", "end": "2027-01-04T06:00:00+01:00"}
BERLIN = {"timeZone": "Europe/Berlin"}
WEEKEND = {"start": "2026-01-02T18:00", "end": "2026-01-05T06:00", "rrule": "FREQ=WEEKLY;BYDAY=FR"} | BERLIN
MONTH_END = {"start": "2026-01-31T00:00", "end": "2026-02-01T12:00", "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1"} | BERLIN
EASTER = {"start": "2026-04-03T00:00", "end": "2026-04-07T00:00", "rrule": "FREQ=YEARLY;BYEASTER=-2"} | BERLIN


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        (ONCE, "2026-12-23T16:59:59+00:00", None),
        (ONCE, "2026-12-23T17:00:00+00:00", "2027-01-04T06:00:00+01:00"),
        (ONCE, "2027-01-04T05:00:00+00:00", None),
        ({"start": "2026-12-23T18:00", "end": "2026-12-24T18:00"} | BERLIN, "2026-12-23T17:00:00+00:00", "2026-12-24T18:00:00+01:00"),
        (WEEKEND, "2026-01-02T16:59:00+00:00", None),
        (WEEKEND, "2026-01-02T17:00:00+00:00", "2026-01-05T06:00:00+01:00"),
        (WEEKEND, "2026-01-01T18:00:00+00:00", None),
        # In summer the clocks there show 18:00 an hour earlier.
        (WEEKEND, "2026-07-03T15:59:00+00:00", None),
        (WEEKEND, "2026-07-03T16:00:00+00:00", "2026-07-06T06:00:00+02:00"),
        # Over the change of the clocks the window ends at 06:00 by the clock, not an hour later.
        (WEEKEND, "2026-03-27T17:00:00+00:00", "2026-03-30T06:00:00+02:00"),
        (WEEKEND, "2026-03-30T03:59:00+00:00", "2026-03-30T06:00:00+02:00"),
        (WEEKEND, "2026-03-30T04:00:00+00:00", None),
        (WEEKEND | {"exceptions": ["2026-07-03"]}, "2026-07-04T12:00:00+00:00", None),
        (WEEKEND | {"exceptions": ["2026-07-03"]}, "2026-07-11T12:00:00+00:00", "2026-07-13T06:00:00+02:00"),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;BYDAY=FR;UNTIL=20260201"}, "2026-07-04T12:00:00+00:00", None),
        (MONTH_END, "2028-02-29T12:00:00+00:00", "2028-03-01T12:00:00+01:00"),
        (EASTER, "2027-03-28T12:00:00+00:00", "2027-03-30T00:00:00+02:00"),
    ],
)  # fmt: skip
def test_window_is_open_by_the_clocks_of_its_zone(window: dict[str, Any], now: str, closes: str | None) -> None:
    found = FreezeWindow.model_validate(window).open_until(datetime.fromisoformat(now))
    assert (found and found.isoformat()) == closes


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ({"start": "2026-01-05T09:00", "end": "2026-01-06T09:00"}, "want an offset"),
        (ONCE | BERLIN, "or none and a timeZone"),
        (ONCE | {"end": "2027-01-04T06:00"}, "want an offset"),
        (ONCE | {"start": "tomorrow"}, "start"),
        (ONCE | {"end": ONCE["start"]}, "before it starts"),
        (ONCE | {"rrule": "FREQ=WEEKLY"}, "wants a timeZone"),
        (ONCE | {"exceptions": ["2026-12-24"]}, "for a window with rrule"),
        (WEEKEND | {"timeZone": "Europe/Atlantis"}, "not known"),
        (WEEKEND | {"timeZone": "../../etc/passwd"}, "not known"),
        (WEEKEND | {"rrule": "FREQ=SECONDLY"}, "FREQ=DAILY"),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;BYHOUR=9"}, "no hours"),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;INTERVAL=0"}, "rrule"),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;BYDAY=XX"}, ""),
        (WEEKEND | {"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31"}, "rrule"),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;UNTIL=20260201T000000Z"}, ""),
        (WEEKEND | {"rrule": "FREQ=WEEKLY;BYDAY=MO"}, "not the first day"),
        (WEEKEND | {"exceptions": ["2026-01-02"]}, "not the first day"),
    ],
)
def test_refuses_a_window_that_means_nothing(window: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FreezeWindow.model_validate(window)
    assert text in str(caught.value)
