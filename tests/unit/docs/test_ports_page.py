"""The page on security has the table of ports that the code has."""

from __future__ import annotations

from pathlib import Path

from slipway.sandbox.ports import ANY_PORT, LISTENERS, Listener

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


def row(listener: Listener) -> str:
    """As the page shows it."""
    ports = listener.ports
    if ports == ANY_PORT:
        shown = "any"
    elif isinstance(ports, range):
        shown = f"{ports[0]} to {ports[-1]}" + (f", every {ports.step}th" if ports.step > 1 else "")
    else:
        shown = ", ".join(map(str, ports))
    addresses = ", ".join(network.removesuffix("/32") for network in listener.networks)
    return (
        f"| {listener.what} | `{listener.process}` | {listener.account} | {addresses} | {shown} | {listener.clients} |"
    )


def test_page_has_the_table_of_ports() -> None:
    assert "\n".join(map(row, LISTENERS)) in PAGE.read_text()
