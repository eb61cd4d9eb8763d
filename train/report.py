"""Pictures of a run: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
    pair_sheet(
        (real, twins, synthetic),
        lambda instance: square_crop(instance.box, tile),
        lambda rng, instance: training_crop(rng, instance.box, tile),
        lambda instance, crop_from_image: cut(instance, crop_from_image, TILE),
        file,
        real_name,
        columns,
    )


def pair_sheet(
    frames: tuple[Sequence[Any], Sequence[Sequence[Any]], Sequence[Any]],
    plain: Callable[[Any], Any],
    jittered: Callable[[np.random.Generator, Any], Any],
    picture: Callable[[Any, Any], np.ndarray],
    file: Path,
    real_name: str = "real",
    columns: int = 8,
) -> None:
    """Write the sheet of `contact_sheet` for frames of any kind.

    Args:
        frames: real ones; for each its twins; synthetic ones.
        plain, jittered: a frame's crop, as it is and at random.
        picture: a frame through a crop, (TILE, TILE, 3) uint8.
    """
    real, twins, synthetic = frames
    rows: list[list[np.ndarray]] = [[], [], [], [], []]
    for column, i in enumerate(spread(len(real), columns)):
        crops = plain(real[i]), jittered(np.random.default_rng([0, column]), real[i])
        for row, (name, frame, crop) in enumerate(
            (
                (real_name, real[i], crops[0]),
                ("its twin", twins[i][0], crops[0]),
                ("the same, jittered", real[i], crops[1]),
                ("its twin", twins[i][-1], crops[1]),
            )
        ):
            rows[row].append(label(picture(frame, crop), name))
    for i in spread(len(synthetic), columns):
        rows[4].append(label(picture(synthetic[i], plain(synthetic[i])), "synthetic"))
    write_png(file, sheet([row for row in rows if row]))


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
