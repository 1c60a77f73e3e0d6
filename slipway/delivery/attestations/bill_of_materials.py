# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false
# The CycloneDX library's decorators hide its classes' types.
"""A bill of materials from an image's own records: Python's `METADATA` files and Debian's list of packages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

PYTHON_RECORD = re.compile(r"(^|/)[^/]+\.dist-info/METADATA$")
DEBIAN_RECORD = "var/lib/dpkg/status"
SYSTEM_RELEASE = "usr/lib/os-release"
LONGEST_NAME = 100
"""A licence text longer than this is the licence itself, not its name."""

CLASSIFIER = "License :: OSI Approved :: "
SPDX_NAMES: Mapping[str, str] = {
    "academic free license (afl)": "AFL-3.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "eclipse public license 2.0 (epl-2.0)": "EPL-2.0",
    "gnu affero general public license v3": "AGPL-3.0-only",
    "gnu affero general public license v3 or later (agplv3+)": "AGPL-3.0-or-later",
    "gnu general public license v2 (gplv2)": "GPL-2.0-only",
    "gnu general public license v2 or later (gplv2+)": "GPL-2.0-or-later",
    "gnu general public license v3 (gplv3)": "GPL-3.0-only",
    "gnu general public license v3 or later (gplv3+)": "GPL-3.0-or-later",
    "gnu lesser general public license v2 (lgplv2)": "LGPL-2.0-only",
    "gnu lesser general public license v2 or later (lgplv2+)": "LGPL-2.0-or-later",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0-only",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
    "zope public license": "ZPL-2.1",
}
"""What older packages write, in lower case; the classifiers are PyPI's. `BSD License` is left out: there are several."""


def is_record(path: str) -> bool:
    """Whether a file of an image says what is installed."""
    return path in {DEBIAN_RECORD, SYSTEM_RELEASE} or bool(PYTHON_RECORD.search(path))


def describe(name: str, digest: str, records: Mapping[str, bytes]) -> dict[str, Any]:
    """The CycloneDX document of image `name`, whose records are given by path."""
    from cyclonedx.model import HashAlgorithm, HashType  # noqa: PLC0415 - 0.4 s, for a release only
    from cyclonedx.model.bom import Bom  # noqa: PLC0415 - see above
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415 - see above
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415 - see above

    bill = Bom()
    algorithm, _, value = digest.partition(":")
    bill.metadata.component = Component(
        name=name,
        version=digest,
        type=ComponentType.CONTAINER,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=value)] if algorithm == "sha256" else [],
    )
    bill.components.update(_python_packages(records))
    bill.components.update(_debian_packages(records))
    bill.register_dependency(bill.metadata.component, bill.components)
    return cast("dict[str, Any]", json.loads(JsonV1Dot6(bill).output_as_string()))


def _python_packages(records: Mapping[str, bytes]) -> Iterator[Component]:
    from cyclonedx.model.component import Component  # noqa: PLC0415 - see above
    from packageurl import PackageURL  # noqa: PLC0415 - see above

    for path, content in sorted(records.items()):
        if PYTHON_RECORD.search(path):
            fields = BytesHeaderParser().parsebytes(content)
            name, version = str(fields["Name"]), str(fields["Version"])
            address = PackageURL("pypi", name=re.sub(r"[-_.]+", "-", name).lower(), version=version)
            yield Component(
                name=name, version=version, purl=address, bom_ref=f"{address}#{path}", licenses=_licences(fields)
            )


def _licences(fields: Message) -> list[License]:
    """By SPDX where the package's words can be understood, else in its own words."""
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415 - see above
    from cyclonedx.model.license import DisjunctiveLicense  # noqa: PLC0415 - see above

    factory = LicenseFactory()
    stated = [str(text) for text in (fields["License-Expression"], fields["License"]) if text]
    for text in stated:
        found = factory.make_from_string(SPDX_NAMES.get(text.lower(), text)) if len(text) <= LONGEST_NAME else None
        if found is not None and not (isinstance(found, DisjunctiveLicense) and found.name):
            return [found]
    classified = [str(line) for line in fields.get_all("Classifier", []) if str(line).startswith(CLASSIFIER)]
    names = [line.removeprefix(CLASSIFIER) for line in classified] or [t for t in stated if len(t) <= LONGEST_NAME]
    return [factory.make_from_string(SPDX_NAMES.get(name.lower(), name)) for name in names]


def _debian_packages(records: Mapping[str, bytes]) -> Iterator[Component]:
    """Without licences: Debian keeps those as texts."""
    from cyclonedx.model.component import Component  # noqa: PLC0415 - see above
    from packageurl import PackageURL  # noqa: PLC0415 - see above

    release = re.search(rb"^VERSION_CODENAME=\"?(\w+)", records.get(SYSTEM_RELEASE, b""), re.MULTILINE)
    qualifiers = {"distro": release[1].decode()} if release else {}
    for paragraph in re.split(rb"\n\s*\n", records.get(DEBIAN_RECORD, b"")):
        fields = BytesHeaderParser().parsebytes(paragraph.strip())
        if str(fields["Status"] or "").endswith(" installed"):
            name, version = str(fields["Package"]), str(fields["Version"])
            arch = str(fields["Architecture"] or "all")
            address = PackageURL(
                "deb", namespace="debian", name=name, version=version, qualifiers={"arch": arch, **qualifiers}
            )
            yield Component(name=name, version=version, purl=address, bom_ref=str(address))
