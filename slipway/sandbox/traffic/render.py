"""From a plan to HAProxy's configuration: pure, and split into what needs a reload and what does not."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.traffic.conditions import one_line, quote, render_conditions
from slipway.sandbox.traffic.model import FixedResponse, Listener, Plan, Redirect, Rule, Target, TargetGroup
from slipway.sandbox.traffic.weights import SLOTS, STRIDE, assign_slots

ALGORITHMS = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn", "weighted_random": "random(2)"}
RUNTIME_FOLDER = Path("/run/slipway-traffic")
LONGEST_SOCKET_FOLDER = 75
"""Bytes. A socket's path has 107 at most, and HAProxy binds to `<path>.<pid>.tmp` first; source: unix(7)."""
ACCOUNT = "haproxy"
REPLACED = "replaced"
"""The key of the map that tells a worker that there is a newer one."""
LOG_DESCRIPTOR = 3
"""The one that HAProxy is started with, for its request log."""
ERRORS = {
    400: "Bad Request",
    408: "Request Time-out",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


@dataclass(frozen=True)
class Files:
    """Where HAProxy's files are."""

    root: Path

    @classmethod
    def of(cls, paths: SandboxPaths) -> Files:
        """Those of one sandbox."""
        return cls(paths.sandbox / "traffic")

    @property
    def configuration(self) -> Path:
        return self.root / "haproxy.cfg"

    @property
    def sockets(self) -> Path:
        """Below a deep home the path of a socket would be too long: then a folder of its own, named by the home."""
        return self.root if len(str(self.root).encode()) <= LONGEST_SOCKET_FOLDER else self.runtime

    @property
    def master_socket(self) -> Path:
        return self.sockets / "master.sock"

    @property
    def worker_socket(self) -> Path:
        return self.sockets / "worker.sock"

    @property
    def runtime(self) -> Path:
        """For what the workers' account has to reach: their home may be closed to it."""
        return RUNTIME_FOLDER / hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    def successor(self, frontend: str) -> Path:
        """Where the newest worker takes what an old one hands on."""
        return self.runtime / f"{hashlib.sha256(frontend.encode()).hexdigest()[:12]}.sock"

    @property
    def replaced(self) -> Path:
        """A map that is empty, but in workers that a reload has replaced."""
        return self.root / "replaced.map"

    def make_runtime(self) -> None:
        """Make the folders of the sockets."""
        self.sockets.mkdir(parents=True, exist_ok=True)
        self.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.runtime, ACCOUNT, ACCOUNT)

    def remove_runtime(self) -> None:
        """Remove what is outside the root."""
        shutil.rmtree(self.runtime, ignore_errors=True)
        if self.sockets != self.root:
            shutil.rmtree(self.sockets, ignore_errors=True)

    @property
    def log_pipe(self) -> Path:
        return self.root / "requests.pipe"

    @property
    def errors(self) -> Path:
        return self.root / "errors"

    def weights(self, rule: Rule) -> Path:
        """The map from slot to backend of one forward action."""
        return self.root / "weights" / f"{rule.file_name}.map"

    def body(self, rule: Rule) -> Path:
        """The body of one fixed response."""
        return self.root / "bodies" / rule.file_name

    def certificate(self, arn: str) -> Path:
        """Certificate and key of an HTTPS listener, in one PEM file."""
        return self.root / "certificates" / f"{hashlib.sha256(arn.encode()).hexdigest()[:16]}.pem"


@dataclass(frozen=True, kw_only=True)
class Desired:
    """What HAProxy should run with."""

    structure: str
    """The configuration without servers. A change of it takes a reload; nothing else does."""
    configuration: str
    """The whole configuration, for a start or a reload."""
    servers: Mapping[str, frozenset[Target]]
    """By backend: who gets new requests."""
    server_options: Mapping[str, str]
    """By backend: what follows the address on its server lines."""
    slots: Mapping[Path, tuple[str, ...]]
    """By map file: the backend of each slot."""
    files: Mapping[Path, str]
    """Bodies, certificates and error pages; their content is part of `structure` by hash."""

    @property
    def is_empty(self) -> bool:
        """No listener: HAProxy need not run."""
        return "\nfrontend " not in self.structure


