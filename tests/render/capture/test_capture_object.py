"""From frames of an object on a board to a dataset of real frames with poses."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from render.camera import Camera
from render.capture import capture_object as room
from render.capture.background import STREAM, behind
from render.capture.board_sheet import make_board
from render.capture.capture_object import capture_object, check_object
from render.capture.frames import digest_of
from render.capture.lens import Lens
from render.capture.object_config import ObjectConfig
from render.capture.placed.place import resting_pose
from render.capture.placed.symmetry import turn_pose
from render.capture.quality import table
from render.capture.views import BoardView
from render.capture.write import check_film
from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.mesh.mesh import load_models, write_ply
from render.show.captured import write_overlay
from render.transforms import rotation_angle
from render.validate.validate import validate
from tests.render.capture.film import Shot, make_film

BOARD = make_board(blank=(5, 5))
ASSETS = Path(room.__file__).parents[2] / "assets"


def film(obj_id: int, count: int, seed: int) -> tuple[list[BoardView], Lens, np.ndarray]:
    """Views of a bundled object that was put on its outline carelessly, half a turn off."""
    rng = np.random.default_rng(seed)
    model = load_models(["assets"], obj_ids=[obj_id])[obj_id]
    at = np.append(rng.uniform(-0.004, 0.004, 2), 0)
    truth = turn_pose(resting_pose(model, 0).board_from_obj, 180 + rng.uniform(-6, 6), at)
    shot = Shot(size=(480, 360), distortion=(0, 0, 0, 0, 0), parts=2, shake=1.5)
    taken = make_film(BOARD, count, rng, shot, model.mesh, truth)
    camera = Camera(taken.K, *shot.size)
    views = [
        BoardView(f"frame {10 * i}", rgb, camera, pose, 0.2, 0.25, 1.0)
        for i, (rgb, pose) in enumerate(zip(taken.frames, taken.cam_from_board, strict=True))
    ]
    return views, Lens(taken.K, np.zeros(5), shot.size), truth


@pytest.mark.slow
def test_a_film_becomes_a_dataset_with_poses_and_a_second_one_more_of_it(tmp_path):
    out, mesh = tmp_path / "real", ASSETS / "obj_000001.ply"
    taken = [film(1, count, seed) for seed, count in enumerate((16, 12))]
    for number, (views, lens, truth) in enumerate(taken, 1):
        blurred = [(f"frame {i}", "blurred") for i in range(1, 15 * number)]
        films = capture_object(views, lens, BOARD, mesh, out, left_out=blurred)
        assert len(films) == number
        assert [(f["name"], f["why"]) for f in films[-1]["left_out"]] == blurred
        images = [i for i in read_split(out, "real") if i.scene_id == 2 * number - 1]
        for image, view in zip(images, views, strict=True):
            true = view.cam_from_board @ truth
            (annotation,) = image.annotations
            found = annotation.cam_from_obj
            assert np.degrees(rotation_angle(found[:3, :3], true[:3, :3])) < 0.8
            distance = np.linalg.norm(true[:3, 3])
            assert np.linalg.norm(found[:3, 3] - true[:3, 3]) < 0.001 + 0.002 * distance
            np.testing.assert_array_equal(image.read_rgb(), view.rgb)
            assert annotation.visib_fract == 1

    assert validate(out, None) == []
    quality = json.loads((out / "quality.json").read_text())
    assert quality["films"] == films
    split = json.loads((out / "split.json").read_text())
    assert [len(split[part]) for part in ("train", "test")] == [11 + 8, 5 + 4]
    assert {s for s, _ in split["train"]} == {2, 4} and {s for s, _ in split["test"]} == {1, 3}
    there = {(i.scene_id, i.im_id) for i in read_split(out, "real")}
    assert {tuple(k) for part in split.values() for k in part} <= there
    first = next(i for i in read_split(out, "real") if i.scene_id == 2)
    mask = first.read_mask(0, visible=True)
    assert (first.read_rgb()[~mask] != taken[0][0][first.im_id].rgb[~mask]).mean() > 0.9
    with_boards = [i for i in read_split(out, "real") if i.scene_id == 2 and _shows_a_board(i)]
    assert 0 < len(with_boards) < 16
    assert len(table(films).splitlines()) == 4
    assert write_overlay(out, "real", 3, tmp_path / "overlay.mp4") == 12
    with pytest.raises(InputError, match=r"holds frames of another object, 'obj_000001\.ply'"):
        check_object(ASSETS / "obj_000002.ply", BOARD, ObjectConfig(), out)


def _shows_a_board(image: BopImage) -> bool:
    """Whether more than noise lies behind the object of an image that is trained on."""
    noise = behind("noise", [], image.camera.size, np.random.default_rng([0, image.im_id, STREAM]))
    near = cv2.dilate(image.read_mask(0, visible=True).astype(np.uint8), np.ones((15, 15))) > 0
    return bool((image.read_rgb()[~near] != noise[~near]).any())


@pytest.mark.slow
def test_a_symmetry_that_nobody_named_is_asked_for(tmp_path):
    views, lens, _ = film(3, 8, 3)
    model = load_models(["assets"], obj_ids=[3])[3]
    write_ply(tmp_path / "vase.ply", model.mesh)
    with pytest.raises(InputError, match=r"turned about its axis \[.*1\]; name the symmetry"):
        config = ObjectConfig(unit="mm")
        capture_object(views, lens, BOARD, tmp_path / "vase.ply", tmp_path / "out", config)
    assert not (tmp_path / "out").exists()
    capture_object(views, lens, BOARD, ASSETS / "obj_000003.ply", tmp_path / "out")
    assert (tmp_path / "out" / "capture.json").is_file()


@pytest.mark.slow
def test_another_object_than_the_one_on_the_board_is_refused_and_nothing_stays(tmp_path):
    views, lens, _ = film(3, 8, 3)
    with pytest.raises(InputError, match=r"overlap by|contour is|than its mesh"):
        capture_object(views, lens, BOARD, ASSETS / "obj_000001.ply", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_object_that_was_moved_while_it_was_filmed_is_refused(tmp_path):
    """By 8 mm, after half of the film, by one that goes on with the camera as it was."""
    views, lens, truth = film(1, 12, 0)
    aside = truth.copy()
    aside[:2, 3] += 0.008 / np.sqrt(2)
    model = load_models(["assets"], obj_ids=[1])[1]
    poses = np.array([view.cam_from_board for view in views[6:]])
    shot = Shot(size=(480, 360), distortion=(0, 0, 0, 0, 0), parts=2, shake=1.5)
    again = make_film(BOARD, 6, np.random.default_rng(0), shot, model.mesh, aside, poses)
    later = [replace(v, rgb=rgb) for v, rgb in zip(views[6:], again.frames, strict=True)]
    with pytest.raises(InputError, match=r"second half of the film it stands [6-9]\.\d mm and"):
        mesh = ASSETS / "obj_000001.ply"
        capture_object([*views[:6], *later], lens, BOARD, mesh, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_mesh_in_another_unit_is_refused_with_its_size(tmp_path):
    mesh = load_models(["assets"], obj_ids=[1])[1].mesh
    write_ply(tmp_path / "boat.ply", mesh)  # in mm
    for unit, said in (("m", r"156\.7 m across when read in m"), ("cm", "1567 mm across, on a")):
        with pytest.raises(InputError, match=said):
            check_object(tmp_path / "boat.ply", BOARD, ObjectConfig(unit=unit), tmp_path / "out")


def test_a_film_that_a_dataset_has_is_refused_whatever_it_is_called(tmp_path):
    """Its frames would be in two scenes, and might be tested on as well as trained on."""
    for name, content in (("one.mp4", b"film"), ("again.mp4", b"film"), ("other.mp4", b"other")):
        (tmp_path / name).write_bytes(content)
    out = tmp_path / "real"
    films = [{"scene": 1}, {"scene": 3, "digest": digest_of(tmp_path / "one.mp4")}]
    out.mkdir()
    (out / "capture.json").write_text(json.dumps({"object": {}, "films": films}))
    with pytest.raises(InputError, match="has the frames of this film already, as scene 3"):
        check_film(out, digest_of(tmp_path / "again.mp4"))
    check_film(out, digest_of(tmp_path / "other.mp4"))
    check_film(tmp_path / "new", digest_of(tmp_path / "one.mp4"))


def test_what_cannot_work_is_refused_before_the_film_is_looked_at(tmp_path):
    mesh, config = ASSETS / "obj_000001.ply", ObjectConfig()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "out-points.toml").write_text("")
    for changed, out, said in (
        (config, "notes", "no dataset of `capture`; give another --out"),
        (replace(config, rest=20), "out", r"--rest 20: .* rests in 5 poses"),
        (replace(config, place="points"), "out", r"out-points\.toml: is there from another time"),
        (
            replace(config, background="nowhere"),
            "out",
            r"capture\.background: nowhere is no folder",
        ),
    ):
        with pytest.raises(InputError, match=said):
            check_object(mesh, BOARD, changed, tmp_path / out)
    assert {p.name for p in tmp_path.iterdir()} == {"notes", "out-points.toml"}


def test_too_few_frames_are_refused(tmp_path):
    lens = Lens(np.eye(3), np.zeros(5), (4, 4))
    with pytest.raises(InputError, match="0 frames show the board; at least 3"):
        capture_object([], lens, BOARD, ASSETS / "obj_000001.ply", tmp_path / "out")
