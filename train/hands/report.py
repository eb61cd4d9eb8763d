"""Pictures of a run on hands: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from render.formats.nyu import BONES, joints_from_uvd, uvd_from_joints
from render.image_file import write_png
from render.show.overlay import draw_skeleton, label, sheet
from train.hands.crops import HandCrop, HandCrops, HandFrame
from train.hands.score import joint_errors
from train.learn import pictures
from train.learn.pictures import PREDICTED, TILE, TRUE, best_to_worst, spread
from train.options import REFINED


def pair_sheet(
    real: Sequence[HandFrame],
    twins: Sequence[Sequence[HandFrame]],
    synthetic: Sequence[HandFrame],
    crops: HandCrops,
    file: Path,
    kind: str = "real",
    columns: int = 8,
) -> None:
    """Real frames above their twins, both under one random crop, and synthetic frames.

    Args:
        kind: what the real frames are called, "simulated real" for instance.
    """
    pictures.pair_sheet(
        (real, twins, synthetic),
        crops.plain,
        crops.draw,
        lambda frame, crop: _picture(crops, frame, crop),
        file,
        kind,
        columns,
    )


def hand_sheet(
    predictions: Mapping[str, np.ndarray],
    frames: Sequence[HandFrame],
    crops: HandCrops,
    file: Path,
    columns: int = 8,
) -> None:
    """Test frames, a row a method: the true skeleton in green, the predicted one in red.

    Args:
        predictions: method -> (n, 14, 3) uvd of all frames.
    """
    rows = []
    for method, uvd in predictions.items():
        shown = spread(len(frames), columns)
        texts = [f"{method} {frames[i].number}" for i in shown]
        rows.append([_seen(frames[i], uvd[i], crops, t) for i, t in zip(shown, texts, strict=True)])
    write_png(file, sheet(rows))


def extreme_sheet(
    predictions: Mapping[str, np.ndarray],
    frames: Sequence[HandFrame],
    crops: HandCrops,
    file: Path,
) -> None:
    """The best, median and worst test frames of each method, drawn as `hand_sheet` does.

    A row a method, by the mean error of the joints. Refined joints are shown in the frames of those
    that they were refined from.

    Args:
        predictions: method -> (n, 14, 3) uvd of all frames.
    """
    true = uvd_from_joints(np.array([frame.joints for frame in frames]))
    errors = {m: joint_errors(uvd, true).mean(axis=1) for m, uvd in predictions.items()}  # (n,) mm
    rows = []
    for method, uvd in predictions.items():
        found = errors[method]
        shown = best_to_worst(errors.get(method.removesuffix(REFINED), found))
        rows.append(
            [_seen(frames[i], uvd[i], crops, f"{method}: {found[i]:.0f} mm") for i in shown]
        )
    write_png(file, sheet(rows))


def _seen(frame: HandFrame, uvd: np.ndarray, crops: HandCrops, text: str) -> np.ndarray:
    """A test frame's crop with both skeletons and a label."""
    crop = crops.plain(frame)
    picture = _picture(crops, frame, crop)
    for joints, color in ((frame.joints, TRUE), (joints_from_uvd(uvd), PREDICTED)):
        picture = draw_skeleton(picture, _into_tile(crop, joints), BONES, color)
    return label(picture, text)


def _picture(crops: HandCrops, frame: HandFrame, crop: HandCrop) -> np.ndarray:
    """What a network sees, (TILE, TILE, 3) uint8: near is bright, far or nothing black."""
    gray = np.round(127.5 * (1 - crops.image(frame, crop)[..., 0])).astype(np.uint8)
    tile = cv2.resize(gray, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    return np.repeat(tile[..., None], 3, axis=2)


def _into_tile(crop: HandCrop, joints: np.ndarray) -> np.ndarray:
    """Pixels of a tile: (n, 3) metres -> (n, 2)."""
    crop_from_image = replace(crop, size=TILE).crop_from_image
    return crop.camera.project(joints) @ crop_from_image[:, :2].T + crop_from_image[:, 2]
