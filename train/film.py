"""`predict --video`: what networks read from the frames of a folder, one beside another."""

from collections.abc import Sequence
from pathlib import Path

from render.errors import InputError
from render.show.video import check_video
from train.learn.task import Asked
from train.tasks import KINDS, kind_of


def predict_film(runs: Sequence[Path], folder: Path, asked: Asked, video: Path, device: str) -> str:
    """Film what runs of one kind read from the frames of a folder, side by side.

    Args:
        runs: run folders; each picture bears the name of its own.
        folder: for hands depth PNGs as NYU's, for an object the folder of a BOP scene.
        asked: for hands a localiser, without one crops are centred on the centre of mass; for
            objects a split file, of whose images only those to test on are shown.

    Returns:
        A line that says what was written.

    Raises:
        InputError: a run or the folder cannot be used, or they do not fit one another.
    """
    check_video(video)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: --video needs a folder of frames; a video has neither NYU's depth nor the"
            " boxes of an object"
        )
    kinds = [kind_of(run) for run in runs]
    if len(set(kinds)) > 1:
        other = next(run for run, kind in zip(runs, kinds, strict=True) if kind != kinds[0])
        raise InputError(f"{runs[0]} and {other}: one reads hands, the other an object")
    named = {run.resolve().name: run for run in runs}
    if len(named) < len(runs):
        listed = ", ".join(map(str, runs))
        raise InputError(f"{listed}: give runs of different names, which the film shows")
    count = KINDS[kinds[0]].film_folder(named, folder, asked, video, device)
    return f"{video}: {count} frames of {folder}"
