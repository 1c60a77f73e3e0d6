"""Constant load on one address, in a process of its own, so that a busy deployment does not slow the clients that judge it.

`python -m slipway.cli.demo.load URL RATE FILE`: sends RATE requests a second until SIGTERM, at most an hour, then writes a summary.
Only loopback addresses are accepted: this is for the sandbox, never for other servers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

LONGEST_SECONDS = 3600
TIMEOUT_SECONDS = 10
CONNECTIONS = 50


@dataclass
class Tally:
    """What was sent and what came back."""

    sent: int = 0
    failed: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])

    def note(self, fault: str | None) -> None:
        """Count one request; `fault` says what was wrong with its answer."""
        self.sent += 1
        if fault:
            self.failed += 1
            self.faults[fault] += 1


async def send_load(url: str, rate: int, tally: Tally, stop: asyncio.Event) -> None:
    """Every fourth request stores an order, the others list them; a late answer does not delay the next request."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        pending: set[asyncio.Task[None]] = set()
        started = loop.time()
        for number in range(rate * LONGEST_SECONDS):
            if stop.is_set():
                break
            task = asyncio.create_task(_request(client, number, tally))
            pending.add(task)
            task.add_done_callback(pending.discard)
            await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
        await asyncio.gather(*pending)


async def _request(client: httpx.AsyncClient, number: int, tally: Tally) -> None:
    try:
        if number % 4 == 0:
            answer = await client.post("/orders", json={"item": "tea", "quantity": 1 + number % 9})
            tally.note(None if answer.status_code == 201 else _fault(answer))
        else:
            answer = await client.get("/orders")
            tally.note(None if answer.status_code == 200 else _fault(answer))
    except httpx.HTTPError as error:
        tally.note(type(error).__name__)


def _fault(answer: httpx.Response) -> str:
    """The answer, and by whom: the service, or the load balancer in its stead."""
    by = " by the load balancer" if answer.headers.get("server", "").startswith("awselb/") else ""
    return f"{answer.request.method} {answer.status_code}{by}"


async def _main(url: str, rate: int, file: Path) -> None:
    tally, stop = Tally(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await send_load(url, rate, tally, stop)
    file.write_text(json.dumps({"sent": tally.sent, "failed": tally.failed, "faults": dict(tally.faults)}))


if __name__ == "__main__":
    address = sys.argv[1]
    if not ipaddress.ip_address(urlsplit(address).hostname or "").is_loopback:
        sys.exit("load is sent to loopback addresses only")
    asyncio.run(_main(address, int(sys.argv[2]), Path(sys.argv[3])))
