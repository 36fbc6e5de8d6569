"""`make dev` takes up what changes, as often as it changes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.local import dev
from infra.local.cloud import LocalCloudError
from infra.template import Template


class Enough(BaseException):
    """The end of the watching."""


class Cloud:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.dashboard_url, self.api_key = "http://127.0.0.1:9/jobs-api/", "ph_dev"
        self.reloads = 0

    def reload(self, _template: Template) -> list[str]:
        self.reloads += 1
        if self.reloads == 2:
            raise Enough
        return []

    def recycle(self) -> None:
        """Nothing to do."""


def test_a_template_that_is_saved_by_replacing_it_is_seen_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many editors save, and as `make new-job` does."""
    for name in ("functions", "shared"):
        (tmp_path / name).mkdir()
    (tmp_path / "template.yaml").touch()
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "ENVIRONMENT", tmp_path / "env")
    cloud = Cloud()
    watching = threading.Thread(target=_until_enough, args=(cloud,), daemon=True)
    watching.start()
    for number in (1, 2):
        _save_until_reloaded(tmp_path / "template.yaml", cloud, number)
    watching.join(30)
    assert not watching.is_alive()


def _until_enough(cloud: Any) -> None:
    try:
        dev._recycle_on_change(cloud)
    except Enough:
        return


def _save_until_reloaded(file: Path, cloud: Cloud, times: int) -> None:
    """Save again and again: when the watching has begun, nobody says."""
    deadline = time.monotonic() + 30
    while cloud.reloads < times:
        assert time.monotonic() < deadline, "not seen"
        new = file.with_suffix(".new")
        new.write_text(str(time.monotonic()))
        new.replace(file)
        time.sleep(0.2)


@pytest.mark.parametrize(("arguments", "fresh"), [([], False), (["--fresh"], True)])
def test_it_begins_with_an_empty_database_only_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], fresh: bool
) -> None:
    asked: list[bool] = []

    def refuse(*_places: object, **options: Any) -> None:
        asked.append(options["fresh"])
        raise LocalCloudError("enough")

    monkeypatch.setattr(dev, "LocalCloud", refuse)
    assert dev.main(arguments) == 1
    assert asked == [fresh]


def test_of_many_changed_files_a_few_are_named() -> None:
    assert dev._named({"b.py", "a.py"}) == "a.py, b.py"
    assert dev._named([f"{number}.py" for number in range(9)]) == "0.py, 1.py, 2.py, 3.py and 5 more"
