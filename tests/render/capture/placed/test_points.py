"""Points of an object that a person has found in frames."""

from pathlib import Path

import numpy as np
import pytest

from render.camera import Camera
from render.capture.lens import Lens
from render.capture.placed.motion import middle_of
from render.capture.placed.points import pose_of_points
from render.capture.placed.points_file import file_axes, read_points, write_points
from render.capture.views import BoardView
from render.errors import InputError
from render.transforms import apply, look_at, rigid, rodrigues
from tests.small_dataset import cuboid

MODEL = cuboid(1, (-0.05, -0.03, 0.0), (0.05, 0.03, 0.08))
CAMERA = Camera(np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]]), 640, 480)
LENS = Lens(np.array([[520.0, 0, 325], [0, 520, 236], [0, 0, 1]]), np.array([0.1, -0.2, 0, 0, 0]),
            (640, 480))  # fmt: skip
TRUTH = rigid(rodrigues(np.array([0, 0, 2.1])), [0.01, -0.02, 0.0])
MM = {
    "a": (-50, -30, 0),
    "b": (50, -30, 0),
    "c": (50, 30, 80),
    "d": (-50, 30, 80),
    "e": (0, -30, 40),
}


def view(name: str, angle: float) -> BoardView:
    eye = np.array([0.5 * np.cos(angle), 0.5 * np.sin(angle), 0.4])
    pose = look_at(eye, np.zeros(3), np.array([0.0, 0, 1]))
    return BoardView(name, np.zeros((480, 640, 3), np.uint8), CAMERA, pose, 0.2, 0.2, 1.0)


VIEWS = [view("frame 3", 0.3), view("frame 41", 1.6), view("frame 90", 3.0)]


def seen(v: BoardView, name: str, camera=CAMERA) -> list[float]:
    point = apply(v.cam_from_board @ TRUTH, np.array(MM[name])[None] / 1000)
    return camera.project(point)[0].tolist()


def write(path: Path, frames: dict, points: dict = MM) -> Path:
    write_points(path, points, frames)
    return path


def read(path: Path):
    return read_points(path, VIEWS, LENS, MODEL, lambda p: np.asarray(p) / 1000)


def test_points_in_two_frames_give_the_pose(tmp_path):
    frames = {v.name: {n: seen(v, n) for n in "abcde"} for v in VIEWS[:2]}
    clicked = read(write(tmp_path / "points.toml", frames))
    found = pose_of_points(clicked, middle_of(MODEL.box), "points.toml").board_from_obj
    np.testing.assert_allclose(found, TRUTH, atol=2e-5)


def test_points_none_of_which_makes_a_pose_in_one_frame_do_so_together(tmp_path):
    names = ("abc", "acd", "bcd")
    frames = {v.name: {n: seen(v, n) for n in of} for v, of in zip(VIEWS, names, strict=True)}
    clicked = read(write(tmp_path / "points.toml", frames))
    found = pose_of_points(clicked, middle_of(MODEL.box), "points.toml").board_from_obj
    np.testing.assert_allclose(found, TRUTH, atol=2e-5)


def test_pixels_of_the_film_are_straightened(tmp_path):
    lines = ["[points]", *(f"{n} = {list(p)}" for n, p in MM.items())]
    for v in VIEWS[:2]:
        lines.append(f'[frames."{v.name.removeprefix("frame ")}"]')
        for name in "abcde":
            point = apply(v.cam_from_board @ TRUTH, np.array(MM[name])[None] / 1000)
            lines.append(f"{name} = {LENS.project(point)[0].tolist()}")
    (tmp_path / "points.toml").write_text("\n".join(lines))
    clicked = read(tmp_path / "points.toml")
    straight = [seen(s.view, s.point) for s in clicked.sightings]
    np.testing.assert_allclose([s.px for s in clicked.sightings], straight, atol=0.01)


def test_a_click_off_the_object_is_named(tmp_path):
    frames = {v.name: {n: seen(v, n) for n in "abcde"} for v in VIEWS[:2]}
    frames["frame 41"]["c"] = [frames["frame 41"]["c"][0] + 90, 100]
    clicked = read(write(tmp_path / "points.toml", frames))
    with pytest.raises(InputError, match=r"point c in frame frame 41 lies \d+ px from where"):
        pose_of_points(clicked, middle_of(MODEL.box), "points.toml")


BAD = {
    "off the mesh": (
        {"a": (0, 0, 40)},
        {},
        r"point a is .* mm from the surface .* own unit",
    ),
    "no such frame": ({}, {"frame 5": {"a": [1, 2]}}, r"frame 'frame 5' is not among the 3"),
    "no such point": ({}, {"frame 90": {"z": [1, 2]}}, r"no point 'z' in \[points\]"),
    "outside": ({}, {"frame 90": {"a": [700, 2]}}, r"lies outside frame frame 90 of 640x480"),
}


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_point_of_the_object_is_refused(tmp_path, why):
    points, frames, said = BAD[why]
    good = {v.name: {n: seen(v, n) for n in "abcde"} for v in VIEWS[:2]}
    with pytest.raises(InputError, match=said):
        read(write(tmp_path / "points.toml", good | frames, MM | points))


def test_too_few_points_are_refused(tmp_path):
    frames = {"frame 3": {n: seen(VIEWS[0], n) for n in "abc"}}
    with pytest.raises(InputError, match="3 points in 1 frames; give at least 4"):
        read(write(tmp_path / "points.toml", frames))


def test_points_in_another_unit_than_the_mesh_are_refused(tmp_path):
    metres = {n: tuple(x / 1000 for x in p) for n, p in MM.items()}
    frames = {v.name: {n: seen(v, n) for n in "abcde"} for v in VIEWS[:2]}
    with pytest.raises(InputError, match=r"of one another on a mesh .* in the mesh's own unit"):
        read(write(tmp_path / "points.toml", frames, metres))


def test_points_on_a_line_are_refused(tmp_path):
    line = {n: (x, -30, 0) for n, x in zip("abcde", (-50, -20, 0, 20, 50), strict=True)}
    frames = {v.name: {n: [100, 100] for n in line} for v in VIEWS[:2]}
    with pytest.raises(InputError, match="lie on one line"):
        read(write(tmp_path / "points.toml", frames, line))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("points = 3", "needs a table points of named points"),
        ("what = 1", "'what' is none of straight, points, frames"),
        ("[points", "is no TOML file of points"),
        ("[points]\na = [1, 2]\n[frames.x]\na = [1, 2]", "points: a must be 3 finite numbers"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, text, said):
    (tmp_path / "points.toml").write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        read(tmp_path / "points.toml")
    assert "\n" not in str(refused.value)


def test_points_of_a_mesh_with_y_up_are_turned_as_the_mesh_is(tmp_path, rng):
    obj_from_file, file_from_obj = file_axes(tmp_path / "cup.glb", "cm", None)
    np.testing.assert_allclose(obj_from_file(np.array([[1, 2, 3.0]])), [[0.01, -0.03, 0.02]])
    points = rng.normal(size=(4, 3))
    np.testing.assert_allclose(obj_from_file(file_from_obj(points)), points, atol=1e-12)
