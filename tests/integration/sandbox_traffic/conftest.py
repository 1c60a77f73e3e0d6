"""A real HAProxy over moto's state in this process, with small HTTP servers as targets. All of it on loopback."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

sys.path.insert(0, str(Path(__file__).parent))

from load_kit import PATIENCE_SECONDS, Calls, Load

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.traffic import Traffic, addresses
from slipway.sandbox.traffic.data_plane import PROCESS_NAME
from slipway.sandbox.traffic.render import Files

PORT = 18080
HAPROXY_LOG_CHARACTERS = 20_000
REGION = "us-east-1"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TargetServer

    def do_GET(self) -> None:
        if self.headers.get("User-Agent") != "ELB-HealthChecker/2.0":
            self.server.seen.append(self.path)
            self.server.answers.wait(PATIENCE_SECONDS)
            time.sleep(self.server.delay_seconds)
        status = self.server.health if self.path == "/healthz" else self.server.status
        headers = "".join(f"\n{name.lower()}: {value}" for name, value in self.headers.items())
        body = (self.server.name + headers).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name is the base class's protocol

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args


class TargetServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A target that says who it is."""

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.status = 200
        self.health = 200
        self.delay_seconds = 0.0
        self.answers = threading.Event()
        """Cleared: requests are taken, and answered when it is set."""
        self.answers.set()
        self.seen: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def target(self) -> dict[str, Any]:
        return {"Id": "127.0.0.1", "Port": self.port}


@dataclass
class Lab:
    """What a test works with."""

    elbv2: Any
    traffic: Traffic
    paths: SandboxPaths
    processes: ProcessTable
    network: str
    """The first three bytes of the load balancers' addresses."""
    vpc_id: str
    subnet_ids: list[str]
    servers: list[TargetServer] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)

    def serve(self, name: str) -> TargetServer:
        server = TargetServer(name)
        self.servers.append(server)
        return server

    def load_balancer(self, name: str = "edge") -> dict[str, Any]:
        return self.elbv2.create_load_balancer(Name=name, Subnets=self.subnet_ids)["LoadBalancers"][0]

    def target_group(self, name: str, *servers: TargetServer, **settings: Any) -> str:
        arn = self.elbv2.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=self.vpc_id,
            TargetType="ip",
            **{
                "HealthCheckPath": "/healthz",
                "HealthCheckIntervalSeconds": 5,
                "HealthCheckTimeoutSeconds": 2,
                **settings,
            },
        )["TargetGroups"][0]["TargetGroupArn"]
        if servers:
            self.elbv2.register_targets(TargetGroupArn=arn, Targets=[server.target for server in servers])
        return arn

    def listener(self, balancer: dict[str, Any], weights: dict[str, int], port: int = PORT) -> str:
        return self.elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[_forward(weights)],
        )["Listeners"][0]["ListenerArn"]

    def health(self, arn: str) -> dict[int, tuple[str, str]]:
        rows = self.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {
            row["Target"]["Port"]: (row["TargetHealth"]["State"], row["TargetHealth"].get("Reason", "")) for row in rows
        }

    def wait_healthy(self, *arns: str) -> None:
        self.wait(lambda: all(set(self.health(arn).values()) == {("healthy", "")} for arn in arns), "healthy targets")

    def weigh(self, listener: str, weights: dict[str, int]) -> None:
        self.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[_forward(weights)])

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.05)

    def load(self, address: str, **settings: Any) -> Load:
        return Load(address, PORT, self.calls, **settings)

    def restart_daemon(self) -> None:
        """What a daemon restart does: the old object ends, a new one takes over what runs."""
        self.traffic.stop()
        self.traffic = Traffic(self.paths, self.processes)
        self.traffic.start()

    def get(self, address: str, path: str = "/", port: int = PORT, **headers: str) -> Answer:
        return _get(address, path, port, headers)


def _own_network() -> str:
    """A network of loopback addresses that no other process uses: neither the machine's sandbox, whose load balancers may listen on
    the same ports, nor another run of these tests."""
    pid = os.getpid()
    return f"127.{100 + pid // 256 % 100}.{pid % 256}"


def _forward(weights: dict[str, int]) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: str
    headers: dict[str, str]


def _get(address: str, path: str, port: int, headers: dict[str, str]) -> Answer:
    with contextlib.closing(http.client.HTTPConnection(address, port, timeout=PATIENCE_SECONDS)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        body = response.read().decode()
    return Answer(response.status, body, {name.lower(): value for name, value in response.getheaders()})


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        # botocore must not look for other credentials or a proxy.
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    network = _own_network()
    monkeypatch.setattr(addresses, "NETWORK", network)
    # Short on purpose: a unix socket's path may have 107 bytes.
    home: Path = tmp_path_factory.mktemp("t")
    paths = SandboxPaths(home)
    processes = ProcessTable(paths)
    with mock_aws():
        ec2 = boto3.client("ec2", REGION)
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for index, zone in enumerate("ab")
        ]
        traffic = Traffic(paths, processes)
        elbv2 = boto3.client("elbv2", REGION)
        subnet_ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        current = Lab(elbv2, traffic, paths, processes, network, vpc_id, subnet_ids)
        service = "elastic-load-balancing-v2"
        elbv2.meta.events.register(f"before-call.{service}", lambda model, **_: current.calls.begin(model.name))
        elbv2.meta.events.register(f"after-call.{service}", lambda **_: current.traffic.on_api_change("elbv2"))
        elbv2.meta.events.register_last(f"after-call.{service}", lambda **_: current.calls.end())
        traffic.start()
        try:
            yield current
        finally:
            current.traffic.stop()
            processes.stop(PROCESS_NAME)
            Files.of(paths).remove_runtime()
            # pytest shows it when the test has failed: reloads, workers that ended, sockets that were not handed on.
            with contextlib.suppress(FileNotFoundError):
                sys.stdout.write(processes.log_path(PROCESS_NAME).read_text()[-HAPROXY_LOG_CHARACTERS:])
            for server in current.servers:
                server.shutdown()
                server.server_close()
