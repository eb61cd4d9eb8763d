"""The colours of a PLY file's vertices or faces, by all the names and types that programs give."""

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from render.mesh.part import to_uint8
from render.mesh.ply.ply import Rows

log = logging.getLogger(__name__)

NAMES = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),  # Greg Turk's own files, Matlab
    ("r", "g", "b"),  # Mitsuba, PlyIO.jl
    ("color_r", "color_g", "color_b"),
    ("color_red", "color_green", "color_blue"),
    ("vertex_red", "vertex_green", "vertex_blue"),
    ("face_red", "face_green", "face_blue"),
    ("c_r", "c_g", "c_b"),
    ("cr", "cg", "cb"),
)
PACKED = ("rgb", "rgba")  # as the Point Cloud Library has them: 0xAARRGGBB in one number
GRAY = ("gray", "grey")
ALPHA = ("alpha", "a", "diffuse_alpha", "color_a", "color_alpha", "opacity")


def colors_of(path: Path, rows: Rows) -> np.ndarray | None:
    """(n, 3) uint8 of rows that have colours, else None.

    Raises:
        ValueError: what has the name of a colour is none.
    """
    columns = {name: column for name, column in rows.columns.items() if len(column)}
    for names in NAMES:
        if all(name in columns for name in names):
            _tell_of_alpha(path, columns)
            three = [columns[name] for name in names]
            return to_uint8(np.stack(three, axis=1).astype(np.float64), np.result_type(*three))
    for name in PACKED:
        if name in columns:
            return _unpacked(columns[name])
    for name in GRAY:
        if name in columns and columns[name].dtype == np.uint8:
            return np.repeat(columns[name][:, None], 3, axis=1)
    return None


def tell_of_unread(path: Path, elements: dict[str, Rows], known: Collection[str]) -> None:
    """Say of what has no colours which of its properties might mean some.

    Args:
        elements: by what they are called.
        known: properties that mean something else.
    """
    unread = [
        f"{name} of each {element}"
        for element, rows in elements.items()
        for name in (*rows.columns, *rows.lists)
        if name not in known
    ]
    if unread:
        log.info(
            "%s: has no colours of vertices or faces; not read as such: %s", path, ", ".join(unread)
        )


def _unpacked(column: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 of colours in one number each, or in the bits of a float."""
    whole = (column == np.round(column)) & (column >= 0) & (column < 1 << 32)
    if column.dtype.kind != "f" or whole.all():
        bits = column.astype(np.int64)
    elif np.isnan(column).any() and column.dtype == np.float64:
        raise ValueError("packed colours that are NaN")
    else:
        bits = column.astype(np.float32).view(np.uint32).astype(np.int64)
    return np.stack([bits >> shift & 255 for shift in (16, 8, 0)], axis=1).astype(np.uint8)


def _tell_of_alpha(path: Path, columns: dict[str, np.ndarray]) -> None:
    alpha = next((columns[name] for name in ALPHA if name in columns), None)
    if alpha is None:
        return
    opaque = 1 if alpha.dtype.kind == "f" and not alpha.max() > 1 else 255
    if (alpha < opaque).any():
        log.info("%s: transparency is not read: all is drawn opaque", path)
