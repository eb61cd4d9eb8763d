"""Pictures of a run: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.draw import draw_box, label, sheet
from render.image_file import write_png
from train.crops import CropConfig, cut, square_crop, training_crop
from train.evaluate import Outcome
from train.instances import Instance

TILE = 144  # pixels
TRUE, PREDICTED = (60, 220, 60), (255, 70, 40)


def contact_sheet(
    real: Sequence[Instance],
    twins: Sequence[Sequence[Instance]],
    synthetic: Sequence[Instance],
    crop: CropConfig,
    file: Path,
    real_name: str = "real",
    columns: int = 8,
) -> None:
    """Real instances above their twins, twins under the same jitter, and synthetic images.

    The third and fourth row are what training sees: one random crop for both images of a pair.
    """
    tile = CropConfig(**{**vars(crop), "size": TILE})
    chosen = spread(len(real), columns)
    rows: list[list[np.ndarray]] = [[], [], [], [], []]
    for column, i in enumerate(chosen):
        rng = np.random.default_rng([0, column])
        plain, jittered = square_crop(real[i].box, tile), training_crop(rng, real[i].box, tile)
        for row, (name, instance, map_) in enumerate(
            (
                (real_name, real[i], plain),
                ("its twin", twins[i][0], plain),
                ("the same, jittered", real[i], jittered),
                ("its twin", twins[i][-1], jittered),
            )
        ):
            rows[row].append(label(cut(instance, map_, TILE), name))
    for i in spread(len(synthetic), columns):
        crop_ = square_crop(synthetic[i].box, tile)
        rows[4].append(label(cut(synthetic[i], crop_, TILE), "synthetic"))
    write_png(file, sheet(rows))


def test_sheet(outcomes: Sequence[Outcome], crop: CropConfig, file: Path, columns: int = 8) -> None:
    """Test frames of one object, a row a method: the true box in green, the predicted in red."""
    tile = CropConfig(**{**vars(crop), "size": TILE, "margin": 1.6})
    rows = []
    for method in dict.fromkeys(outcome.method for outcome in outcomes):
        of_method = [outcome for outcome in outcomes if outcome.method == method]
        row = []
        for i in spread(len(of_method), columns):
            instance, found = of_method[i].instance, of_method[i].corners
            crop_from_image = square_crop(instance.box, tile)
            picture = cut(instance, crop_from_image, TILE)
            picture = draw_box(picture, _into(crop_from_image, instance.corners[0]), TRUE)
            if found is not None:
                picture = draw_box(picture, _into(crop_from_image, found), PREDICTED)
            row.append(label(picture, method if found is not None else f"{method}: no pose"))
        rows.append(row)
    write_png(file, sheet(rows))


def _into(crop_from_image: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ crop_from_image[:, :2].T + crop_from_image[:, 2]


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` indices, evenly over 0..count-1."""
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(wanted, count)).round())]
