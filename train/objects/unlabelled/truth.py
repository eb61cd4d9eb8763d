"""How good the poses of unlabelled frames are: for the reader of a run, never for its training."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from render.formats.bop import BopImage, read_split
from render.json_file import write_text
from render.mesh.mesh import ObjectModel
from train.learn.rounds import LABELS, TRUTH
from train.objects.data import DataConfig
from train.objects.metrics import PoseErrors, pose_errors
from train.objects.unlabelled.label import Guess, read_labels


def compare_with_truth(data: DataConfig, root: Path, model: ObjectModel, folder: Path) -> None:
    """Leave TRUTH beside the LABELS in a folder, where the dataset knows the poses: what is
    believed and what is refused, and how far off each is.

    Args:
        model: the mesh that errors are measured on.
    """
    if data.unlabelled:
        return
    threshold, guesses = read_labels(folder / LABELS)
    keys = [guess.key for guess in guesses]
    found = read_split(root, data.split, keys, labelled=False)
    images = {(image.scene_id, image.im_id): image for image in found}
    read = [guess for guess in guesses if guess.pose is not None]
    errors = [(g.agreement >= threshold, _errors(g, images[g.key], model)) for g in read]
    record = {
        "frames": len(guesses),
        "read": len(read),
        "believed": _figures([error for believed, error in errors if believed]),
        "refused": _figures([error for believed, error in errors if not believed]),
    }
    write_text(folder / TRUTH, json.dumps(record, indent=2) + "\n")


def _errors(guess: Guess, image: BopImage, model: ObjectModel) -> PoseErrors | None:
    """Of the instance that the pose is nearest to; None where the image has none."""
    assert guess.pose is not None
    shown = [a.cam_from_obj for a in image.annotations if a.obj_id == model.obj_id]
    found = [pose_errors(guess.pose, true, model, image.camera) for true in shown]
    return min(found, key=lambda error: error.corner_px, default=None)


def _figures(errors: list[PoseErrors | None]) -> dict[str, Any]:
    known = [error for error in errors if error is not None]
    if not known:
        return {"n": len(errors)}
    rotations = np.degrees([error.rotation for error in known])
    return {
        "n": len(errors),
        "proj_5px": 100 * float(np.mean([error.proj_px < 5 for error in known])),
        "rotation_deg_median": float(np.median(rotations)),
        "translation_mm_median": 1000 * float(np.median([e.translation for e in known])),
    }
