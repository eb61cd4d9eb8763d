"""Datasets whose scenes are films: tracks and flow, the same bytes whoever makes them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.kill import same_files
from pipeline import main
from render.dataset import parts
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_records import parse_world, read_records
from render.formats.flow import FOLDERS, flow_path, read_flow
from render.image_file import write_png
from render.mesh.mesh import write_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from render.transforms import invert
from render.validate.validate import validate
from tests.render.dataset.interrupted import interrupt_at_the_third_part
from tests.small_dataset import cuboids

SCENE = SceneConfig(
    layout="pile",
    surroundings="room",
    cameras=5,
    path="orbit",
    path_deg=4.0,
    objects_per_frame=(3, 4),
    clutter_per_frame=(1, 2),
    zoom=(0.5, 0.7),
)
LENS = SensorConfig(k1=(-0.2, -0.1), depth="time-of-flight")


@pytest.fixture(scope="module")
def render(tmp_path_factory) -> RenderConfig:
    """A film, and three frames of another."""
    folder = tmp_path_factory.mktemp("film") / "meshes"
    write_models(folder, cuboids().values())
    return RenderConfig(
        objects=(str(folder),), frames=8, size=(96, 72), frames_per_scene=5, exact=True, flow=True
    )


@pytest.fixture(scope="module")
def film(render, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("film") / "film"
    generate(render, SCENE, out, seed=4, workers=1)
    return out


@pytest.mark.slow
def test_validate_finds_no_fault_and_every_image_has_flow(film):
    assert validate(film, None) == []
    for image in read_split(film, "train"):
        known = {}
        for way in FOLDERS:
            flow = read_flow(flow_path(image.scene_dir, image.im_id, way))
            known[way] = np.mean(~np.isnan(flow[..., 0]))
        last = {0: 4, 1: 2}[image.scene_id]
        assert (known["forward"] > 0.6) == (image.im_id < last)
        assert (known["backward"] > 0.6) == (image.im_id > 0)
        assert known["forward"] == 0 or image.im_id < last
        assert known["backward"] == 0 or image.im_id > 0


@pytest.mark.slow
def test_an_object_keeps_its_number_and_its_place_in_the_world(film):
    """By bop_toolkit's cam_R_w2c and cam_t_w2c; and the camera moves."""
    for scene_id in (0, 1):
        images = [image for image in read_split(film, "train") if image.scene_id == scene_id]
        worlds = [parse_world(image.camera_record, "") for image in images]
        for number, annotation in enumerate(images[0].annotations):
            same = [image.annotations[number] for image in images]
            assert {a.obj_id for a in same} == {annotation.obj_id}
            places = [invert(w) @ a.cam_from_obj for w, a in zip(worlds, same, strict=True)]
            np.testing.assert_allclose(places, places[:1] * len(places), atol=1e-8)
        eyes = np.array([invert(world)[:3, 3] for world in worlds])
        assert (np.linalg.norm(np.diff(eyes, axis=0), axis=1) > 0.003).all()


@pytest.mark.slow
def test_colours_are_found_again_where_flow_leads(render, tmp_path):
    """Of perfect pictures, warped: nearer to the frame than the unwarped one by far."""
    perfect = SensorConfig(color="perfect")
    generate(replace(render, frames=2), SCENE, tmp_path, seed=4, workers=1, sensor=perfect)
    one, other = (image.read_rgb().astype(np.float32) for image in read_split(tmp_path, "train"))
    flow = read_flow(flow_path(tmp_path / "train/000000", 0, "forward"))
    known = ~np.isnan(flow[..., 0])
    v, u = np.mgrid[:72, :96].astype(np.float32)
    to = np.nan_to_num(flow)
    warped = cv2.remap(other, u + to[..., 0], v + to[..., 1], cv2.INTER_LINEAR)
    off, before = (np.abs(image - one)[known].mean() for image in (warped, other))
    assert off < 0.4 * before


@pytest.mark.slow
def test_parts_of_a_film_join_to_the_same_bytes(render, film, tmp_path, monkeypatch):
    """Cut into parts of two frames, interrupted, and gone on with: flow crosses the cuts."""
    monkeypatch.setattr(parts, "MOST", 2)
    monkeypatch.setattr(parts, "LEAST", 1)
    out = tmp_path / "out"
    made = interrupt_at_the_third_part(render, SCENE, out, seed=4, workers=1)
    assert made[1].first == 2
    generate(render, SCENE, out, seed=4, workers=1)
    assert same_files(out, film)


