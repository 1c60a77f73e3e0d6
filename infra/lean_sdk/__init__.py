"""Makes the import of Pulumi's provider SDKs cost what the program uses of them. See docs/decisions/lean-sdk-imports.md."""

from infra.lean_sdk.packages import lean_sdk_imports

__all__ = ["lean_sdk_imports"]
