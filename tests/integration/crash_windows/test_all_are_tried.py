"""No fault point is left out."""

from __future__ import annotations

from types import ModuleType

import pytest

from shared.fault_points import FaultPoint
from tests.integration.crash_windows import test_accepting, test_delivery, test_healing, test_receiving


def test_somebody_dies_at_each_place() -> None:
    modules = (test_accepting, test_delivery, test_healing, test_receiving)
    assert set(FaultPoint) - set[FaultPoint]().union(*map(points_tried, modules)) == set()


def points_tried(module: ModuleType) -> set[FaultPoint]:
    """The points that a module's tests are run with; `World.dies` fails one whose point is not reached."""
    tests = [test for name, test in vars(module).items() if name.startswith("test_")]
    marks = [mark for test in tests for mark in marks_of(test)]
    return {point for mark in marks if mark.args[0] == "point" for point in mark.args[1]}


def marks_of(test: object) -> list[pytest.Mark]:
    return getattr(test, "pytestmark", [])
