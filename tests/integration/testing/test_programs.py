"""Programs on the real engine: what a test gets back, and that every check fails a program that deserves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from slipway.testing import UNKNOWN, CheckError, Deployment, DeploymentError, Secret

Run = Callable[..., Deployment]


class Site(pulumi.ComponentResource):
    """A bucket and an object in it."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, *, text: str = "hello", opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Site", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(f"{name}-bucket", tags={"team": "web"}, opts=child)
        aws.s3.BucketObjectv2(
            f"{name}-page", bucket=bucket.bucket, key="index.html", source=pulumi.StringAsset(text), opts=child
        )
        self.arn = bucket.arn
        self.register_outputs({"arn": self.arn, "token": pulumi.Output.secret("s3cret")})


def on_aws() -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(providers=[aws.Provider("cloud", region="eu-west-1")])


def site() -> None:
    pulumi.export("arn", Site("web", opts=on_aws()).arn)


def test_deployment_shows_resources_parents_providers_and_outputs(deploy: Run) -> None:
    deployment = deploy(site)

    component = deployment.one("test:index:Site", "web")
    bucket = deployment.one(aws.s3.Bucket)
    assert [child.name for child in deployment.children_of(component)] == ["web-bucket", "web-page"]
    assert deployment.provider_of(bucket).inputs["region"] == "eu-west-1"
    assert bucket.inputs == {"tags": {"team": "web"}}
    assert bucket.urn == "urn:pulumi:dev::test::test:index:Site$aws:s3/bucket:Bucket::web-bucket"
    assert component.outputs == {"arn": bucket.outputs["arn"], "token": Secret("s3cret")}
    assert deployment.outputs == {"arn": "arn:aws:s3:us-east-1:123456789012:bucket/web-bucket"}
    assert deployment.diagnostics == []


def test_preview_leaves_computed_values_unknown(preview: Run) -> None:
    planned = preview(site)

    assert planned.outputs == {"arn": UNKNOWN}
    assert {step.op for step in planned.steps} == {"create"}
    assert planned.one(aws.s3.BucketObjectv2).inputs["bucket"] is UNKNOWN


def test_second_preview_shows_what_changes_and_why_it_replaces(deploy: Run) -> None:
    deployment = deploy(site, replace_on={"aws:s3/bucketObjectv2:BucketObjectv2": ["source"]})

    deployment.preview().assert_no_changes()
    planned = deployment.preview(lambda: Site("web", text="bye", opts=on_aws()) and None)
    (step,) = planned.changes
    assert (step.op, step.name, list(step.replace_reasons)) == ("replace", "web-page", ["source"])
    with pytest.raises(AssertionError, match=r"this would lose:\n  <replace urn:.*web-page because of source>"):
        planned.assert_keeps(aws.s3.BucketObjectv2)
    planned.assert_keeps(aws.s3.Bucket)
    with pytest.raises(AssertionError, match=r"want no changes, got:\n  <replace"):
        planned.assert_no_changes()


def test_deployment_can_be_refreshed_and_destroyed(deploy: Run) -> None:
    deployment = deploy(site)
    assert deployment.refresh().changes == []
    assert {step.op for step in deployment.destroy().steps} == {"delete"}


