"""Convex pieces of meshes, made once and kept in the user's cache folder."""

import hashlib
import io
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from render.cache_folder import cache_folder, keep, read_kept
from render.mesh.mesh import Mesh
from render.physics.pieces import FORMAT, make_pieces
from render.progress import progress

PACKAGES = ("coacd", "fast-simplification", "numpy", "scipy")
version = cache(metadata.version)  # which reads the package's files


def load_pieces(meshes: Mapping[int, Mesh]) -> dict[int, list[np.ndarray]]:
    """The convex pieces of every mesh, by obj_id, as `make_pieces` gives them.

    They are made when first asked for, in some seconds a mesh, and kept in the user's cache folder
    (XDG_CACHE_HOME), so that other datasets and workers have the same. A file there that is damaged
    is made again; where none can be kept, each process makes its own.
    """
    files = {obj_id: _file(mesh) for obj_id, mesh in meshes.items()}
    kept = {obj_id: read_kept(file, _pieces) for obj_id, file in files.items()}
    found = {obj_id: pieces for obj_id, pieces in kept.items() if pieces is not None}
    missing = [obj_id for obj_id in meshes if obj_id not in found]
    for obj_id in progress(missing, len(missing), "convex pieces for physics"):
        found[obj_id] = make_pieces(meshes[obj_id])
        content = io.BytesIO()
        arrays = {str(i): piece for i, piece in enumerate(found[obj_id])}
        np.savez(content, allow_pickle=False, **arrays)
        keep(files[obj_id], content.getvalue(), "convex pieces of meshes", "")
    return {obj_id: found[obj_id] for obj_id in meshes}


def _file(mesh: Mesh) -> Path:
    """Where a mesh's pieces are kept: the name tells all that they depend on."""
    digest = hashlib.sha256(repr([FORMAT, *map(version, PACKAGES)]).encode())
    for array in (mesh.vertices, mesh.faces):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return cache_folder("pieces") / f"{digest.hexdigest()}.npz"


def _pieces(arrays: np.lib.npyio.NpzFile) -> list[np.ndarray]:
    """Pieces from the arrays of their file; ValueError where they are none."""
    pieces = [arrays[str(i)] for i in range(len(arrays.files))]
    for piece in pieces:
        if piece.dtype != np.float64 or piece.ndim != 2 or piece.shape[1] != 3 or len(piece) < 4:
            raise ValueError(f"a piece is {piece.dtype} of {piece.shape}")
        if not np.isfinite(piece).all():
            raise ValueError("vertices are not finite")
    if not pieces:
        raise ValueError("there are no pieces")
    return pieces
