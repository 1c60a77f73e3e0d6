"""The daemon's page `/_slipway/faults`: what is on by GET; to switch by POST, signed by the sandbox's owner."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from slipway.errors import UsageError
from slipway.sandbox.aws.answers import Answer, Environ, json_answer
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.fault_plan.plan import parse_plan
from slipway.sandbox.aws.fault_plan.running import RunningFaults
from slipway.sandbox.aws.signatures import is_owners

MAXIMUM_PLAN_BYTES = 1 << 20


def faults_route(faults: RunningFaults) -> Callable[[Environ], Answer]:
    """POST takes `{"name": …, "plan": …}`; a plan of null switches off."""

    def route(environ: Environ) -> Answer:
        if environ["REQUEST_METHOD"] == "GET":
            return json_answer(faults.report())
        body = read_body(environ, MAXIMUM_PLAN_BYTES)
        if body is None or not is_owners(environ, body):
            return json_answer({"error": "only the sandbox's owner switches faults"}, "403 Forbidden")
        try:
            document: Any = json.loads(body)
            name, plan = str(document["name"]), document["plan"]
            if plan is None:
                faults.stop()
            else:
                faults.start(parse_plan(plan, where=name), name)
        except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
            return json_answer({"error": str(error)}, "400 Bad Request")
        return json_answer(faults.report())

    return route
