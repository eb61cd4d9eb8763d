"""What counts in a score: which images of a dataset, instances in them, and estimates."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.formats.bop import BopImage, read_split
from render.formats.bop_results import Estimate
from render.formats.bop_targets import TARGETS, Targets, read_targets
from render.frame import Annotation
from render.mesh.mesh import ObjectModel
from train.objects.data import DataConfig
from train.objects.split import SPLIT, choose_images

ToFind = Callable[[BopImage, int], tuple[list[np.ndarray], int]]  # see `to_find`


def scored_images(data: DataConfig, dataset: Path) -> tuple[Targets | None, list[BopImage]]:
    """The images that count: those under "test" in the split file where one is named; else those of
    the dataset's targets, with these, where it has some and the split is a test split; else all."""
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


def what_is_scored(
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
    asked = {key: n for key, n in targets.items() if not data.objects or key[2] in data.obj_ids}
    given = Counter((e.scene_id, e.im_id, e.obj_id) for e in estimates)
    left_out = len(estimates) - sum(min(n, given[key]) for key, n in asked.items())
    return (
        f"Scored are the targets of {TARGETS}, as in BOP: of an object in an image the inst_count"
        f" most visible instances, {sum(asked.values())} in {len(images)} images, and as many"
        f" estimates, the surest; {left_out} of {len(estimates)} estimates are left out."
    )


def to_find(
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


def what_is_missing(
    results: Path,
    estimates: Sequence[Estimate],
    images: Sequence[BopImage],
    models: Mapping[int, ObjectModel],
    find: ToFind,
) -> str:
    """For a reader of the table: which objects and images no estimate is of; else empty.

    All in them counts as failed, whether it was not found or never looked for.

    Args:
        results: the file that the estimates stand in; beside it, or above, a run leaves its split.
        models: the objects that are scored.
    """
    named = {e.obj_id for e in estimates}
    unnamed, rest = sorted(models.keys() - named), sorted(models.keys() & named)
    said = ""
    if unnamed and rest:
        lost, kept = (",".join(models[i].name or str(i) for i in part) for part in (unnamed, rest))
        said = f"No line is of object {lost}: all of it counts as failed, unless --objects {kept}. "
    answered = {(e.scene_id, e.im_id) for e in estimates}
    asked = [image for image in images if any(find(image, i)[0] for i in models)]
    silent = [image for image in asked if (image.scene_id, image.im_id) not in answered]
    if silent:
        near = (folder / SPLIT for folder in (results.parent, results.parent.parent))
        part = next((file for file in near if file.is_file()), "FILE.json")
        said += (
            f"{len(silent)} of {len(asked)} images have no line in {results.name}: all in them"
            f" counts as failed. Of a part of a split score that part: --split-file {part}."
        )
    return said.rstrip()
