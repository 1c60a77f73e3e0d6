"""Asks an account, before anything is made, what an `up` and a release will need of it. Nothing is changed."""

from slipway.doctor.account import Account
from slipway.doctor.case import Case
from slipway.doctor.examination import examine
from slipway.doctor.finding import Finding, State
from slipway.doctor.project import read_project

__all__ = ["Account", "Case", "Finding", "State", "examine", "read_project"]
