"""How good the poses of a film are: what is measured, what is refused, what a person is told."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from render.capture.board import Board
from render.capture.masks import Visible
from render.capture.object_config import ObjectConfig
from render.capture.placed.align import MIDDLE, Round, align
from render.capture.placed.drawing import Drawer
from render.capture.placed.fit import Fitted
from render.capture.views import BoardView
from render.errors import InputError
from render.mesh.mesh import ObjectModel
from render.transforms import apply, rotation_angle

log = logging.getLogger(__name__)

AGAIN = (*MIDDLE, Round(256, None))  # rounds of each half of the frames
FEWEST_FOR_HALVES = 8
WIDTH = 640  # of a frame that `most_contour_px` is said for
SURE_SIZE = 0.01  # share: right films, all that were measured, show the size more exactly
MOST_FOOTPRINT = 3.0  # sides of the board: what is larger does not stand on it


def check_footprint(model: ObjectModel, size: tuple[float, float]) -> None:
    """Refuse an object that cannot stand on a board of this size, metres.

    Raises:
        InputError: it is far larger; its unit is most likely another.
    """
    across = float((model.box[1] - model.box[0]).max())
    if across > MOST_FOOTPRINT * max(size):
        raise InputError(
            f"{model.source}: {1000 * across:.4g} mm across, on a board of {1000 * max(size):.4g}"
            " mm; most likely the wrong --unit"
        )


def check_fit(
    fitted: Fitted, views: Sequence[BoardView], model: ObjectModel, config: ObjectConfig
) -> None:
    """Refuse a pose that the frames do not bear out.

    Raises:
        InputError: names the gate, what was seen, and what most often is the reason.
    """
    across = 1000 * model.diameter
    grown = fitted.size_off
    overlap = float(np.nanmedian(fitted.iou))
    scaled = fitted.aligned.rms_px * WIDTH / views[0].camera.width
    if overlap < config.least_iou:
        raise InputError(
            f"{model.source}: its silhouette and what frames show overlap by {overlap:.2f} (median;"
            f" capture.least_iou is {config.least_iou:g}); is this the object, {across:.4g} mm"
            " large, and does it stand where the board says? --place points takes points that you"
            " found"
        )
    if not scaled <= config.most_contour_px:
        raise InputError(
            f"{model.source}: its contour is {scaled:.2f} px off (frames 640 wide, rms;"
            f" capture.most_contour_px is {config.most_contour_px:g}); is the mesh that of this"
            " very object, and did it stay still?"
        )
    if abs(grown) > config.most_size_off:
        more = "larger" if grown > 0 else "smaller"
        raise InputError(
            f"{model.source}: frames show the object {100 * abs(grown):.1f} % {more} than its mesh,"
            f" {across:.4g} mm (capture.most_size_off is {config.most_size_off:g}); check the"
            " mesh's scale, and the board's ruler (--ruler-mm)"
        )


def warn_of_size(size_off: float, model: ObjectModel, board: Board) -> None:
    """Say which lengths to measure, where frames show an object of another size than its mesh.

    Args:
        size_off: share by which it looks larger; what `check_fit` lets pass.
    """
    if abs(size_off) <= SURE_SIZE:
        return
    ruler, side = board.ruler_mm * board.scale, 1000 * float(np.ptp(model.box, axis=0).max())
    log.warning(
        "%s: frames show the object %.1f %% %s than its mesh, and right films stay within %g %%:"
        " measure both; the ruler is %.4g mm long and not %.4g (--ruler-mm), or the object's"
        " longest side %.4g mm and not %.4g (the mesh's unit or scale)",
        *(model.source, 100 * abs(size_off), "larger" if size_off > 0 else "smaller"),
        *(100 * SURE_SIZE, ruler / (1 + size_off), ruler, side * (1 + size_off), side),
    )


def halves_apart(drawer: Drawer, views: Sequence[BoardView], fitted: Fitted) -> dict[str, float]:
    """How far poses by the first and the second half of a film are apart; {} of few frames.

    Of all poses that the object's symmetries make one, the nearest.

    Returns:
        halves_deg: the turn. halves_mm: how far vertices move in the mean.
    """
    if len(views) < FEWEST_FOR_HALVES:
        return {}
    half = len(views) // 2
    first, second = (
        align(
            drawer, part, fitted.aligned.standing, AGAIN, None, None, fitted.ground
        ).standing.board_from_obj
        for part in (views[:half], views[half:])
    )
    vertices = drawer.model.mesh.vertices
    alike = second @ drawer.model.symmetries  # (s, 4, 4)
    there = apply(first, vertices)
    moves = [np.linalg.norm(apply(pose, vertices) - there, axis=1).mean() for pose in alike]
    nearest = int(np.argmin(moves))
    turn = rotation_angle(first[:3, :3], alike[nearest, :3, :3])
    return {"halves_deg": float(np.degrees(turn)), "halves_mm": 1000 * float(moves[nearest])}


def check_still(halves: Mapping[str, float], model: ObjectModel, config: ObjectConfig) -> None:
    """Refuse an object that did not stay where it was, by what `halves_apart` found.

    Raises:
        InputError: names the gate, and by how much it moved.
    """
    if halves and halves["halves_mm"] > 1000 * config.most_moved * model.diameter:
        raise InputError(
            f"{model.source}: in the second half of the film it stands {halves['halves_mm']:.1f} mm"
            f" and {halves['halves_deg']:.1f} degrees from where it stood in the first"
            f" (capture.most_moved is {config.most_moved:g} of its diameter); it must not move"
            " on the board: film it again"
        )


def measured(
    views: Sequence[BoardView], fitted: Fitted, visible: Visible, halves: Mapping[str, float]
) -> dict[str, Any]:
    """The record of a film in quality.json."""
    frames = [
        {
            "name": view.name,
            "board_rms_px": view.rms_px,
            "board_held_out_px": view.held_out_px,
            "iou": float(overlap),
            "hidden": float(hidden),
        }
        for view, overlap, hidden in zip(views, fitted.iou, visible.hidden, strict=True)
    ]
    board = np.array([view.rms_px for view in views])
    return {
        "frames": frames,
        "summary": {
            "frames": len(views),
            "board_rms_px_median": float(np.median(board)),
            "board_rms_px_worst": float(board.max()),
            "board_held_out_px": float(np.median([view.held_out_px for view in views])),
            "iou_median": float(np.nanmedian(fitted.iou)),
            "iou_worst": float(np.nanmin(fitted.iou)),
            "contour_rms_px": fitted.aligned.rms_px,
            "size_off": fitted.size_off,
            "unsure_deg": fitted.unsure_deg,
            "unsure_mm": fitted.unsure_mm,
            "likeness": fitted.likeness,
            "hidden_told": visible.told,
            "hidden_frames": int((visible.hidden > 0).sum()),
            **halves,
        },
    }


def over_films(films: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How far films of one object are apart, of their records in quality.json; {} of one film.

    size_off_apart: the largest difference of `size_off`. One mesh and one printed board give one
    size in all films; what differs is the error of the measurement, or a ruler typed otherwise.
    """
    if len(films) < 2:
        return {}
    return {"size_off_apart": float(np.ptp([film["summary"]["size_off"] for film in films]))}


