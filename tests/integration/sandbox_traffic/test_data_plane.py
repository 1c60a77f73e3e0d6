"""Requests through a real HAProxy while weights, targets and listeners change.

Not proven here: that pods are found and drained; see the e2e tests.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from slipway.contract.routes import plan_matches
from slipway.delivery.model.target import RolloutSettings
from tests.listening import listening

PORT = 18080
# HAProxy is meant to outlive the object that started it.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def _two_groups(lab: Any, weights: tuple[int, int]) -> tuple[dict[str, Any], str, str, str]:
    balancer = lab.load_balancer()
    blue = lab.target_group("blue", lab.serve("blue"))
    green = lab.target_group("green", lab.serve("green"))
    listener = lab.listener(balancer, {blue: weights[0], green: weights[1]})
    lab.wait_healthy(blue, green)
    return balancer, listener, blue, green


def test_requests_are_split_by_weight_when_connections_stay_open(lab: Any) -> None:
    balancer, _, _, _ = _two_groups(lab, (90, 10))
    address = balancer["DNSName"]
    assert address == f"{lab.network}.1"
    connection = http.client.HTTPConnection(address, PORT, timeout=60)
    seen: list[str] = []
    for _ in range(1000):
        connection.request("GET", "/")
        seen.append(connection.getresponse().read().decode().splitlines()[0])
    connection.close()
    assert seen.count("green") == 100
    assert max(abs(seen[index : index + 100].count("green") - 10) for index in range(900)) <= 2


def test_no_request_fails_and_none_reaches_a_group_of_weight_zero_when_weights_flip_under_load(lab: Any) -> None:
    balancer, listener, blue, green = _two_groups(lab, (100, 0))
    green_server = lab.servers[1]
    slowest = 0.0
    with lab.load(balancer["DNSName"]) as load:
        for weights in [(50, 50), (0, 100), (100, 0)] * 5:
            load.flow()
            started = time.monotonic()
            lab.weigh(listener, {blue: weights[0], green: weights[1]})
            slowest = max(slowest, time.monotonic() - started)
        # Requests that were routed before the flip may still be on their way to a thread of the target.
        load.flow()
        settled = len(green_server.seen)
        load.flow()
        assert len(green_server.seen) == settled
    assert load.failures == []
    assert load.answers["blue"] > 100
    assert load.answers["green"] > 100
    # The API call included. Milliseconds on an idle machine; the limit is that of a release.
    assert slowest < 2


@pytest.mark.parametrize("target", [{"Id": "127.0.0.1:80\n  x"}, {"Id": "::1"}, {"Id": "127.0.0.1", "Port": 65536}])
def test_refuses_a_target_that_is_no_address_and_port(lab: Any, target: dict[str, Any]) -> None:
    group = lab.target_group("blue")
    for call in (lab.elbv2.register_targets, lab.elbv2.describe_target_health):
        with pytest.raises(ClientError, match="ValidationError"):
            call(TargetGroupArn=group, Targets=[target])


def test_no_request_fails_when_targets_come_and_go_under_load(lab: Any) -> None:
    balancer = lab.load_balancer()
    first, second = lab.serve("first"), lab.serve("second")
    group = lab.target_group("blue", first, second)
    lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    with lab.load(balancer["DNSName"]) as load:
        for _ in range(8):
            lab.elbv2.deregister_targets(TargetGroupArn=group, Targets=[second.target])
            load.flow()
            lab.elbv2.register_targets(TargetGroupArn=group, Targets=[second.target])
            lab.wait_healthy(group)
            load.flow()
    assert load.failures == []
    assert load.answers["first"] > 100
    assert load.answers["second"] > 50


def test_no_request_fails_when_listeners_change_under_load(lab: Any) -> None:
    balancer, listener, _blue, green = _two_groups(lab, (100, 0))
    with lab.load(balancer["DNSName"], connections=8) as load:
        for priority in range(1, 7):
            lab.elbv2.create_rule(
                ListenerArn=listener,
                Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [f"/rule-{priority}/*"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": green}],
            )
            load.flow(12)
        lab.listener(balancer, {green: 1}, PORT + 1)
        load.flow(12)
    assert load.failures == []
    assert load.answers["green"] == 0
    assert load.total > 500
    assert lab.get(balancer["DNSName"], "/rule-3/x").body.startswith("green")
    assert lab.get(balancer["DNSName"], port=PORT + 1).body.startswith("green")


def test_connection_of_before_a_reload_follows_the_weights_and_targets_of_after_it(lab: Any) -> None:
    balancer, listener, blue, green = _two_groups(lab, (100, 0))
    old_green = lab.servers[1]
    with contextlib.closing(http.client.HTTPConnection(balancer["DNSName"], PORT, timeout=60)) as connection:
        connection.request("GET", "/")
        assert connection.getresponse().read().startswith(b"blue")
        # A listener more is a reload, while this connection stays with the worker of before.
        lab.listener(balancer, {blue: 1}, PORT + 1)
        lab.elbv2.register_targets(TargetGroupArn=green, Targets=[lab.serve("new green").target])
        lab.wait_healthy(green)
        lab.elbv2.deregister_targets(TargetGroupArn=green, Targets=[old_green.target])
        lab.weigh(listener, {blue: 0, green: 100})
        connection.request("GET", "/")
        answer = connection.getresponse()
        name, *headers = answer.read().splitlines()
        assert (answer.status, name) == (200, b"new green")
        assert [line for line in headers if line.startswith(b"x-forwarded-for")] == [b"x-forwarded-for: 127.0.0.1"]
        assert answer.headers["connection"] == "close", "the new worker answered: this tried nothing"


def test_no_request_fails_and_nothing_reloads_when_the_daemon_restarts_under_load(lab: Any) -> None:
    balancer, listener, blue, green = _two_groups(lab, (50, 50))
    lab.elbv2.register_targets(TargetGroupArn=blue, Targets=[lab.serve("extra").target])
    lab.wait_healthy(blue)
    before = lab.processes.find("haproxy")
    with lab.load(balancer["DNSName"]) as load:
        load.flow()
        lab.restart_daemon()
        assert set(lab.health(blue).values()) == {("healthy", "")}
        load.flow()
        lab.weigh(listener, {blue: 0, green: 100})
        load.flow()
    assert load.failures == []
    assert lab.processes.find("haproxy") == before
    assert "Reloading" not in lab.processes.log_tail("haproxy")
    assert lab.get(balancer["DNSName"]).body.startswith("green")


def test_requests_finish_when_their_target_is_deregistered(lab: Any) -> None:
    balancer = lab.load_balancer()
    slow = lab.serve("slow")
    slow.answers.clear()
    group = lab.target_group("blue", slow, lab.serve("other"))
    lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    with lab.load(balancer["DNSName"], connections=4) as load:
        lab.wait(lambda: len(slow.seen) == 4, "every connection waits for the slow target")
        lab.elbv2.deregister_targets(TargetGroupArn=group, Targets=[slow.target])
        assert lab.health(group)[slow.port] == ("draining", "Target.DeregistrationInProgress")
        slow.answers.set()
        load.flow()
    assert load.failures == []
    assert len(slow.seen) == load.answers["slow"] == 4


def test_request_goes_to_another_target_when_a_connection_is_refused(lab: Any) -> None:
    balancer = lab.load_balancer()
    alive, dead = lab.serve("alive"), lab.serve("dead")
    group = lab.target_group("blue", alive, dead)
    lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    dead.shutdown()
    dead.server_close()
    answers = [lab.get(balancer["DNSName"]) for _ in range(20)]
    assert {(answer.status, answer.body.splitlines()[0]) for answer in answers} == {(200, "alive")}


def test_share_of_an_empty_group_is_answered_503_as_an_alb_does(lab: Any) -> None:
    balancer = lab.load_balancer()
    blue, empty = lab.target_group("blue", lab.serve("blue")), lab.target_group("empty")
    lab.listener(balancer, {blue: 50, empty: 50})
    lab.wait_healthy(blue)
    answers = [lab.get(balancer["DNSName"]) for _ in range(100)]
    statuses = [answer.status for answer in answers]
    assert 48 <= statuses.count(503) <= 52
    assert {answer.headers["server"] for answer in answers if answer.status == 503} == {"awselb/2.0"}


def test_unhealthy_targets_get_requests_only_when_no_other_is_healthy(lab: Any) -> None:
    balancer = lab.load_balancer()
    good, bad = lab.serve("good"), lab.serve("bad")
    bad.health = 500
    group = lab.target_group("blue", good, bad, UnhealthyThresholdCount=2)
    lab.listener(balancer, {group: 1})
    lab.wait(lambda: lab.health(group)[good.port][0] == "healthy", "the good target is healthy")
    checking = ("initial", "Elb.InitialHealthChecking")
    lab.wait(lambda: lab.health(group)[bad.port] == checking, "the bad target was checked once, too")
    assert {lab.get(balancer["DNSName"]).body.splitlines()[0] for _ in range(10)} == {"good"}
    unhealthy = ("unhealthy", "Target.ResponseCodeMismatch")
    lab.wait(lambda: lab.health(group)[bad.port] == unhealthy, "the bad target is unhealthy")
    lab.elbv2.deregister_targets(TargetGroupArn=group, Targets=[good.target])
    assert {lab.get(balancer["DNSName"]).body.splitlines()[0] for _ in range(10)} == {"bad"}


def test_rules_choose_by_path_host_header_method_and_query(lab: Any) -> None:
    balancer, listener, _, green = _two_groups(lab, (100, 0))
    conditions = [
        {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*", "/it's/?.js"]}},
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.Green.example"]}},
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Colour", "Values": ["gr*n"]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "colour", "Value": "green"}]}},
    ]
    for priority, condition in enumerate(conditions, start=1):
        lab.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[condition],
            Actions=[{"Type": "forward", "TargetGroupArn": green}],
        )
    address = balancer["DNSName"]

    def colour(path: str = "/", **headers: str) -> str:
        return lab.get(address, path, **headers).body.splitlines()[0]

    assert colour() == "blue"
    assert colour("/img/a/b.png") == "green"
    assert colour("/it's/a.js") == "green"
    assert colour("/it's/ab.js") == "blue"
    assert colour(Host="www.green.example:80") == "green"
    assert colour(X_Colour="Green") == "green"
    assert colour("/?a=1&colour=green") == "green"
    assert colour("/?a=1&colour=greener") == "blue"


def test_routes_of_a_release_find_its_header_and_its_cookie_and_nobody_else(lab: Any) -> None:
    balancer, listener, _, green = _two_groups(lab, (100, 0))
    written = [
        {"header": {"name": "X-Canary", "value": "al*y?"}},
        {"header": {"name": "X-Group", "value": "a.b (c)"}},
        {"cookie": {"name": "canary", "value": "1"}},
    ]
    settings = RolloutSettings.model_validate({"routes": written})
    for priority, match in enumerate(plan_matches(settings.routes), start=2):
        config = {"HttpHeaderName": match.header, "Values": list(match.values)}
        lab.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "http-header", "HttpHeaderConfig": config}],
            Actions=[{"Type": "forward", "TargetGroupArn": green}],
        )

    def colour(**headers: str) -> str:
        return lab.get(balancer["DNSName"], **headers).body.splitlines()[0]

    assert [colour(X_Canary=value) for value in ("always", "Al-12-Ys", "aly1")] == ["green"] * 3
    assert [colour(X_Canary=value) for value in ("alway", "xalways", "alwayss1", "")] == ["blue"] * 4
    assert [colour(X_Group=value) for value in ("a.b (c)", "A.B (C)", "aXb (c)", "a.b c")] == ["green"] * 2 + [
        "blue"
    ] * 2
    for cookie in ("canary=1", "Canary=1; a=b", "a=b; canary=1", "a=b; canary=1; c=d", "a=1; xcanary=2; canary=1; b=2"):
        assert colour(Cookie=cookie) == "green", cookie
    for cookie in ("canary=12", "xcanary=1", "a=b; xcanary=1; c=d", "a=b; canary=12; c=d", "a=canary=1", "canary=0"):
        assert colour(Cookie=cookie) == "blue", cookie


def test_fixed_response_and_redirect_answer_without_a_target(lab: Any) -> None:
    balancer, listener, _, _ = _two_groups(lab, (100, 0))
    body = 'it\'s "100 %"\n#{path}'
    fixed = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": body}
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    for priority, (path, action) in enumerate(
        [
            ("/fixed", {"Type": "fixed-response", "FixedResponseConfig": fixed}),
            ("/away*", {"Type": "redirect", "RedirectConfig": redirect}),
        ],
        start=1,
    ):
        lab.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path]}],
            Actions=[action],
        )
    address = balancer["DNSName"]
    answer = lab.get(address, "/fixed")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (418, body, "text/plain")
    assert (
        lab.get(address, "/away/x?y=1", Host="shop.example").headers["location"]
        == "https://shop.example:443/away/x?y=1"
    )
    assert lab.get(address, "/away", Host="shop.example").headers["location"] == "https://shop.example:443/away"


def test_targets_see_the_headers_that_an_alb_adds(lab: Any) -> None:
    balancer, _, _, _ = _two_groups(lab, (100, 0))
    seen = lab.get(balancer["DNSName"], X_Forwarded_For="203.0.113.9", X_Amzn_Trace_Id="Root=1-67891233-abc").body
    headers = dict(line.split(": ", 1) for line in seen.splitlines()[1:])
    assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == str(PORT)
    assert headers["x-amzn-trace-id"].startswith("Self=1-")
    assert headers["x-amzn-trace-id"].endswith(";Root=1-67891233-abc")
    plain = dict(line.split(": ", 1) for line in lab.get(balancer["DNSName"]).body.splitlines()[1:])
    root, started, identifier = plain["x-amzn-trace-id"].split("-")
    assert root == "Root=1"
    assert abs(int(started, 16) - time.time()) < 5
    assert len(identifier) == 24


def test_refuses_a_listener_when_the_port_is_taken(lab: Any) -> None:
    balancer = lab.load_balancer()
    blue = lab.target_group("blue")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((balancer["DNSName"], PORT))
        other.listen()
        with pytest.raises(
            ClientError, match=rf"cannot listen on {balancer['DNSName']}:{PORT}.*in use.*another listener port"
        ):
            lab.listener(balancer, {blue: 1})
    lab.listener(balancer, {blue: 1})
    with pytest.raises(ClientError, match="listener with the specified port already exists"):
        lab.listener(balancer, {blue: 1})


def test_refuses_what_the_data_plane_cannot_serve(lab: Any) -> None:
    with pytest.raises(ClientError, match="does not support load balancers of type 'network'"):
        lab.elbv2.create_load_balancer(Name="net", Subnets=lab.subnet_ids, Type="network")
    group = lab.target_group("blue")
    with pytest.raises(ClientError, match="does not support sticky sessions"):
        lab.elbv2.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "stickiness.enabled", "Value": "true"}]
        )


def test_refused_nonsense_keeps_no_later_change_from_taking_effect(lab: Any) -> None:
    balancer, group = lab.load_balancer(), lab.target_group("web", lab.serve("one"))
    listener, raw = lab.listener(balancer, {group: 1}), lab.elbv2
    raw.meta.config.parameter_validation = False  # as a client that checks nothing
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "ContentType": "image/png"}}
    for call, arguments in (
        (raw.modify_load_balancer_attributes, {"Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "x"}]}),
        (raw.create_listener, {"Protocol": "TCP", "Port": PORT + 1, "DefaultActions": [fixed]}),
    ):
        with pytest.raises(ClientError, match="ValidationError"):
            call(LoadBalancerArn=balancer["LoadBalancerArn"], **arguments)
    for call, arguments in (
        (raw.modify_target_group, {"TargetGroupArn": group, "HealthCheckPort": "http"}),
        (raw.modify_listener, {"ListenerArn": listener, "DefaultActions": [{"Type": "redirect"}]}),
        (raw.modify_listener, {"ListenerArn": listener, "DefaultActions": [fixed]}),
    ):
        with pytest.raises(ClientError, match=r"ValidationError|InvalidLoadBalancerAction"):
            call(**arguments)
    fixed["FixedResponseConfig"] = {"StatusCode": "204", "MessageBody": "HTTP has none here"}
    raw.modify_listener(ListenerArn=listener, DefaultActions=[fixed])
    assert lab.get(balancer["DNSName"]).status == 204


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root cannot become another account")
def test_workers_are_an_account_of_their_own(lab: Any) -> None:
    lab.listener(lab.load_balancer(), {lab.target_group("web"): 1})
    assert {(each.account, each.port) for each in listening(lab.processes)} == {("haproxy", PORT)}


def test_ports_close_and_address_is_free_when_the_load_balancer_is_deleted(lab: Any) -> None:
    balancer, _, blue, _ = _two_groups(lab, (100, 0))
    assert lab.health(blue)
    lab.elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    with pytest.raises(ConnectionRefusedError):
        lab.get(balancer["DNSName"])
    assert set(lab.health(blue).values()) == {("unused", "Target.NotInUse")}
    assert lab.load_balancer("next")["DNSName"] == balancer["DNSName"]
