"""What pictures of any run have in common."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from render.image_file import write_png
from render.show.overlay import label, sheet

TILE = 144  # pixels
TRUE, PREDICTED = (60, 220, 60), (255, 70, 40)


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


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` indices, evenly over 0..count-1."""
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(wanted, count)).round())]


def best_to_worst(errors: Sequence[float], each: int = 3) -> list[int]:
    """Indices of `each` of the least errors, of those about the median, and of the greatest.

    Ordered by their error, none twice: all of them if there are few.
    """
    order = np.argsort(errors, kind="stable")
    middle = max((len(order) - each) // 2, 0)
    kept = {*range(each), *range(middle, middle + each), *range(len(order) - each, len(order))}
    return [int(order[i]) for i in sorted(kept) if 0 <= i < len(order)]
