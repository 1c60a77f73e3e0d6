"""The WSGI application: moto's dispatcher, one request at a time, saved and acted upon before the answer goes out."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import io
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from slipway.log import get_logger
from slipway.sandbox.aws.answers import Answer, Environ
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.callers import Caller, caller_of
from slipway.sandbox.aws.documented_limits import refuse_beyond_limits
from slipway.sandbox.aws.fault_plan.earlier_states import Copier
from slipway.sandbox.aws.fault_plan.running import NONE, Effects, RunningFaults
from slipway.sandbox.aws.faults import (
    Fault,
    access_denied,
    internal_failure,
    not_authenticated,
    not_implemented,
    not_understood,
    not_valid,
    refused,
)
from slipway.sandbox.aws.guard import REFUSED_SERVICES, forbidden, page_refusal, user_refusal, without_cors
from slipway.sandbox.aws.iam.policy_limits import refuse_policy
from slipway.sandbox.aws.iam.requests import ApiCall, UnclearRequestError, read_call
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.operations import Operation, is_unsigned, recognise_operation
from slipway.sandbox.aws.refused_parameters import Refusal, refuse_parameters
from slipway.sandbox.aws.shapes import ShapeError, check_parameters
from slipway.sandbox.aws.signatures import SignatureError, check_service, check_signature, is_presigned
from slipway.sandbox.aws.switch_route import switch_route
from slipway.sandbox.ports import HOST_ADDRESS

MAXIMUM_BODY_BYTES = 256 << 20
MAXIMUM_UNSIGNED_BODY_BYTES = 1 << 20
"""What is read of somebody who shows no credentials at all."""
SLOW_REQUEST_SECONDS = 1.0
"""Requests that take longer are logged: a slow one keeps all others waiting."""
OWN_PREFIX = "/_slipway/"
PLAIN = [("Content-Type", "text/plain"), ("Connection", "close")]

log = get_logger(__name__)

StartResponse = Callable[..., Any]
Route = Callable[[Environ], Answer]


class ChangeListener(Protocol):
    """Told of every change of the API's state, while the caller still waits for the answer."""

    def on_api_change(self, service: str) -> None:
        """`service`: moto's name of the service that the operation belongs to."""
        ...


class StateKeeper(Copier, Protocol):
    """Keeps moto's state across restarts."""

    def save(self, service: str) -> None:
        """Write the state of one service now."""
        ...

    def save_soon(self) -> None:
        """Write whatever changed anywhere, shortly."""
        ...


class LostAnswerError(ConnectionAbortedError):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """A request that may run."""

    caller: Caller | None = None
    call: ApiCall | None = None
    """None: unsigned, or one of the owner's that only moto understands."""


class AwsApplication:
    """moto behind a lock, with our own routes under `/_slipway/` and a hook after every change."""

    def __init__(self, state: StateKeeper) -> None:
        self._state = state
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        self._routes: dict[str, tuple[Route, tuple[str, ...]]] = {}
        self._hosts: dict[str, Route] = {}
        self.listeners: list[ChangeListener] = []
        self.faults = RunningFaults(state, self._zones_changed)
        self.add_route("faults", switch_route(self.faults.report, self.faults.switch))

    def add_route(self, name: str, route: Route, *accounts: str) -> None:
        """Serve `/_slipway/<name>` and all below it by `route`, to the user who runs the sandbox and to these accounts of its processes."""
        self._routes[name] = route, accounts

    def add_host(self, name: str, route: Route) -> None:
        """Serve what comes to this machine's address for pods under another host name by `route`."""
        self._hosts[name] = route

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        from_pods = environ.get("SERVER_NAME") == HOST_ADDRESS
        host = self._hosts.get(str(environ.get("HTTP_HOST"))) if from_pods else None
        refused = page_refusal(environ, [*self._hosts] if from_pods else [])
        status, headers, chunks = refused or (host or self._serve)(environ)
        start_response(status, headers)
        return chunks

    def _serve(self, environ: Environ) -> Answer:
        path = str(environ.get("PATH_INFO", ""))
        return self._serve_own(path, environ) if path.startswith(OWN_PREFIX) else self._serve_aws(environ)

    def _serve_own(self, path: str, environ: Environ) -> Answer:
        route, accounts = self._routes.get(path.removeprefix(OWN_PREFIX).partition("/")[0], (None, ()))
        if environ.get("SERVER_NAME") == HOST_ADDRESS:
            return forbidden("the sandbox's own pages are for this machine")
        if refused := user_refusal(environ, *accounts):
            return refused
        if route is None:
            return "404 Not Found", [("Content-Type", "text/plain")], [b"no such page\n"]
        return route(environ)

    def _serve_aws(self, environ: Environ) -> Answer:
        body = _buffer_body(environ)
        if body is None:
            return _answer(413, PLAIN, b"the request is too large, or ends before it should\n")
        try:
            app: Any = self._dispatcher.get_application(environ)
        except (AttributeError, LookupError, ValueError):  # moto takes its address and headers apart unasked
            return _answer(400, PLAIN, b"the request is to no service of AWS\n")
        if app.service in REFUSED_SERVICES:
            return forbidden("the sandbox does not serve this")
        operation = recognise_operation(str(app.service), environ, body)
        admitted = _admit(operation, environ, body)
        if not isinstance(admitted, Admitted):
            return admitted
        effects = NONE
        if self.faults.is_on:
            effects = self.faults.effects_of(operation, admitted.call, admitted.caller)
        if effects.refusal:
            return _answer(*effects.refusal)
        started = time.monotonic()
        if operation.concurrent:
            answer = _run(app, environ, operation)
            self._save(operation)
        else:
            with API_LOCK, effects.view:
                answer = _run(app, environ, operation)
                self._save(operation)
        answer = self._carry_out(operation, answer, effects)
        seconds = time.monotonic() - started
        if seconds > SLOW_REQUEST_SECONDS:
            log.warning("slow request", service=operation.service, operation=operation.name, seconds=round(seconds, 2))
        return answer

    def _carry_out(self, operation: Operation, answer: Answer, effects: Effects) -> Answer:
        """What a change means for the real things, now or later. Raises LostAnswerError where the answer is to be lost."""
        if operation.mutates and effects.seen_after_seconds:
            self.faults.later(effects.seen_after_seconds, lambda: self._notify(operation, answer))
        elif operation.mutates:
            answer = self._notify(operation, answer)
        if effects.answer_lost:
            raise LostAnswerError(operation.name)
        return answer

    def _zones_changed(self) -> None:
        self._notify(Operation("ec2", "fault plan", True), _answer(200, PLAIN, b""))

    def _save(self, operation: Operation) -> None:
        if operation.saved_at_once:
            self._state.save(operation.service)
        if operation.mutates:
            self._state.save_soon()

    def _notify(self, operation: Operation, answer: Answer) -> Answer:
        """Have the change carried out; the answer becomes an error when it was not."""
        for listener in self.listeners:
            try:
                listener.on_api_change(operation.service)
            except Exception as error:
                log.exception("a change could not be carried out", service=operation.service, operation=operation.name)
                return _answer(*internal_failure(operation, error))
        return answer


