"""`capture` as a user types it, of films whose truth is known; what is wrong in them is refused."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from click.testing import Result

from render.camera import Camera
from render.capture.board import read_board
from render.capture.lens import Lens, read_lens, write_lens
from render.capture.placed.place import resting_pose
from render.capture.placed.symmetry import turn_pose
from render.formats.bop import BopImage, read_split
from render.mesh.mesh import load_models
from render.transforms import apply, rotation_angle
from tests.render.capture.film import Film, Shot, make_film, truth_of, write_film
from tests.render.capture.test_command import TUG, fail, invoke

pytestmark = pytest.mark.slow

RULER_MM = 99.0
SMALL = Shot(size=(640, 480), distance=(0.42, 0.5), elevation_deg=(35, 65), shake=1.5)


@dataclass(frozen=True)
class Filmed:
    """A film of an object on its board, in a folder: board.toml, film.mp4, lens.json of truth."""

    folder: Path
    mesh: Path
    film: Film

    def arguments(self, out: Path, ruler_mm: float = RULER_MM) -> tuple[object, ...]:
        """What `capture` is called with."""
        board = ("--board", self.folder / "board.toml", "--ruler-mm", ruler_mm)
        return (self.folder / "film.mp4", *board, "--object", self.mesh, "--out", out)

    @property
    def known_lens(self) -> tuple[object, ...]:
        return "--camera", self.folder / "lens.json"


def take(
    folder: Path, mesh: Path, shot: Shot, count: int, seed: int, rest: int = 0, quality: int = 9
) -> Filmed:
    """Film an object that was put on its printed outline by hand. quality: see `write_film`."""
    folder.mkdir(parents=True, exist_ok=True)
    printed = ("--object", mesh, "--rest", rest, "--out", folder / "board.pdf")
    assert invoke("board", *printed).exit_code == 0
    board = read_board(folder / "board.toml").measured(RULER_MM)
    (model,) = load_models([mesh]).values()
    pose = resting_pose(model, rest).board_from_obj
    placed = turn_pose(pose, 4.0, np.array([0.003, -0.002, 0]))
    film = make_film(board, count, np.random.default_rng(seed), shot, model.mesh, placed)
    write_film(folder / "film.mp4", film.frames, quality=quality)
    write_lens(
        folder / "lens.json", Lens(film.K, film.distortion, film.size), Camera(film.K, *film.size)
    )
    return Filmed(folder, mesh, film)


@pytest.fixture(scope="module")
def tug(tmp_path_factory) -> Filmed:
    shot = Shot(size=(800, 450), distance=(0.42, 0.55))
    return take(tmp_path_factory.mktemp("tug"), Path(TUG), shot, 40, 3)


@pytest.fixture(scope="module")
def dataset(tug) -> tuple[Path, Result]:
    """The tug's film taken in, calibrated by itself; and what was printed."""
    out = tug.folder / "real"
    result = invoke(*tug.arguments(out))
    assert result.exit_code == 0, result.output
    return out, result


def errors(out: Path, scene: int, film: Film) -> np.ndarray:
    """(n, 4) of a film's frames: degrees, mm, mm above 1 mm + 0.2 % of the distance, pixels.

    Pixels: mean distance of the mesh's vertices, drawn into the straight frame, to where the lens
    that filmed them shows them there.
    """
    (model,) = load_models([out / "models" / "obj_000001.ply"]).values()
    vertices = model.mesh.vertices[::20].astype(np.float64)
    true_lens = Lens(film.K, film.distortion, film.size)
    lens = read_lens(out / "real" / f"{scene:06d}" / "lens.json")
    rows = []
    for image, name in zip(images_of(out, scene), names_of(out, scene), strict=True):
        truth = truth_of(film, int(name.split()[1]))
        (annotation,) = image.annotations
        found = annotation.cam_from_obj
        angle = np.degrees(rotation_angle(found[:3, :3], truth[:3, :3]))
        shift = 1000 * np.linalg.norm(found[:3, 3] - truth[:3, 3])
        over = shift - 1 - 0.002 * 1000 * np.linalg.norm(truth[:3, 3])
        filmed = true_lens.scaled(lens.size, "the film").project(apply(truth, vertices))
        K = image.camera.K
        there = cv2.undistortPoints(filmed, lens.K, lens.distortion, P=K)[:, 0]
        here = image.camera.project(apply(found, vertices))
        rows.append((angle, shift, over, np.linalg.norm(here - there, axis=1).mean()))
    return np.array(rows)


def images_of(out: Path, scene: int) -> list[BopImage]:
    return [image for image in read_split(out, "real") if image.scene_id == scene]


def names_of(out: Path, scene: int) -> Sequence[str]:
    films = json.loads((out / "capture.json").read_text())["films"]
    return next(film["frames"] for film in films if film["scene"] == scene)


