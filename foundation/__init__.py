"""The Pulumi program of what an organisation has once: registry, ledger, CI's roles, audit trail and budgets."""
