"""Objects in the very plane of a table, or of each other: each pixel shows either, by chance."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from render.camera import Camera
from render.formats.bop_records import read_records
from render.scene.furnishings import GROUNDS
from render.scene.spec import SceneSpec
from render.validate.fault import Faults

SAME_DEPTH = 1e-5  # of the depth: closer together, rounding decides which is seen
FEW_PIXELS = 10

SPECS = "scene_spec.json"


def read_tables(scene_dir: Path, faults: Faults) -> dict[int, list[np.ndarray]]:
    """Image id -> cam_from_table (4, 4), metres, of each table; {} of scenes without specs.

    What is wrong with the specs is reported, unless something was found in them before.
    """
    path, tables = scene_dir / SPECS, {}
    if path.is_file() and not faults.has(path):
        with faults.caught(path):
            for im_id, record in read_records(path).items():
                with faults.caught(path):
                    spec = SceneSpec.from_plain(record, f"image {im_id}")
                    tables[im_id] = [p.matrix for p in spec.objects if p.obj_id in GROUNDS]
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


def check_pairs(
    scene_dir: Path, im_id: int, drawn: Sequence[np.ndarray | None], faults: Faults
) -> None:
    """Report the objects of an image that share a surface; `drawn` is as in `check_tables`.

    Where surfaces only cross, hardly a pixel is so near to both.
    """
    alone = {gt_id: depth for gt_id, depth in enumerate(drawn) if depth is not None}
    for one, other in combinations(alone, 2):
        a, b = alone[one], alone[other]
        count = np.count_nonzero((a > 0) & (b > 0) & (np.abs(a - b) < SAME_DEPTH * a))
        if count > FEW_PIXELS:
            message = f"{count} px of it lie in the very surface of gt {other}, and show either"
            faults.add(scene_dir / "scene_gt.json", f"image {im_id}, gt {one}: {message}")
