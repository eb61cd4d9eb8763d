"""Meshes that a user names: the same ones in the frames that play the real ones."""

import json
from dataclasses import fields

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.draw.renderer import RenderConfig
from render.formats.bop_records import read_records
from render.json_file import read_json
from render.mesh.mesh import write_models
from tests.small_dataset import cuboid, cuboids, random_frames, write_dataset
from train.objects.sources import OF_MESHES

TINY = [
    *("--device", "cpu", "--workers", "1", "--set", "run.methods=synthetic"),
    *("--set", "pair.variants=1", "--set", "crop.size=32"),
    *("--set", "train.pretrain_steps=0", "--set", "train.steps=1", "--set", "train.batch=8"),
    *("--set", "render.frames=8", "--set", "render.size=48x48"),
]
SIMULATED = ["--preset", "demo", *TINY, "--set", "run.simulated_frames=6"]
SIMULATED += ["--set", "run.detect=false"]
HALF_M = 0.04


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A user's mesh in centimetres, nothing like the bundled ones."""
    folder = tmp_path_factory.mktemp("own")
    corners = 100 * HALF_M * np.array(np.meshgrid(*[(-1, 1.5)] * 3)).reshape(3, -1).T
    corners[:, 2] *= 0.5
    faces = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 5, 1], [0, 4, 5]]
    faces += [[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    lines = ["v {} {} {}".format(*corner) for corner in corners]
    lines += ["f {} {} {}".format(*(np.array(face) + 1)) for face in faces]
    (folder / "brick.obj").write_text("\n".join(lines) + "\n")
    return folder / "brick.obj"


def call(command, *arguments):
    return CliRunner().invoke(main, [command, *map(str, arguments)])


@pytest.mark.parametrize(("command", "live"), [("run", False), ("study", True)])
@pytest.mark.slow
def test_simulated_real_frames_show_the_meshes_that_are_named(own, tmp_path, command, live):
    """One object's mesh, byte for byte, in both datasets, and what poses are measured on."""
    more = ["--set", "run.live=true", "--set", "run.live_workers=0"] if live else []
    meshes = ["--set", f"render.objects={own}", "--set", "render.unit=cm", "--set", "render.up=y"]
    arguments = [*SIMULATED, *meshes, *more, "--out", tmp_path]
    if command == "study":
        arguments += ["--set", "study.seeds=1"]
    result = call(command, *arguments)
    assert result.exit_code == 0, result.output

    real = tmp_path / "simulated_real"
    record = read_json(real / "models" / "models_info.json")
    assert set(record) == {"1"}
    assert record["1"]["size_x"] == pytest.approx(2500 * HALF_M, abs=1e-3)
    assert record["1"]["size_y"] == pytest.approx(1250 * HALF_M, abs=1e-3)  # z before the turn
    records = read_records(real / "real" / "000000" / "scene_gt.json")
    assert {a["obj_id"] for frame in records.values() for a in frame} == {1}
    if not live:
        synthetic = tmp_path / "obj_000001" / "synthetic_images"
        for name in ("obj_000001.ply", "models_info.json"):
            ours, theirs = ((d / "models" / name).read_bytes() for d in (real, synthetic))
            assert ours == theirs
        settings = (read_json(d / "generation.json")["settings"] for d in (real, synthetic))
        assert len({json.dumps(some["meshes"]) for some in settings}) == 1


def test_every_option_of_render_is_of_what_is_drawn_or_of_how():
    """An option that says how a mesh is read must be in OF_MESHES, and drawn live alike."""
    how = {
        "obj_ids",
        "frames",
        "val",
        "size",
        "camera",
        "split",
        "frames_per_scene",
        "format",
        "hand",
    }
    how |= {"antialias", "normals", "coordinates", "flow", "exact", "renderer"}
    assert {field.name for field in fields(RenderConfig)} - how == set(OF_MESHES)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Frames of a cuboid that play real ones; a split file keeps two to test on."""
    root, models = tmp_path_factory.mktemp("real") / "real", {1: cuboids()[1]}
    frames = random_frames(np.random.default_rng(3), models, 6)
    write_dataset(root, models, frames)
    keys = [[2, i] for i in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:4], "test": keys[4:]}))
    return root


def real_frames(dataset):
    of_data = ("dataset", dataset), ("split", "test"), ("split_file", "split.json"), ("objects", 1)
    pairs = [("--set", f"data.{name}={value}") for name, value in of_data]
    return [*TINY, *(text for pair in pairs for text in pair)]


def test_real_frames_take_a_finer_mesh_in_the_same_place_and_refuse_another(dataset, tmp_path):
    """A mesh with another origin would be drawn elsewhere than where its corners are said to be."""
    low, high = (-0.02, -0.03, 0.0), (0.06, 0.03, 0.05)
    places = {"same": (low, high), "shifted": ((0.03, -0.03, 0), (0.11, 0.03, 0.05))}
    for name, corners in places.items():
        write_models(tmp_path / name, [cuboid(1, *corners)])
        named = ["--set", f"render.objects={tmp_path / name}"]
        result = call("run", *real_frames(dataset), *named, "--out", tmp_path / f"run-{name}")
        if name == "same":
            assert result.exit_code == 0, result.output
        else:
            assert result.exit_code == 1 and result.output.count("\n") == 1
            assert "is another mesh than object 1 of" in result.output
            assert "from [30.0, -30.0, 0.0] to [110.0, 30.0, 50.0] mm" in result.output


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("render.unit=cm", "render.unit belongs to render.objects"),
        ("render.up=y", "render.up belongs to render.objects"),
        ("render.objects=assets", "is another mesh than object 1"),
    ],
)
def test_meshes_that_do_not_belong_to_the_real_frames_are_refused(
    dataset, tmp_path, setting, message
):
    result = call("run", *real_frames(dataset), "--set", setting, "--out", tmp_path / "run")
    assert result.exit_code == 1 and message in result.output


def test_train_refuses_synthetic_images_of_another_mesh(dataset, own, tmp_path):
    rendered = call(
        *("render", "--preset", "crops", "--objects", own, "--unit", "cm", "--frames", 8),
        *("--size", "48x48", "--out", tmp_path / "synth", "--workers", 1),
    )
    assert rendered.exit_code == 0, rendered.output
    result = call(
        *("train", "--method", "mixed", "--synthetic", tmp_path / "synth"),
        *("--out", tmp_path / "out", "--dataset", dataset, "--split", "test", "--objects", 1),
        *("--split-file", "split.json", "--steps", 1, "--batch", 8, "--device", "cpu"),
    )
    assert result.exit_code == 1 and "is another mesh than object 1" in result.output
