"""HAProxy's configuration and commands, as texts. Not proven: that HAProxy takes them; the integration tests do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slipway.errors import UsageError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.traffic.command_line import PAYLOAD_LIMIT, parse_workers, replace_map
from slipway.sandbox.traffic.conditions import query_pattern, quote, render_conditions, wildcard_regex
from slipway.sandbox.traffic.model import (
    Condition,
    Forward,
    Listener,
    LoadBalancer,
    Plan,
    Redirect,
    Rule,
    Target,
    TargetGroup,
    WeightedGroup,
)
from slipway.sandbox.traffic.render import Files, redirect_locations, render

PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
BLUE, GREEN = f"{PREFIX}:targetgroup/blue/b1", f"{PREFIX}:targetgroup/green/g1"


def _plan(blue: int, green: int, *rules: Rule) -> Plan:
    action = Forward((WeightedGroup(BLUE, blue), WeightedGroup(GREEN, green)))
    listener = Listener(arn="l", port=80, rules=(*rules, Rule(identifier="l1/default", action=action)))
    balancer = LoadBalancer(
        arn=f"{PREFIX}:loadbalancer/app/edge/e1", account="1", region="r", address="127.0.10.1", listeners=(listener,)
    )
    groups = {arn: TargetGroup(arn=arn, account="1", region="r", in_use=True) for arn in (BLUE, GREEN)}
    return Plan(load_balancers=(balancer,), target_groups=groups)


def test_weights_and_targets_change_nothing_that_needs_a_reload() -> None:
    before = render(_plan(100, 0), {BLUE: [Target("10.0.0.1", 80)]}, Path("/t"))
    after = render(_plan(90, 10), {GREEN: [Target("10.0.0.2", 80)]}, Path("/t"))
    assert before.structure == after.structure
    assert before.servers != after.servers
    (slots,) = after.slots.values()
    assert (slots.count("blue_b1"), slots.count("green_g1")) == (900, 100)


def test_a_rule_or_a_timeout_changes_the_structure() -> None:
    plan = _plan(100, 0)
    before = render(plan, {}, Path("/t")).structure
    rule = Rule(identifier="l1/r1", conditions=(Condition("path-pattern", ("/x",)),), action=Forward(()))
    assert render(_plan(100, 0, rule), {}, Path("/t")).structure != before
    balancer = replace(plan.load_balancers[0], idle_timeout_seconds=5)
    assert render(replace(plan, load_balancers=(balancer,)), {}, Path("/t")).structure != before


def test_nothing_runs_when_there_is_no_listener() -> None:
    plan = _plan(100, 0)
    balancer = replace(plan.load_balancers[0], listeners=())
    assert render(replace(plan, load_balancers=(balancer,)), {}, Path("/t")).is_empty
    assert not render(plan, {}, Path("/t")).is_empty


def test_conditions_of_a_rule_all_hold_and_any_value_matches() -> None:
    text = render_conditions([Condition("path-pattern", ("/a/*", "/b?")), Condition("host-header", ("*.x.com",))])
    assert text == r"{ path -m reg '^/a/.*$' '^/b.$' } { req.hdr(host),field(1,:) -i -m reg '^.*\.x\.com$' }"


def test_foreign_texts_stay_one_word() -> None:
    assert quote('it\'s %[src] # "x"') == "'it'\\''s %[src] # \"x\"'"
    assert wildcard_regex("/a.b?*") == r"/a\.b..*"
    assert query_pattern("", "g*") == "(^|&)([^&=]*=)?g[^&]*(&|$)"


def test_refuses_a_control_character_in_a_rule() -> None:
    with pytest.raises(UsageError, match="control character"):
        quote("/x\nfrontend evil")


def test_refuses_a_target_that_would_begin_another_line() -> None:
    evil = Target("127.0.0.1:80\n  external-check command", 80)
    with pytest.raises(UsageError, match="control character"):
        render(_plan(100, 0), {BLUE: [evil]}, Path("/t"))


def test_redirect_keeps_the_query_only_when_there_is_one() -> None:
    listener = Listener(arn="l", port=80)
    locations = redirect_locations(Redirect(status=301, protocol="HTTPS", port="443"), listener)
    host, path = "%[req.hdr(host),field(1,:)]", "%[path,regsub(^/,)]"
    assert locations == [
        (f"https://{host}:443/{path}?%[query]", "{ query -m len gt 0 }"),
        (f"https://{host}:443/{path}", "!{ query -m len gt 0 }"),
    ]
    assert redirect_locations(Redirect(status=302, path="/100%", query=""), listener)[0][0].endswith("/100%%")


def test_map_is_replaced_in_pieces_that_fit_and_at_one_stroke() -> None:
    entries = [(str(slot), f"green_{'0' * 30}") for slot in range(1000)]
    *adds, commit = replace_map(Path("/t/w.map"), entries, 7)
    assert commit == "commit map @7 /t/w.map"
    assert len(adds) > 1
    assert all(len(command) < PAYLOAD_LIMIT + 100 for command in adds)
    lines = [line for command in adds for line in command.splitlines()[1:] if line]
    assert lines == [f"{key} {value}" for key, value in entries]


def test_workers_are_read_from_the_masters_words() -> None:
    answer = """#<PID>          <type>          <reloads>       <uptime>        <version>
26086           master          2 [failed: 1]   0d00h01m01s     2.6.12-1+deb12u4
# workers
28323           worker          0               0d00h00m00s     2.6.12-1+deb12u4
# old workers
28182           worker          1               0d00h00m02s     2.6.12-1+deb12u4
# programs
"""
    workers = parse_workers(answer)
    assert (workers.current, workers.old, workers.failed_reloads) == (28323, (28182,), 1)
    assert workers.all == (28323, 28182)


def test_sockets_have_short_paths_however_deep_the_home_is() -> None:
    for home in (Path("/root/.slipway"), Path("/" + "x" * 200)):
        socket = Files.of(SandboxPaths(home)).master_socket
        assert len(f"{socket}.4194304.tmp") <= 107  # what `sockaddr_un` holds, and the highest pid
    assert Files.of(SandboxPaths(Path("/a" * 100))).sockets != Files.of(SandboxPaths(Path("/b" * 100))).sockets
