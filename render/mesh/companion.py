"""The files that a mesh file names: its textures, materials and buffers."""

import unicodedata
from pathlib import Path, PurePosixPath

from render.errors import InputError


def companion(mesh: Path, name: str) -> Path:
    """The file that `mesh` names, beside or below it.

    Names are taken as people's programs write them: in quotes, with backslashes, in another case
    than the file's, with accents as letters of their own or not (Unicode's NFD and NFC), or as a
    path on the machine of whoever made it, whose last part counts.

    Raises:
        InputError: it is not there, or lies elsewhere: a mesh from a stranger opens no other file.
    """
    written = name.strip().strip("\"'").replace("\\ ", " ")  # "\ " as in a shell
    named = PurePosixPath(written.replace("\\", "/"))
    if named.is_absolute() or ".." in named.parts or (named.parts[:1] and ":" in named.parts[0]):
        candidates = [mesh.parent / named.name]
    else:
        # As it stands first: a name may well begin with a space.
        candidates = [mesh.parent / name, mesh.parent / named, mesh.parent / named.name]
    root = mesh.parent.resolve()
    for candidate in candidates:
        found = _alike(mesh.parent, candidate)
        if found is not None and found.resolve().is_relative_to(root):
            return found
    raise InputError(
        f"{mesh}: names the file {name}, which is not in {mesh.parent}; put it beside the mesh"
    )


def _alike(folder: Path, file: Path) -> Path | None:
    """The file in `folder`, or the only one whose name differs by case or normal form alone."""
    try:
        if file.is_file():
            return file
        for part in file.relative_to(folder).parts:
            alike = [path for path in folder.iterdir() if _folded(path.name) == _folded(part)]
            if len(alike) != 1:
                return None
            folder = alike[0]
    except (OSError, ValueError):  # no folder, not to be read, or no name of a file
        return None
    return folder if folder.is_file() else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.lower())
