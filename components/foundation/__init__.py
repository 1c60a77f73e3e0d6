"""Components of what an organisation has once, in an account of its own: images, the ledger, CI's roles, audit, budgets.

Apart from the others: an environment's program imports none of them, and none is offered to other languages.
"""

from .audit_archive import AuditArchive, AuditArchiveArgs
from .audit_trail import AuditTrail, AuditTrailArgs
from .budget_alarm import BudgetAlarm, BudgetAlarmArgs
from .ci_access import CiAccess, CiAccessArgs
from .ci_roles import REPOSITORY, CiEnvironment, operator_role_arn, role_arn
from .image_registry import ImageRegistry, ImageRegistryArgs
from .ledger import Ledger, LedgerArgs
from .signing_key import SigningKey, SigningKeyArgs
from .state_store import StateStore, StateStoreArgs

__all__ = [
    "REPOSITORY",
    "AuditArchive",
    "AuditArchiveArgs",
    "AuditTrail",
    "AuditTrailArgs",
    "BudgetAlarm",
    "BudgetAlarmArgs",
    "CiAccess",
    "CiAccessArgs",
    "CiEnvironment",
    "ImageRegistry",
    "ImageRegistryArgs",
    "Ledger",
    "LedgerArgs",
    "SigningKey",
    "SigningKeyArgs",
    "StateStore",
    "StateStoreArgs",
    "operator_role_arn",
    "role_arn",
]