def test_answers_and_invokes_replace_made_up_values(deploy: Run) -> None:
    def program() -> None:
        opts = on_aws()
        bucket = aws.s3.Bucket("data", opts=pulumi.ResourceOptions(provider=opts.providers[0]))  # type: ignore[index]
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(provider=opts.providers[0]))  # type: ignore[index]
        pulumi.export("arn", bucket.arn)
        pulumi.export("account", account.account_id)

    deployment = deploy(
        program,
        answers={"aws:s3/bucket:Bucket": lambda call: {"arn": f"arn:of:{call.name}"}},
        invokes={"aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "1"}},
    )
    assert deployment.outputs == {"arn": "arn:of:data", "account": "1"}


def test_configuration_reaches_program_and_keeps_secrets(deploy: Run) -> None:
    def program() -> None:
        config = pulumi.Config("app")
        pulumi.export("sizes", config.require_object("sizes"))
        pulumi.export("password", config.require_secret("password"))

    deployment = deploy(
        program, stack="prod", project="shop", config={"app:sizes": [1, 2], "app:password": Secret("p")}
    )
    assert deployment.outputs == {"sizes": [1, 2], "password": Secret("p")}


def refused(message: str) -> Any:
    return pytest.raises(DeploymentError, match=message)


def bucket_with(**inputs: Any) -> Callable[[], None]:
    return lambda: aws.s3.Bucket("data", opts=pulumi.ResourceOptions(provider=aws.Provider("cloud")), **inputs) and None


def test_refuses_inputs_that_the_schema_does_not_allow(deploy: Run) -> None:
    def namespace() -> None:
        k8s.core.v1.Pod(
            "pod",
            spec={"containers": [{"name": "app", "imag": "nginx", "ports": [{"containerPort": "http"}]}]},  # type: ignore[typeddict-item]
            opts=pulumi.ResourceOptions(provider=k8s.Provider("cluster")),
        )

    with refused(r"spec\.containers\[0\]\.imag: unknown property; did you mean 'image'\?"):
        deploy(namespace)
    with refused(r"tags\.team: want a string, got the number 3"):
        deploy(bucket_with(tags={"team": 3}))
    with refused(r"data.*\n?.*versioning\.enabled: want a boolean, got the string \"yes\""):
        deploy(bucket_with(versioning={"enabled": "yes"}))
    deploy(bucket_with(tags={"team": 3}), checks={"schema": False})


def test_refuses_a_missing_required_input(deploy: Run) -> None:
    def program() -> None:
        # As a transform, a `None` in a variable or an older SDK can leave it out.
        aws.lb.TargetGroupAttachment(
            "pod",
            target_group_arn="arn",
            target_id=pulumi.Output.from_input(None),
            opts=pulumi.ResourceOptions(provider=aws.Provider("cloud")),
        )

    with refused(r"targetId: missing required property, want a string"):
        deploy(program)


def test_assertion_in_an_apply_fails_the_test(deploy: Run) -> None:
    def program() -> None:
        def check(arn: str) -> None:
            assert arn == "something else"

        Site("web", opts=on_aws()).arn.apply(check)

    with pytest.raises(AssertionError, match="something else"):
        deploy(program)


def test_apply_that_never_ran_is_reported_where_asked(preview: Run) -> None:
    def program() -> None:
        Site("web", opts=on_aws()).arn.apply(lambda arn: arn.upper())

    assert "test_programs.py" in preview(program).skipped_applies[0]
    with pytest.raises(CheckError, match=r"\[applies\] the function at .*lambda> was given to apply and never ran"):
        preview(program, checks={"applies": True})


def test_resource_on_a_default_provider_fails(deploy: Run) -> None:
    def program() -> None:
        aws.s3.Bucket("data")

    with pytest.raises(CheckError, match=r"\[providers\] urn:.*Bucket::data is on the default provider"):
        deploy(program)
    deploy(program, checks={"providers": False})


class Careless(pulumi.ComponentResource):
    """Makes every mistake there is."""

    url: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("test:index:Careless", name, None, opts)
        aws.s3.Bucket(f"{name}-bucket", opts=pulumi.ResourceOptions(provider=aws.Provider("cloud")))


def test_child_without_parent_and_component_without_outputs_fail(deploy: Run) -> None:
    made_by_careless = (
        "is made by urn:pulumi:dev::test::test:index:Careless::c, and has the stack as its parent; pass parent=self"
    )
    with pytest.raises(CheckError) as caught:
        deploy(lambda: Careless("c") and None)
    assert re.findall(r"\[(\w+)\] urn:pulumi:dev::test::(\S+) (.*)", str(caught.value)) == [
        ("parents", "pulumi:providers:aws::cloud", made_by_careless),
        ("parents", "aws:s3/bucket:Bucket::c-bucket", made_by_careless),
        ("outputs", "test:index:Careless::c", "never calls register_outputs"),
        ("outputs", "test:index:Careless::c", "declares the output 'url' and leaves it undefined"),
    ]


@pytest.mark.slipway_checks(parents=False, outputs=False)
def test_marker_switches_checks_off(deploy: Run) -> None:
    deploy(lambda: Careless("c") and None)


def test_duplicate_urn_fails(deploy: Run) -> None:
    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("cloud"))
        aws.s3.Bucket("data", opts=provider)
        aws.s3.Bucket("data", opts=provider)

    with refused("Duplicate resource URN"):
        deploy(program)


def test_error_of_the_program_is_raised_as_it_is(deploy: Run) -> None:
    def program() -> None:
        raise KeyError("region")

    with pytest.raises(KeyError, match="region"):
        deploy(program)


def test_one_names_what_there_is(deploy: Run) -> None:
    with pytest.raises(
        AssertionError, match=r"want exactly one aws:rds/instance:Instance, found 0; there is:\n(.*\n)*.*web-page"
    ):
        deploy(site).one("aws:rds/instance:Instance")
