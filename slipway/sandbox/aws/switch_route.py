"""Pages of the daemon that show a setting by GET, and change it by POST, signed by the sandbox's owner."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from slipway.errors import UsageError
from slipway.sandbox.aws.answers import Answer, Environ, json_answer
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.signatures import is_owners

MAXIMUM_BYTES = 1 << 20


def switch_route(show: Callable[[], dict[str, Any]], switch: Callable[[Any], None]) -> Callable[[Environ], Answer]:
    """`show` is the answer to both. `switch` gets the document, and raises UsageError for one that it refuses."""

    def route(environ: Environ) -> Answer:
        if environ["REQUEST_METHOD"] == "GET":
            return json_answer(show())
        body = read_body(environ, MAXIMUM_BYTES)
        if body is None or not is_owners(environ, body):
            return json_answer({"error": "only the sandbox's owner may change this"}, "403 Forbidden")
        try:
            switch(json.loads(body))
        except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
            return json_answer({"error": str(error)}, "400 Bad Request")
        return json_answer(show())

    return route
