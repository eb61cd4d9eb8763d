"""Objects that lie in the very plane of their table, so that each pixel shows either by chance."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop_records import read_records
from render.scene.props import TABLES
from render.scene.spec import SceneSpec
from render.validate.fault import Faults

SAME_DEPTH = 1e-5  # of the depth: closer together, rounding decides which is seen
FEW_PIXELS = 10

SPECS = "scene_spec.json"


def read_tables(scene_dir: Path) -> dict[int, list[np.ndarray]]:
    """Image id -> cam_from_table (4, 4), metres, of each table; {} of scenes without specs."""
    tables: dict[int, list[np.ndarray]] = {}
    # What is wrong with the file is another check's.
    with suppress(InputError):
        for im_id, record in read_records(scene_dir / SPECS).items():
            spec = SceneSpec.from_plain(record, f"{scene_dir / SPECS}, image {im_id}")
            tables[im_id] = [p.matrix for p in spec.objects if p.obj_id in TABLES]
    return tables


def check_tables(
    scene_dir: Path,
    im_id: int,
    camera: Camera,
    tables: Mapping[int, Sequence[np.ndarray]],
    drawn: Sequence[np.ndarray | None],
    faults: Faults,
) -> None:
    """Report the objects of an image that lie in the plane of a table.

    Args:
        drawn: each object's depth alone at its pose, (H, W) float32 metres, 0 where it is not.
    """
    for cam_from_table in tables.get(im_id, ()):
        rays = camera.unproject(np.ones((camera.height, camera.width)))
        up = cam_from_table[:3, 2]
        along = rays @ up
        depth = (up @ cam_from_table[:3, 3]) / np.where(np.abs(along) < 1e-12, np.nan, along)
        for gt_id, alone in enumerate(drawn):
            if alone is None:
                continue
            count = np.count_nonzero((alone > 0) & (np.abs(alone - depth) < SAME_DEPTH * alone))
            if count > FEW_PIXELS:
                message = f"{count} px of it lie in the plane of the table, and show either"
                faults.add(scene_dir / SPECS, f"image {im_id}, gt {gt_id}: {message}")