def _admit(operation: Operation, environ: Environ, body: bytes) -> Answer | Admitted:
    """The refusal of what no caller of the sandbox signed, but the few calls that AWS takes without; or the request, admitted."""
    admitted = Admitted()
    if is_unsigned(operation, environ, body):
        from slipway.sandbox.aws.iam.unsigned import refuse_unsigned  # noqa: PLC0415 - as the judge, below

        fault = refuse_unsigned(operation, environ, body)
    else:
        try:
            caller, scope = check_signature(environ, body, caller_of, datetime.now(UTC))
            if is_presigned(environ):  # of others it is the scope by which moto finds the service
                check_service(scope, operation.service)
        except SignatureError as error:
            fault = not_authenticated(operation, error.code, str(error))
        else:
            found = _admit_signed(operation, environ, body, caller, scope.region)
            admitted, fault = (found, None) if isinstance(found, Admitted) else (admitted, found)
    return _answer(*fault) if fault else admitted


def _admit_signed(operation: Operation, environ: Environ, body: bytes, caller: Caller, region: str) -> Fault | Admitted:
    """Refuse what the caller may not do, and what the API's model does not allow."""
    account = caller.arn.split(":")[4]
    try:
        call = read_call(operation.service, environ, body, region=region, account=account)
    except UnclearRequestError as error:
        # Of the owner's it is moto's answer that counts.
        if caller.is_owner:
            return Admitted(caller=caller)
        return access_denied(operation, f"User: {caller.arn} is not authorized: {error}")
    # Before the judge, who decides about one name where the request says two.
    if refusal := refuse_parameters(call.service, call.parameters):
        return _refused(operation, refusal)
    if not caller.is_owner:
        # The judge is slow to import, and most sandboxes have no caller but their owner.
        from slipway.sandbox.aws.iam.enforcement import refuse_caller  # noqa: PLC0415

        if message := refuse_caller(caller, call, environ):
            return access_denied(operation, message)
    refusal = _refuse_invalid(call)
    return _refused(operation, refusal) if refusal else Admitted(caller=caller, call=call)


def _refuse_invalid(call: ApiCall) -> Refusal | None:
    """What AWS takes from nobody."""
    try:
        check_parameters(call.service, call.operation, call.parameters)
    except ShapeError as error:
        return Refusal("", str(error))
    return refuse_beyond_limits(call.service, call.operation, call.parameters) or refuse_policy(call)


def _refused(operation: Operation, refusal: Refusal) -> Fault:
    code, message = refusal.code, refusal.message
    return refused(operation, 400, code, message) if code else not_valid(operation, message)


def _buffer_body(environ: Environ) -> bytes | None:
    """Read the body before the lock is taken: a slow sender must not keep the others waiting. None: as `read_body`."""
    signed = "HTTP_AUTHORIZATION" in environ or is_presigned(environ)
    limit = MAXIMUM_BODY_BYTES if signed else MAXIMUM_UNSIGNED_BODY_BYTES
    body = read_body(environ, limit)
    if body is None:
        return None
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def _run(app: Any, environ: Environ, operation: Operation) -> Answer:
    try:
        chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
    except NotImplementedError as error:
        return _answer(*not_implemented(operation, str(error)))
    except Exception as error:
        log.exception("operation failed", service=operation.service, operation=operation.name)
        return _answer(*_broken(operation, error))
    answer = list(chunks)
    if status.startswith("404") and _is_flasks_own_page(headers.get("Content-Type", ""), answer):
        return _answer(*not_implemented(operation, ""))
    return without_cors((status, list(headers.items()), answer))


def _broken(operation: Operation, error: Exception) -> Fault:
    """Whose fault it is that an operation broke: moto's code is not told from the request's, ours is."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    last = next(name for name in reversed(modules) if name.startswith(("slipway.", "moto.")))
    return (internal_failure if last.startswith("slipway.") and last != __name__ else not_understood)(operation, error)


def _is_flasks_own_page(content_type: str, chunks: list[bytes]) -> bool:
    """moto has no route for this operation of the service. Its own 404 of a HEAD has that content type too, but no content."""
    return content_type.startswith("text/html") and any(chunks)


def _answer(status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
    return f"{status} {HTTPStatus(status).phrase}", [*headers, ("Content-Length", str(len(body)))], [body]
