"""A QStash server for development and tests, written from its public contract; it knows nothing of Posthaste."""

from .delivery.faults import Faults
from .plans import PLANS, Plan
from .server import QStashServer

__all__ = ["PLANS", "Faults", "Plan", "QStashServer"]
