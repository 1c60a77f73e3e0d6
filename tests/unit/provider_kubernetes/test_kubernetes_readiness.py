"""When objects are ready, and what is said while they are not. That real controllers write such statuses is for the e2e tests."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_fakes import Objects, seen

from slipway.engine.provider import ProviderError
from slipway.sandbox.providers.kubernetes.objects import GroupVersionKind
from slipway.sandbox.providers.kubernetes.readiness import rule_for
from slipway.sandbox.providers.kubernetes.readiness.others import check_claim, check_crd, check_secret
from slipway.sandbox.providers.kubernetes.readiness.pods import check_pod
from slipway.sandbox.providers.kubernetes.readiness.services import check_ingress, check_service
from slipway.sandbox.providers.kubernetes.readiness.workloads import (
    check_daemon_set,
    check_deployment,
    check_job,
    check_stateful_set,
)


def deployment(*conditions: dict[str, Any], replicas: int = 2, **status: int) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "d",
            "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": 2, "conditions": list(conditions), **status},
    }


ROLLED = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (ROLLED, True),
        ({**ROLLED, "observedGeneration": 1}, False),
        ({**ROLLED, "availableReplicas": 1}, False),
        ({**ROLLED, "replicas": 3}, False),  # an old pod still runs
        ({**ROLLED, "updatedReplicas": 1}, False),
    ],
)
def test_deployment_is_ready_when_only_new_pods_run_and_all_are_available(status: dict[str, int], ready: bool) -> None:
    assert check_deployment(seen(deployment(**status))).ready is ready


def test_deployment_scaled_to_zero_is_ready() -> None:
    assert check_deployment(seen(deployment(replicas=0))).ready


def test_deployment_fails_at_its_progress_deadline_with_the_words_of_its_new_pods() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    revision = "deployment.kubernetes.io/revision"
    old = {"metadata": {"name": "old", "uid": "r1", "owner": "d", "annotations": {revision: "1"}}}
    new = {"metadata": {"name": "new", "uid": "r2", "owner": "d", "annotations": {revision: "2"}}}
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    pods = [
        {
            "metadata": {"name": f"{owner}-pod", "namespace": "shop", "owner": owner},
            "status": {"containerStatuses": [{"name": "web", "ready": False, "state": waiting}]},
        }
        for owner in ("r1", "r2")
    ]
    answer = check_deployment(seen(deployment(stuck), ReplicaSet=Objects(old, new), Pod=Objects(*pods)))
    assert answer.failed
    assert answer.reasons == (
        "[ProgressDeadlineExceeded] timed out",
        "[Pod shop/r2-pod]: [ImagePullBackOff] Back-off pulling image",
    )


def test_stateful_set_waits_for_the_new_revision() -> None:
    live = {
        "metadata": {"name": "db", "generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1},
    }
    assert not check_stateful_set(seen(live)).ready
    live["status"]["updatedReplicas"] = 2
    assert check_stateful_set(seen(live)).ready


def test_daemon_set_is_ready_when_every_node_has_an_available_pod() -> None:
    status = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}
    live = {"metadata": {"name": "log", "generation": 1}, "spec": {}, "status": status}
    assert not check_daemon_set(seen(live)).ready
    status["numberAvailable"] = 2
    assert check_daemon_set(seen(live)).ready


def test_failed_job_ends_the_wait() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit reached"}
    answer = check_job(seen({"metadata": {"name": "j"}, "status": {"conditions": [failed]}}))
    assert answer.failed
    assert answer.reasons == ("[BackoffLimitExceeded] limit reached",)


def test_pod_that_crashes_tells_its_last_words() -> None:
    last = {"terminated": {"reason": "Error", "exitCode": 3, "finishedAt": "now", "message": "boom"}}
    status = {"name": "c", "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": last}
    answer = check_pod(seen({"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}))
    assert answer.reasons == (
        '[Pod p]: [CrashLoopBackOff]; container "c" terminated at now (Error: exit code 3); boom',
    )


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "10.0.0.1", **spec}}


def endpoints(*ready: bool) -> Objects:
    labels = {"kubernetes.io/service-name": "web"}
    found = [{"conditions": {"ready": item, "terminating": False}} for item in ready]
    return Objects({"metadata": {"name": "web-1", "labels": labels}, "endpoints": found})


@pytest.mark.parametrize(
    ("live", "pieces", "quiet_seconds", "ready"),
    [
        (service(selector={"a": "b"}), endpoints(True), 0, True),
        (service(selector={"a": "b"}), endpoints(True, False), 60, False),
        (service(selector={"a": "b"}), endpoints(), 1, False),
        (service(selector={"a": "b"}), endpoints(), 11, True),
        (service(), endpoints(), 0, True),
        (service(selector={"a": "b"}, clusterIP="None"), endpoints(), 0, True),
        (service(type="ExternalName"), endpoints(), 0, True),
        (service(selector={"a": "b"}, type="LoadBalancer"), endpoints(True), 60, False),
    ],
    ids=["ready", "starting", "no pods yet", "no pods", "no selector", "headless", "external", "no address"],
)
def test_service_readiness(live: dict[str, Any], pieces: Objects, quiet_seconds: float, ready: bool) -> None:
    assert check_service(seen(live, EndpointSlice=pieces, quiet_seconds=quiet_seconds)).ready is ready


def test_service_without_pods_settles_sooner_after_an_update() -> None:
    assert check_service(seen(service(selector={"a": "b"}), quiet_seconds=3, is_update=True)).ready


def test_ingress_names_the_rules_whose_service_is_missing() -> None:
    path = {"path": "/", "backend": {"service": {"name": "gone"}}}
    live = {"metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.example", "http": {"paths": [path]}}]}}
    assert 'No matching service found for ingress rule: "a.example/" -> "gone"' in check_ingress(seen(live)).reasons


def test_claim_of_a_late_binding_class_is_ready_while_pending() -> None:
    late = {"metadata": {"name": "fast"}, "volumeBindingMode": "WaitForFirstConsumer"}
    live = {"metadata": {"name": "c"}, "spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}
    assert not check_claim(seen(live)).ready
    assert check_claim(seen(live, StorageClass=Objects(late))).ready


def test_crd_with_null_conditions_is_waited_for() -> None:
    assert not check_crd(seen({"metadata": {"name": "x"}, "status": {"conditions": None}})).ready


def test_only_token_secrets_are_waited_for() -> None:
    assert check_secret(seen({"metadata": {"name": "s"}, "type": "Opaque"})).ready
    assert not check_secret(seen({"metadata": {"name": "s"}, "type": "kubernetes.io/service-account-token"})).ready


@pytest.mark.parametrize(
    ("text", "status", "ready"),
    [
        ("condition=Synced", {"conditions": [{"type": "Synced", "status": "True"}]}, True),
        ("condition=Synced=False", {"conditions": [{"type": "Synced", "status": "True"}]}, False),
        ("jsonpath={.status.phase}=Done", {"phase": "Done"}, True),
        ("jsonpath={.status.phase}=Done", {"phase": "Busy"}, False),
        ('["jsonpath={.status.phase}", "condition=Ready"]', {"phase": "Done"}, False),
    ],
)
def test_wait_for_annotation_is_obeyed(text: str, status: dict[str, Any], ready: bool) -> None:
    rule = rule_for(GroupVersionKind("example.dev", "v1", "Boat"), text)
    assert rule is not None
    assert rule.check(seen({"metadata": {"name": "b"}, "status": status})).ready is ready


def test_refuses_a_wait_for_annotation_it_cannot_read() -> None:
    with pytest.raises(ProviderError, match=r"pulumi\.com/waitFor"):
        rule_for(GroupVersionKind("", "v1", "Pod"), "ready please")
