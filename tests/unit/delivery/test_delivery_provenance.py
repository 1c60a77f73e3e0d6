"""Provenance and bills of materials: what counts as proof, and what the gate makes of it. No registry, no KMS: a local key signs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from slipway import delivery
from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.attestations.bill_of_materials import describe, is_record
from slipway.delivery.attestations.envelopes import ForgedError, seal, unseal, weigh
from slipway.delivery.attestations.licences import find_denied, licences_of
from slipway.delivery.attestations.statements import (
    Statement,
    dump_statement,
    read_provenance,
    state_contents,
    state_provenance,
)
from slipway.delivery.errors import RefusedError
from slipway.delivery.model.provenance import Build, Evidence, repository_url
from slipway.delivery.model.release import Release
from slipway.delivery.testing.rehearsal import FACTS, Rehearsal

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.example/orders@{DIGEST}"
BUILD = Build(
    repository="https://git.example/acme/shop",
    branch="main",
    commit="c" * 40,
    builder="https://git.example/acme/shop/deploy-dev.yml",
    invocation="https://git.example/runs/1",
    parameters={"environment": "dev"},
    base_image=f"python:3.11-slim@sha256:{'b' * 64}",
    files={"app/requirements.txt": "d" * 64},
)
PROVENANCE = state_provenance(IMAGE, BUILD, NOW)
ANOTHER = PROVENANCE.subject[0].model_copy(update={"digest": {"sha256": "e" * 64}})
DEMANDS = SupplyChain(key="alias/attestations")


@cache
def signer(name: str = "ours") -> CryptoSigner:
    del name
    private = ec.generate_private_key(ec.SECP256R1())
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def reworked(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    envelope = json.loads(content)
    change(envelope)
    return json.dumps(envelope).encode()


def tampered(envelope: dict[str, Any]) -> None:
    payload = base64.b64decode(envelope["payload"]).replace(b"main", b"evil")
    envelope["payload"] = base64.b64encode(payload).decode()


def borrowed_name(envelope: dict[str, Any]) -> None:
    envelope["signatures"][0]["keyid"] = signer().public_key.keyid


def test_provenance_says_what_slsa_asks_for() -> None:
    statement = json.loads(dump_statement(PROVENANCE))
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert statement["subject"] == [{"name": "registry.example/orders", "digest": {"sha256": "a" * 64}}]
    definition, run = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert definition["externalParameters"] == {"environment": "dev"}
    assert {each["name"]: each["digest"] for each in definition["resolvedDependencies"]} == {
        "source": {"gitCommit": "c" * 40},
        "base image": {"sha256": "b" * 64},
        "app/requirements.txt": {"sha256": "d" * 64},
    }
    assert (run["builder"]["id"], run["metadata"]["invocationId"]) == (BUILD.builder, BUILD.invocation)
    found = read_provenance(unseal(seal(PROVENANCE, signer()), signer().public_key, DIGEST))
    assert (found.repository, found.branch, found.commit, found.built_at) == (
        BUILD.repository, BUILD.branch, BUILD.commit, NOW,
    )  # fmt: skip
    dirty = state_provenance(IMAGE, replace(BUILD, commit=f"{'c' * 40}+dirty"), NOW)
    assert read_provenance(dirty).commit.endswith("+dirty")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (reworked(seal(PROVENANCE, signer()), tampered), "was changed after it was signed"),
        (reworked(seal(PROVENANCE, signer("theirs")), borrowed_name), "was changed after it was signed"),
        (seal(PROVENANCE, signer("theirs")), "is signed by another key"),
        (seal(state_provenance(IMAGE.replace("a" * 64, "e" * 64), BUILD, NOW), signer()), "is about another image"),
        (seal(PROVENANCE.model_copy(update={"subject": (*PROVENANCE.subject, ANOTHER)}), signer()), "is about another image"),
        (reworked(seal(PROVENANCE, signer()), lambda each: each.update(payloadType="text/plain")), "was changed after"),
        (reworked(seal(PROVENANCE, signer()), lambda each: each.update(signatures=[])), "is signed by another key"),
        (b"{}", "is no DSSE envelope"),
        (b"[]", "is no DSSE envelope"),
        (b"[" * 100_000, "is no DSSE envelope"),
    ],
)  # fmt: skip
def test_only_what_our_key_signed_about_this_image_counts(content: bytes, text: str) -> None:
    with pytest.raises(ForgedError, match=text):
        unseal(content, signer().public_key, DIGEST)
    evidence = weigh([content], signer().public_key, DIGEST, DEMANDS, "")
    assert (evidence.provenance, evidence.licences, len(evidence.discarded)) == ((), None, 1)


def test_statements_of_others_are_no_provenance() -> None:
    foreign = Statement(subject=PROVENANCE.subject, predicate_type="https://example/test-result", predicate={"a": 1})
    other_build = PROVENANCE.model_copy(
        update={
            "predicate": {**PROVENANCE.predicate, "buildDefinition": {"buildType": "urn:x", "externalParameters": {}}}
        }
    )
    envelopes = [seal(each, signer()) for each in (foreign, other_build)]
    evidence = weigh(envelopes, signer().public_key, DIGEST, DEMANDS, "")
    assert (evidence.provenance, evidence.discarded) == ((), ("cannot be read",))


def metadata(name: str, *lines: str) -> bytes:
    return "\n".join([f"Name: {name}", "Version: 1.0", *lines, "", "Name: not a header"]).encode()


def test_bill_of_materials_has_python_s_and_debian_s_packages_with_the_licences_that_are_known() -> None:
    site = "venv/lib/python3.11/site-packages"
    classifier = "Classifier: License :: OSI Approved ::"
    status = (
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    records = {
        f"{site}/a-1.0.dist-info/METADATA": metadata("A_pkg", "License-Expression: MIT OR Apache-2.0"),
        f"{site}/b-1.0.dist-info/METADATA": metadata("b", "License: whatever", f"{classifier} MIT License"),
        f"{site}/c-1.0.dist-info/METADATA": metadata("c", f"License: {'x' * 500}"),
        f"{site}/d-1.0.dist-info/METADATA": metadata("d", f"{classifier} GNU Affero General Public License v3"),
        "var/lib/dpkg/status": status.encode(),
        "usr/lib/os-release": b'NAME="Debian"\nVERSION_CODENAME=bookworm\n',
    }
    assert all(is_record(path) for path in records)
    assert not is_record(f"{site}/a/METADATA")
    bill = describe("registry.example/orders", DIGEST, records)
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", DIGEST)
    found = licences_of(state_contents(IMAGE, bill))
    assert found == {
        "pkg:pypi/a-pkg@1.0": "MIT OR Apache-2.0",
        "pkg:pypi/b@1.0": "MIT",
        "pkg:pypi/c@1.0": "",
        "pkg:pypi/d@1.0": "AGPL-3.0-only",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm": "",
    }
    assert find_denied(found, ("AGPL-3.0-only",)) == ("pkg:pypi/d@1.0 (AGPL-3.0-only)",)


@pytest.mark.parametrize(
    ("licence", "denied"),
    [
        ("AGPL-3.0-only", True),
        ("AGPL-3.0", True),  # its older name
        ("MIT", False),
        ("MIT OR AGPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("(MIT OR AGPL-3.0-only) AND GPL-2.0-only", True),
        ("our own words (", False),
        ("", False),
    ],
)
def test_licence_is_denied_where_no_other_can_be_chosen(licence: str, denied: bool) -> None:
    assert bool(find_denied({"pkg": licence}, ("AGPL-3.0-only", "GPL-2.0-only"))) is denied


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop"),
        ("https://user:token@GitHub.com/acme/shop.git", "https://github.com/acme/shop"),
        ("ssh://git@github.com:22/acme/shop", "https://github.com/acme/shop"),
        ("https://git.example:8443/acme/shop/", "https://git.example:8443/acme/shop"),
        ("/srv/shop.git", "file:///srv/shop"),
        ("", ""),
    ],
)
def test_repository_has_one_spelling_and_no_credentials(remote: str, url: str) -> None:
    assert repository_url(remote) == url


@pytest.mark.parametrize(
    "settings",
    [{"key": "slipway"}, {"branch": "main"}, {"key": "alias/a", "deniedLicences": ["MIT OR ISC"]}, {"key": "alias/a", "maxAgeDays": 0}],
)  # fmt: skip
def test_refuses_demands_that_demand_nothing(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SupplyChain.model_validate(settings)
    assert SupplyChain.model_validate(SupplyChain().model_dump(by_alias=True)) == SupplyChain()


def company(**demands: Any) -> tuple[Rehearsal, Release]:
    rehearsal = Rehearsal(demands=SupplyChain(key="alias/attestations", **demands))
    rehearsal.environment("dev")
    rehearsal.environment("staging", promoteFrom="dev")
    rehearsal.check_out("1.0.0")
    made = delivery.release(rehearsal.context("dev")).release
    assert made
    return rehearsal, made


def other(**facts: Any) -> Callable[[Evidence], Evidence]:
    return lambda evidence: replace(evidence, provenance=tuple(replace(each, **facts) for each in evidence.provenance))


FAULTS: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "none": (lambda e: replace(e, provenance=()), r"no provenance signed by alias/attestations: the registry has none"),
    "forged": (lambda e: replace(e, provenance=(), discarded=("was changed after it was signed",)), "one was changed after"),
    "repository": (other(repository="https://git.example/evil"), "built from https://git.example/evil, not from"),
    "commit": (other(commit="e" * 40), f"built from commit {'e' * 40}"),
    "branch": (other(branch="topic"), "built from topic, not from main"),
    "no contents": (lambda e: replace(e, licences=None), "no bill of materials signed"),
    "age": (other(built_at=NOW - timedelta(days=400)), "more than 90 days ago"),
    "licence": (lambda e: replace(e, denied=("pkg:pypi/x@1 (AGPL-3.0-only)",)), r"denied licence: pkg:pypi/x@1"),
    "silence": (lambda e: Evidence(demands=e.demands, repository="", unreachable="it did not answer within 10 s"), "10 s"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_promotion_refuses_what_is_not_proven_before_anything_is_touched_unless_forced(fault: str) -> None:
    rehearsal, made = company(branch="main", max_age_days=90)
    rehearsal.attestations.change, text = FAULTS[fault]
    with pytest.raises(RefusedError, match=text):
        delivery.promote(rehearsal.context("staging"), "dev")
    assert not rehearsal.environment("staging").exists
    outcome = delivery.promote(rehearsal.context("staging"), "dev", force=True, because="incident 42")
    assert outcome.rollout
    assert any("overridden: incident 42" in forced for forced in outcome.rollout.forced)
    rehearsal.attestations.change = lambda evidence: evidence
    assert delivery.promote(rehearsal.context("staging"), "dev", release_id=made.id).status == "unchanged"


@pytest.mark.parametrize(("count", "named"), [(3, "x1, x2, x3"), (4, "x1, x2, x3 and 1 more")])
def test_some_of_the_packages_under_a_denied_licence_are_named(count: int, named: str) -> None:
    rehearsal, _ = company()
    rehearsal.attestations.change = lambda e: replace(e, denied=tuple(f"x{number}" for number in range(1, count + 1)))
    with pytest.raises(RefusedError, match=f"denied licence: {named}$|denied licence: {named}[^,a-z ]"):
        delivery.promote(rehearsal.context("staging"), "dev")


def test_uncommitted_changes_are_from_no_branch() -> None:
    rehearsal = Rehearsal(demands=DEMANDS.model_copy(update={"branch": "main"}))
    rehearsal.facts_now = replace(FACTS, git_commit=f"{'c' * 40}+dirty")
    rehearsal.environment("staging", promoteFrom="dev")
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    with pytest.raises(RefusedError, match="main, with uncommitted changes, not from main as it is committed"):
        delivery.promote(rehearsal.context("staging"), "dev")


def test_what_is_proven_is_promoted_and_a_way_back_asks_for_no_proof() -> None:
    rehearsal, first = company(branch="main", max_age_days=90)
    assert any("pkg:pypi/nameless@1" in getattr(event, "text", "") for event in rehearsal.events)
    delivery.promote(rehearsal.context("staging"), "dev")
    rehearsal.check_out("2.0.0")
    delivery.release(rehearsal.context("dev"))
    delivery.promote(rehearsal.context("staging"), "dev")
    rehearsal.attestations.change = FAULTS["silence"][0]
    asked = rehearsal.attestations.asked
    assert delivery.rollback(rehearsal.context("staging"), first.id).status == "completed"
    assert rehearsal.attestations.asked == asked


def test_demands_of_the_stack_hold_where_the_checkout_has_none() -> None:
    rehearsal, _ = company()
    rehearsal.environment("staging").supply_chain = rehearsal.demands.model_dump(by_alias=True)
    rehearsal.environment("staging").exists = True
    rehearsal.demands = SupplyChain()
    rehearsal.attestations.change = FAULTS["none"][0]
    with pytest.raises(RefusedError, match="no provenance"):
        delivery.promote(rehearsal.context("staging"), "dev")
