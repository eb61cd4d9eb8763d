"""Twins lit by panoramas of a user's folder."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from render.dataset.folder import read_record
from render.errors import InputError
from render.scene.randomize import SceneConfig
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.objects.data import DataConfig
from train.objects.twins.pair import PairConfig, pair

CONFIG = PairConfig(variants=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> DataConfig:
    root, models = tmp_path_factory.mktemp("lit") / "real", {1: cuboids()[1]}
    write_dataset(root, models, random_frames(np.random.default_rng(3), models, 2))
    return DataConfig(dataset=str(root), train_fraction=1.0)


@pytest.fixture
def hdris(tmp_path) -> Path:
    folder = tmp_path / "hdris"
    folder.mkdir()
    write(folder / "a.hdr", 0)
    return folder


def write(path: Path, seed: int) -> None:
    light = np.random.default_rng(seed).random((16, 32, 3), np.float32)
    cv2.imwrite(str(path), light)


def test_twins_are_not_gone_on_with_where_a_panorama_was_replaced(data, hdris, tmp_path):
    scene, out = SceneConfig(environment=str(hdris)), tmp_path / "twins"
    pair(CONFIG, scene, data, out, seed=0)
    pair(CONFIG, scene, data, out, seed=0)
    write(hdris / "a.hdr", 1)
    with pytest.raises(InputError, match="was made with environments = 1 files"):
        pair(CONFIG, scene, data, out, seed=0)


def test_an_unusable_panorama_is_found_before_anything_is_drawn(data, hdris, tmp_path):
    """Even one that no twin would show."""
    (hdris / "b.hdr").write_bytes(b"#?RADIANCE\n\n-Y 4 +X 8\n")
    scene = SceneConfig(environment=str(hdris))
    with pytest.raises(InputError, match=r"b\.hdr: damaged"):
        pair(CONFIG, scene, data, tmp_path / "twins", seed=0)
    assert not (tmp_path / "twins").exists()


def test_the_settings_of_twins_without_panoramas_tell_of_none(data, tmp_path):
    """So that older ones can be gone on with."""
    for environment in ("none", "sky"):
        out = tmp_path / environment
        pair(CONFIG, SceneConfig(environment=environment), data, out, seed=0)
        assert "environments" not in json.dumps(read_record(out / "generation.json"))
