"""Data at rest is encrypted with a key of ours."""

from collections.abc import Iterator

from policies.rule import Properties, block, build_policy, listing

ENCRYPTED_BY = {
    "aws:rds/instance:Instance": "storageEncrypted",
    "aws:rds/cluster:Cluster": "storageEncrypted",
    "aws:ebs/volume:Volume": "encrypted",
    "aws:efs/fileSystem:FileSystem": "encrypted",
}
"""The property that must be true, by type."""


def unencrypted(resource_type: str, properties: Properties) -> Iterator[str]:
    """Resources that hold data in the clear."""
    wanted = ENCRYPTED_BY.get(resource_type)
    if wanted and properties.get(wanted) is not True:
        yield f"data at rest is not encrypted; set {wanted} to true"
    if resource_type == "aws:eks/cluster:Cluster" and not properties.get("encryptionConfig"):
        yield "Kubernetes Secrets are not encrypted; set encryptionConfig with a KMS key"
    if resource_type == "aws:ec2/launchTemplate:LaunchTemplate":
        for disk in listing(properties, "blockDeviceMappings"):
            if str(block(disk, "ebs").get("encrypted")).lower() != "true":
                yield f"disk {disk.get('deviceName')} is not encrypted; set ebs.encrypted to true"
    if resource_type == "aws:ecr/repository:Repository" and not properties.get("encryptionConfigurations"):
        yield "images are not encrypted with a key of ours; set encryptionConfigurations"
    if resource_type == "aws:sns/topic:Topic" and not properties.get("kmsMasterKeyId"):
        yield "messages are not encrypted; set kmsMasterKeyId"
    # KMS rotates symmetric keys only.
    symmetric = properties.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    if resource_type == "aws:kms/key:Key" and symmetric and properties.get("enableKeyRotation") is not True:
        yield "the key never rotates; set enableKeyRotation to true"


ENCRYPTION = build_policy(
    "encryption-at-rest", "Databases, disks, images, messages and Secrets are encrypted.", unencrypted
)
