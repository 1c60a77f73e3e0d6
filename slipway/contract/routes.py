"""`rollout.routes` of a stack file: which requests go to a release while it is tried, whatever its share of the traffic is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAXIMUM_ROUTES = 10
"""Each takes one rule of the load balancer, or two. It has 100; source: quotas of Application Load Balancers, 2026."""
MAXIMUM_VALUE = 128
"""Characters of one value that a header is compared with; source: ELB API reference, HttpHeaderConditionConfig, 2026."""
MAXIMUM_WILDCARDS = 5
"""In one rule; source: ELB user guide, condition types, 2026. Its quotas page says 6."""
COOKIE = "cookie"
TAKEN_HEADERS = {
    "host": "the load balancer does not compare the header Host",
    "cookie": "want {cookie: {name: …, value: …}} for a cookie",
    "x-slipway-test": "X-Slipway-Test is the header of the test route",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HeaderMatch(_Part):
    """A header of the request. Case does not count, in its name or its value."""

    # The load balancer drops headers with other characters, underscores included, before they reach anybody.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]
    value: Annotated[str, Field(pattern=r"^[ -\[\]-~]+$", max_length=MAXIMUM_VALUE)]
    """The whole value, without a backslash: `*` is any run of characters, `?` one."""

    @model_validator(mode="after")
    def _can_be_compared(self) -> HeaderMatch:
        if taken := TAKEN_HEADERS.get(self.name.lower()):
            raise ValueError(taken)
        if not self.value.strip(" *?"):
            raise ValueError("want a value with more than wildcards: anybody may send this header")
        if (found := _wildcards(self.value)) > MAXIMUM_WILDCARDS:
            raise ValueError(f"want {MAXIMUM_WILDCARDS} wildcards at most, not {found}")
        return self


class CookieMatch(_Part):
    """A cookie with exactly this value. Case does not count."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'+.^_`|~-]{1,60}$")]
    value: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'()+./:<=>@\[\]^_`{|}~-]{1,60}$")]
    """Without wildcards, quotes, blanks, commas and semicolons."""


class RouteSettings(_Part):
    """`{header: {name: X-Canary, value: always}}`, or `{cookie: {name: canary, value: "1"}}`."""

    header: HeaderMatch | None = None
    cookie: CookieMatch | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> RouteSettings:
        if (self.header is None) is (self.cookie is None):
            raise ValueError("want a header or a cookie, and not both")
        return self


def _refuse_same(routes: tuple[RouteSettings, ...]) -> tuple[RouteSettings, ...]:
    matches = plan_matches(routes)
    if len({*matches}) < len(matches):
        raise ValueError("the same route twice")
    return routes


RouteEntries = Annotated[tuple[RouteSettings, ...], Field(max_length=MAXIMUM_ROUTES), AfterValidator(_refuse_same)]


@dataclass(frozen=True, kw_only=True, order=True)
class Match:
    """One comparison of a load balancer: a header that has one of these values, wildcards included.

    In lower case and in order, so that two that find the same requests are equal.
    """

    header: str
    values: tuple[str, ...]

    @classmethod
    def of(cls, header: str, *values: str) -> Match:
        """From names and values as people, and load balancers, write them."""
        return cls(header=header.lower(), values=tuple(sorted(value.lower() for value in values)))


def plan_matches(routes: Iterable[RouteSettings]) -> tuple[Match, ...]:
    """What the load balancer compares, one rule each. Any of them makes a request one that goes to the candidate."""
    matches: list[Match] = []
    for route in routes:
        if route.header:
            matches.append(Match.of(route.header.name, route.header.value))
        if route.cookie:
            matches += _plan_cookie(f"{route.cookie.name}={route.cookie.value}")
    return tuple(matches)


def _plan_cookie(pair: str) -> tuple[Match, ...]:
    """The pair alone, first, last and in the middle of the header. One pattern `*pair*` would find `x` before it and more after it.

    Two comparisons, since one has three values at most. Clients put `; ` between cookies, as RFC 6265 demands.
    """
    return (
        Match.of(COOKIE, pair, f"{pair};*", f"*; {pair}"),
        Match.of(COOKIE, f"*; {pair};*"),
    )


def _wildcards(value: str) -> int:
    return value.count("*") + value.count("?")
