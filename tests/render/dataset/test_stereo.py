"""A second camera to the right: the same scene, seen a baseline away."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.kill import same_files
from pipeline import main
from render.dataset.film import optical_flow
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig, make_renderer, see
from render.errors import InputError
from render.formats.bop import read_split
from render.mesh.mesh import write_models
from render.scene.props import props
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.stereo import right_from_left, right_of
from render.sensor.config import SensorConfig
from render.validate.validate import validate
from tests.small_dataset import cuboids

BASELINE = 0.05
SCENE = SceneConfig(objects_per_frame=(2, 3), shadow_chance=1.0, baseline=BASELINE)


@pytest.fixture(scope="module")
def render(tmp_path_factory) -> RenderConfig:
    folder = tmp_path_factory.mktemp("stereo") / "meshes"
    write_models(folder, cuboids().values())
    return RenderConfig(
        objects=(str(folder),), frames=5, size=(96, 72), frames_per_scene=3, exact=True
    )


@pytest.fixture(scope="module")
def stereo(render, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("stereo") / "stereo"
    generate(render, SCENE, out, seed=4, workers=1)
    return out


def test_disparity_is_focal_length_times_baseline_over_depth():
    """By ids and depth of both images: a pixel is found again in its own row."""
    draw = Randomizer(SCENE, cuboids(), (160, 120), 3)
    meshes = {**cuboids(), **props()}
    with closing(make_renderer(meshes, RenderConfig(exact=True))) as renderer:
        for frame_id in range(4):
            spec = draw.scene(frame_id)
            left, right = see(renderer, [spec, right_of(spec, BASELINE)])
            flow = optical_flow(left, right, right_from_left(BASELINE))
            known = ~np.isnan(flow[..., 0])
            disparity = spec.camera.K[0, 0] * BASELINE / left.depth[known]
            np.testing.assert_allclose(-flow[known, 0], disparity, rtol=1e-5)
            np.testing.assert_allclose(flow[known, 1], 0, atol=1e-9)
            v, u = np.nonzero(left.depth > 0)
            there = u - spec.camera.K[0, 0] * BASELINE / left.depth[v, u] > -0.5
            assert known[v, u][there].mean() > 0.85


def test_light_stays_where_it_is_in_the_scene():
    """Matt and without highlights, a point has the same colour in both images."""
    config = replace(SCENE, gloss=(0.0, 0.0), light_kinds=("point", "spot", "directional"))
    draw = Randomizer(config, cuboids(), (160, 120), 3, sensor=SensorConfig(color="perfect"))
    with closing(make_renderer({**cuboids(), **props()}, RenderConfig(exact=True))) as renderer:
        spec = draw.scene(1)
        left, right = see(renderer, [spec, right_of(spec, BASELINE)])
        flow = optical_flow(left, right, right_from_left(BASELINE))
    seen = ~np.isnan(flow[..., 0]) & (left.instance > 0)
    v, u = np.nonzero(seen)
    there = right.rgb[v, np.rint(u + flow[v, u, 0]).astype(int)]
    off = np.abs(left.rgb[v, u].astype(int) - there).max(axis=1)
    assert seen.sum() > 500 and np.median(off) <= 2


def test_both_splits_are_whole_and_the_left_one_is_what_it_is_alone(render, stereo, tmp_path):
    assert validate(stereo, None) == []
    generate(render, replace(SCENE, baseline=0.0), tmp_path, seed=4, workers=1)
    assert same_files(stereo / "train", tmp_path / "train")
    left, right = (read_split(stereo, name) for name in ("train", "train_right"))
    assert [(i.scene_id, i.im_id) for i in left] == [(i.scene_id, i.im_id) for i in right]
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one.camera.K, other.camera.K)
        assert not np.array_equal(one.read_rgb(), other.read_rgb())
        for a, b in zip(one.annotations, other.annotations, strict=True):
            np.testing.assert_allclose(
                right_from_left(BASELINE) @ a.cam_from_obj, b.cam_from_obj, atol=1e-12
            )


def test_a_right_frame_is_drawn_again_to_the_byte(stereo, tmp_path):
    frame, out = stereo / "train_right/000001/rgb/000001.png", tmp_path / "again.png"
    result = CliRunner().invoke(main, ["render", "--replay", str(frame), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == frame.read_bytes()


@pytest.mark.slow
def test_films_of_both_cameras_have_flow_and_a_split_to_test_on(render, tmp_path):
    config = replace(render, frames=8, frames_per_scene=4, flow=True, val=0.5)
    scene = replace(SCENE, layout="pile", surroundings="room", cameras=4, path="orbit")
    lens = SensorConfig(k1=(-0.2, -0.1))
    generate(config, scene, tmp_path, seed=4, workers=2, sensor=lens)
    assert validate(tmp_path, None) == []
    splits = {path.name for path in tmp_path.iterdir() if (path / "000000").is_dir()}
    assert splits == {"train", "train_right", "val", "val_right"}


def test_a_right_split_that_is_not_the_left_one_s_is_found(stereo, tmp_path):
    for name in ("moved", "missing"):
        shutil.copytree(stereo, tmp_path / name)
    path = tmp_path / "moved/train/000000/scene_gt.json"
    records = json.loads(path.read_text())
    for record in records["1"]:
        record["cam_t_m2c"][0] += 0.001
    path.write_text(json.dumps(records))
    faults = [str(fault) for fault in validate(tmp_path / "moved", None)]
    assert any("image 1, gt 0: 0.001 mm off where it is 50 mm to the right" in f for f in faults)
    shutil.rmtree(tmp_path / "missing/train_right/000001")
    faults = [str(fault) for fault in validate(tmp_path / "missing", None)]
    assert any("000001: no such scene, but train has it" in fault for fault in faults)


def test_crops_and_the_name_of_a_right_split_are_refused(render, tmp_path):
    with pytest.raises(InputError, match="a crop is cut around its object for one camera"):
        generate(render, replace(SCENE, layout="crop"), tmp_path / "a", seed=4, workers=1)
    named = replace(render, split="val_right", val=0.4)
    with pytest.raises(InputError, match="is the right cameras' of another split"):
        generate(named, SCENE, tmp_path / "b", seed=4, workers=1)
    assert not any(tmp_path.iterdir())
