"""Probes targets as ELB-HealthChecker/2.0 does, each at its target group's interval."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from slipway.log import get_logger
from slipway.sandbox.traffic.health import TIMEOUT, Outcome, matches
from slipway.sandbox.traffic.model import HealthCheck, Target

log = get_logger(__name__)

Probe = tuple[str, Target]
"""ARN of the target group, and the target."""
STOP_TIMEOUT_SECONDS = 5


class Checker:
    """A task per target, in one event loop of its own thread."""

    def __init__(self, report: Callable[[str, Target, Outcome], None]) -> None:
        """`report` is called after each check, in a worker thread: it may block."""
        self._report = report
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="target-health", daemon=True)
        self._checks: dict[Probe, HealthCheck] = {}
        self._tasks: dict[Probe, Future[None]] = {}

    def start(self) -> None:
        """Begin to probe."""
        self._thread.start()

    def stop(self) -> None:
        """End all probes."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(STOP_TIMEOUT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def follow(self, checks: Mapping[Probe, HealthCheck]) -> None:
        """Probe these and no others. A new target is probed at once; a changed setting restarts the target's probes."""
        for probe in [probe for probe in self._tasks if checks.get(probe) != self._checks.get(probe)]:
            self._tasks.pop(probe).cancel()
        for probe, check in checks.items():
            if probe not in self._tasks:
                self._tasks[probe] = asyncio.run_coroutine_threadsafe(self._probe(probe, check), self._loop)
        self._checks = dict(checks)

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _probe(self, probe: Probe, check: HealthCheck) -> None:
        arn, target = probe
        while True:
            outcome = await check_target(target, check)
            try:
                await asyncio.to_thread(self._report, arn, target, outcome)
            except Exception:
                # A target that is no longer probed would keep its last state for ever.
                log.exception("health report failed", target=target.key)
            await asyncio.sleep(check.interval_seconds)


async def check_target(target: Target, check: HealthCheck) -> Outcome:
    """One check of one target."""
    if check.dropped:
        return TIMEOUT
    try:
        async with asyncio.timeout(check.timeout_seconds):
            code = await _request(target, check)
    except TimeoutError:
        return TIMEOUT
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return Outcome(False, "Target.FailedHealthChecks", "Health checks failed")
    if code is None or matches(code, check.matcher):
        return Outcome(True)
    return Outcome(False, "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]")


async def _request(target: Target, check: HealthCheck) -> int | None:
    """The status code; None for a TCP check, which passes when it connects."""
    port = check.port_of(target)
    context = None
    if check.protocol == "HTTPS":
        # An ALB does not verify the certificates of its targets.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(target.address, port, ssl=context)
    try:
        if check.protocol not in ("HTTP", "HTTPS"):
            return None
        head = f"GET {check.path} HTTP/1.1\r\nHost: {target.address}:{port}\r\n"
        writer.write(f"{head}User-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n".encode())
        version, code, *_ = (await reader.readuntil(b"\n")).split(maxsplit=2)
        if not version.startswith(b"HTTP/"):
            raise ValueError("not HTTP")
        # Read to the end: a server that is cut off while it answers logs an error each time.
        while await reader.read(65536):
            pass
        return int(code)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