def test_a_film_becomes_a_dataset_whose_poses_are_the_truth(tug, dataset):
    """From the printed board to the poses, through a lens, by the two commands."""
    out, _ = dataset
    lens = read_lens(out / "real" / "000001" / "lens.json")
    assert abs(lens.K[0, 0] / tug.film.K[0, 0] - 1) < 0.003
    found = errors(out, 1, tug.film)
    assert len(found) >= 25
    degrees, _, over_mm, pixels = found.max(axis=0)
    assert degrees < 0.5 and over_mm < 0 and pixels < 1
    assert (out / "film_1.mp4").is_file()


def test_each_frame_is_kept_or_left_out_for_a_reason(tug, dataset):
    out, result = dataset
    (film,) = json.loads((out / "quality.json").read_text())["films"]
    left_out = {one["name"]: one["why"] for one in film["left_out"]}
    assert left_out.keys().isdisjoint(names_of(out, 1))
    assert left_out.keys() | set(names_of(out, 1)) == {f"frame {i}" for i in range(40)}
    assert left_out and next(iter(left_out.values())) in result.output


def test_a_ruler_that_is_a_little_wrong_is_named(tug, tmp_path, caplog):
    few = (*tug.known_lens, "--views", 8)
    result = invoke(*tug.arguments(tmp_path / "real", 1.02 * RULER_MM), *few)
    assert result.exit_code == 0, result.output
    (line,) = [r.getMessage() for r in caplog.records if "than its mesh" in r.getMessage()]
    assert "% larger" in line
    assert abs(float(line.split("the ruler is ")[1].split()[0]) / RULER_MM - 1) < 0.005


def test_a_ruler_that_is_wrong_is_refused(tug, tmp_path):
    few = (*tug.known_lens, "--views", 8)
    said = fail(1, *tug.arguments(tmp_path / "real", 1.05 * RULER_MM), *few)
    assert "larger than its mesh" in said and "--ruler-mm" in said
    assert not (tmp_path / "real").exists()


def test_a_film_of_the_object_lying_otherwise_agrees_in_size(tug, dataset, tmp_path, caplog):
    out = shutil.copytree(dataset[0], tmp_path / "real")
    other = take(tmp_path, tug.mesh, Shot(size=(800, 450), distance=(0.42, 0.55)), 12, 8, rest=1)
    result = invoke(*other.arguments(out), "--rest", 1, *other.known_lens)
    assert result.exit_code == 0, result.output
    quality = json.loads((out / "quality.json").read_text())
    sizes = [film["summary"]["size_off"] for film in quality["films"]]
    assert quality["size_off_apart"] == abs(sizes[0] - sizes[1]) < 0.005
    assert "apart at most over 2 films" in result.output and "than its mesh" not in caplog.text
    degrees, _, over_mm, pixels = errors(out, 3, other.film).max(axis=0)
    assert degrees < 0.5 and over_mm < 0 and pixels < 1


def test_a_board_that_is_half_covered_is_read(tmp_path):
    shot = replace(SMALL, covered=0.5)
    half = take(tmp_path, Path(TUG), shot, 10, 5)
    result = invoke(*half.arguments(tmp_path / "real"), *half.known_lens)
    assert result.exit_code == 0, result.output
    degrees, _, over_mm, pixels = errors(tmp_path / "real", 1, half.film).max(axis=0)
    assert degrees < 0.5 and over_mm < 0 and pixels < 1


def test_a_film_in_4k_is_scaled_down_and_as_exact(tmp_path):
    shot = Shot(size=(3840, 2160), distance=(0.42, 0.5), elevation_deg=(35, 60), blur=1.5, parts=1)
    large = take(tmp_path, Path(TUG), shot, 4, 6, quality=6)  # about what a telephone spends
    result = invoke(*large.arguments(tmp_path / "real"), *large.known_lens)
    assert result.exit_code == 0, result.output
    degrees, _, over_mm, pixels = errors(tmp_path / "real", 1, large.film).max(axis=0)
    assert {image.camera.size for image in images_of(tmp_path / "real", 1)} == {(1920, 1080)}
    assert degrees < 0.5 and over_mm < 0 and pixels < 1


def test_a_brick_of_which_nobody_said_that_half_a_turn_leaves_it_the_same_is_refused(tmp_path):
    brick = trimesh.creation.box((0.09, 0.05, 0.04))
    brick.visual.vertex_colors = np.tile([190, 60, 40, 255], (8, 1))
    brick.export(tmp_path / "brick.ply")
    filmed = take(tmp_path, tmp_path / "brick.ply", SMALL, 8, 7)
    said = fail(1, *filmed.arguments(tmp_path / "real"), *filmed.known_lens)
    assert "two poses 180 degrees apart explain the frames equally well" in said
    assert "symmetries_discrete" in said and not (tmp_path / "real").exists()
