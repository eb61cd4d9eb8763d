"""From undistorted frames with the board's pose to a dataset with the object's: all of it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from render.capture.background import KINDS, STREAM, behind, replaced, with_paper
from render.capture.board import Board
from render.capture.lens import Lens
from render.capture.masks import visible_masks
from render.capture.object_config import ObjectConfig
from render.capture.placed.click_page import ClickPage, serve
from render.capture.placed.drawing import Drawer, open_drawer
from render.capture.placed.fit import fit_object
from render.capture.placed.motion import middle_of
from render.capture.placed.place import resting_pose
from render.capture.placed.points import Clicked, pose_of_points
from render.capture.placed.points_file import file_axes, read_points
from render.capture.quality import (
    check_fit,
    check_footprint,
    check_still,
    halves_apart,
    measured,
    warn_of_size,
)
from render.capture.splits import held_out
from render.capture.views import BoardView
from render.capture.write import Captured, check_out, write_capture
from render.config import to_dict
from render.errors import InputError
from render.mesh.mesh import ObjectModel, load_models
from render.scene.background import background_files

log = logging.getLogger(__name__)

FEWEST_VIEWS = 3


def load_object(mesh_file: Path, config: ObjectConfig) -> ObjectModel:
    """The one object of a mesh file.

    Raises:
        InputError: it is missing, no mesh, or a folder.
    """
    if mesh_file.is_dir():
        raise InputError(f"--object {mesh_file}: a folder; give the file of one mesh")
    (model,) = load_models([mesh_file], config.unit, up=config.up).values()
    return model


def check_object(mesh_file: Path, board: Board, config: ObjectConfig, out: Path) -> ObjectModel:
    """Refuse what can be refused before a film is read.

    Raises:
        InputError: the mesh, the pose it shall rest in, the background or `out` cannot be used.
    """
    model = load_object(mesh_file, config)
    check_footprint(model, board.size)
    check_out(out, model)
    if config.place == "rest":
        resting_pose(model, config.rest)
    elif config.points is None and clicked_file(out).exists():
        raise InputError(
            f"{clicked_file(out)}: is there from another time; give it as --points, or remove it"
        )
    _background_files(config)
    return model


def capture_object(
    views: Sequence[BoardView],
    lens: Lens,
    board: Board,
    mesh_file: Path,
    out: Path,
    config: ObjectConfig | None = None,
    seed: int = 0,
    digest: str | None = None,
    left_out: Sequence[tuple[str, str]] = (),
) -> list[dict[str, Any]]:
    """Find the object in all frames and write them as a BOP dataset, or add them to one.

    Args:
        views: in the order of time.
        seed: of the backgrounds. digest: of the film, see `frames.digest_of`; kept, so that it is
            not added again. left_out: (name, why) of the film's other frames, see `board_views`.

    Returns:
        The records of quality.json, one a film, this one last; `quality.table` prints them.

    Raises:
        InputError: an input is unusable, the pose is undetermined, or below a gate.
    """
    config = ObjectConfig() if config is None else config
    model = check_object(mesh_file, board, config, out)
    if len(views) < FEWEST_VIEWS:
        raise InputError(f"{len(views)} frames show the board; at least {FEWEST_VIEWS} are needed")
    with open_drawer(model) as drawer:
        start, clicked = _start(drawer, views, lens, mesh_file, (config, out))
        fitted = fit_object(drawer, views, start, clicked)
        check_fit(fitted, views, model, config)
        warn_of_size(fitted.size_off, model, board)
        pose = fitted.board_from_obj
        halves = halves_apart(drawer, views, fitted)
        check_still(halves, model, config)
        visible = visible_masks(drawer, views, pose, config.hidden)
        quality = {
            **measured(views, fitted, visible, halves),
            "left_out": [{"name": name, "why": why} for name, why in left_out],
        }

        files = _background_files(config)

        def picture(i: int) -> np.ndarray:
            rng = np.random.default_rng([seed, i, STREAM])
            size = views[i].camera.size
            back = behind(config.background, files, size, rng)
            if config.background == "noise":
                back = with_paper(back, visible.masks[i], rng)
            return replaced(views[i].rgb, visible.masks[i], back)

        captured = Captured(
            views=views,
            lens=lens,
            model=model,
            board_from_obj=pose,
            masks=visible.masks,
            whole=lambda i: drawer.full_mask(views[i], pose),
            tested=held_out(len(views), config.held_out),
            picture=None if config.background == "board" else picture,
            settings={
                "seed": seed,
                "digest": digest,
                "config": to_dict(config),
                "board": vars(board),
            },
            quality=quality,
        )
        return write_capture(out, captured)


def clicked_file(out: Path) -> Path:
    """Where points that are clicked for a dataset are kept."""
    return out.with_name(f"{out.name}-points.toml")


def _start(
    drawer: Drawer,
    views: Sequence[BoardView],
    lens: Lens,
    mesh_file: Path,
    asked: tuple[ObjectConfig, Path],
) -> tuple[np.ndarray, Clicked | None]:
    """board_from_obj to begin with, and the points it came from.

    Args:
        asked: options, and where the dataset goes.
    """
    (config, out), model = asked, drawer.model
    if config.place == "rest":
        return resting_pose(model, config.rest).board_from_obj, None
    obj_from_file, file_from_obj = file_axes(mesh_file, config.unit, config.up)
    if config.points is None:
        path = clicked_file(out)
        serve(ClickPage(drawer, views, file_from_obj, path), told=_say_where)
    else:
        path = Path(config.points)
    clicked = read_points(path, views, lens, model, obj_from_file)
    return pose_of_points(clicked, middle_of(model.box), str(path)).board_from_obj, clicked


def _say_where(address: str) -> None:
    port = address.rpartition(":")[2]
    log.warning(
        "open %s and click points of the object; from another machine first ssh -L %s:127.0.0.1:%s",
        *(address, port, port),
    )


def _background_files(config: ObjectConfig) -> list[Path]:
    """The images of a folder of backgrounds; none of another kind."""
    if config.background in (*KINDS, "board"):
        return []
    try:
        return background_files(config.background)
    except InputError as error:
        raise InputError(str(error).replace("scene.background", "capture.background")) from None
