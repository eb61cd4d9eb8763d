"""Draw the pictures of docs/own-object.md, and docs/capture.jpg: rendered, of the bundled tugboat.

    python benchmarks/own_object.py --keep out/own
    python docs/draw_guide.py out/own

FOLDER is what the first command left: a captured film, and another film with the poses that a
network read from it.
"""

import sys
from dataclasses import replace
from pathlib import Path

import click
import imageio.v3 as imageio
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from render.capture.board import Board, read_board
from render.capture.board_sheet import draw_sheet
from render.capture.placed.outline import outline
from render.capture.placed.place import resting_pose
from render.draw.rasterizer import Rasterizer
from render.image_file import read_rgb
from render.mesh.mesh import ObjectModel, load_models
from render.scene.spec import Placed, SceneSpec, rows
from render.show.captured import CONTOUR
from render.show.overlay import draw_contour, label, sheet
from render.show.video import open_film
from render.transforms import look_at, rigid, rodrigues
from tests.render.capture.film import Film, Shot, make_film

DOCS, MESH = ROOT / "docs", ROOT / "assets" / "obj_000001.ply"
SIZE = (480, 270)
PAGE = 2.5  # px per mm
GIF_SIZE, GIF_EVERY, GIF_FPS = (400, 225), 3, 8
STRAIGHT = Shot(SIZE, distortion=(0, 0, 0, 0, 0), shake=0)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Draw them all."""
    (model,) = load_models([MESH]).values()
    resting = resting_pose(model, 0).board_from_obj
    board = read_board(folder / "board.toml")
    page = draw_sheet(board, PAGE, outline(model, resting))
    Image.fromarray(page).quantize(8).save(DOCS / "board.png", optimize=True)
    _write("filming.jpg", filming(board, model, resting))
    _write("contours.jpg", contours(board, model, resting))
    _write("capture.jpg", captured(folder / "real"))
    write_gif(folder / "poses.mp4", DOCS / "own-object.gif")


def filming(board: Board, model: ObjectModel, resting: np.ndarray) -> list[list[np.ndarray]]:
    """Frames as they should be; below, frames that are of little use."""

    def shot(text: str, azimuth: float, height: float, far: float, **how: float) -> np.ndarray:
        a, e = np.radians([azimuth, height])
        eye = far * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
        aside = np.array([how.pop("aside", 0.0), 0, 0.02])
        pose = look_at(eye, aside, np.array([0.0, 0, 1]))[None]
        rng = np.random.default_rng(1)
        film = make_film(board, 1, rng, replace(STRAIGHT, **how), model.mesh, resting, pose)
        return label(film.frames[0], text)

    return [
        [
            shot("good: the board fills the frame", 20, 40, 0.42),
            shot("good: from the other side", 150, 55, 0.42),
            shot("good: from lower down", 250, 30, 0.45),
            shot("good: nearer, from above", 320, 62, 0.38),
        ],
        [
            shot("from straight above: no focal length", 20, 89, 0.5),
            shot("too far away: few pixels a square", 20, 40, 1.3),
            shot("half of the board is outside", 20, 40, 0.42, aside=0.2),
            shot("moved too fast: left out as blurred", 20, 40, 0.42, shake=60.0),
        ],
    ]


def contours(board: Board, model: ObjectModel, resting: np.ndarray) -> list[list[np.ndarray]]:
    """One frame, with the contour of the mesh at poses that are right and wrong."""
    eye = np.array([0.2, -0.24, 0.2])
    pose = look_at(eye, np.array([0.0, 0, 0.03]), np.array([0.0, 0, 1]))[None]
    rng = np.random.default_rng(1)
    film = make_film(board, 1, rng, STRAIGHT, model.mesh, resting, pose)
    moved = rigid(rodrigues(np.radians([0, 0, 8])), [0.008, 0.004, 0])
    return [
        [
            _with_contour(film, model, resting, "as it should be"),
            _with_contour(film, model, moved @ resting, "it was moved while you filmed"),
        ],
        [
            _with_contour(film, model, resting, "the ruler, or the mesh, is 6 % wrong", 1.06),
            _with_contour(film, model, resting_pose(model, 1).board_from_obj, "another --rest"),
        ],
    ]


def _with_contour(
    film: Film, model: ObjectModel, board_from_obj: np.ndarray, text: str, scale: float = 1.0
) -> np.ndarray:
    """The film's first frame with the contour of the mesh, so much larger, where it would be."""
    mesh = replace(model.mesh, vertices=(model.mesh.vertices * scale).astype(np.float32))
    placed = (Placed(1, rows(film.cam_from_board[0] @ board_from_obj)),)
    with Rasterizer({1: mesh}) as rasterizer:
        (frame,) = rasterizer.render([SceneSpec(rows(film.K), SIZE, placed)])
    return label(draw_contour(film.frames[0], frame.instance > 0, CONTOUR, 2), text)


def captured(dataset: Path) -> list[list[np.ndarray]]:
    """A captured frame with the pose that was found, and two frames to train on."""
    with open_film(dataset / "film_1.mp4") as (_, pictures):
        first = next(iter(pictures))
    trained = sorted((dataset / "real" / "000002" / "rgb").iterdir())
    shown = [first, *(read_rgb(trained[i]) for i in (len(trained) // 3, 2 * len(trained) // 3))]
    return [[np.array(Image.fromarray(image).resize(SIZE)) for image in shown]]


def write_gif(film: Path, file: Path) -> None:
    """A film as a small animation."""
    with open_film(film) as (_, pictures):
        chosen = [picture for i, picture in enumerate(pictures) if i % GIF_EVERY == 0]
    small = [Image.fromarray(picture).resize(GIF_SIZE).quantize(64) for picture in chosen]
    duration = round(1000 / GIF_FPS)
    small[0].save(file, save_all=True, append_images=small[1:], duration=duration, loop=0)


def _write(name: str, tiles: list[list[np.ndarray]]) -> None:
    imageio.imwrite(DOCS / name, sheet(tiles), quality=88)


if __name__ == "__main__":
    main()
