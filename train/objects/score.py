"""Pose estimates and a dataset's ground truth -> metrics, by the rules of the BOP benchmark."""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split, require_objects
from render.formats.bop_records import nearest_mm
from render.formats.bop_results import Estimate, read_results
from render.frame import Annotation
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.progress import progress
from render.scene.spec import Placed, SceneSpec, near_of, rows
from render.transforms import apply
from train.objects.data import DataConfig, choose_images
from train.objects.metrics import PoseErrors, pose_errors, vsd
from train.objects.summary import Group, mean_over_objects, mean_over_targets, summarize
from train.objects.table import format_rows

log = logging.getLogger(__name__)

RenderDepth = Callable[[Camera, int, np.ndarray], np.ndarray]


def score(
    estimates: Sequence[Estimate],
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    min_visib: float = 0.1,
    obj_ids: Collection[int] | None = None,
    render_depth: RenderDepth | None = None,
) -> dict[str, Any]:
    """Compare estimates with every sufficiently visible instance in the images.

    Of an object with m targets in an image the m surest estimates count, as in BOP. Where no pose
    was found, corner_px counts the longer side of the true box in the image.

    Args:
        models: meshes to measure on; BOP takes those of `models_eval`.
        min_visib: least visib_fract of a target; an unknown one counts as visible.
        obj_ids: the objects to score; None takes all that the images show.
        render_depth: (camera, obj_id, cam_from_obj) -> (H, W) depth in metres of the object alone,
            0 where it is not; without it, or without depth images, there is no VSD and no AR.

    Returns:
        {"objects": {id: metrics}, "mean": metrics, "targets": metrics, "no_vsd": why, or None}.
        The metrics are `summarize`'s; "mean" is over objects, "targets" over all targets alike,
        which is how BOP averages. add_kind says whether add_10 is of ADD or ADI.

    Raises:
        InputError: an object is in no image or has no mesh, or no estimate is for these images.
    """
    keys = {(image.scene_id, image.im_id) for image in images}
    if estimates and not any((e.scene_id, e.im_id) in keys for e in estimates):
        raise InputError(
            f"none of the {len(estimates)} estimates is for one of the {len(images)} scored images"
        )
    chosen = _chosen_objects(images, models, min_visib, obj_ids)
    no_vsd = None if render_depth else "no depth was rendered to compare with"
    if not all(image.has_depth for image in images):
        render_depth, no_vsd = None, "the dataset has no depth images"

    groups = _compare(estimates, images, {i: models[i] for i in chosen}, min_visib, render_depth)
    objects = {
        str(obj_id): {
            "add_kind": "ADI" if len(models[obj_id].symmetries) > 1 else "ADD",
            **summarize(groups[obj_id], models[obj_id].diameter, with_vsd=no_vsd is None),
        }
        for obj_id in chosen
    }
    return {
        "objects": objects,
        "mean": mean_over_objects(list(objects.values())),
        "targets": mean_over_targets(list(objects.values())),
        "no_vsd": no_vsd,
    }


def score_file(data: DataConfig, results: Path, dataset: Path, as_json: bool) -> str:
    """Score a BOP results file against a dataset: a table, or `score`'s dictionary as JSON.

    The images are those under "test" in the split file where one is named, else all of the split.
    """
    estimates = read_results(results, nearest_mm(dataset))
    chosen = choose_images(data, dataset, "test", seed=0) if data.split_file else None
    images = read_split(dataset, data.split, chosen)
    folder = dataset / "models_eval" if (dataset / "models_eval").is_dir() else dataset / "models"
    models = load_models([folder], unit="mm")
    obj_ids = data.objects or None
    with _depth_renderer(images, models) as render_depth:
        scores = score(estimates, images, models, data.min_visib, obj_ids, render_depth)
    return json.dumps(scores, indent=2) if as_json else format_table(scores)


def format_table(scores: Mapping[str, Any]) -> str:
    """`score`'s dictionary for the terminal: a line an object, then the means."""
    rows = {**scores["objects"], "mean": scores["mean"], "targets": scores["targets"]}
    table = [format_rows(("object",), [((name,), metrics) for name, metrics in rows.items()])]
    symmetric = [i for i, metrics in scores["objects"].items() if metrics["add_kind"] == "ADI"]
    if symmetric:
        table.append(
            f"ADI for objects with symmetries ({', '.join(symmetric)}), ADD for the others."
        )
    table.append('"mean" is over objects, "targets" over all instances, as in BOP.')
    if scores["no_vsd"]:
        table.append(f"No VSD and AR: {scores['no_vsd']}.")
    return "\n".join(table)


