"""Which images are trained and tested on: JSON, lists of [scene, image] under train and test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from render import plain
from render.errors import InputError
from render.json_file import read_json

ImageKey = tuple[int, int]  # scene id, image id

_KEYS = plain.list_of(plain.list_of(plain.whole(0, 2**31), most=2, least=2), most=10**7)
_SPLIT = plain.record({"train": _KEYS, "test": _KEYS}, others=True)
_UNLABELLED = plain.record({"unlabelled": _KEYS}, others=True)


def read_split_file(name: str, root: Path, option: str) -> tuple[list[ImageKey], list[ImageKey]]:
    """The images to train and to test on.

    Args:
        name: a path, from here or from the dataset's folder. option: what named it, for messages.

    Raises:
        InputError: the file is missing or damaged, or has an image under both.
    """
    path = Path(name) if Path(name).is_file() else root / name
    parts = _read(path, _SPLIT, option)
    train, test = (_keys(parts[part]) for part in ("train", "test"))
    both = sorted(set(train) & set(test))
    if both:
        raise InputError(
            f"{option}: {path} has {len(both)} images under train and under test, such as"
            f" {list(both[0])}; a test on what was trained on says nothing"
        )
    return train, test


def read_unlabelled(name: str, root: Path, option: str) -> list[ImageKey]:
    """The images under `unlabelled`, whose poses are not to be read; arguments as above.

    Raises:
        InputError: the file is missing or damaged, has no such list, or has one of its images under
            train or test, too.
    """
    path = Path(name) if Path(name).is_file() else root / name
    keys = _keys(_read(path, _UNLABELLED, option)["unlabelled"])
    train, test = read_split_file(name, root, option)
    for part, others in (("train", train), ("test", test)):
        both = sorted(set(keys) & set(others))
        if both:
            raise InputError(
                f"{option}: {path} has {len(both)} images under unlabelled and under {part}, such"
                f" as {list(both[0])}; leave them in one"
            )
    return keys


def _read(path: Path, split: Callable[[Any, str], dict[str, Any]], option: str) -> dict[str, Any]:
    try:
        return split(read_json(path), str(path))
    except InputError as error:
        rule = "a split file holds lists of [scene, image] under train and test"
        raise InputError(f"{option}: {error}; {rule}") from None


def _keys(pairs: list[list[int]]) -> list[ImageKey]:
    return [(scene_id, im_id) for scene_id, im_id in pairs]
