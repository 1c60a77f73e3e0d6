"""CloudWatch: the load balancers' metrics, percentiles, and dimensions in any order."""
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# moto is not typed strictly.

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.metric_data_expression_parser import parse_expression
from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatum, MetricDatumBase
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from slipway.sandbox.traffic.metrics import (
    STATISTICS,
    Metrics,
    Series,
    Values,
    by_period,
    percentile_of,
    trimmed_count_of,
)
from slipway.sandbox.traffic.moto_hooks.patching import Method, Patches

Named = Iterable[Mapping[str, Any]]


def install(patches: Patches, metrics: Metrics) -> None:
    """Join moto's CloudWatch to the metrics of the load balancers."""
    patches.replace(CloudWatchBackend, "get_metric_data", _get_metric_data, metrics=metrics)
    patches.replace(CloudWatchBackend, "get_filtered_metrics", _get_filtered, metrics=metrics)
    patches.replace(CloudWatchResponse, "get_metric_statistics", _get_metric_statistics, metrics=metrics)


def points_of(
    backend: Any, metrics: Metrics, wanted: Series, window: tuple[float, float], unit: str | None = None
) -> list[tuple[float, Values]]:
    """The series' values from the window's begin up to, not including, its end: what PutMetricData brought, and our own."""
    start, end = window
    own_unit = "Seconds" if wanted.name.endswith("Time") else "Count"
    points = metrics.read(wanted, start, end) if unit in (None, "", own_unit) else []
    stored: list[MetricDatumBase] = backend.get_all_metrics()
    for datum in stored:
        if datum.namespace != wanted.namespace or datum.name != wanted.name or (unit and datum.unit != unit):
            continue
        timestamp = _epoch(datum.timestamp)
        named = frozenset((str(row.name), str(row.value)) for row in datum.dimensions)
        if start <= timestamp < end and named == wanted.dimensions:
            points.append((timestamp, _values(datum)))
    return points


def series_of(backend: Any, namespace: str, name: str, dimensions: Named) -> Series:
    """The series that a request names."""
    pairs = frozenset((str(row["Name"]), str(row["Value"])) for row in dimensions)
    return Series(backend.account_id, backend.region_name, namespace, name, pairs)


def _get_metric_data(  # noqa: PLR0917 - moto's own signature
    original: Method,
    self: Any,
    queries: Sequence[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampDescending",
    *,
    metrics: Metrics,
) -> list[dict[str, Any]]:
    start, end = int(_epoch(start_time)), int(_epoch(end_time))
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    found: dict[str, dict[str, Any]] = {}
    for query in queries:
        if "MetricStat" in query:
            found[query["Id"]] = _read_query(self, metrics, query, (start, end), scan_by)
    for query in queries:
        if query["Id"] in found:
            continue
        if str(query.get("Expression", "")).startswith("SELECT"):
            found[query["Id"]] = original(self, [query], start_time, end_time, scan_by)[0]
            continue
        values, timestamps = parse_expression(query["Expression"], list(found.values()))
        found[query["Id"]] = _result(query, query["Id"], timestamps, values)
    return [found[query["Id"]] for query in queries if query.get("ReturnData", True) not in (False, "false")]


def _read_query(
    backend: Any, metrics: Metrics, query: Mapping[str, Any], window: tuple[int, int], scan_by: str
) -> dict[str, Any]:
    asked = query["MetricStat"]
    metric, statistic = asked["Metric"], str(asked["Stat"])
    _check_statistic(statistic)
    wanted = series_of(backend, metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or [])
    points = points_of(backend, metrics, wanted, window, asked.get("Unit"))
    computed = [
        (datetime.fromtimestamp(begin, UTC).replace(tzinfo=None), values.statistic(statistic))
        for begin, values in by_period(points, window[0], int(asked["Period"])).items()
    ]
    computed = [(moment, value) for moment, value in computed if value is not None]
    if scan_by == "TimestampDescending":
        computed.reverse()
    label = f"{metric['MetricName']} {statistic}"
    return _result(query, label, [moment for moment, _ in computed], [value for _, value in computed])


def _result(query: Mapping[str, Any], label: str, timestamps: list[datetime], values: Sequence[Any]) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or label,
        "values": list(values),
        "timestamps": timestamps,
        "status_code": "Complete",
    }


def _get_metric_statistics(_original: Method, self: Any, *, metrics: Metrics) -> ActionResult:
    statistics: list[str] = self._get_param("Statistics", [])
    extended: list[str] = self._get_param("ExtendedStatistics") or []
    if not statistics and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    for statistic in (*statistics, *extended):
        _check_statistic(statistic)
    backend, name, unit = self.cloudwatch_backend, self._get_param("MetricName"), self._get_param("Unit")
    start, end = int(_epoch(self._get_param("StartTime"))), int(_epoch(self._get_param("EndTime")))
    if start >= end:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    wanted = series_of(backend, self._get_param("Namespace"), name, self._get_param("Dimensions", []))
    points = points_of(backend, metrics, wanted, (start, end), unit)
    rows: list[dict[str, Any]] = []
    for begin, values in by_period(points, start, self._get_int_param("Period")).items():
        row: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(begin, UTC).replace(tzinfo=None)}
        row |= {statistic: values.statistic(statistic) for statistic in statistics}
        percentiles = {statistic: values.statistic(statistic) for statistic in extended}
        if extended:
            row["ExtendedStatistics"] = {key: value for key, value in percentiles.items() if value is not None}
        if unit:
            row["Unit"] = unit
        rows.append(row)
    return ActionResult({"Label": name, "Datapoints": rows})


def _get_filtered(
    original: Method, self: Any, metric_name: str, namespace: str, dimensions: Any, *, metrics: Metrics
) -> list[Any]:
    own: list[Any] = [
        MetricDatum(row.namespace, row.name, 0.0, [{"Name": k, "Value": v} for k, v in sorted(row.dimensions)], None)
        for row in metrics.series(self.account_id, self.region_name)
    ]
    asked = dimensions or []
    return [
        *original(self, metric_name, namespace, dimensions),
        *(datum for datum in own if datum.filter(namespace, metric_name, asked)),
    ]


def _check_statistic(statistic: str) -> None:
    if statistic not in STATISTICS and percentile_of(statistic) is None and trimmed_count_of(statistic) is None:
        raise InvalidParameterValue(
            f"The sandbox does not support the statistic '{statistic}'; it knows {', '.join(STATISTICS)}, percentiles as p99,"
            " and counts of values as TC(0.5:)."
        )


def _values(datum: MetricDatumBase) -> Values:
    values = Values()
    if isinstance(datum, MetricAggregatedDatum):
        values.add_set(datum.sample_count, datum.sum, datum.min, datum.max)
    elif isinstance(datum, MetricDatum):
        values.add(datum.value)
    return values


def _epoch(moment: datetime) -> float:
    """Seconds since the epoch; moto's times are UTC without saying so."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
