"""Which splits a folder of images holds, and in which of the layouts that are read here."""

import re
from pathlib import Path

from render.errors import InputError

BOP, SHARDS, NYU = "bop", "bop-webdataset", "nyu"  # as `render.format` calls them
EXPECTED = (
    "SPLIT/000000 of BOP, SPLIT/shard-000000.tar of a bop-webdataset, or NYU's train and test"
)
# File or folder -> what holds it, and is none of these.
OTHERS = {
    "checkpoint.pt": "a run's folder, of a network",
    "results.json": "a run's folder",
    "study.json": "a study's folder",
    "models_info.json": "a folder of BOP's models",
    "scene_camera.json": "a scene of a BOP dataset; give the folder that its split is in",
    "joint_data.mat": "a split of an NYU dataset; give the folder that it is in",
    "shard-000000.tar": "a split of a bop-webdataset; give the folder that it is in",
    "000000": "a split of a BOP dataset; give the folder that it is in",
    "000001": "a split of a BOP dataset; give the folder that it is in",
    "backgrounds": "a folder of backgrounds",
    "generation.json": "a dataset of which no scene is finished; run its command again",
}
MESHES = (".ply", ".obj", ".stl", ".glb", ".gltf", ".off")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


def find_splits(root: Path, split: str | None = None) -> dict[str, str]:
    """Name of each split of a dataset, sorted -> its layout: BOP, SHARDS or NYU.

    Args:
        split: look for this one only.

    Raises:
        InputError: there is no such folder or split, or none at all; says what it is instead. Or
            two folders are of one scene.
    """
    if not root.is_dir():
        there = root.exists()
        what = "a file; the folder of a dataset was expected" if there else "no such folder"
        raise InputError(f"{root}: {what}")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    kinds = {path.name: kind for path in folders if (kind := _layout(path)) is not None}
    if not kinds:
        raise InputError(f"{root}: no dataset, which has {EXPECTED}; this is {_what_it_is(root)}")
    if split is not None and split not in kinds:
        there_are = ", ".join(kinds)
        raise InputError(f"{root}: no split {split!r}; there are {there_are}")
    return kinds if split is None else {split: kinds[split]}


def scene_dirs(split: Path) -> list[Path]:
    """The scene folders of a split in BOP's layout, sorted.

    Raises:
        InputError: two are of one scene.
    """
    folders = sorted(p for p in split.iterdir() if p.name.isdecimal() and p.is_dir())
    of_scene: dict[int, Path] = {}
    for folder in folders:
        twin = of_scene.setdefault(int(folder.name), folder)
        if twin != folder:
            raise InputError(
                f"{folder}: scene {int(folder.name)} is there twice, {twin.name} is it, too; give"
                " one of them another number"
            )
    return folders


def shard_files(split: Path) -> list[Path]:
    """The shards of a split, sorted."""
    return sorted(split.glob("shard-*.tar"))


def frame_numbers(split: Path, stream: str) -> list[int]:
    """Of camera 1's images in a split of NYU's layout, sorted.

    Args:
        stream: SENSOR or SYNTHETIC of nyu_dataset.py.
    """
    names = (re.fullmatch(r"[a-z]+_1_(\d+)", f.stem) for f in split.glob(f"{stream}_1_*.png"))
    return sorted(int(name[1]) for name in names if name)


def _layout(folder: Path) -> str | None:
    if scene_dirs(folder):
        return BOP
    if shard_files(folder):
        return SHARDS
    hands = any(any(folder.glob(f"{name}_1_*.png")) for name in ("depth", "synthdepth"))
    return NYU if hands or (folder / "joint_data.mat").is_file() else None


def _what_it_is(root: Path) -> str:
    names = {path.name for path in root.iterdir() if not path.name.startswith(".")}
    known = next((what for name, what in OTHERS.items() if name in names), None)
    if known is not None:
        return known
    for suffixes, what in ((MESHES, "a folder of meshes"), (IMAGES, "a folder of images")):
        if any(name.lower().endswith(suffixes) for name in names):
            return what
    some = ", ".join(sorted(names)[:4]) + (", ..." if len(names) > 4 else "")
    return f"a folder of {some}" if names else "an empty folder"