@pytest.mark.slow
def test_shards_have_flow_and_a_lens_goes_with_all(render, tmp_path):
    config = replace(render, format="bop-webdataset", frames=5)
    generate(config, SCENE, tmp_path, seed=4, workers=1, sensor=LENS)
    assert validate(tmp_path, None) == []
    import tarfile

    with tarfile.open(tmp_path / "train/shard-000000.tar") as shard:
        names = shard.getnames()
    assert sum(name.endswith(("flow_forward.png", "flow_backward.png")) for name in names) == 10


def moved(scene: Path) -> None:
    records = json.loads((scene / "scene_gt.json").read_text())
    records["3"][1]["cam_t_m2c"][2] += 1
    (scene / "scene_gt.json").write_text(json.dumps(records))


def swapped(scene: Path) -> None:
    records = json.loads((scene / "scene_gt.json").read_text())
    ids = [a["obj_id"] for a in records["2"]]
    first, other = ids.index(1), ids.index(2)
    records["2"][first], records["2"][other] = records["2"][other], records["2"][first]
    (scene / "scene_gt.json").write_text(json.dumps(records))


def nowhere(scene: Path) -> None:
    records = json.loads((scene / "scene_camera.json").read_text())
    del records["1"]["cam_R_w2c"], records["1"]["cam_t_w2c"]
    (scene / "scene_camera.json").write_text(json.dumps(records))


def shifted(scene: Path) -> None:
    path = flow_path(scene, 1, "forward")
    bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    bgr[..., 2][bgr[..., 0] > 0] += 64
    cv2.imwrite(str(path), bgr)


def endless(scene: Path) -> None:
    shutil.copy(flow_path(scene, 3, "forward"), flow_path(scene, 4, "forward"))


def missing(scene: Path) -> None:
    flow_path(scene, 2, "backward").unlink()


def narrow(scene: Path) -> None:
    write_png(flow_path(scene, 2, "backward"), np.zeros((72, 90, 3), np.uint16))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (moved, "scene_gt.json: image 3, gt 1: is 1 mm elsewhere in the world than in image 2"),
        (swapped, "of the same film"),
        (nowhere, "image 1: no cam_R_w2c and cam_t_w2c"),
        (shifted, "flow_forward/000001.png: "),
        (endless, "px have flow, but there is no image that it leads to"),
        (missing, "flow_backward/000002.png"),
        (narrow, "flow_backward/000002.png"),
    ],
)
def test_faults_of_films_are_found(film, tmp_path, damage, message):
    out = tmp_path / "out"
    shutil.copytree(film, out)
    damage(out / "train/000000")
    faults = [str(fault) for fault in validate(out, None)]
    assert any(message in fault for fault in faults), faults


def test_scenes_that_are_no_films_and_flow_without_them_are_refused(render, tmp_path):
    with pytest.raises(InputError, match=r"cameras is 5, render.frames_per_scene 10; make them"):
        generate(replace(render, frames_per_scene=10), SCENE, tmp_path / "a", seed=4, workers=1)
    one = replace(SCENE, cameras=1)
    with pytest.raises(InputError, match="a film of two frames or more"):
        generate(replace(render, frames_per_scene=1), one, tmp_path / "b", seed=4, workers=1)
    none = replace(SCENE, path="none")
    with pytest.raises(InputError, match=r"render\.flow: there is flow in films only"):
        generate(render, none, tmp_path / "c", seed=4, workers=1)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("scene.path=orbit", "scene.path belongs to scene.layout pile or bin"),
        ("scene.layout=pile scene.path_deg=3", "scene.path_deg belongs to scene.path"),
        ("render.flow=true", "render.flow belongs to films; set scene.path, too"),
    ],
)
def test_options_of_films_are_refused_where_they_are_passed_over(tmp_path, settings, message):
    sets = [word for setting in settings.split() for word in ("--set", setting)]
    result = CliRunner().invoke(main, ["render", *sets, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and message in result.output


@pytest.mark.slow
def test_older_datasets_have_neither_record_nor_flow(render, tmp_path):
    plain = replace(render, frames=2, flow=False)
    generate(plain, replace(SCENE, path="none"), tmp_path, seed=4, workers=1)
    scene = tmp_path / "train/000000"
    assert not any((scene / folder).exists() for folder in FOLDERS.values())
    assert set(read_records(scene / "scene_camera.json")[0]) == {"cam_K", "depth_scale"}
