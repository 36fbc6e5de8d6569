"""Fault points: nothing in production, a death in a test; each is somewhere, and what becomes of it is written down."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import fault_points
from shared.fault_points import Crash, FaultPoint, arm, armed, reach

ROOT = Path(__file__).parent.parent.parent


def test_nothing_happens_unless_armed() -> None:
    for point in FaultPoint:
        reach(point)


def test_an_armed_point_goes_off_once_and_no_other_does() -> None:
    with armed(FaultPoint.CLAIMED):
        reach(FaultPoint.RECORDED)
        with pytest.raises(Crash) as crash:
            reach(FaultPoint.CLAIMED)
        reach(FaultPoint.CLAIMED)
    assert crash.value.args == (FaultPoint.CLAIMED,)


def test_a_point_that_was_not_reached_is_disarmed() -> None:
    with armed(FaultPoint.CLAIMED):
        pass
    assert fault_points._actions == {}
    reach(FaultPoint.CLAIMED)


def test_what_is_done_there_may_be_anything() -> None:
    done: list[str] = []
    arm(FaultPoint.CLAIMED, lambda: done.append("once"))
    reach(FaultPoint.CLAIMED)
    reach(FaultPoint.CLAIMED)
    assert done == ["once"]


def test_what_catches_errors_does_not_catch_a_crash() -> None:
    assert not issubclass(Crash, Exception)


def test_each_point_is_somewhere() -> None:
    assert set(places()) == {point.name for point in FaultPoint}


def places() -> Iterator[str]:
    """The names with which production code calls `reach`."""
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name("reach"), args=[ast.Attribute(ast.Name("FaultPoint"), name)]):
                    yield name


def test_each_point_says_what_has_not_been_done_yet() -> None:
    source = Path(fault_points.__file__).read_text("utf-8")
    assert set(re.findall(r"^    ([A-Z_]+) = auto\(\)  # \S", source, re.MULTILINE)) == set(
        FaultPoint.__members__
    )


def test_the_lifecycle_says_of_each_point_what_holds_and_who_heals_it() -> None:
    page = (ROOT / "docs" / "job-lifecycle.md").read_text("utf-8")
    section = page.partition("## Where a process may die")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \| \S.* \| \S.* \|$", section, re.MULTILINE)
    assert rows == list(FaultPoint.__members__)  # in their order too


def test_they_cost_a_cold_start_next_to_nothing() -> None:
    program = "import shared, sys; before = set(sys.modules); import shared.fault_points; print(*set(sys.modules) - before)"
    result = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {name.partition(".")[0] for name in result.stdout.split()} <= {"shared", *sys.stdlib_module_names}
