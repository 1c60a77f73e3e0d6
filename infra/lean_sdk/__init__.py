"""Makes Pulumi's SDKs cost what the program uses of them. See docs/decisions/lean-sdk-imports.md."""

from infra.lean_sdk.messages import drop_debug_messages
from infra.lean_sdk.packages import lean_sdk_imports

__all__ = ["drop_debug_messages", "lean_sdk_imports"]
