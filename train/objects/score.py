"""Pose estimates and a dataset's ground truth -> metrics, by the rules of the BOP benchmark."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, require_objects
from render.formats.bop_records import nearest_mm
from render.formats.bop_results import Estimate, read_results
from render.formats.bop_targets import Targets
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.mesh.names import read_names
from render.progress import progress
from render.transforms import apply
from train.objects.data import DataConfig, with_ids
from train.objects.depth import RenderDepth, depth_renderer
from train.objects.metrics import PoseErrors, pose_errors, vsd
from train.objects.results import names_of
from train.objects.scope import ToFind, scored_images, to_find, what_is_missing, what_is_scored
from train.objects.summary import Group, mean_over_objects, mean_over_targets, summarize
from train.objects.symmetry import load_object, with_symmetries
from train.objects.table import format_rows


def score(
    estimates: Sequence[Estimate],
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    min_visib: float = 0.1,
    obj_ids: Collection[int] | None = None,
    render_depth: RenderDepth | None = None,
    targets: Targets | None = None,
) -> dict[str, Any]:
    """Compare estimates with the instances in the images that are to be found.

    Of an object with m of them in an image the m surest estimates count, as in BOP. Where no pose
    was found, corner_px counts the longer side of the true box in the image.

    Args:
        models: meshes to measure on; BOP takes those of `models_eval`.
        min_visib: least visib_fract of what is to be found; an unknown one counts as visible.
        obj_ids: the objects to score; None takes all that are to be found.
        render_depth: (camera, obj_id, cam_from_obj) -> (H, W) depth in metres of the object alone,
            0 where it is not; without it, or without depth images, there is no VSD and no AR.
        targets: how many instances of which objects are to be found, in place of min_visib: the
            most visible ones, as in bop_toolkit's eval_calc_scores.py.

    Returns:
        {"objects": {id: metrics}, "mean": metrics, "targets": metrics, "no_vsd": why, or None}.
        The metrics are `summarize`'s; "mean" is over objects, "targets" over all targets alike,
        which is how BOP averages. add_kind says whether add_10 is of ADD or ADI.

    Raises:
        InputError: an object is in no image or has no mesh, or no estimate is for these images,
            or of an object to score in them.
    """
    keys = {(image.scene_id, image.im_id) for image in images}
    named = {e.obj_id for e in estimates if (e.scene_id, e.im_id) in keys}
    if estimates and not named:
        raise InputError(
            f"none of the {len(estimates)} estimates is for one of the {len(images)} scored images"
        )
    find = partial(to_find, min_visib=min_visib, targets=targets)
    rule = f"has a visib_fract of {min_visib} or more" if targets is None else "is a target"
    chosen = _chosen_objects(images, models, find, rule, obj_ids)
    if named and named.isdisjoint(chosen):
        raise InputError(
            f"no estimate for the scored images is of object {_ids(chosen)}, they are of"
            f" {_ids(named)}; obj_id is that of the ground truth"
        )
    no_vsd = None if render_depth else "no depth was rendered to compare with"
    if not all(image.has_depth for image in images):
        render_depth, no_vsd = None, "the dataset has no depth images"

    groups = _compare(estimates, images, {i: models[i] for i in chosen}, find, render_depth)
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

    "scored" says in words which images and instances count, as `scored_images` chooses them, and of
    which the file has no line.
    """
    data = with_ids(data, dataset)
    estimates = read_results(results, nearest_mm(dataset))
    targets, images = scored_images(data, dataset)
    folder = dataset / "models_eval" if (dataset / "models_eval").is_dir() else dataset / "models"
    names = read_names(dataset / "models")
    models = {
        i: replace(model, name=names.get(i, model.name))
        for i, model in load_models([folder], unit="mm").items()
    }
    if data.symmetry != "file":
        proposed = {i: load_object(data, dataset, i)[1] for i in load_models([dataset / "models"])}
        models = {i: with_symmetries(m, data, proposed.get(i)) for i, m in models.items()}
    obj_ids = data.obj_ids or None
    with depth_renderer(images, models) as render_depth:
        scores = score(estimates, images, models, data.min_visib, obj_ids, render_depth, targets)
    find = partial(to_find, min_visib=data.min_visib, targets=targets)
    chosen = [int(obj_id) for obj_id in scores["objects"]]
    scores |= names_of(models[i] for i in chosen)
    missing = what_is_missing(results, estimates, images, {i: models[i] for i in chosen}, find)
    scores["scored"] = what_is_scored(data, images, estimates, targets)
    scores["scored"] += f" {missing}" if missing else ""
    return json.dumps(scores, indent=2) if as_json else format_table(scores)


def format_table(scores: Mapping[str, Any]) -> str:
    """`score`'s dictionary for the terminal: a line an object, then the means."""
    names = scores.get("names", {})
    objects = {names.get(i, i): metrics for i, metrics in scores["objects"].items()}
    rows = {**objects, "mean": scores["mean"], "targets": scores["targets"]}
    table = [format_rows(("object",), [((name,), metrics) for name, metrics in rows.items()])]
    symmetric = [i for i, metrics in objects.items() if metrics["add_kind"] == "ADI"]
    if symmetric:
        table.append(
            f"ADI for objects with symmetries ({', '.join(symmetric)}), ADD for the others."
        )
    if "scored" in scores:
        table.append(scores["scored"])
    table.append('"mean" is over objects, "targets" over all instances, as in BOP.')
    if scores["no_vsd"]:
        table.append(f"No VSD and AR: {scores['no_vsd']}.")
    return "\n".join(table)


def _chosen_objects(
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    find: ToFind,
    rule: str,
    obj_ids: Collection[int] | None,
) -> list[int]:
    """Ids of the objects to score, sorted; InputError for one that cannot be.

    Args:
        rule: what is to be found, in words.
    """
    require_objects(images, obj_ids or ())
    shown = {a.obj_id for image in images for a in image.annotations}
    wanted = {i for i in shown if any(find(image, i)[0] for image in images)}
    chosen = sorted(wanted if obj_ids is None else set(obj_ids))
    if not chosen:
        raise InputError(f"the images show no object that {rule}")
    for obj_id in chosen:
        if obj_id not in models:
            raise InputError(f"object {obj_id} has no mesh; there are {sorted(models)}")
        if obj_id not in wanted:
            raise InputError(f"{models[obj_id].title} nowhere {rule}")
    return chosen


def _ids(obj_ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(obj_ids)))


def _compare(
    estimates: Sequence[Estimate],
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    find: ToFind,
    render_depth: RenderDepth | None,
) -> dict[int, list[Group]]:
    """Every image's estimates against what is to be found: object id -> groups."""
    by_key: dict[tuple[int, int, int], list[Estimate]] = {}
    for e in estimates:
        by_key.setdefault((e.scene_id, e.im_id, e.obj_id), []).append(e)

    groups: dict[int, list[Group]] = {obj_id: [] for obj_id in models}
    for image in progress(images, len(images), "score, images"):
        depth = image.read_depth() if render_depth else None
        for obj_id, model in models.items():
            truths, most = find(image, obj_id)
            if not truths:
                continue
            candidates = by_key.get((image.scene_id, image.im_id, obj_id), [])
            surest = sorted(candidates, key=lambda e: e.score, reverse=True)[:most]
            poses = [e.cam_from_obj for e in surest]
            errors = [[pose_errors(e, t, model, image.camera) for t in truths] for e in poses]
            if render_depth and depth is not None:
                errors = _with_vsd(errors, poses, truths, image.camera, model, depth, render_depth)
            sides = tuple(_box_side(truth, model, image.camera) for truth in truths)
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
