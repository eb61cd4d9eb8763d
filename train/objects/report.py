"""Pictures of a run: the pairs it trained on, and what its methods saw in test frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from render.image_file import write_png
from render.show.overlay import draw_box, label, sheet
from train.learn.pictures import PREDICTED, TILE, TRUE, best_to_worst, pair_sheet, spread
from train.objects.crops import cut, square_crop, training_crop
from train.objects.data import Instance
from train.objects.results import Outcome
from train.options import REFINED, CropConfig


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
    rows = []
    for method, of_method in _by_method(outcomes).items():
        shown = [of_method[i] for i in spread(len(of_method), columns)]
        texts = [method if o.corners is not None else f"{method}: no pose" for o in shown]
        rows.append([_seen(o, crop, text) for o, text in zip(shown, texts, strict=True)])
    write_png(file, sheet(rows))


def extreme_sheet(outcomes: Sequence[Outcome], crop: CropConfig, file: Path) -> None:
    """The best, median and worst test frames of each method, drawn as `test_sheet` does.

    A row a method, by its corner error; where no pose was found it is the worst. Refined poses are
    shown in the frames of those that they were refined from.
    """
    rows, by_method = [], _by_method(outcomes)
    for method, of_method in by_method.items():
        read = by_method.get(method.removesuffix(REFINED), of_method)
        shown = [of_method[i] for i in best_to_worst([_error(o) for o in read])]
        rows.append([_seen(o, crop, _error_text(o)) for o in shown])
    write_png(file, sheet(rows))


def _by_method(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    methods = dict.fromkeys(outcome.method for outcome in outcomes)
    return {method: [o for o in outcomes if o.method == method] for method in methods}


def _error(outcome: Outcome) -> float:
    return np.inf if outcome.errors is None else outcome.errors.corner_px


def _error_text(outcome: Outcome) -> str:
    error = "no pose" if outcome.errors is None else f"{outcome.errors.corner_px:.1f} px"
    return f"{outcome.method}: {error}"


def _seen(outcome: Outcome, crop: CropConfig, text: str) -> np.ndarray:
    """A test frame around its object, with both boxes and a label."""
    tile = CropConfig(**{**vars(crop), "size": TILE, "margin": 1.6})
    instance, found = outcome.instance, outcome.corners
    crop_from_image = square_crop(instance.box, tile)
    picture = cut(instance, crop_from_image, TILE)
    picture = draw_box(picture, _into(crop_from_image, instance.corners[0]), TRUE)
    if found is not None:
        picture = draw_box(picture, _into(crop_from_image, found), PREDICTED)
    return label(picture, text)


def _into(crop_from_image: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ crop_from_image[:, :2].T + crop_from_image[:, 2]
