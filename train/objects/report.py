"""Pictures of a run: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.image_file import write_png
from render.show.overlay import draw_box, label, sheet
from train.learn.pictures import PREDICTED, TILE, TRUE, pair_sheet, spread
from train.objects.crops import cut, square_crop, training_crop
from train.objects.data import Instance
from train.objects.evaluate import Outcome
from train.options import CropConfig


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
    pair_sheet(
        (real, twins, synthetic),
        lambda instance: square_crop(instance.box, tile),
        lambda rng, instance: training_crop(rng, instance.box, tile),
        lambda instance, crop_from_image: cut(instance, crop_from_image, TILE),
        file,
        real_name,
        columns,
    )


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
