"""`predict`: one picture, or many from a folder, a film or a camera -> lines and pictures."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from render.config import OptionError
from render.errors import InputError
from render.show.video import is_film
from train.film import predict_film
from train.learn.task import Asked
from train.objects.detect.beside import network_folder
from train.objects.read.watch import watch
from train.run import predict_one
from train.tasks import kind_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What `predict` is to read, and to leave beside what it prints; None is what it is not.

    image: a picture, a folder or a film. webcam: the number of a camera, in place of it. overlay:
    the file of a picture's. video: the film's. beside: runs to show on the right in it.
    """

    image: Path | None = None
    webcam: int | None = None
    overlay: Path | None = None
    video: Path | None = None
    beside: Sequence[Path] = ()


def predict(
    run: Path, wanted: Wanted, asked: Asked, say: Callable[[str], None], device: str
) -> None:
    """Read what is wanted with the network of a run; every line goes to `say` once it is known.

    Args:
        run: the folder of a network, of its object, or of the run.

    Raises:
        OptionError: the options do not fit what is read.
        InputError: what is read, or reads, is unusable.
    """
    source = _source(wanted)
    network = network_folder(run)
    if network != run:
        log.info("%s: reads with %s", run, network)
    is_one = isinstance(source, Path) and not (source.is_dir() or is_film(source))
    if isinstance(source, Path) and is_one and wanted.video is None:
        _refuse("belongs to --video FILM.mp4", _of_films(wanted, asked))
        say(predict_one(network, source, asked, wanted.overlay, device))
        return
    if is_one:
        raise InputError(f"{source}: --video needs a folder of frames, a film or --webcam N")
    others = "--video" if wanted.video is not None else "a folder, film or camera"
    of_one = {"--box": asked.box, "--out": wanted.overlay}
    _refuse(f"is for one image, not for {others}", of_one)
    is_hand = kind_of(network) == "hand"
    if isinstance(source, Path) and wanted.video is not None and _has_annotations(source, is_hand):
        _refuse("is for one image, not for --video of what has its own", {"--camera": asked.camera})
        runs = [network, *map(network_folder, wanted.beside)]
        say(predict_film(runs, source, asked, wanted.video, device))
        return
    whose = "--video FILM.mp4" if wanted.video is None else "a BOP scene or NYU's frames"
    _refuse(f"belongs to {whose}", _of_films(wanted, asked))
    if is_hand:
        raise InputError(f"{run} is for hands, read in one depth PNG, or in a folder with --video")
    watch(network, source, asked, say, wanted.video, device)


def _refuse(why: str, flags: Mapping[str, object]) -> None:
    """Raise OptionError for the first flag that was given."""
    for flag, given in flags.items():
        if given:
            raise OptionError(f"{flag} {why}")


def _of_films(wanted: Wanted, asked: Asked) -> dict[str, object]:
    return {"--beside": wanted.beside, "--split-file": asked.split_file}


def _source(wanted: Wanted) -> Path | int:
    if wanted.webcam is not None:
        if wanted.image is not None:
            raise OptionError(f"--webcam {wanted.webcam} takes the place of IMAGE; leave one")
        return wanted.webcam
    if wanted.image is None:
        raise OptionError("give an IMAGE, a folder, a film, or --webcam 0")
    return wanted.image


def _has_annotations(folder: Path, is_hand: bool) -> bool:
    """Whether a folder is one that `predict_film` shows: a BOP scene, or depth images of hands."""
    return folder.is_dir() and (is_hand or (folder / "scene_camera.json").is_file())
