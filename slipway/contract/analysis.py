"""`rollout.analysis` of a stack file: what else a candidate is judged by, one entry for each number.

Unknown keys are refused on both sides, also those of a newer program: a limit that is not understood must not count as kept.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

OWN_SOURCES = frozenset({"cloudwatch", "prometheus", "probe", "simulation"})
"""Names of what is measured without an entry; an entry of that name could not be told from it."""
MAXIMUM_ENTRIES = 10
"""Every look at all of them is kept with the rollout, in one item of the ledger."""
PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")
COMMON_PLACEHOLDERS = frozenset({"colour", "release", "window", "since", "until"})
MOST_LETTERS = 24_000
"""Of all entries together, as JSON: they are kept with the rollout, too."""

Limit = Annotated[float, Field(allow_inf_nan=False)]
Query = Annotated[str, Field(min_length=1, max_length=4000)]
Seconds = Annotated[float, Field(gt=0, le=30)]


class Entry(BaseModel):
    """What every type has."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    """Named in verdicts."""
    maximum: Limit | None = None
    """The highest value that is allowed; of counts the highest share of bad ones, from 0 to 1."""
    minimum: Limit | None = None
    compare_with_live: bool = False
    """A candidate beyond the limit is excused while the live colour is beyond it too, up to `rollout.errorFactor` times as far."""
    in_a_row: Annotated[int, Field(ge=1, le=10)] = 1
    """So many looks in a row must find a value beyond the limit. Fewer keep the candidate from more traffic."""
    minimum_total: Annotated[int, Field(ge=0)] | None = None
    """Fewer than this are no data, of counts. None: `rollout.minimumRequests`."""
    on_no_data: Literal["fail", "hold", "pass"] | None = None
    """None: `rollout.onNoData`."""
    dry_run: bool = False
    """Measured, judged and told, without a consequence."""
    timeout_seconds: Seconds = 10
    """Later than this, there is no answer."""

    @property
    def counts(self) -> bool:
        """It answers with two numbers, the bad ones and all, in place of a value."""
        return False

    def check_queries(self) -> None:
        """Raise ValueError where it is not clear what is asked for."""

    @model_validator(mode="after")
    def _check_limits(self) -> Entry:
        self.check_queries()
        if self.name in OWN_SOURCES:
            raise ValueError(f"name {self.name!r} is one of Slipway's own sources; choose another")
        if self.counts:
            if self.maximum is None or not 0 <= self.maximum < 1:
                raise ValueError("counts want a maximum from 0 to below 1: the share of bad ones that is allowed")
            if self.minimum is not None or self.in_a_row != 1:
                raise ValueError("minimum and inARow are for a value; counts are judged by a test of their own")
            return self
        if self.maximum is None and self.minimum is None:
            raise ValueError("no limit: set maximum, minimum or both")
        if self.maximum is not None and self.minimum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}")
        if self.minimum_total is not None:
            raise ValueError("minimumTotal is for counts: bad and total")
        return self


class QueriedEntry(Entry):
    """A type that is asked by texts: `value`, or `bad` and `total`."""

    value: Query | None = None
    bad: Query | None = None
    total: Query | None = None

    @property
    def counts(self) -> bool:
        """See `Entry.counts`."""
        return self.value is None

    @property
    def queries(self) -> tuple[str, ...]:
        """The value's, or those of bad and total."""
        return tuple(query for query in (self.value, self.bad, self.total) if query is not None)

    def check_queries(self) -> None:
        """See `Entry.check_queries`."""
        given = (self.value is not None, self.bad is not None, self.total is not None)
        if given not in {(True, False, False), (False, True, True)}:
            raise ValueError("want value, or bad and total")