def _chosen_objects(
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    min_visib: float,
    obj_ids: Collection[int] | None,
) -> list[int]:
    """Ids of the objects to score, sorted; InputError for one that cannot be."""
    require_objects(images, obj_ids or ())
    visible = {a.obj_id for image in images for a in image.annotations if _visible(a, min_visib)}
    chosen = sorted(visible if obj_ids is None else set(obj_ids))
    if not chosen:
        raise InputError(f"the images show no object with a visib_fract of {min_visib} or more")
    for obj_id in chosen:
        if obj_id not in models:
            raise InputError(f"object {obj_id} has no mesh; there are {sorted(models)}")
        if obj_id not in visible:
            raise InputError(f"object {obj_id} nowhere has a visib_fract of {min_visib} or more")
    return chosen


def _visible(annotation: Annotation, min_visib: float) -> bool:
    return annotation.visib_fract is None or annotation.visib_fract >= min_visib


def _compare(
    estimates: Sequence[Estimate],
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    min_visib: float,
    render_depth: RenderDepth | None,
) -> dict[int, list[Group]]:
    """Every image's estimates against its targets: object id -> groups."""
    by_key: dict[tuple[int, int, int], list[Estimate]] = {}
    for e in estimates:
        by_key.setdefault((e.scene_id, e.im_id, e.obj_id), []).append(e)

    groups: dict[int, list[Group]] = {obj_id: [] for obj_id in models}
    for image in progress(images, len(images), "score, images"):
        depth = image.read_depth() if render_depth else None
        for obj_id, model in models.items():
            targets = [
                a.cam_from_obj
                for a in image.annotations
                if a.obj_id == obj_id and _visible(a, min_visib)
            ]
            if not targets:
                continue
            candidates = by_key.get((image.scene_id, image.im_id, obj_id), [])
            surest = sorted(candidates, key=lambda e: e.score, reverse=True)[: len(targets)]
            poses = [e.cam_from_obj for e in surest]
            errors = [[pose_errors(e, t, model, image.camera) for t in targets] for e in poses]
            if render_depth and depth is not None:
                errors = _with_vsd(errors, poses, targets, image.camera, model, depth, render_depth)
            sides = tuple(_box_side(target, model, image.camera) for target in targets)
            groups[obj_id].append(Group(tuple(map(tuple, errors)), sides))
    return groups


def _with_vsd(
    errors: Sequence[Sequence[PoseErrors]],
    poses: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    camera: Camera,
    model: ObjectModel,
    depth: np.ndarray,
    render_depth: RenderDepth,
) -> list[list[PoseErrors]]:
    drawn_poses, drawn_targets = (
        [render_depth(camera, model.obj_id, pose) for pose in part] for part in (poses, targets)
    )
    return [
        [
            replace(error, vsd=tuple(vsd(est, gt, depth, camera, model.diameter).tolist()))
            for error, gt in zip(row, drawn_targets, strict=True)
        ]
        for row, est in zip(errors, drawn_poses, strict=True)
    ]


def _box_side(cam_from_obj: np.ndarray, model: ObjectModel, camera: Camera) -> float:
    """The longer side of the projected box, px."""
    corners = camera.project(apply(cam_from_obj, box_corners(model.box)))
    return float(np.ptp(corners, axis=0).max())


@contextmanager
def _depth_renderer(
    images: Sequence[BopImage], models: Mapping[int, ObjectModel]
) -> Iterator[RenderDepth | None]:
    """The rasteriser as a RenderDepth; None where images have no depth, or without OpenGL."""
    if not all(image.has_depth for image in images):
        yield None
        return
    from render.draw.rasterizer import Rasterizer

    try:
        rasterizer = Rasterizer({obj_id: model.mesh for obj_id, model in models.items()})
    except InputError as error:
        log.warning("without VSD: %s", error)
        yield None
        return

    def render_depth(camera: Camera, obj_id: int, cam_from_obj: np.ndarray) -> np.ndarray:
        placed = Placed(obj_id, rows(cam_from_obj))
        spec = SceneSpec(rows(camera.K), camera.size, (placed,), near=near_of([placed]))
        (frame,) = rasterizer.render([spec])
        assert frame.depth is not None  # the rasteriser draws every modality
        return frame.depth

    with rasterizer:
        yield render_depth
