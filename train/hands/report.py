"""Pictures of a run on hands: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from render.formats.nyu import BONES, joints_from_uvd
from render.image_file import write_png
from render.show.overlay import draw_skeleton, label, sheet
from train.hands.crops import HandCrop, HandCrops, HandFrame
from train.learn import pictures
from train.learn.pictures import PREDICTED, TILE, TRUE, spread


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
        row = []
        for i in spread(len(frames), columns):
            crop = crops.plain(frames[i])
            picture = _picture(crops, frames[i], crop)
            for joints, color in ((frames[i].joints, TRUE), (joints_from_uvd(uvd[i]), PREDICTED)):
                picture = draw_skeleton(picture, _into_tile(crop, joints), BONES, color)
            row.append(label(picture, f"{method} {frames[i].number}"))
        rows.append(row)
    write_png(file, sheet(rows))


def _picture(crops: HandCrops, frame: HandFrame, crop: HandCrop) -> np.ndarray:
    """What a network sees, (TILE, TILE, 3) uint8: near is bright, far or nothing black."""
    gray = np.round(127.5 * (1 - crops.image(frame, crop)[..., 0])).astype(np.uint8)
    tile = cv2.resize(gray, (TILE, TILE), interpolation=cv2.INTER_NEAREST)
    return np.repeat(tile[..., None], 3, axis=2)


def _into_tile(crop: HandCrop, joints: np.ndarray) -> np.ndarray:
    """Pixels of a tile: (n, 3) metres -> (n, 2)."""
    crop_from_image = replace(crop, size=TILE).crop_from_image
    return crop.camera.project(joints) @ crop_from_image[:, :2].T + crop_from_image[:, 2]
