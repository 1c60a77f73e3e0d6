"""Organisation, dev and prod in an account each: the foundation goes up, dev releases, prod takes the same image, each by its CI role."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accounts_kit import (
    ACCOUNTS,
    ORGANISATION,
    REGION,
    Environment,
    Keys,
    Organisation,
    balancer_in,
    foundation_file,
    stack_file,
)
from stack_kit import served

from slipway import delivery
from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.adapters import aws as delivery_aws
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.adapters.signing import KmsSigner, load_public_key
from slipway.delivery.model.colour import Weights
from slipway.delivery.testing.attestations import SimulatedAttestations
from slipway.delivery.testing.clock import ManualClock
from slipway.errors import OperationError, UsageError
from slipway.providers.provider import CallContext, Caller, ProviderError
from slipway.sandbox.aws_accounts import OWN_ACCOUNT, account_credentials
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers.aws import AwsProvider
from slipway.stack import PulumiStack, find_cli

pytestmark = pytest.mark.usefixtures("cli_on_path")
ROOT = Path(__file__).parents[3]
KIND = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": KIND, "config": {"digest": "sha256:1"}, "layers": []})


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    tmp_path = tmp_path_factory.mktemp("organisation")
    project, state = tmp_path / "project", tmp_path / "state"
    shutil.copytree(ROOT / "foundation", project / "foundation")
    (project / "foundation/Pulumi.three.yaml").write_text(foundation_file())
    (project / ".venv").symlink_to(sys.prefix)
    state.mkdir()
    with served(tmp_path / "home") as daemon, pytest.MonkeyPatch.context() as environment:
        for name, value in daemon.pulumi_environ(state, tmp_path / "pulumi-home").items():
            environment.setenv(name, value)
        stack = PulumiStack(find_cli, project / "foundation", "three")
        assert set(stack.up().changes) == {"create"}
        outputs = stack.outputs()
        for name in ACCOUNTS:
            (project / f"Pulumi.{name}.yaml").write_text(stack_file(name, outputs))
        shutil.copy(ROOT / "Pulumi.yaml", project)
        yield Organisation(daemon, project, outputs)


def push(organisation: Organisation, keys: Keys) -> str:
    """An image in the organisation's registry, as the docker client puts it there."""
    pushed = organisation.client("ecr", keys).put_image(
        registryId=ORGANISATION, repositoryName="orders", imageManifest=MANIFEST, imageTag="src-1"
    )["image"]
    return f"{organisation.outputs['repositoryUrls']['orders']}@{pushed['imageId']['imageDigest']}"


def everything(organisation: Organisation, environment: str) -> list[Any]:
    """The ledger's items of one environment."""
    items = organisation.daemon.client("dynamodb").scan(TableName="slipway-ledger")["Items"]
    return sorted((each for each in items if each["pk"]["S"] == f"{environment}#orders"), key=str)


def test_release_is_promoted_by_digest_from_account_to_account(organisation: Organisation) -> None:
    clock = ManualClock()
    attestations = SimulatedAttestations(clock)
    environments = {
        name: Environment(organisation, name, balancer_in(organisation, name), clock, attestations) for name in ACCOUNTS
    }
    dev, prod = environments["dev"], environments["prod"]
    assert dev.reference.arn.split(":")[4] == ACCOUNTS["dev"]
    dev.image = push(organisation, organisation.deployer("dev"))
    assert dev.image.startswith(f"{ORGANISATION}.dkr.ecr.{REGION}.amazonaws.com/orders@sha256:")
    for environment in environments.values():  # slipway bootstrap dev prod
        with environment.context(organisation.daemon.environ) as ctx:
            ctx.ledger.ensure(ctx.place)

    with dev.context(organisation.deployer("dev")) as ctx:
        released = delivery.release(ctx)
    assert released.status == "completed"
    assert dev.weights() != prod.weights()

    before = everything(organisation, "prod"), prod.weights()
    with prod.context(organisation.deployer("dev")) as ctx:
        for verb in (
            lambda: delivery.promote(ctx, "dev"),
            lambda: delivery.resume(ctx),
        ):
            with pytest.raises(UsageError) as caught:
                verb()
            assert caught.value.what == (
                f"the AWS credentials are of account {ACCOUNTS['dev']}, and prod is in {ACCOUNTS['prod']}"
            )
        # Without that check, it is AWS that refuses.
        with pytest.raises(OperationError, match="not authorized to perform: dynamodb:UpdateItem"):
            delivery.promote(replace(ctx, account_id=""), "dev")
        with pytest.raises(OperationError, match="ListenerNotFound"):
            Elbv2LoadBalancer(prod.reference, REGION).move(Weights(blue=50, green=50))
    assert (everything(organisation, "prod"), prod.weights()) == before

    with prod.context(organisation.deployer("prod")) as ctx:
        promoted = delivery.promote(ctx, "dev")
        with pytest.raises(OperationError, match="not authorized to perform: dynamodb:PutItem"):
            ctx.ledger.request_abort(replace(ctx.place, environment="dev"), "r", "no")
    assert promoted.status == "completed"
    assert promoted.release == released.release
    assert promoted.release is not None
    assert promoted.release.image == dev.image
    assert prod.world is not None
    assert dev.world is not None
    assert [prod.world.harm, dev.world.harm] == [[], []]
    assert {each[0].image for each in prod.world.running.values()} == {dev.image}
    assert prod.weights() == Weights(blue=0, green=100)

    with prod.context(organisation.deployer("prod")) as ctx:
        assert {row.environment for row in delivery.status(ctx, ask_load_balancers=False)} == {"dev", "prod"}
    with pytest.raises(Exception, match="not authorized to perform: ecr:PutImage"):
        push(organisation, organisation.deployer("prod"))


