"""Background images of a dataset: listed once, checked before the first frame, left out if gone."""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from render.errors import InputError, PartError, all_of
from render.image_file import read_rgb
from render.json_file import read_json, write_text
from render.scene.spec import SceneSpec

log = logging.getLogger(__name__)

LIST = "backgrounds.json"
BACKGROUND_SETTINGS = ("scene.background", "backgrounds")  # that tell the folder of those listed
MOST_NAMED = 5  # files in one line
ADVICE = "delete it: the same command then goes on, with other images in its place"


def read_list(out: Path) -> dict[str, int]:
    """The images that a dataset was begun with: name within their folder -> bytes.

    {} where there is no dataset, or it says nothing of them.
    """
    if not (out / LIST).is_file():
        return {}
    listed = read_json(out / LIST)
    if not all(isinstance(size, int) for size in listed.values()):
        raise InputError(f"{out / LIST}: not the list that `render` wrote; restore it")
    return listed


def write_list(out: Path, files: Iterable[Path], folder: Path) -> None:
    """Write the list, unless it is there."""
    if not (out / LIST).is_file():
        listed = {str(file.relative_to(folder)): file.stat().st_size for file in files}
        write_text(out / LIST, json.dumps(listed, indent=1) + "\n")


def with_missing(
    files: list[Path], folder: Path, listed: Mapping[str, int]
) -> tuple[list[Path], set[Path]]:
    """All images of a dataset in the order of its beginning, and those of them that are gone.

    Args:
        files: those that there are. listed: as `read_list` gives it; if {}, that is all.
    """
    names = {str(file.relative_to(folder)) for file in files}
    gone = [name for name in listed if name not in names]
    if gone:
        some = ", ".join(gone[:MOST_NAMED]) + (", ..." if len(gone) > MOST_NAMED else "")
        log.warning(
            "scene.background: %d of the %d images that the dataset was begun with are gone (%s);"
            " frames that would show them show others",
            len(gone),
            len(listed),
            some,
        )
    missing = {folder / name for name in gone}
    return sorted({*files, *missing}), missing


def check_images(paths: Iterable[Path], advice: str = ADVICE) -> None:
    """Read images, to see whether they can be read.

    Args:
        advice: what to do with one that cannot.

    Raises:
        InputError: names all that cannot.
    """
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        read = {path: pool.submit(_error_of, path) for path in sorted(set(paths))}
        try:
            all_of(read.values(), lambda error: _raise(error.result()), "images cannot be read")
        except InputError as error:
            raise InputError(f"{error}; {advice}") from None


def check_backgrounds(specs: Iterable[SceneSpec]) -> None:
    """Raise PartError if a spec's background cannot be read any more."""
    for path in {spec.background.path for spec in specs if spec.background.kind == "image"}:
        error = _error_of(Path(str(path)))
        if error is not None:
            raise PartError(f"{error}; {ADVICE}")


def _error_of(path: Path) -> InputError | None:
    try:
        read_rgb(path)
    except InputError as error:
        return error
    return None


def _raise(error: InputError | None) -> None:
    if error is not None:
        raise error
