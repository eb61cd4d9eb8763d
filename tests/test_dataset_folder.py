import json

import numpy as np
import pytest

from render.dataset_folder import begin_dataset, whole_folder
from render.errors import InputError


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "deeper" / "scene"
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert not list(path.parent.iterdir())

    (path.parent / ".scene.partial").mkdir()
    (path.parent / ".scene.partial" / "left by a killed run").write_text("x")
    with whole_folder(path) as folder:
        (folder / "all").write_text("y")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["scene"]
    assert [p.name for p in path.iterdir()] == ["all"]


def test_a_dataset_goes_on_with_its_own_settings_only(tmp_path):
    out, settings = tmp_path / "out", {"scene": {"zoom": (1.5, 1.8)}, "seed": 0}
    begin_dataset(out, settings, "a device")
    record = json.loads((out / "generation.json").read_text())
    assert record["settings"] == {"scene": {"zoom": [1.5, 1.8]}, "seed": 0}
    assert record["renderer"] == "a device" and record["versions"]["numpy"] == np.__version__
    begin_dataset(out, settings, "a device")
    with pytest.raises(InputError, match=r"scene\.zoom = \[1\.5, 1\.8\], not \[1\.5, 2\.0\]"):
        begin_dataset(out, {**settings, "scene": {"zoom": (1.5, 2.0)}}, "a device")
    assert json.loads((out / "generation.json").read_text()) == record


def test_a_folder_of_something_else_is_not_written_to(tmp_path):
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        begin_dataset(tmp_path, {"seed": 0}, "a device")
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.jpg"]
