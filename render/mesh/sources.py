"""Where meshes are: files, folders of them, folders of folders; and which object each is."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import assets
from render.errors import InputError
from render.mesh.file import SUFFIXES

log = logging.getLogger(__name__)

ARCHIVES = (".zip", ".tgz", ".gz", ".tar", ".xz", ".bz2", ".7z", ".rar")


def mesh_files(source: str | Path) -> list[Path]:
    """The mesh files of one source, sorted by name.

    Raises:
        InputError: there are none in a folder, or several of one object.
    """
    folder = assets.FOLDER if str(source) == "assets" else Path(source)
    if not folder.exists():
        raise InputError(f"{folder}: no such file; a mesh file or a folder of them was expected")
    if not folder.is_dir():
        return [folder]  # a file; reading it says what is wrong with it
    files = sorted(file for file in folder.iterdir() if _is_mesh(file))
    if not files:
        files = _of_subfolders(folder)
    if (folder / "models_info.json").is_file():
        files = [file for file in files if _id_in_name(file) is not None]
    if not files:
        archives = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in ARCHIVES)
        unpack = f"; unpack {archives[0]} first" if archives else ""
        raise InputError(f"{folder}: no mesh files in this folder ({', '.join(SUFFIXES)}){unpack}")
    return files


def _is_mesh(file: Path) -> bool:
    """By its name; what macOS leaves beside files, ._NAME, is none."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith("._")


def _of_subfolders(folder: Path) -> list[Path]:
    """One mesh of each subfolder that has any, as YCB's objects lie: NAME/google_16k/textured.obj.

    Raises:
        InputError: a subfolder holds several, and none is called textured.
    """
    found = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(file for file in inner.rglob("*") if _is_mesh(file))
        chosen = [f for f in files if f.stem == "textured" and f.suffix.lower() == ".obj"] or files
        chosen = [file for file in chosen if file.parent.name == "google_16k"] or chosen
        if len(chosen) > 1:
            names = ", ".join(str(file.relative_to(inner)) for file in chosen[:4])
            raise InputError(
                f"{inner}: holds {len(chosen)} meshes ({names}), and none is plainly the object's;"
                " give that folder itself, or one of them"
            )
        found += chosen
    for obj_id, file in enumerate(found, 1):
        log.info("object %d: %s", obj_id, file)
    return found


def _id_in_name(file: Path) -> int | None:
    match = re.fullmatch(r"obj_(\d+)", file.stem)
    return int(match[1]) if match else None


def number_files(files: Sequence[Path]) -> dict[int, Path]:
    """Object id -> file: those named obj_NNNNNN first, the others in what is left.

    Raises:
        InputError: an id is 0, or stands for two files.
    """
    numbered: dict[int, Path] = {}
    for file in files:
        obj_id = _id_in_name(file)
        if obj_id == 0:
            raise InputError(f"{file}: object ids begin at 1; give it another number")
        if obj_id in numbered:
            raise InputError(f"object {obj_id} stands for {numbered[obj_id]} and {file}; keep one")
        if obj_id is not None:
            numbered[obj_id] = file
    free = (i for i in range(1, len(files) + 1 + max(numbered, default=0)) if i not in numbered)
    named = dict(numbered)
    named |= {next(free): file for file in files if _id_in_name(file) is None}
    return dict(sorted(named.items()))
