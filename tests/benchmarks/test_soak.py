"""The soak must see what `render` makes: else it watches nothing."""

import pytest

from benchmarks import soak


@pytest.mark.slow
def test_every_scene_is_seen_deleted_and_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "WARM_UP", 100)
    memory = soak.soak(tmp_path, 200)
    assert memory.done == 200
    assert memory.last_mb > memory.warm_mb / 2 > 10  # megabytes: numpy alone takes more
    assert not list((tmp_path / "out" / "train").glob("[0-9]*"))