class SecretRef(BaseModel):
    """A secret of Secrets Manager, by name or ARN. It is read when it is needed, and kept nowhere."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@:!-]{1,512}$")]
    key: Annotated[str, Field(max_length=128)] = ""
    """The field to take where the secret is JSON. Empty: the secret as it is."""


class SecretHeader(SecretRef):
    """A header of HTTP whose value is a secret."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "Authorization"
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._-]{0,64}$")] = ""
    """Before the secret: `Bearer `."""


Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+([/?][^\s#]*)?$", max_length=2000)]


def refuse_exposed(url: str, header: SecretHeader | None) -> None:
    """Raise ValueError where a secret would be sent in plain text over a network."""
    plain = url.startswith("http://") and not re.match(r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])([:/?]|$)", url)
    if header and plain:
        raise ValueError("secretHeader wants an https:// address")


def refuse_unknown_placeholders(texts: tuple[str, ...], known: frozenset[str] = COMMON_PLACEHOLDERS) -> None:
    """Raise ValueError naming what looks like a placeholder and is none. `SEARCH('{Custom} …')` is CloudWatch's own."""
    found = {word for text in texts for word in PLACEHOLDER.findall(text) if word[0].islower()}
    unknown = sorted(found - known)
    if unknown:
        there = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; there are {there}")


class PrometheusEntry(QueriedEntry):
    """PromQL; each query gives one number, as `sum(…)` does."""

    type: Literal["prometheus"]
    url: Url
    """Without `/api/v1/query`."""
    secret_header: SecretHeader | None = None

    @model_validator(mode="after")
    def _check_prometheus(self) -> PrometheusEntry:
        refuse_exposed(self.url, self.secret_header)
        refuse_unknown_placeholders(self.queries)
        return self


MetricId = Annotated[str, Field(pattern=r"^[a-z][a-zA-Z0-9_]{0,39}$")]
CLOUDWATCH_PLACEHOLDERS = COMMON_PLACEHOLDERS | {"targetGroup", "loadBalancer"}


class CloudWatchMetric(BaseModel):
    """One metric, as `aws cloudwatch get-metric-data` names it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9./_#:-][A-Za-z0-9./_#: -]{0,254}$")]
    metric_name: Annotated[str, Field(min_length=1, max_length=255)]
    dimensions: dict[Annotated[str, Field(min_length=1, max_length=255)], Annotated[str, Field(max_length=1024)]] = {}
    statistic: Annotated[str, Field(pattern=r"^[A-Za-z]{1,20}[0-9.:()%]{0,30}$")]
    """`Sum`, `Average`, `Maximum`, `p99`, `TC(1:)`."""


class CloudWatchEntry(QueriedEntry):
    """Metrics of CloudWatch by ids, and metric math over them: a value is an expression, or an id alone."""

    type: Literal["cloudwatch"]
    metrics: Annotated[dict[MetricId, CloudWatchMetric], Field(max_length=20)] = {}
    """By the ids that expressions use. None: expressions that find metrics by themselves, with SEARCH."""
    period_seconds: int = 60
    over: Literal["average", "maximum", "minimum", "sum", "last"] = "average"
    """How the values of the periods become one. Counts are summed up."""

    @model_validator(mode="after")
    def _check_cloudwatch(self) -> CloudWatchEntry:
        if self.period_seconds not in {1, 5, 10, 30} and (self.period_seconds < 60 or self.period_seconds % 60):
            raise ValueError("periodSeconds wants 1, 5, 10, 30 or a multiple of 60")
        if any(identity.startswith("slipway") for identity in self.metrics):
            raise ValueError("ids of metrics that begin with slipway are Slipway's own")
        dimensions = tuple(value for metric in self.metrics.values() for value in metric.dimensions.values())
        refuse_unknown_placeholders((*self.queries, *dimensions), CLOUDWATCH_PLACEHOLDERS)
        return self


class HttpEntry(QueriedEntry):
    """An address that answers JSON. A value is a JMESPath expression on the answer: `data.queue.age`."""

    type: Literal["http"]
    url: Url
    method: Literal["GET", "POST"] = "GET"
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")], Annotated[str, Field(pattern=r"^[ -~]{0,1000}$")]
    ] = {}
    body: Annotated[dict[str, JsonValue], Field(max_length=50)] | None = None
    """Sent as JSON by a POST. Its texts may have placeholders."""
    secret_header: SecretHeader | None = None

    @model_validator(mode="after")
    def _check_http(self) -> HttpEntry:
        from jmespath import compile as compile_expression  # noqa: PLC0415 - 20 ms, and few stack files have such entries
        from jmespath.exceptions import JMESPathError  # noqa: PLC0415

        refuse_exposed(self.url, self.secret_header)
        refuse_unknown_placeholders((self.url,))
        if self.body is not None and self.method != "POST":
            raise ValueError("a body wants method: POST")
        for query in self.queries:
            try:
                compile_expression(query)
            except JMESPathError as error:
                raise ValueError(f"{query!r} is no JMESPath expression: {str(error).splitlines()[0]}") from None
        return self


class CommandEntry(Entry):
    """A program of the machine that runs the release; the value is its exit code. No shell reads its arguments."""

    type: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(max_length=4000)], ...], Field(min_length=1, max_length=100)]
    """The program and its arguments, which may have placeholders."""
    environment: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")], Annotated[str, Field(max_length=4000)]
    ] = {}
    """All that it gets, with a PATH of the system's folders unless one is given. Not for secrets."""
    no_data_codes: Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Field(max_length=10)] = (75,)
    """Exit codes that say that nothing can be said. 75 is EX_TEMPFAIL of sysexits.h."""
    maximum: Limit | None = 0

    @model_validator(mode="after")
    def _check_command(self) -> CommandEntry:
        if not self.argv[0] or PLACEHOLDER.search(self.argv[0]):
            raise ValueError("argv wants the program first, without placeholders")
        if any("\0" in text for text in (*self.argv, *self.environment.values())):
            raise ValueError("no argument or variable of a program can have a NUL")
        return self


