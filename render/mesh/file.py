"""Any mesh file -> one triangle mesh in the file's own unit."""

from pathlib import Path

import numpy as np

from render.errors import InputError
from render.mesh.gltf.gltf import read_gltf
from render.mesh.obj.obj import read_obj
from render.mesh.off import read_off
from render.mesh.part import Part, drop_unused, is_cut_away, join
from render.mesh.ply.mesh import read_ply
from render.mesh.repair import Mended, mend_part
from render.mesh.stl import read_stl

READERS = {
    ".ply": read_ply,
    ".obj": read_obj,
    ".stl": read_stl,
    ".glb": read_gltf,
    ".gltf": read_gltf,
    ".off": read_off,
}
SUFFIXES = tuple(READERS)
# Mended by their readers: before colours of faces part the vertices, or nodes move them.
MENDED = (".ply", ".off", ".glb", ".gltf")
MOST_OF_REASON = 200  # characters: it may quote the file


def read_mesh_file(path: Path) -> Part:
    """Read a mesh file; several geometries are joined in the place their scene gives them.

    Raises:
        InputError: the file, or one it names, is missing, truncated, unreadable or has no faces,
            or none that alpha leaves.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; a mesh file was expected")
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"{path}: not a mesh format that is read here; use {', '.join(SUFFIXES)}")
    try:
        parts = READERS[kind](path)
        if kind not in MENDED:
            mended = Mended()
            parts = [mend_part(part, mended) for part in parts]
            mended.say(path)
        parts = [part for part in parts if len(part.faces)]
        if any(part.uv is not None and not np.isfinite(part.uv).all() for part in parts):
            raise ValueError("texture coordinates that are NaN or infinite")
        joint = join(parts) if len(parts) > 1 else None
    except InputError:
        raise
    except Exception as error:  # the readers raise whatever a broken file makes them stumble on
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = "".join(c if c.isprintable() else "?" for c in reason[:MOST_OF_REASON])
        raise InputError(
            f"{path}: damaged or not in {kind[1:].upper()} format ({reason}); export the mesh again"
        ) from None
    if not parts:
        raise InputError(f"{path}: no faces; a triangle mesh was expected")
    part = drop_unused(joint or parts[0])
    if is_cut_away(part):
        raise InputError(
            f"{path}: its alpha masks (MASK) cut all of it away; give it more alpha, or a lower"
            " alphaCutoff"
        )
    return part
