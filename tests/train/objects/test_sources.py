"""Real training frames behind synthetic images, and the sides that they show."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_records import read_records
from render.image_file import read_rgb
from render.json_file import read_json
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from tests.small_dataset import cuboids, random_frames, write_dataset
from train.learn.checkpoint import Checkpoint
from train.objects.backgrounds import before_real_frames
from train.objects.data import DataConfig
from train.objects.sources import live_images, render_images
from train.objects.split import choose_images
from train.options import RunConfig

RUN = [
    *("run", "--preset", "demo", "--device", "cpu", "--workers", "1"),
    *("--set", "run.simulated=", "--set", "run.methods=synthetic", "--set", "pair.variants=1"),
    *("--set", "train.pretrain_steps=0", "--set", "train.steps=1", "--set", "train.batch=8"),
    *("--set", "render.frames=8", "--set", "render.size=48x48", "--set", "crop.size=32"),
    *("--set", "data.split=test", "--set", "data.split_file=split.json"),
    *("--set", "run.real_background=true", "--set", "run.detect=false"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root, models = tmp_path_factory.mktemp("backgrounds") / "real", {1: cuboids()[1]}
    frames = random_frames(np.random.default_rng(3), models, 9)
    write_dataset(root, models, frames)
    keys = [[2, i] for i in frames]
    (root / "split.json").write_text(json.dumps({"train": keys[:6], "test": keys[6:]}))
    return root


def config(root) -> DataConfig:
    return DataConfig(dataset=str(root), split="test", split_file="split.json", objects=(1,))


def test_the_backgrounds_are_the_training_frames_and_no_others(root, tmp_path):
    (model,) = load_models([root / "models"]).values()
    for data in (config(root), replace(config(root), folds=3, fold=1)):
        folder = tmp_path / f"folds{data.folds}"
        scene = before_real_frames(SceneConfig(), data, root, model, folder, seed=0)
        assert scene.background == str(folder)
        keys = choose_images(data, root, "train", 0)
        names = [f"{scene_id:06d}_{im_id:06d}.png" for scene_id, im_id in keys]
        assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_the_object_is_painted_out_and_nothing_else_is(root, tmp_path):
    (model,) = load_models([root / "models"]).values()
    before_real_frames(SceneConfig(), config(root), root, model, tmp_path / "out", seed=0)
    for scene_id, im_id in choose_images(config(root), root, "train", 0):
        (image,) = read_split(root, "test", [(scene_id, im_id)])
        was, now = image.read_rgb(), read_rgb(tmp_path / "out" / f"{scene_id:06d}_{im_id:06d}.png")
        changed = (was != now).any(axis=-1)
        for x, y, width, height in (a.bbox_obj for a in image.annotations):
            rim = max(4, 0.05 * max(width, height)) + 1
            low, high = np.floor([x - rim, y - rim]), np.ceil([x + width + rim, y + height + rim])
            box = tuple(
                slice(max(int(a), 0), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True)
            )
            assert changed[box].mean() > 0.3  # an object fills half of its box or more
            changed[box] = False
        assert not changed.any()


def test_a_frame_without_the_object_is_linked_as_it_is(root, tmp_path):
    other = replace(load_models([root / "models"])[1], obj_id=7)
    before_real_frames(SceneConfig(), config(root), root, other, tmp_path / "out", seed=0)
    assert all(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_a_run_puts_them_behind_its_synthetic_images(root, tmp_path):
    result = CliRunner().invoke(
        main, [*RUN, "--set", f"data.dataset={root}", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    folder = tmp_path / "obj_000001"
    dataset = folder / "synthetic_images"
    specs = read_records(dataset / "train" / "000000" / "scene_spec.json")
    behind = {spec["background"]["path"] for spec in specs.values()}
    links = {str(path) for path in (folder / "without_object").iterdir()}
    assert behind <= links and len(links) == 6
    assert read_json(dataset / "generation.json")["settings"]["scene"]["background"] == str(
        folder / "without_object"
    )


def test_a_run_shows_sides_near_those_of_the_training_frames(root, tmp_path):
    more = [f"--set={s}" for s in ("run.real_views=true", "scene.views_deg=8", "render.frames=12")]
    place = ["--set", f"data.dataset={root}", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*RUN, *more, *place])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "obj_000001"
    trained = [key[1] for key in choose_images(config(root), root, "train", 0)]
    real = read_records(root / "test" / "000002" / "scene_gt.json")
    allowed = sides(real[i] for i in trained)
    drawn = sides(read_records(folder / "synthetic_images/train/000000/scene_gt.json").values())
    off_deg = np.degrees(np.arccos((drawn @ allowed.T).clip(-1, 1)))
    assert len(drawn) == 12 and off_deg.min(axis=1).max() <= 8 + 1e-6


def sides(records):
    """(n, 3) directions that object 1 is seen from, object frame."""
    middle = cuboids()[1].box.mean(axis=0)
    rays = []
    for record in (found for of_image in records for found in of_image if found["obj_id"] == 1):
        R, t = np.reshape(record["cam_R_m2c"], (3, 3)), np.array(record["cam_t_m2c"]) / 1000
        ray = R @ middle + t
        rays.append(R.T @ ray / np.linalg.norm(ray))
    return np.array(rays)


def test_images_that_are_rendered_live_have_them_too(root, tmp_path):
    more = ["--set", "run.live=true", "--set", "run.live_workers=0"]
    result = CliRunner().invoke(
        main, [*RUN, *more, "--set", f"data.dataset={root}", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    folder = tmp_path / "obj_000001"
    inputs = Checkpoint.load(folder / "synthetic").settings["inputs"]
    assert str(folder / "without_object") in json.dumps(inputs)


@pytest.mark.parametrize(
    "command, more, what",
    [
        (
            "run",
            ["scene.layout=pile", "scene.surroundings=room"],
            "run.real_background: the walls of scene.surroundings=room hide it",
        ),
        ("run", ["run.target=hand"], "run.real_background is for objects so far"),
        ("study", ["study.real_frames=2,0"], "study.real_frames: 2, but with run.real_background"),
        (
            "study",
            ["study.real_frames=2,0", "run.real_background=false", "run.real_views=true"],
            "study.real_frames: 2, but with run.real_views",
        ),
    ],
)
def test_where_they_cannot_be_used_is_said(root, tmp_path, command, more, what):
    settings = [f"--set={setting}" for setting in (*more, f"data.dataset={root}")]
    result = CliRunner().invoke(main, [command, *RUN[1:], *settings, "--out", str(tmp_path)])
    assert result.exit_code and what in result.output


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("data.unlabelled=gone", "data.unlabelled: gone is no folder"),
        ("train.steps=1", "data.split_file: "),
    ],
)
def test_unlabelled_frames_are_looked_for_before_anything_is_drawn(root, tmp_path, asked, what):
    sets = ["run.methods=mixed_unlabelled", asked, f"data.dataset={root}"]
    settings = [f"--set={setting}" for setting in sets]
    result = CliRunner().invoke(main, [*RUN, *settings, "--out", str(tmp_path)])
    assert result.exit_code == 1 and what in result.output
    assert not (tmp_path / "obj_000001").exists()


def test_a_study_of_fewer_labels_refuses_a_detector_that_knows_all(root, tmp_path):
    photo = tmp_path / "photos" / "a.png"
    photo.parent.mkdir()
    photo.write_bytes((root / "test/000002/rgb/000001.png").read_bytes())
    sets = ["study.real_frames=2,0", "run.real_background=false", "run.methods=mixed_unlabelled"]
    sets += [f"data.unlabelled={photo.parent}", f"data.dataset={root}"]
    settings = [f"--set={setting}" for setting in sets]
    out = ["--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, ["study", *RUN[1:], *settings, *out])
    assert result.exit_code == 1, result.output
    assert "study.real_frames: 2, but the detector that finds objects in" in result.output


def test_training_images_through_a_lens_are_refused_before_any_is_drawn(root, tmp_path):
    """Also where a file of settings asks for it, which no rule of --set sees."""
    (model,) = load_models([root / "models"]).values()
    sections = {
        "run": RunConfig(real_views=False, real_background=False),
        "render": RenderConfig(size=(48, 48)),
        "scene": SceneConfig(),
        "data": config(root),
        "sensor": SensorConfig(k1=(-0.2, 0.0)),
        "hand_scene": None,
    }
    for make in (render_images, live_images):
        more = (0, 1) if make is render_images else (0,)
        with pytest.raises(InputError, match="trained on images without a lens distortion"):
            make(sections, root, model, tmp_path, *more)
    assert not any(tmp_path.iterdir())
