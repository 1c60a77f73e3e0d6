"""Where the policy runner enters. Absolute imports only: this file runs as a script."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# Pulumi runs this folder; the code beside it is this checkout's, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.encryption import ENCRYPTION
from policies.exposure import NO_PUBLIC_ACCESS
from policies.images import IMAGES_BY_DIGEST
from policies.tags import REQUIRED_TAGS

PolicyPack(
    name="slipway",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[ENCRYPTION, NO_PUBLIC_ACCESS, REQUIRED_TAGS, IMAGES_BY_DIGEST],
)
