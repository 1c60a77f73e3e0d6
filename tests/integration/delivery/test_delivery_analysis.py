"""Entries of `rollout.analysis` against servers on loopback that answer as the real ones do, and worse."""

from __future__ import annotations

import gzip
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from kubernetes import client as kubernetes

from slipway.contract.analysis import SecretRef
from slipway.delivery.adapters.analysis.asking import Asking
from slipway.delivery.adapters.analysis.cloudwatch import CloudWatch
from slipway.delivery.adapters.analysis.command import LONGEST_OUTPUT, Command
from slipway.delivery.adapters.analysis.http_json import HttpJson
from slipway.delivery.adapters.analysis.pods import PodStates
from slipway.delivery.adapters.analysis.prometheus import Prometheus
from slipway.delivery.adapters.analysis.secret_values import secret_reader
from slipway.delivery.adapters.analysis.sql import Sql
from slipway.delivery.model.analysis import Answer, Question, Subject
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.target import LoadBalancerRef, RolloutSettings
from slipway.errors import OperationError
from tests.postgres_server import postgres_server

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SECRET = "s3cr3t-t0ken-that-nobody-may-see"
Reply = tuple[int, Any]


@dataclass
class Site:
    """A small HTTP server and what it was asked."""

    url: str
    reply: Callable[[str], Reply]
    """By the body of a POST, or the path."""
    requests: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)


