"""What is built from Go modules, and what each of it is made of."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from slipway.sandbox.go_programs.toolchain import go_version

GO_FOLDER = Path(__file__).parent.parent / "go"


@dataclass(frozen=True)
class ModuleFile:
    """A file of a required module, copied as it is or as JSON with its `version` set."""

    module: str
    path: str
    version: str = ""


@dataclass(frozen=True)
class Patch:
    """A text of a required module that is replaced before the build; it must occur there once."""

    module: str
    folder: str
    """What of the module is needed: the rest is not copied."""
    path: str
    before: str
    after: str
    until: str = ""
    """Where it is given, all from `before` up to here goes."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Programs that are built together, into one folder."""

    name: str
    packages: tuple[str, ...]
    """Main packages: `./name` in `go/`, or an import path. A program has the name of its package's folder."""
    links: tuple[str, ...] = ()
    """More names of the first program, which behaves by the name that it is called by."""
    ldflags: str = "-s -w"
    sources: tuple[str, ...] = ()
    """Other folders in `go/` that it is made of."""
    embedded: tuple[ModuleFile, ...] = ()
    """Files that the first package embeds."""
    beside: tuple[ModuleFile, ...] = ()
    """Files that are put beside the programs, executable."""
    patches: tuple[Patch, ...] = ()
    """Changes to a copy of a module, made before the build."""
    compiled: int
    """How many packages are compiled when the groups before it are built, for the progress text only."""

    @property
    def programs(self) -> tuple[str, ...]:
        """Everything that its folder holds."""
        built = (package.rsplit("/", 1)[-1] for package in self.packages)
        return (*built, *self.links, *(file.path.rsplit("/", 1)[-1] for file in self.beside))


@cache
def required_version(module: str) -> str:
    """The version of a module that go.mod requires, without its `v`; `go` for the language's."""
    found = re.search(
        rf"^\s*(?:require )?{re.escape(module)} v?(\S+)", (GO_FOLDER / "go.mod").read_text(), re.MULTILINE
    )
    if found is None:
        raise KeyError(module)
    return found[1]


_PULUMI = "github.com/pulumi/pulumi/"


def _cut(path: str, before: str, until: str = "", after: str = "") -> Patch:
    return Patch(f"{_PULUMI}pkg/v3", ".", path, before, after, until)


_OTHER_CLOUDS = (
    _cut("backend/diy/backend.go", '\t"gocloud.dev/blob/azureblob"', '\t_ "gocloud.dev/blob/fileblob"'),
    _cut("backend/diy/backend.go", '\t"gocloud.dev/blob/gcsblob"', '\t_ "gocloud.dev/blob/s3blob"'),
    _cut("backend/diy/backend.go", f'\t"{_PULUMI}pkg/v3/authhelpers"', f'\t"{_PULUMI}pkg/v3/backend"'),
    # Else such a URL would be taken for Pulumi Cloud's.
    _cut(
        "backend/diy/backend.go",
        "\treturn blob.DefaultURLMux().Valid",
        after='\treturn u.Scheme == "gs" || u.Scheme == "azblob" || blob.DefaultURLMux().Valid',
    ),
    _cut("backend/diy/backend.go", "\t// for gcp we want", "\tbucket, err := blobmux.OpenBucket"),
    _cut("secrets/cloud/manager.go", '\t_ "gocloud.dev/secrets/azurekeyvault"', '\t_ "gocloud.dev/secrets/hashivault"'),
    _cut("secrets/cloud/manager.go", '\t"google.golang.org/api/cloudkms/v1"', f'\t"{_PULUMI}pkg/v3/secrets"'),
    _cut(
        "secrets/cloud/manager.go",
        "\tswitch u.Scheme {",
        "\n}\n\n// generateNewDataKey",
        "\treturn gosecrets.DefaultURLMux().OpenKeeperURL(ctx, u)",
    ),
)
"""State and keys in Azure and Google Cloud: a third of what has to be compiled. The CLI refuses their URLs, naming those that it knows."""

