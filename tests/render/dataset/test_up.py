"""Datasets of meshes with y up: objects stand, and datasets of before are drawn as they were."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop_records import read_records
from render.mesh.mesh import load_mesh, load_models
from render.mesh.ply.ply import encode_ply
from render.scene.randomize import SceneConfig

UPRIGHT = SceneConfig(layout="upright", objects_per_frame=(1, 1))


@pytest.fixture(scope="module")
def bottle(tmp_path_factory) -> Path:
    """A bottle as glTF has it, 24 cm along y: a body, and a neck above it."""
    path = tmp_path_factory.mktemp("bottle") / "bottle.glb"
    body = trimesh.creation.cylinder(0.04, 0.16)
    neck = trimesh.creation.cylinder(0.012, 0.08)
    neck.apply_translation([0, 0, 0.12])
    y_up = trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0])
    trimesh.util.concatenate([body, neck]).apply_transform(y_up).export(path)
    return path


def config_of(bottle: Path, **more) -> RenderConfig:
    return RenderConfig(objects=(str(bottle),), frames=6, size=(96, 72), **more)


@pytest.fixture(scope="module")
def standing(bottle, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("up") / "standing"
    generate(config_of(bottle), UPRIGHT, out, seed=5, workers=1)
    return out


def replay(frame: Path, out: Path) -> str:
    result = CliRunner().invoke(main, ["render", "--replay", str(frame), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return result.output


def record(dataset: Path) -> dict:
    return json.loads((dataset / "generation.json").read_text())["settings"]


def test_a_bottle_of_a_glb_stands(standing):
    """In each of six images its neck is above its body."""
    truth = read_records(standing / "train" / "000000" / "scene_gt.json")
    assert len(truth) == 6
    camera = read_records(standing / "train" / "000000" / "scene_camera.json")
    for im_id, (instance,) in truth.items():
        R = np.array(instance["cam_R_m2c"]).reshape(3, 3)
        along = np.array([[0, 0, z] for z in (-80.0, 160.0)])  # mm, from the foot to the mouth
        seen = (along @ R.T + instance["cam_t_m2c"]) @ np.array(camera[im_id]["cam_K"]).reshape(
            3, 3
        ).T
        (foot_u, foot_v), (mouth_u, mouth_v) = seen[:, :2] / seen[:, 2:]
        assert mouth_v < foot_v and abs(mouth_u - foot_u) < foot_v - mouth_v
    (model,) = load_models([standing / "models"]).values()
    np.testing.assert_allclose(model.box[:, 2], [-0.08, 0.16], atol=1e-6)


def test_the_record_names_the_meshes_that_were_turned(standing, bottle, tmp_path):
    assert record(standing)["up"] == {"1": "y"} and "up" not in record(standing)["render"]
    generate(config_of(bottle, up="z"), UPRIGHT, tmp_path / "lying", seed=5, workers=1)
    assert "up" not in record(tmp_path / "lying")
    assert record(tmp_path / "lying")["render"]["up"] == "z"


def test_a_turned_mesh_is_drawn_again_from_its_own_file(standing, tmp_path):
    frame = standing / "train" / "000000" / "rgb" / "000003.png"
    assert "drawn with" not in replay(frame, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()


@pytest.fixture
def before(bottle, tmp_path) -> Path:
    """A dataset of a GLB as versions made it that turned no mesh."""
    out = tmp_path / "before"
    generate(config_of(bottle, up="z"), UPRIGHT, out, seed=5, workers=1)
    text = json.loads((out / "generation.json").read_text())
    del text["settings"]["render"]["up"]
    (out / "generation.json").write_text(json.dumps(text))
    return out


def test_a_dataset_of_before_is_drawn_again_as_it_was(before, tmp_path):
    frame = before / "train" / "000000" / "rgb" / "000003.png"
    assert "drawn with" not in replay(frame, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()


def test_a_dataset_of_before_goes_on_with_its_axis_only(before, bottle):
    with pytest.raises(InputError, match="meshes with z up; give --up z to go on with it"):
        generate(config_of(bottle), UPRIGHT, before, seed=5, workers=1)
    generate(config_of(bottle, up="z"), UPRIGHT, before, seed=5, workers=1)


def test_the_same_mesh_that_has_z_up_in_its_own_file_goes_on(standing, bottle, tmp_path):
    """What counts is what a mesh holds, not how it came to."""
    mesh = load_mesh(bottle)
    columns = dict(zip("xyz", mesh.vertices.T, strict=True))
    columns |= zip(("nx", "ny", "nz"), mesh.normals.T, strict=True)
    columns |= zip(("red", "green", "blue"), mesh.colors.T, strict=True)
    (tmp_path / "turned.ply").write_bytes(encode_ply(columns, mesh.faces, []))
    generate(config_of(tmp_path / "turned.ply"), UPRIGHT, standing, seed=5, workers=1)


def test_an_option_says_which_axis_is_up(bottle, tmp_path):
    command = ["render", "--objects", str(bottle), "--frames", "1", "--size", "64x48"]
    for axis in ("y", "z"):
        out = tmp_path / axis
        given = [*command, "--up", axis, "--workers", "1", "--out", str(out)]
        result = CliRunner().invoke(main, given)
        assert result.exit_code == 0, result.output
        (model,) = load_models([out / "models"]).values()
        assert int(np.ptp(model.box, axis=0).argmax()) == (2 if axis == "y" else 1)
    result = CliRunner().invoke(main, [*command, "--up", "x", "--out", str(tmp_path / "x")])
    assert result.exit_code == 2 and "render.up must be one of y, z" in result.output
