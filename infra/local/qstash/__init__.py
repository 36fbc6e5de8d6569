"""A QStash server for development and tests, written from its public contract; it knows nothing of Posthaste."""

from infra.local.qstash.delivery.faults import Faults
from infra.local.qstash.plans import PLANS, Plan
from infra.local.qstash.server import QStashServer

__all__ = ["PLANS", "Faults", "Plan", "QStashServer"]