def test_provider_finds_the_repository_in_the_organisations_registry_and_refuses_another_account(
    organisation: Organisation,
) -> None:
    environ = {**organisation.deployer("dev"), "AWS_ENDPOINT_URL": organisation.daemon.url, "AWS_REGION": REGION}
    ctx = CallContext(urn="urn:pulumi:dev::shop::pulumi:providers:aws::aws", type="pulumi:providers:aws", name="aws")
    provider = AwsProvider(Caller(environ=environ))
    with pytest.raises(ProviderError, match=f"AWS account ID not allowed: {ACCOUNTS['dev']}"):
        provider.configure(ctx, {"allowedAccountIds": json.dumps([ACCOUNTS["prod"]])})
    provider.configure(ctx, {"allowedAccountIds": json.dumps([ACCOUNTS["dev"]])})
    asked = {"name": "orders", "registryId": ORGANISATION}
    found = provider.invoke("aws:ecr/getRepository:getRepository", asked, preview=False).outputs
    assert found["repositoryUrl"] == organisation.outputs["repositoryUrls"]["orders"]
    assert found["registryId"] == ORGANISATION
    with pytest.raises(ProviderError, match="RepositoryNotFoundException"):
        provider.invoke("aws:ecr/getRepository:getRepository", {"name": "orders"}, preview=False)


def test_owner_gets_into_an_account_by_the_command_line(organisation: Organisation) -> None:
    keys = account_credentials(SandboxPaths(organisation.daemon.home), ACCOUNTS["prod"], organisation.daemon.url)
    assert organisation.client("sts", keys).get_caller_identity()["Account"] == ACCOUNTS["prod"]
    own = account_credentials(SandboxPaths(organisation.daemon.home), OWN_ACCOUNT, organisation.daemon.url)
    assert organisation.client("sts", own).get_caller_identity()["Account"] == OWN_ACCOUNT == ORGANISATION
    with pytest.raises(UsageError, match="12 digits"):
        account_credentials(SandboxPaths(organisation.daemon.home), "prod", organisation.daemon.url)


def test_key_of_the_organisation_signs_in_dev_and_is_read_in_prod(organisation: Organisation) -> None:
    key = SupplyChain(key=organisation.outputs["signingKeyArn"])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", organisation.daemon.url)
        found: list[Any] = []
        for name in ACCOUNTS:
            for variable, value in organisation.deployer(name).items():
                environment.setenv(variable, value)
            delivery_aws.session.cache_clear()
            found.append(load_public_key(key, REGION))
            signer = KmsSigner(key, found[-1], REGION)
            if name == "dev":
                found[-1].verify_signature(signer.sign(b"statement"), b"statement")
            else:
                with pytest.raises(Exception, match="AccessDenied"):
                    signer.client.sign(KeyId=key.key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")
    delivery_aws.session.cache_clear()
    assert found[0] == found[1]
