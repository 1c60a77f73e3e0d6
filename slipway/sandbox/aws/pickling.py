"""How one moto backend becomes bytes and comes back: what is kept by name, by position, or made anew."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import pickle
import threading
import types
from collections import defaultdict
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import dill
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from moto import backends
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend

CATALOGUES = {"ec2": ("amis", "snapshots"), "iam": ("managed_policies",)}
"""Attributes that moto fills by itself with objects that hardly anybody changes: 1.2 MB and 70 ms a save in EC2 (2026-11)."""

REBUILT = {"iam": ("aws_managed_policies",)}
"""Attributes that a new backend has again by itself."""

Key = tuple[str, str, str, str]
"""service, account, region, attribute"""


class Catalogues:
    """The objects that moto puts into a new backend, known by their position because some of their ids are random."""

    def __init__(self) -> None:
        self._items: dict[Key, list[tuple[str, object]]] = {}
        self._positions: dict[int, tuple[Key, int]] = {}
        for service, attributes in CATALOGUES.items():
            self._watch(service, attributes)

    def position(self, item: object) -> tuple[Key, int] | None:
        """Where an object stands in a catalogue; None when it is in none, or was changed (a policy that is attached)."""
        found = self._positions.get(id(item))
        return None if found is None or getattr(item, "attachment_count", 0) else found

    def item(self, key: Key, position: int) -> object:
        """The object at a position."""
        service, account, region, _ = key
        backend_of(service, account, region)
        return self._items[key][position][1]

    def without(self, service: str, backend: BaseBackend) -> dict[str, Any]:
        """A backend's attributes, with only the difference to the catalogue in those that hold one."""
        rebuilt = REBUILT.get(service, ())
        attributes = {name: value for name, value in backend.__dict__.items() if name not in rebuilt}
        for name in CATALOGUES.get(service, ()):
            shipped = self._entries(service, backend, name)
            current: dict[str, object] = attributes[name]
            kept = {key: value for key, value in current.items() if self.position(value) is None}
            places = {found[1] for value in current.values() if (found := self.position(value))}
            attributes[name] = (kept, set(range(len(shipped))) - places)
        return attributes

    def complete(self, service: str, backend: BaseBackend, attributes: dict[str, Any]) -> None:
        """Put the attributes that `without` gave back into a new backend."""
        for name in CATALOGUES.get(service, ()):
            kept, gone = attributes[name]
            shipped = self._entries(service, backend, name)
            attributes[name] = {key: item for place, (key, item) in enumerate(shipped) if place not in gone} | kept
        backend.__dict__.update(attributes)

    def _entries(self, service: str, backend: BaseBackend, attribute: str) -> list[tuple[str, object]]:
        return self._items[service, backend.account_id, backend.region_name, attribute]

    def _watch(self, service: str, attributes: tuple[str, ...]) -> None:
        backend_dict: Any = backends.get_backend(service)  # type: ignore[call-overload]
        construct: Callable[..., BaseBackend] = getattr(backend_dict.backend, "construct", backend_dict.backend)

        def make(region_name: str, account_id: str) -> BaseBackend:
            backend = construct(region_name, account_id)
            for attribute in attributes:
                key = (service, account_id, region_name, attribute)
                # The list keeps the objects alive, so that no other object can get one of their ids.
                self._items[key] = list(getattr(backend, attribute).items())
                self._positions.update({id(item): (key, place) for place, (_, item) in enumerate(self._items[key])})
            return backend

        make.construct = construct  # type: ignore[attr-defined]
        backend_dict.backend = make


def backend_of(service: str, account: str, region: str) -> BaseBackend:
    """The backend of one service, account and region; made when it is not there yet."""
    backend_dict: Any = backends.get_backend(service)  # type: ignore[call-overload]
    return backend_dict[account][region]


class BackendPickler(pickle.Pickler):
    """Writes the attributes of one backend."""

    def __init__(self, stream: BinaryIO, catalogues: Catalogues) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._catalogues = catalogues

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        """What is kept by name or by position instead of by content."""
        if isinstance(obj, BaseBackend):
            return ("backend", _service_of(obj), obj.account_id, obj.region_name)
        if isinstance(obj, BackendDict):
            return ("service", obj.service_name)
        if isinstance(obj, AccountSpecificBackend):
            return ("account", obj.service_name, obj.account_id)
        found = self._catalogues.position(obj)
        return None if found is None else ("catalogue", *found)

    def reducer_override(self, obj: Any) -> Any:
        """What pickle cannot write: locks (made anew), private keys (PKCS #8), functions made inside functions (dill)."""
        kind: type[Any] = type(obj)
        if kind is type(threading.RLock()):
            return threading.RLock, ()
        if kind is type(threading.Lock()):
            return threading.Lock, ()
        if kind is types.FunctionType and "<" in obj.__qualname__:
            return dill.loads, (dill.dumps(obj),)
        if issubclass(kind, defaultdict) and kind is not defaultdict:
            # Its own __reduce__ would call a constructor that takes other arguments (moto's ParameterDict).
            mapping = cast(defaultdict[Any, Any], obj)
            return _new_mapping, (kind, mapping.default_factory), mapping.__dict__, None, iter(mapping.items())
        return (
            _reduce_cryptography(obj) if kind.__module__.startswith("cryptography.hazmat.bindings") else NotImplemented
        )


class BackendUnpickler(pickle.Unpickler):
    """Reads what BackendPickler wrote. The files are the sandbox's own, in a folder that only its owner can write."""

    def __init__(self, stream: BinaryIO, catalogues: Catalogues) -> None:
        super().__init__(stream)
        self._catalogues = catalogues

    def persistent_load(self, pid: Any) -> Any:
        """The object that a name or a position stands for."""
        kind, *rest = pid
        if kind == "backend":
            return backend_of(*rest)
        if kind == "catalogue":
            return self._catalogues.item(*rest)
        backend_dict: Any = backends.get_backend(rest[0])  # type: ignore[call-overload]
        return backend_dict if kind == "service" else backend_dict[rest[1]]


def _service_of(backend: BaseBackend) -> str:
    # moto.<service>.models, or slipway.sandbox.aws.<service>.models for ours
    return type(backend).__module__.split(".")[-2]


def _new_mapping(kind: type[defaultdict[Any, Any]], default_factory: Callable[[], Any] | None) -> defaultdict[Any, Any]:
    mapping = kind.__new__(kind)
    defaultdict.__init__(mapping, default_factory)
    return mapping


def _reduce_cryptography(obj: Any) -> Any:
    if isinstance(obj, x509.Certificate):
        return x509.load_der_x509_certificate, (obj.public_bytes(serialization.Encoding.DER),)
    if hasattr(obj, "private_bytes"):
        form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return _load_private_key, (obj.private_bytes(serialization.Encoding.DER, form, encryption),)
    return NotImplemented


def _load_private_key(content: bytes) -> Any:
    return serialization.load_der_private_key(content, password=None)