COLUMNS = (
    ("frames", "frames", "{:d}"),
    ("board px", "board_rms_px_median", "{:.2f}"),
    ("worst", "board_rms_px_worst", "{:.2f}"),
    ("held out", "board_held_out_px", "{:.2f}"),
    ("contour px", "contour_rms_px", "{:.2f}"),
    ("IoU", "iou_median", "{:.3f}"),
    ("worst", "iou_worst", "{:.3f}"),
    ("size off", "size_off", "{:+.1%}"),
    ("halves deg", "halves_deg", "{:.2f}"),
    ("halves mm", "halves_mm", "{:.2f}"),
)


def table(films: Sequence[Mapping[str, Any]]) -> str:
    """A line a film, of the records of quality.json, under a line of headings; one over all films.

    board px: rms of the board's corners, median frame and worst. held out: of corners that the pose
    was found without. contour px: rms of the object's. halves: between the poses by the first
    and by the second half of the film.
    """
    rows = [["film", *(name for name, _, _ in COLUMNS)]]
    for number, film in enumerate(films, 1):
        said = film["summary"]
        cells = [form.format(said[key]) if key in said else "-" for _, key, form in COLUMNS]
        rows.append([str(number), *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    if apart := over_films(films):
        most = apart["size_off_apart"]
        lines.append(f"sizes of one object: {most:.1%} apart at most over {len(films)} films")
    return "\n".join(lines)
