"""Pose estimates and a dataset's ground truth -> metrics, by the rules of the BOP benchmark."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from render.camera import Camera
from render.errors import InputError
from render.formats.bop import BopImage, read_split, require_objects
from render.formats.bop_records import nearest_mm
from render.formats.bop_results import Estimate, read_results
from render.formats.bop_targets import TARGETS, Targets, read_targets
from render.frame import Annotation
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel, load_models
from render.progress import progress
from render.transforms import apply
from train.objects.data import DataConfig, choose_images
from train.objects.depth import RenderDepth, depth_renderer
from train.objects.metrics import PoseErrors, pose_errors, vsd
from train.objects.summary import Group, mean_over_objects, mean_over_targets, summarize
from train.objects.table import format_rows

ToFind = Callable[[BopImage, int], tuple[list[np.ndarray], int]]  # see `_to_find`


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
        InputError: an object is in no image or has no mesh, or no estimate is for these images.
    """
    keys = {(image.scene_id, image.im_id) for image in images}
    if estimates and not any((e.scene_id, e.im_id) in keys for e in estimates):
        raise InputError(
            f"none of the {len(estimates)} estimates is for one of the {len(images)} scored images"
        )
    find = partial(_to_find, min_visib=min_visib, targets=targets)
    rule = f"has a visib_fract of {min_visib} or more" if targets is None else "is a target"
    chosen = _chosen_objects(images, models, find, rule, obj_ids)
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

    The images are those under "test" in the split file where one is named; else those of the
    dataset's test_targets_bop19.json, where there is one and the split is a test split; else all of
    the split. "scored" says in words which.
    """
    estimates = read_results(results, nearest_mm(dataset))
    targets, images = _scored_images(data, dataset)
    folder = dataset / "models_eval" if (dataset / "models_eval").is_dir() else dataset / "models"
    models = load_models([folder], unit="mm")
    obj_ids = data.objects or None
    with depth_renderer(images, models) as render_depth:
        scores = score(estimates, images, models, data.min_visib, obj_ids, render_depth, targets)
    scores["scored"] = _what_is_scored(data, images, estimates, targets)
    return json.dumps(scores, indent=2) if as_json else format_table(scores)


def _scored_images(data: DataConfig, dataset: Path) -> tuple[Targets | None, list[BopImage]]:
    file = dataset / TARGETS
    if data.split_file:
        chosen = choose_images(data, dataset, "test", seed=0)
        return None, read_split(dataset, data.split, chosen)
    if not (data.split.startswith("test") and file.is_file()):
        return None, read_split(dataset, data.split)
    targets = read_targets(file)
    try:
        images = read_split(dataset, data.split, {key[:2] for key in targets})
    except InputError as error:
        raise InputError(f"{error}; {file} names it, --split-file would name others") from None
    return targets, images


def _what_is_scored(
    data: DataConfig,
    images: Sequence[BopImage],
    estimates: Sequence[Estimate],
    targets: Targets | None,
) -> str:
    """For a reader of the table: which instances and estimates count."""
    if targets is None:
        of = f"the test images of {data.split_file}" if data.split_file else f"split {data.split}"
        why = "" if data.split_file else f"; no {TARGETS} says what counts"
        least = f"a visib_fract of {data.min_visib:g} or more"
        return f"Scored is all ground truth with {least} in {of}, {len(images)} images{why}."
    asked = {key: n for key, n in targets.items() if not data.objects or key[2] in data.objects}
    given = Counter((e.scene_id, e.im_id, e.obj_id) for e in estimates)
    left_out = len(estimates) - sum(min(n, given[key]) for key, n in asked.items())
    return (
        f"Scored are the targets of {TARGETS}, as in BOP: of an object in an image the inst_count"
        f" most visible instances, {sum(asked.values())} in {len(images)} images, and as many"
        f" estimates, the surest; {left_out} of {len(estimates)} estimates are left out."
    )


def format_table(scores: Mapping[str, Any]) -> str:
    """`score`'s dictionary for the terminal: a line an object, then the means."""
    rows = {**scores["objects"], "mean": scores["mean"], "targets": scores["targets"]}
    table = [format_rows(("object",), [((name,), metrics) for name, metrics in rows.items()])]
    symmetric = [i for i, metrics in scores["objects"].items() if metrics["add_kind"] == "ADI"]
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


def _to_find(
    image: BopImage, obj_id: int, min_visib: float, targets: Targets | None
) -> tuple[list[np.ndarray], int]:
    """True poses of an object that are to be found in an image, and how many estimates may do so.

    With targets there may be more estimates than instances, where a file of them says so.
    """
    shown = [a for a in image.annotations if a.obj_id == obj_id]
    if targets is None:
        visible = [a.cam_from_obj for a in shown if _visib_fract(a) >= min_visib]
        return visible, len(visible)
    count = targets.get((image.scene_id, image.im_id, obj_id), 0)
    most_visible = sorted(shown, key=_visib_fract, reverse=True)[:count]
    return [a.cam_from_obj for a in most_visible], count


def _visib_fract(annotation: Annotation) -> float:
    return 1.0 if annotation.visib_fract is None else annotation.visib_fract


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
            raise InputError(f"object {obj_id} nowhere {rule}")
    return chosen


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
