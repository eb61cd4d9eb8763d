"""Where the images of a BOP scene lie."""

from collections.abc import Iterable
from pathlib import Path

from render.errors import InputError

# Of images, in the order in which they are looked for.
SUFFIXES = (".png", ".jpg", ".tif", ".jpeg", ".tiff", ".PNG", ".JPG", ".JPEG", ".TIF", ".TIFF")

KINDS = {"depth": "16-bit PNG or TIFF", "mask": "PNG", "mask_visib": "PNG"}  # of other folders all


def rgb_path(scene_dir: Path, im_id: int) -> Path:
    """Where an image is, or, if it is nowhere, where it should be."""
    return _first_file(
        scene_dir / folder / f"{im_id:06d}{suffix}"
        for folder in ("rgb", "gray")
        for suffix in SUFFIXES
    )


def depth_path(scene_dir: Path, im_id: int) -> Path:
    """Where a depth image is, or should be."""
    return _first_file(scene_dir / "depth" / f"{im_id:06d}{suffix}" for suffix in (".png", ".tif"))


def mask_path(scene_dir: Path, im_id: int, gt_id: int, visible: bool) -> Path:
    """Where the mask of an object's visible part, or of its whole silhouette, is or should be."""
    return scene_dir / ("mask_visib" if visible else "mask") / f"{im_id:06d}_{gt_id:06d}.png"


def present(path: Path) -> Path:
    """The path; raises InputError, with what is there instead, where it is no file."""
    if path.exists():
        return path
    folder = path.parent
    names = sorted(f.name for f in folder.iterdir()) if folder.is_dir() else []
    number = path.stem.partition("_")[0]
    of_image = [name for name in names if name.lstrip("0").startswith(number.lstrip("0") or ".")]
    there = (of_image or names or ["nothing"])[0]
    kinds = KINDS.get(folder.name, "PNG, JPEG or TIFF")
    raise InputError(
        f"{path}: no such file, {folder.name} holds {there}; images are {kinds}, named by their"
        " number in six digits"
    )


def _first_file(candidates: Iterable[Path]) -> Path:
    """The first path that is a file, or the first of all where none is."""
    paths = list(candidates)
    return next((path for path in paths if path.is_file()), paths[0])