@contextmanager
def serve(reply: Callable[[str], Reply], *, pause_seconds: float = 0, packed: str = "") -> Iterator[Site]:
    """`pause_seconds`: between the bytes of an answer. `packed`: how it says that it is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            site.requests.append((self.path, dict(self.headers), body))
            status, content = site.reply(body or self.path)
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Location", "/elsewhere")
            if packed:
                self.send_header("Content-Encoding", packed)
            self.end_headers()
            try:
                for piece in [bytes([each]) for each in text] if pause_seconds else [text]:
                    self.wfile.write(piece)
                    time.sleep(pause_seconds)
            except OSError:
                pass  # the client had enough

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    site = Site(f"http://127.0.0.1:{server.server_port}", reply)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def question(release: str = "r-2", colour: Colour = Colour.GREEN, **entry: Any) -> Question:
    (checked,) = RolloutSettings.model_validate({"analysis": [{"name": "entry", "maximum": 0.5, **entry}]}).analysis
    since = NOW - timedelta(seconds=30)
    return Question(entry=checked, subject=Subject(colour=colour, release=release, since=since, until=NOW))


def no_secret(reference: SecretRef, timeout_seconds: float) -> str:
    raise OperationError(f"the secret {reference.secret} was not to be read within {timeout_seconds} s")


def the_secret(reference: SecretRef, timeout_seconds: float) -> str:
    del reference, timeout_seconds
    return SECRET


def ask(provider: Any, asked: Question) -> Answer:
    (answer,) = Asking({asked.entry.type: provider}).ask([asked])
    return answer


# -- Prometheus


def vector(*values: str) -> Reply:
    result = [{"metric": {}, "value": [1.0, value]} for value in values]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


def partial(*values: str) -> Reply:
    """What Thanos says when it could read a part only."""
    status, document = vector(*values)
    assert isinstance(document, dict)
    return status, document | {"warnings": ["no response from store-1"]}


def test_prometheus_is_asked_for_the_colour_the_release_and_the_window() -> None:
    query = 'sum(increase(failed{colour="{colour}",pod=~"{release}-.*"}[{window}]))'
    with serve(lambda _body: vector("0.25")) as site:
        answer = ask(Prometheus(no_secret), question(type="prometheus", url=f"{site.url}/prom/", value=query))
    assert answer == Answer(value=0.25)
    ((path, _, body),) = site.requests
    assert path == "/prom/api/v1/query"
    assert parse_qs(body)["query"] == ['sum(increase(failed{colour="green",pod=~"r-2-.*"}[30s]))']
    assert float(parse_qs(body)["time"][0]) == NOW.timestamp()


@pytest.mark.parametrize(
    ("bad", "total", "answer"),
    [
        (vector("3.2"), vector("99.6"), Answer(bad=3, total=100)),
        (vector(), vector("100"), Answer(bad=0, total=100)),
        (vector("3"), vector(), Answer()),
        (vector(), vector("NaN"), Answer()),
        ((200, {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "3"]}}), vector("9"), Answer(bad=3, total=9)),
    ],
)  # fmt: skip
def test_prometheus_counts(bad: Reply, total: Reply, answer: Answer) -> None:
    with serve(lambda body: bad if "=b" in body else total) as site:
        assert ask(Prometheus(no_secret), question(type="prometheus", url=site.url, bad="b", total="t")) == answer


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ((200, {"status": "error", "error": "parse error"}), "Prometheus refuses the query 'v': parse error"),
        (vector("1", "2"), "gives 2 series, want one"),
        (vector("+Inf"), "it divides by zero"),
        ((200, {"some": "thing"}), "does not answer as Prometheus does"),
        (partial("1"), "Prometheus warns of the query 'v': no response from store-1"),
        ((200, b"<html>"), "answered no JSON"),
        ((500, "no"), "answered 500"),
        ((302, "no"), "answered 302"),
        ((200, b" " * 1_100_000), "answered more than"),
    ],
)
def test_prometheus_that_does_not_answer_one_number_is_a_fault(reply: Reply, fault: str) -> None:
    with serve(lambda _body: reply) as site:
        answer = ask(Prometheus(no_secret), question(type="prometheus", url=site.url, value="v"))
        assert len(site.requests) == 1
    assert fault in answer.fault
    assert (answer.value, answer.bad, answer.total) == (None, None, None)


def test_address_where_nobody_listens_is_a_fault() -> None:
    with serve(lambda _body: vector()) as site:
        pass
    assert "cannot be asked" in ask(Prometheus(no_secret), question(type="prometheus", url=site.url, value="v")).fault


def test_server_that_answers_a_byte_at_a_time_holds_nobody() -> None:
    with serve(lambda _body: vector("1"), pause_seconds=0.3) as dripping, serve(lambda _body: vector("1")) as quick:
        asked = [
            question(type="prometheus", name="slow", url=dripping.url, value="v", timeoutSeconds=0.4),
            question(type="prometheus", name="quick", url=quick.url, value="v"),
        ]
        asking = Asking({"prometheus": Prometheus(no_secret)})
        began = time.monotonic()
        first, good = asking.ask(asked)
        assert time.monotonic() - began < 5
        assert good == Answer(value=1.0)
        assert "within 0.4 s" in first.fault


def test_answer_that_is_packed_is_not_unpacked() -> None:
    """Four KiB, packed twice, took two GiB of memory."""

    def bomb(_body: str) -> Reply:
        return 200, gzip.compress(gzip.compress(b"0" * 1_000_000))

    with serve(bomb, packed="gzip, gzip") as site:
        answer = ask(Prometheus(no_secret), question(type="prometheus", url=site.url, value="v"))
        assert "answered packed" in answer.fault
        assert site.requests[0][1]["Accept-Encoding"] == "identity"


def test_hanging_provider_is_bounded_and_not_asked_twice() -> None:
    class Hanging:
        asked = 0
        release = threading.Event()

        def answer(self, entry: Any, subject: Subject) -> Answer:
            self.asked += 1
            self.release.wait(60)
            return Answer(value=0)

    hanging = Hanging()
    asking = Asking({"prometheus": hanging})
    asked = [question(type="prometheus", url="https://p.example", value="v", timeoutSeconds=0.1)]
    assert [asking.ask(asked)[0].fault for _ in range(3)] == ["no answer within 0.1 s"] * 3
    assert hanging.asked == 1
    asking.ask([question(release="r-3", type="prometheus", url="http://p.example", value="v", timeoutSeconds=0.1)])
    assert hanging.asked == 2  # whatever it answers late, it is not about another release
    hanging.release.set()


@pytest.mark.parametrize("error", [ZeroDivisionError(SECRET), OperationError("clear words")])
def test_provider_that_breaks_is_a_fault_and_its_text_is_not_repeated_unless_it_is_ours(error: Exception) -> None:
    class Broken:
        def answer(self, entry: Any, subject: Subject) -> Answer:
            raise error

    fault = ask(Broken(), question(type="prometheus", url="https://p.example", value="v")).fault
    assert fault in {"prometheus failed: ZeroDivisionError", "clear words"}


def test_entry_that_no_provider_answers_and_a_value_that_is_no_number_are_faults() -> None:
    class Odd:
        def answer(self, entry: Any, subject: Subject) -> Answer:
            return Answer(value=float("nan"))

    asked = question(type="prometheus", url="https://p.example", value="v")
    assert "no number" in ask(Odd(), asked).fault
    assert Asking({}).ask([asked])[0].fault == "nothing answers entries of type prometheus"


@pytest.mark.parametrize("release", ['r"} or vector(0)', "r 2", "r'2", "", "-r", "r\n2"])
def test_refuses_to_put_a_release_into_a_query_that_could_mean_something_there(release: str) -> None:
    with serve(lambda _body: vector("0")) as site:
        asked = question(release, type="prometheus", url=site.url, value='x{release="{release}"}')
        assert "cannot be put into a query" in ask(Prometheus(no_secret), asked).fault
        assert site.requests == []


# -- secrets


@pytest.fixture
def stored(aws: boto3.Session) -> Iterator[Callable[[str], None]]:
    client = aws.client("secretsmanager", region_name="us-east-1")

    def store(text: str) -> None:
        client.create_secret(Name="metrics", SecretString=text)

    yield store
    client.delete_secret(SecretId="metrics", ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize(
    ("text", "header"),
    [(SECRET, {"secret": "metrics", "prefix": "Bearer "}), (json.dumps({"token": SECRET}), {"secret": "metrics", "key": "token"})],
)  # fmt: skip
def test_secret_is_sent_and_is_in_no_answer_fault_or_log(
    text: str,
    header: dict[str, str],
    stored: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stored(text)
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it writes what AWS answers, as everywhere
    logging.getLogger("urllib3").setLevel(logging.INFO)
    caplog.set_level(logging.DEBUG)
    provider = Prometheus(secret_reader("us-east-1"))
    echo = {"status": "error", "error": f"you said Bearer {SECRET}, {SECRET}"}
    answers: list[Answer] = []
    for reply in ((200, echo), (403, echo), (200, SECRET.encode()), vector("1")):
        with serve(lambda _body, reply=reply: reply) as site:
            asked = question(type="prometheus", url=site.url, value="v", secretHeader=header)
            answers.append(ask(provider, asked))
            assert site.requests[0][1]["Authorization"] == f"{header.get('prefix', '')}{SECRET}"
    assert answers[-1] == Answer(value=1.0)
    written = capfd.readouterr()
    for said in (repr(answers), repr(asked), caplog.text, written.out, written.err):
        assert SECRET not in said


@pytest.mark.parametrize(
    ("text", "key", "fault"),
    [
        (SECRET, "token", "the field 'token' of the secret metrics has no text"),
        (json.dumps({"token": 7, "other": SECRET}), "token", "the field 'token' of the secret metrics has no text"),
        (json.dumps([SECRET]), "token", "the field 'token' of the secret metrics has no text"),
        (f"{SECRET}\nX-Other: 1", "", "the secret metrics has characters that no header may have"),
        (f"{SECRET}ö", "", "the secret metrics has characters that no header may have"),
    ],
)
def test_secret_that_cannot_be_used_is_a_fault_without_its_value(
    text: str, key: str, fault: str, stored: Callable[[str], None]
) -> None:
    stored(text)
    header = {"secret": "metrics", "key": key}
    asked = question(type="prometheus", url="https://p.example", value="v", secretHeader=header)
    assert ask(Prometheus(secret_reader("us-east-1")), asked).fault == fault


def test_refuses_to_send_a_secret_for_an_entry_that_the_stack_file_at_hand_does_not_have() -> None:
    with serve(lambda _body: vector("1")) as site:
        asked = question(type="prometheus", url=site.url, value="v", secretHeader={"secret": "metrics"})
        for declared in ((), (question(type="prometheus", url="https://p.example", value="v").entry,)):
            settings = RolloutSettings(analysis=declared)
            (answer,) = Asking({"prometheus": Prometheus(the_secret)}, lambda s=settings: s).ask([asked])
            assert "its secret is not sent" in answer.fault
        assert site.requests == []
        same = RolloutSettings(analysis=(asked.entry,))
        assert [*Asking({"prometheus": Prometheus(the_secret)}, lambda: same).ask([asked])] == [Answer(value=1.0)]


def test_secret_that_is_not_there_is_a_fault(aws: boto3.Session) -> None:
    asked = question(type="prometheus", url="https://p.example", value="v", secretHeader={"secret": "metrics"})
    assert "cannot read the secret metrics" in ask(Prometheus(secret_reader("us-east-1")), asked).fault


# -- CloudWatch

DEAD = {
    "namespace": "AWS/SQS",
    "metricName": "Sent",
    "dimensions": {"QueueName": "orders-{colour}-dead"},
    "statistic": "Sum",
}
ALL = DEAD | {"dimensions": {"QueueName": "orders-{colour}"}}
BALANCER = LoadBalancerRef.model_validate(
    {
        "arn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/orders/1",
        **dict.fromkeys(("dnsName", "url", "listenerArn"), ""),
        "targetGroups": {
            colour: f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders-{colour}/1"
            for colour in ("blue", "green")
        },
    }
)


class Pages:
    """A client of CloudWatch that answers with prepared pages."""

    def __init__(self, *results: dict[str, Any]) -> None:
        self.results = results
        self.asked: dict[str, Any] = {}

    def get_paginator(self, name: str) -> Any:
        assert name == "get_metric_data"
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        self.asked = asked
        yield from ({"MetricDataResults": [result]} for result in self.results)


def series(identity: str, *values: float, state: str = "Complete", label: str = "one") -> dict[str, Any]:
    times = [NOW + timedelta(minutes=number) for number in range(len(values))]
    return {"Id": identity, "Label": label, "StatusCode": state, "Timestamps": times, "Values": [*values]}


def cloudwatch(client: Any) -> CloudWatch:
    return CloudWatch(BALANCER, "us-east-1", lambda _seconds: client)


def test_cloudwatch_metrics_of_one_colour_are_read_as_aws_does(aws: boto3.Session) -> None:
    client = aws.client("cloudwatch", region_name="us-east-1")
    sent = (("orders-green", 70.0), ("orders-green", 30.0), ("orders-blue", 1000.0), ("orders-green-dead", 4.0))
    for queue, value in sent:
        point: Any = {"MetricName": "Sent", "Value": value, "Timestamp": NOW - timedelta(seconds=20)}
        point["Dimensions"] = [{"Name": "QueueName", "Value": queue}]
        client.put_metric_data(Namespace="AWS/SQS", MetricData=[point])
    provider = CloudWatch(BALANCER, "us-east-1")
    metrics = {"dead": DEAD, "sent": ALL}
    counted = question(type="cloudwatch", metrics=metrics, bad="dead", total="sent")
    assert ask(provider, counted) == Answer(bad=4, total=100)
    assert ask(provider, question(type="cloudwatch", metrics={"sent": ALL}, value="sent", over="sum")) == Answer(
        value=100
    )
    quiet = question(release="r-1", colour=Colour.BLUE, type="cloudwatch", metrics={"dead": DEAD}, value="dead")
    assert ask(provider, quiet) == Answer()


def test_cloudwatch_expression_has_its_placeholders_and_only_what_is_wanted_returns() -> None:
    client = Pages(series("slipway_value", 1.0, 3.0))
    where = {"namespace": "AWS/ApplicationELB", "metricName": "RequestCount", "statistic": "Sum"}
    where["dimensions"] = {"TargetGroup": "{targetGroup}", "LoadBalancer": "{loadBalancer}"}
    value = "100 * errors / SUM(SEARCH('{Sent,Release} Release=\"{release}\"', 'Sum'))"
    assert ask(cloudwatch(client), question(type="cloudwatch", metrics={"errors": where}, value=value)).value == 2.0
    metric, expression = client.asked["MetricDataQueries"]
    assert {each["Value"] for each in metric["MetricStat"]["Metric"]["Dimensions"]} == {
        "targetgroup/orders-green/1",
        "app/orders/1",
    }
    assert (metric["ReturnData"], expression["ReturnData"]) == (False, True)
    assert 'Release="r-2"' in expression["Expression"]


@pytest.mark.parametrize(("over", "value"), [("average", 3), ("maximum", 6), ("minimum", 1), ("sum", 9), ("last", 2)])
def test_cloudwatch_periods_become_one_value(over: str, value: float) -> None:
    asked = question(type="cloudwatch", metrics={"m": DEAD}, value="m", over=over)
    assert ask(cloudwatch(Pages(series("m", 1, 6, 2))), asked) == Answer(value=value)


@pytest.mark.parametrize(
    ("results", "fault"),
    [
        ([series("m", state="Forbidden")], "CloudWatch answers Forbidden to m"),
        ([series("m", 1, state="InternalError")], "CloudWatch answers InternalError to m"),
        ([series("m", 1, state="PartialData")], "CloudWatch answers PartialData to m"),
        ([series("m", 1, label="a"), series("m", 2, label="b")], "m gives 2 series, want one"),
    ],
)
def test_cloudwatch_answer_that_is_not_whole_is_a_fault(results: list[Any], fault: str) -> None:
    assert fault in ask(cloudwatch(Pages(*results)), question(type="cloudwatch", metrics={"m": DEAD}, value="m")).fault


def test_cloudwatch_that_does_not_answer_is_a_fault(aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    provider = CloudWatch(BALANCER, "us-east-1")
    asked = question(type="cloudwatch", metrics={"m": DEAD}, value="m", timeoutSeconds=3)
    assert ask(provider, asked).fault


# -- HTTP with JSON


def test_http_address_headers_and_body_have_their_placeholders_quoted() -> None:
    entry = {
        "type": "http",
        "method": "POST",
        "headers": {"X-Team": "orders"},
        "body": {"where": ['colour = "{colour}"', {"seconds": "{window}"}], "limit": 1},
        "bad": "sum(rows[].bad)",
        "total": "sum(rows[].total)",
    }
    rows = [{"bad": 1, "total": 40}, {"bad": 2, "total": 60}]
    with serve(lambda _body: (200, {"rows": rows})) as site:
        asked = question(url=f"{site.url}/numbers/{{release}}?since={{window}}", **entry)
        assert ask(HttpJson(no_secret), asked) == Answer(bad=3, total=100)
    ((path, headers, body),) = site.requests
    assert path == "/numbers/r-2?since=30"
    assert headers["X-Team"] == "orders"
    assert json.loads(body) == {"where": ['colour = "green"', {"seconds": "30"}], "limit": 1}


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"a": [{"b": 2.5}]}, Answer(value=2.5)),
        ({"a": [{"b": "7"}]}, Answer(value=7)),
        ({"a": [{"b": None}]}, Answer()),
        ({"a": []}, Answer()),
        ({"a": [{"b": True}]}, Answer(fault="'a[0].b' gives no number")),
        ({"a": [{"b": SECRET}]}, Answer(fault="'a[0].b' gives no number")),
        ({"a": [{"b": "nan"}]}, Answer(fault="'a[0].b' gives no number")),
        ({"a": [{"b": {"c": 1}}]}, Answer(fault="'a[0].b' gives no number")),
    ],
)
def test_http_value_is_looked_for_in_the_answer(document: Any, answer: Answer) -> None:
    with serve(lambda _path: (200, document)) as site:
        assert ask(HttpJson(no_secret), question(type="http", url=site.url, value="a[0].b")) == answer


def test_http_answer_that_is_none_is_a_fault() -> None:
    for reply, fault in (((302, {}), "answered 302"), ((404, {}), "answered 404"), ((200, b"ok"), "no JSON")):
        with serve(lambda _path, reply=reply: reply) as site:
            asked = question(type="http", url=site.url, value="a", secretHeader={"secret": "metrics"})
            answer = ask(HttpJson(the_secret), asked)
            assert fault in answer.fault
            assert [path for path, _, _ in site.requests] == ["/"]  # no redirect takes the secret elsewhere
            assert site.requests[0][1]["Authorization"] == SECRET
    with serve(lambda _path: (200, {"a": [SECRET]})) as site:
        asked = question(type="http", url=site.url, value="sum(a)")
        assert "cannot be applied to the answer" in ask(HttpJson(no_secret), asked).fault


# -- commands


def run(code: str, *arguments: str, declared: bool = True, **entry: Any) -> Answer:
    """What follows from a Python program."""
    asked = question(
        type="command", name="entry", maximum=0, argv=[sys.executable, "-I", "-c", code, *arguments], **entry
    )
    settings = RolloutSettings(analysis=(asked.entry,) if declared else ())
    return ask(Command(lambda: settings), asked)


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 255])
def test_exit_code_of_a_command_is_its_value(code: int) -> None:
    assert run(f"raise SystemExit({code})") == Answer(value=code)


def test_command_gets_its_arguments_as_they_are_and_no_environment_but_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)])); raise SystemExit(75)"
    arguments = ("$(id);{colour}", "{release} '\"", "{print}", "{window}", "{since}", "{until}")
    fault = run(code, *arguments, environment={"A": "b;c", "PATH": "/bin"}).fault
    given, environment = json.loads(fault.partition("says nothing: ")[2])
    until = int(NOW.timestamp())
    assert given == ["$(id);green", "r-2 '\"", "{print}", "30", str(until - 30), str(until)]
    assert {name: environment[name] for name in ("A", "PATH")} == {"A": "b;c", "PATH": "/bin"}
    assert set(environment) <= {"A", "PATH", "LC_CTYPE"}  # Python sets the last one itself


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("import time; time.sleep(60)", "did not end within 2 s"),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", "did not end within 2 s"),
        ("while True: print('x' * 1000)", "did not end within 2 s"),
        ("print('down'); print('password=hunter2', flush=True); raise SystemExit(75)", "says nothing: password=***"),
    ],
)
def test_command_that_does_not_end_well_is_a_fault(code: str, fault: str) -> None:
    began = time.monotonic()
    answer = run(code, timeoutSeconds=2)
    assert fault in answer.fault
    assert answer.value is None
    assert time.monotonic() - began < 20


def test_what_a_command_leaves_running_ends_with_it_and_its_output_is_bounded(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys;"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid)); print('x' * {LONGEST_OUTPUT * 20})"
    )
    began = time.monotonic()
    assert run(code, timeoutSeconds=20) == Answer(value=0)
    assert time.monotonic() - began < 15  # the child has the output open
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    pytest.fail("the child of the command still runs")


def test_refuses_a_command_that_the_stack_file_at_hand_does_not_have() -> None:
    assert "it is not run" in run("raise SystemExit(0)", declared=False).fault
    missing = question(type="command", argv=["no-such-program-here"])
    settings = RolloutSettings(analysis=(missing.entry,))
    assert "there is no program no-such-program-here" in ask(Command(lambda: settings), missing).fault


# -- Kubernetes


def pod_states(url: str) -> PodStates:
    def connect() -> Any:
        configuration = kubernetes.Configuration()
        configuration.host = url
        configuration.retries = 0
        return kubernetes.ApiClient(configuration)

    return PodStates(connect, "orders", "orders")


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    def status(given: dict[str, Any]) -> dict[str, Any]:
        return {"name": "c", "image": "i", "imageID": "i", "ready": True, "restartCount": 0, **given}

    statuses = {"containerStatuses": [*map(status, containers)], "initContainerStatuses": [*map(status, init)]}
    return {"metadata": {"name": "p"}, "status": {"phase": "Running", **statuses}}


KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}
PULLING = {"waiting": {"reason": "ImagePullBackOff"}}


@pytest.mark.parametrize(
    ("count", "pods", "answer"),
    [
        ("restarts", [pod({"restartCount": 2}, {}), pod({"restartCount": 1})], Answer(value=3)),
        ("restarts", [pod({}, init=({"restartCount": 4},))], Answer(value=4)),
        ("restarts", [pod({})], Answer(value=0)),
        ("restarts", [{"metadata": {"name": "p"}, "status": {"phase": "Pending"}}], Answer(value=0)),
        ("restarts", [], Answer()),
        ("out-of-memory", [pod({"lastState": KILLED}), pod({"lastState": ENDED})], Answer(value=1)),
        ("out-of-memory", [pod({"state": KILLED, "lastState": KILLED})], Answer(value=1)),
        ("image-pull-faults", [pod({"state": PULLING}), pod({"state": {"running": {}}})], Answer(value=1)),
        ("image-pull-faults", [pod({"state": {"waiting": {"reason": "CrashLoopBackOff"}}})], Answer(value=0)),
    ],
)
def test_containers_of_the_release_are_counted(count: str, pods: list[Any], answer: Answer) -> None:
    with serve(lambda _path: (200, {"kind": "PodList", "items": pods})) as site:
        assert (
            ask(pod_states(site.url), question(type="kubernetes", maximum=0, count=count, timeoutSeconds=30)) == answer
        )
    ((path, _, _),) = site.requests
    assert urlsplit(path).path == "/api/v1/namespaces/orders/pods"
    wanted = "app.kubernetes.io/name=orders,slipway.dev/colour=green,slipway.dev/release=r-2"
    assert parse_qs(urlsplit(path).query)["labelSelector"] == [wanted]


def test_cluster_that_refuses_or_does_not_answer_is_a_fault() -> None:
    asked = question(type="kubernetes", count="restarts")
    with serve(lambda _path: (403, {"kind": "Status", "code": 403})) as site:
        assert "the cluster does not list pods: 403" in ask(pod_states(site.url), asked).fault
    assert "the cluster does not answer" in ask(pod_states(site.url), asked).fault


# -- SQL


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with postgres_server(tmp_path_factory.mktemp("postgres"), "analysis", SECRET) as port:
        yield port


def sql_question(port: int, query: str, **entry: Any) -> Question:
    address = {"host": "127.0.0.1", "port": port, "database": "orders", "user": "orders", "password": {"secret": "db"}}
    return question(**{"type": "sql", "tls": "disable", "query": query, **address, **entry})


@pytest.mark.parametrize(
    ("query", "entry", "answer"),
    [
        ("select 2.5", {}, Answer(value=2.5)),
        ("select {window}", {}, Answer(value=30)),
        ("select {until} - {since}", {}, Answer(value=30)),
        ("select extract(epoch from to_timestamp({until}))", {}, Answer(value=NOW.timestamp())),
        ("select length({release} || {colour})", {}, Answer(value=8)),
        ("select count(*) from pg_class where relname like 'no%'", {}, None),
        ("select 3, 100", {"columns": "counts"}, Answer(bad=3, total=100)),
        ("select null", {}, Answer()),
        ("select 1 where false", {}, Answer()),
        ("select 3, null", {"columns": "counts"}, Answer()),
        ("select 'a'", {}, Answer(fault="the query gives no number")),
        ("select true", {}, Answer(fault="the query gives no number")),
        ("select 'NaN'::float", {}, Answer(fault="the query gives no number")),
        ("select 1 union all select 2", {}, Answer(fault="the query gives more than one row")),
        ("select 1, 2", {}, Answer(fault="the query gives 2 columns, want one")),
        ("create table t (id int)", {}, "cannot execute CREATE TABLE in a read-only transaction"),
        ("select pg_sleep(60)", {"timeoutSeconds": 12}, "canceling statement due to statement timeout"),
        ("selec 1", {}, "syntax error"),
    ],
)
def test_sql_gives_one_row_of_numbers(
    postgres: int, query: str, entry: dict[str, Any], answer: Answer | str | None
) -> None:
    found = ask(Sql(the_secret), sql_question(postgres, query, **entry))
    if answer is None:
        assert found.fault == ""
    elif isinstance(answer, str):
        assert answer in found.fault
    else:
        assert found == answer
    assert SECRET not in repr(found)


def test_sql_with_a_wrong_password_or_address_is_a_fault_without_the_password(postgres: int) -> None:
    def wrong(reference: SecretRef, timeout_seconds: float) -> str:
        return SECRET * 2

    for provider, port in ((Sql(wrong), postgres), (Sql(the_secret), 9)):
        fault = ask(provider, sql_question(port, "select 1")).fault
        assert fault.startswith("PostgreSQL at 127.0.0.1: ")
        assert SECRET not in fault
