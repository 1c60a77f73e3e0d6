"""Freeze windows: spans in which nothing moves but traffic that goes back, once or again and again."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, PlainSerializer, model_validator
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from dateutil.rrule import rrule, rruleset

_COUNT = r"INTERVAL=[1-9]\d{0,3}|COUNT=\d{1,4}|UNTIL=[0-9T]{8,15}|WKST=[A-Z]{2}|BYDAY=[-+,A-Z0-9]{2,80}"
_WHEN = r"(BYMONTH|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYSETPOS|BYEASTER)=[-+,0-9]{1,80}"
RULE = re.compile(rf"FREQ=(DAILY|WEEKLY)(;({_COUNT}))*|FREQ=(MONTHLY|YEARLY)(;({_COUNT}|{_WHEN}))*")
"""What of RFC 5545 makes sense for a span of days. The time of day is that of `start`."""


class FreezeWindow(BaseModel):
    """One window, or with `rrule` a window that comes again."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    start: Annotated[datetime, PlainSerializer(datetime.isoformat)]
    """ISO 8601: `2026-12-23T18:00:00+01:00`, or without an offset where `timeZone` is set."""
    end: Annotated[datetime, PlainSerializer(datetime.isoformat)]
    """As `start`, and later."""
    reason: str = ""
    """Told to those who are refused."""
    time_zone: str | None = None
    """IANA name (`Europe/Berlin`): start and end are what clocks there show, in summer and in winter."""
    rrule: str | None = None
    """RFC 5545, counted from `start`: `FREQ=WEEKLY;BYDAY=FR`."""
    exceptions: tuple[Annotated[date, PlainSerializer(date.isoformat)], ...] = ()
    """Days on which the window does not begin."""

    @model_validator(mode="after")
    def _check(self) -> FreezeWindow:
        aware = {moment.tzinfo is not None for moment in (self.start, self.end)}
        if aware != {self.time_zone is None}:
            raise ValueError("start and end want an offset (2026-12-23T18:00:00+01:00), or none and a timeZone")
        if self.rrule is not None and self.time_zone is None:
            raise ValueError("a window with rrule wants a timeZone, and start and end without an offset")
        if self.exceptions and self.rrule is None:
            raise ValueError("exceptions are for a window with rrule")
        if self.end <= self.start:
            raise ValueError(f"ends at {self.end.isoformat()}, before it starts")
        self._check_zone()
        if self.rrule is not None and not RULE.fullmatch(self.rrule):
            raise ValueError(
                "rrule wants FREQ=DAILY, WEEKLY, MONTHLY or YEARLY first, and no hours: FREQ=WEEKLY;BYDAY=FR"
            )
        if self.rrule is not None and next(iter(self._begins), None) != self.start:
            raise ValueError("start is not the first day that rrule and exceptions name")
        return self

    def _check_zone(self) -> None:
        try:
            ZoneInfo(self.time_zone or "UTC")
        except (KeyError, ValueError, OSError):  # an unknown name, one that is no name, one that is a folder
            raise ValueError(f"timeZone {self.time_zone!r} is not known; write an IANA name: Europe/Berlin") from None

    def open_until(self, now: datetime) -> datetime | None:
        """When the window that is open at `now` closes; None while it is closed."""
        if self.time_zone is None:
            return self.end if self.start <= now < self.end else None
        zone = ZoneInfo(self.time_zone)
        wall = now.astimezone(zone).replace(tzinfo=None)
        begun = self.start if self.rrule is None else self._begins.before(wall, inc=True)
        if begun is None or not begun <= wall < (closes := begun + (self.end - self.start)):
            return None
        return closes.replace(tzinfo=zone)

    @cached_property
    def _begins(self) -> rruleset:
        from dateutil.rrule import rruleset, rrulestr  # noqa: PLC0415 - 40 ms, and few windows come again

        begins = rruleset(cache=True)
        begins.rrule(cast("rrule", rrulestr(self.rrule or "", dtstart=self.start)))
        for day in self.exceptions:
            begins.exdate(datetime.combine(day, self.start.time()))
        return begins