class KubernetesEntry(Entry):
    """What happened to the containers of the release's pods, since each pod was made."""

    type: Literal["kubernetes"]
    count: Literal["restarts", "out-of-memory", "image-pull-faults"]
    """`out-of-memory`: containers whose last end was that. `image-pull-faults`: containers that wait for an image."""
    maximum: Limit | None = 0


class SqlEntry(Entry):
    """One query of PostgreSQL that only reads. It gives one row: a number, or the bad ones and all, as `columns` says."""

    type: Literal["sql"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: Annotated[int, Field(gt=0, lt=65_536)] = 5432
    database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")]
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,63}$")]
    password: SecretRef
    """A secret that RDS keeps is JSON: `key: password`."""
    query: Query
    """Placeholders become parameters: no quotes around them. `{window}`, `{since}` and `{until}` are numbers of seconds."""
    columns: Literal["value", "counts"] = "value"
    """`counts`: two columns, the bad ones and all."""
    tls: Literal["require", "verify-full", "disable"] = "require"
    """`disable` is for this machine only."""

    @property
    def counts(self) -> bool:
        """See `Entry.counts`."""
        return self.columns == "counts"

    @model_validator(mode="after")
    def _check_sql(self) -> SqlEntry:
        if self.tls == "disable" and not re.fullmatch(r"127\.\d+\.\d+\.\d+|localhost|::1", self.host):
            raise ValueError("tls: disable is for 127.0.0.1 only: the password would cross a network")
        refuse_unknown_placeholders((self.query,))
        return self


AnalysisEntry = Annotated[
    SqlEntry | CloudWatchEntry | CommandEntry | HttpEntry | KubernetesEntry | PrometheusEntry,
    Field(discriminator="type"),
]


def _refuse_same_names(entries: tuple[AnalysisEntry, ...]) -> tuple[AnalysisEntry, ...]:
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the name {twice[0]!r} is there twice")
    return entries


def _refuse_too_long(entries: tuple[AnalysisEntry, ...]) -> tuple[AnalysisEntry, ...]:
    letters = sum(len(entry.model_dump_json(exclude_defaults=True)) for entry in entries)
    if letters > MOST_LETTERS:
        raise ValueError(f"all entries together have {letters} letters, and a rollout keeps {MOST_LETTERS}")
    return entries


AnalysisEntries = Annotated[
    tuple[AnalysisEntry, ...],
    Field(max_length=MAXIMUM_ENTRIES),
    AfterValidator(_refuse_same_names),
    AfterValidator(_refuse_too_long),
]
