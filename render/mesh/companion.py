"""The files that a mesh file names: its textures, materials and buffers."""

from pathlib import Path, PurePosixPath

from render.errors import InputError


def companion(mesh: Path, name: str) -> Path:
    """The file that `mesh` names, beside or below it.

    Names are taken as people's programs write them: in quotes, with backslashes, in another case
    than the file's, or as a path on the machine of whoever made it, whose last part counts.

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
        found = _in_any_case(mesh.parent, candidate)
        if found is not None and found.resolve().is_relative_to(root):
            return found
    raise InputError(
        f"{mesh}: names the file {name}, which is not in {mesh.parent}; put it beside the mesh"
    )


def _in_any_case(folder: Path, file: Path) -> Path | None:
    """The file in `folder`, or the only one whose name differs in upper and lower case alone."""
    try:
        if file.is_file():
            return file
        for part in file.relative_to(folder).parts:
            alike = [path for path in folder.iterdir() if path.name.lower() == part.lower()]
            if len(alike) != 1:
                return None
            folder = alike[0]
    except (OSError, ValueError):  # no folder, not to be read, or no name of a file
        return None
    return folder if folder.is_file() else None
