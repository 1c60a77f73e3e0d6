"""The AWS API and web pages in a real browser: a foreign page, and one whose name means this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser import Page

CALLS = {
    "read": "fetch('{url}/', {{method: 'POST', body: new URLSearchParams({{Action: 'ListUsers', Version: '2010-05-08'}})}})",
    "reset": "fetch('{url}/moto-api/reset', {{method: 'POST', mode: 'no-cors'}})",
    "write": "fetch('{url}/precious', {{method: 'DELETE', mode: 'cors'}})",
    "status": "fetch('{url}/_slipway/status')",
}
OUTCOME = "{call}.then(answer => answer.type === 'opaque' ? 'not readable' : answer.status, () => 'not readable')"


@pytest.fixture
def precious(aws: Callable[..., Any]) -> Callable[[], bool]:
    """Makes a bucket; then tells whether it is there."""
    aws("s3").create_bucket(Bucket="precious")
    return lambda: "precious" in [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize("call", CALLS)
def test_foreign_page_reads_and_changes_nothing(
    page: Page, daemon: Any, precious: Callable[[], bool], tmp_path: Path, call: str
) -> None:
    (tmp_path / "index.html").write_text("<title>harmless</title>")
    with ThreadingHTTPServer(("127.0.0.2", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        Thread(target=server.serve_forever).start()
        page.open(f"http://evil.example:{server.server_port}")
        server.shutdown()
    assert page.run("document.title") == "harmless"
    assert page.run(OUTCOME.format(call=CALLS[call].format(url=daemon.url))) == "not readable"
    assert precious()


@pytest.mark.parametrize("call", CALLS)
def test_page_whose_name_means_this_machine_is_refused(
    page: Page, daemon: Any, precious: Callable[[], bool], call: str
) -> None:
    page.open(daemon.url.replace("127.0.0.1", "rebound.example"))
    assert page.run(OUTCOME.format(call=CALLS[call].format(url=""))) in (403, "not readable")
    assert precious()
