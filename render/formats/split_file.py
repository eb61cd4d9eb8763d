"""Which images are trained and tested on: JSON, lists of [scene, image] under train and test."""

from pathlib import Path

from render import plain
from render.errors import InputError
from render.json_file import read_json

ImageKey = tuple[int, int]  # scene id, image id

_KEYS = plain.list_of(plain.list_of(plain.whole(0, 2**31), most=2, least=2), most=10**7)
_SPLIT = plain.record({"train": _KEYS, "test": _KEYS}, others=True)


def read_split_file(name: str, root: Path, option: str) -> tuple[list[ImageKey], list[ImageKey]]:
    """The images to train and to test on.

    Args:
        name: a path, from here or from the dataset's folder. option: what named it, for messages.

    Raises:
        InputError: the file is missing or damaged, or has an image under both.
    """
    path = Path(name) if Path(name).is_file() else root / name
    try:
        parts = _SPLIT(read_json(path), str(path))
    except InputError as error:
        rule = "a split file holds lists of [scene, image] under train and test"
        raise InputError(f"{option}: {error}; {rule}") from None
    train, test = ([(s, i) for s, i in parts[part]] for part in ("train", "test"))
    both = sorted(set(train) & set(test))
    if both:
        raise InputError(
            f"{option}: {path} has {len(both)} images under train and under test, such as"
            f" {list(both[0])}; a test on what was trained on says nothing"
        )
    return train, test
