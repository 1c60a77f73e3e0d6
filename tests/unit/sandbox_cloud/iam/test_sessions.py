"""What is known of a role's session."""

from __future__ import annotations

from types import SimpleNamespace

from slipway.sandbox.aws.iam.sessions import SessionDetails, details_of, keep_details


def test_session_keeps_its_details_and_pod_identitys_tags_go_on() -> None:
    session = SimpleNamespace(policy=None, session_tags={"kubernetes-namespace": "shop"})
    details = details_of(session)
    assert (details.tags, details.transitive) == ({"kubernetes-namespace": "shop"}, ("kubernetes-namespace",))
    keep_details(session, SessionDetails(source_identity="ada"))
    assert details_of(session) == SessionDetails(source_identity="ada")
    assert details_of(SimpleNamespace(policy="{}")).policy == "{}"