PULUMI_VERSION = required_version(f"{_PULUMI}pkg/v3")
PULUMI = Group(
    name="pulumi",
    packages=(f"{_PULUMI}pkg/v3/cmd/pulumi", "./pulumi-language-python"),
    ldflags=f"-s -w -X {_PULUMI}sdk/v3/go/common/version.Version={PULUMI_VERSION}",
    beside=(
        ModuleFile(f"{_PULUMI}sdk/v3", "python/cmd/pulumi-language-python-exec"),
        ModuleFile(f"{_PULUMI}sdk/v3", "python/dist/pulumi-resource-pulumi-python"),  # dynamic providers
    ),
    patches=_OTHER_CLOUDS,
    compiled=600,
)

_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
KUBERNETES_PLUGIN_VERSION = version("pulumi-kubernetes")
"""The SDK's, although the newest module that there is may be older: the engine takes no plugin of another version than the SDK asks for."""
NEWER_SETTINGS = ("alwaysRender", "enablePatchForce", "upsertExistingObjects")
"""Provider settings that the SDK has and the module has not: they would be ignored without a word."""
_CHECK_CONFIG = "\ttruthyValue := func(argName resource.PropertyKey, props resource.PropertyMap) bool {"
_REFUSE_NEWER_SETTINGS = f"""
\tfor _, name := range []resource.PropertyKey{{{", ".join(f'"{name}"' for name in NEWER_SETTINGS)}}} {{
\t\tif v := news[name]; v.HasValue() && v.String() != "{{false}}" {{
\t\t\treason := "the Kubernetes provider that the sandbox builds does not know this setting: leave it out, or install the plugin, version "
\t\t\treturn &pulumirpc.CheckResponse{{Failures: []*pulumirpc.CheckFailure{{{{Property: string(name), Reason: reason + k.version}}}}}}, nil
\t\t}}
\t}}
"""
KUBERNETES_PLUGIN = Group(
    name="pulumi-resource-kubernetes",
    packages=("./pulumi-resource-kubernetes",),
    ldflags=f"-s -w -X main.version={KUBERNETES_PLUGIN_VERSION}",
    sources=("kubernetes-sdk",),
    embedded=(
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/schema.json", KUBERNETES_PLUGIN_VERSION),
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
    ),
    patches=(
        # A field that has become a pointer.
        Patch(_PROVIDER, "pkg", "gen/schema.go", "Provider: pschema.ResourceSpec{", "Provider: &pschema.ResourceSpec{"),
        Patch(_PROVIDER, "pkg", "provider/provider.go", _CHECK_CONFIG, _REFUSE_NEWER_SETTINGS + _CHECK_CONFIG),
    ),
    compiled=600,
)

_COMPONENT = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = required_version("k8s.io/kubernetes").split(".")
KUBERNETES = Group(
    name="kubernetes",
    packages=("./kubernetes",),
    links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
    # Unset, every component would report v0.0.0-master, which clients take for "no feature known".
    ldflags=f"-s -w -X {_COMPONENT}.gitVersion=v{required_version('k8s.io/kubernetes')}"
    f" -X {_COMPONENT}.gitMajor={_MAJOR} -X {_COMPONENT}.gitMinor={_MINOR}",
    compiled=2700,
)
COREDNS = Group(name="coredns", packages=("./coredns",), compiled=100)
METRICS_SERVER = Group(name="metrics-server", packages=("./metrics-server",), compiled=30)
PAUSE = Group(name="pause", packages=("./pause",), compiled=50)

CLUSTER_GROUPS = (PAUSE, KUBERNETES, COREDNS, METRICS_SERVER)
"""What the sandbox's own clusters need."""
GROUPS = (*CLUSTER_GROUPS, KUBERNETES_PLUGIN, PULUMI)
"""In the order of building. The first needs no module: it compiles Go's own library while the others' are downloaded."""


@cache
def fingerprint(group: Group) -> str:
    said = [go_version(required_version("go")), *group.packages, *group.links, group.ldflags]
    said += [repr(part) for part in (*group.embedded, *group.beside, *group.patches)]
    digest = hashlib.sha256("\n".join(said).encode())
    folders = [*(name for name in group.packages if name.startswith("./")), *group.sources]
    sources = [path for name in folders for path in (GO_FOLDER / name).rglob("*") if path.is_file()]
    for path in (GO_FOLDER / "go.mod", GO_FOLDER / "go.sum", *sorted(sources)):
        digest.update(f"\0{path.relative_to(GO_FOLDER)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
