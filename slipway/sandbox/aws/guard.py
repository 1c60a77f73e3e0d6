"""Keeps web pages out: a browser can send requests to a loopback address for any page that it shows. And other users of the machine."""

from __future__ import annotations

from collections.abc import Collection

from slipway.sandbox.aws.answers import Answer, Environ
from slipway.sandbox.peers import refuse_user
from slipway.sandbox.ports import HOST_ADDRESS

HOST_NAMES = ("127.0.0.1", "localhost", HOST_ADDRESS)
REFUSED_SERVICES = frozenset({"moto_api", "instance_metadata"})
"""moto's control pages (reset, recorder, seed), and the instance metadata that it invents."""
CORS_PREFIX = "access-control-"


def page_refusal(environ: Environ, hosts: Collection[str] = ()) -> Answer | None:
    """The refusal of a request that a web page makes, also one whose own name was rebound to our address; None for others.

    `hosts`: what the API is called beside its own names, port included.
    """
    if "HTTP_ORIGIN" in environ or environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return forbidden("the sandbox answers no web pages")
    if environ.get("HTTP_HOST") not in {*hosts, *(f"{name}:{environ['SERVER_PORT']}" for name in HOST_NAMES)}:
        return forbidden(f"the sandbox is called {' or '.join(HOST_NAMES)}, with its port")
    return None


def user_refusal(environ: Environ, *accounts: str) -> Answer | None:
    """The refusal of another user's request to a page that asks for no signature; None for the sandbox's own and these accounts'."""
    client, server = (
        (str(environ[f"{end}_{name}"]), int(environ[f"{end}_PORT"]))
        for end, name in (("REMOTE", "ADDR"), ("SERVER", "NAME"))
    )
    why = refuse_user(client, server, accounts)
    return forbidden(why) if why else None


def forbidden(why: str) -> Answer:
    """403, as plain text: who gets it is no AWS SDK."""
    body = f"{why}\n".encode()
    return "403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], [body]


def without_cors(answer: Answer) -> Answer:
    """The answer without permissions for web pages, which moto's S3 takes from a bucket's configuration."""
    status, headers, chunks = answer
    return status, [(name, value) for name, value in headers if not name.lower().startswith(CORS_PREFIX)], chunks
