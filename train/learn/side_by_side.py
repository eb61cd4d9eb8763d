"""Films of what networks show, one beside another."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from render.progress import progress
from render.show.overlay import label, sheet
from render.show.video import write_video
from train.learn.checkpoint import Checkpoint


def write_side_by_side(
    runs: Mapping[str, Path],
    pictures: Callable[[Path, Checkpoint], Iterator[np.ndarray]],
    count: int,
    out: Path,
    device: torch.device,
    fps: int,
) -> int:
    """Write the runs' pictures of each frame side by side, under their names.

    Args:
        runs: name -> run folder, from left to right.
        pictures: (H, W, 3) uint8 of each frame, as the network of a run folder reads it.
        count: of frames.

    Returns:
        The number of frames.
    """
    streams = [pictures(run, Checkpoint.load_finished(run, device)) for run in runs.values()]
    together = (
        sheet([[_named(panel, name) for panel, name in zip(panels, runs, strict=True)]])
        for panels in zip(*streams, strict=True)
    )
    return write_video(out, progress(together, count, f"{out.name}, frames"), fps)


def _named(panel: np.ndarray, name: str) -> np.ndarray:
    return label(panel, name, max(16, len(panel) // 16))