def render(plan: Plan, serving: Mapping[str, Collection[Target]], root: Path) -> Desired:
    """The configuration of `plan`. `serving`: the targets that get requests, by target group ARN."""
    files = Files(root)
    used = [group for group in plan.target_groups.values() if group.in_use]
    written = {
        files.body(rule): rule.action.body
        for balancer in plan.load_balancers
        for listener in balancer.listeners
        for rule in listener.rules
        if isinstance(rule.action, FixedResponse)
    }
    written[files.replaced] = ""
    written |= {files.errors / f"{status}.http": _error_page(status, text) for status, text in ERRORS.items()}
    written |= {
        files.certificate(certificate.arn): certificate.pem
        for balancer in plan.load_balancers
        for listener in balancer.listeners
        for certificate in listener.certificates
    }
    digest = hashlib.sha256(repr(sorted(written.items())).encode()).hexdigest()
    slots: dict[Path, tuple[str, ...]] = {}
    for rule, forward in plan.forwards():
        known = [share for share in forward.groups if share.arn in plan.target_groups]
        slots[files.weights(rule)] = tuple(plan.target_groups[arn].backend for arn in assign_slots(known))
    structure = f"{_render(plan, used, {}, files)}# files {digest}\n"
    return Desired(
        structure=structure,
        configuration=f"{_render(plan, used, serving, files)}# files {digest}\n",
        servers={group.backend: frozenset(serving.get(group.arn, ())) for group in used},
        server_options={group.backend: server_options(group) for group in used},
        slots=slots,
        files=written,
    )


def server_options(group: TargetGroup) -> str:
    """What follows the address on a server line."""
    tls = " ssl verify none" if group.protocol == "HTTPS" else ""
    return f"{tls} proto h2" if group.protocol_version in ("HTTP2", "GRPC") else tls


def _render(plan: Plan, used: Sequence[TargetGroup], serving: Mapping[str, Collection[Target]], files: Files) -> str:
    return _TEMPLATE.render(
        files=files,
        balancers=plan.load_balancers,
        groups=used,
        servers={arn: sorted(targets) for arn, targets in serving.items()},
    )


def _conditions(rule: Rule) -> str:
    return render_conditions(rule.conditions)


def _kind(rule: Rule) -> str:
    return type(rule.action).__name__


def _algorithm(group: TargetGroup) -> str:
    return ALGORITHMS[group.algorithm]


def redirect_locations(redirect: Redirect, listener: Listener) -> list[tuple[str, str]]:
    """The `Location` with and without a query string, as log-formats, each with the ACL that chooses it."""
    values = {
        "protocol": listener.protocol.lower(),
        "host": "%[req.hdr(host),field(1,:)]",
        "port": "%[dst_port]",
        "path": "%[path,regsub(^/,)]",
        "query": "%[query]",
    }
    protocol = redirect.protocol if redirect.protocol.startswith("#") else redirect.protocol.lower()
    base = f"{protocol}://{redirect.host}:{redirect.port}{redirect.path}"
    plain = _fill(base, values)
    if not redirect.query:
        return [(plain, "")]
    full = f"{plain}?{_fill(redirect.query, values)}"
    if redirect.query != "#{query}":
        return [(full, "")]
    return [(full, "{ query -m len gt 0 }"), (plain, "!{ query -m len gt 0 }")]


def _fill(text: str, values: Mapping[str, str]) -> str:
    pieces = re.split(r"#\{(\w+)\}", text)
    return "".join(values[piece] if index % 2 else piece.replace("%", "%%") for index, piece in enumerate(pieces))


def _error_page(status: int, text: str) -> str:
    title = f"{status} {text}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return (
        f"HTTP/1.1 {status} {text}\r\nServer: awselb/2.0\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
    finalize=one_line,
    autoescape=False,  # noqa: S701 - a configuration file, not HTML; every foreign text goes through quote()
)
_TEMPLATE = _ENVIRONMENT.get_template(
    "haproxy.cfg.j2",
    globals={
        "conditions": _conditions,
        "kind": _kind,
        "algorithm": _algorithm,
        "server_options": server_options,
        "quote": quote,
        "locations": redirect_locations,
        "log_descriptor": LOG_DESCRIPTOR,
        "account": ACCOUNT if os.geteuid() == 0 else "",
        "stride": STRIDE,
        "slots": SLOTS,
    },
)
