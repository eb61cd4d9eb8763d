"""Coarser meshes to draw where the difference stays below a quarter of a pixel."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from render.cache_folder import cache_folder, keep, read_kept
from render.draw.level import PIXELS, Level
from render.mesh.mesh import SMALL, Mesh
from render.progress import progress

FACES = (16_000, 8_000, 5_600, 4_000, 2_800, 2_000, 1_400, 1_000, 700, 500)
FEW = 3_000  # faces of a mesh that is drawn as it is: there would be nothing to gain
SAVING = 1.3  # a level has fewer faces than the one before by this factor at least
VIEWS, FIRST_VIEWS, SEED = 200, 10, 0
LARGEST_ERROR = 0.02  # of the object's size; what is worse is hardly ever good enough to be drawn
MOST_DIFFERING = 1e-4  # of the pixels of a closed mesh: edges seen end-on round either way
FORMAT = 2  # of the files in the cache; to be raised with every change in how levels are made
# What a level depends on, and consists of; a finish is drawn where it is the same all over.
ARRAYS = ("vertices", "faces", "normals", "colors", "uv", "texture", "opacity")
Triangles = tuple[np.ndarray, np.ndarray]  # vertices (n, 3) and faces (m, 3)
version = cache(metadata.version)  # which reads the package's files


def load_levels(meshes: Mapping[int, Mesh]) -> dict[int, list[Level]]:
    """The levels of every mesh, from fine to coarse, by obj_id.

    They are made when first asked for, in some seconds a mesh, and kept in the user's cache folder
    (XDG_CACHE_HOME), so that other datasets, workers and replays have the same. A file there that
    is damaged is made again; where none can be kept, each process makes its own.
    """
    from render.draw.gl_context import open_context, renderer_name

    context = open_context()
    renderer = renderer_name(context)
    context.release()
    files = {obj_id: _file(mesh, renderer) for obj_id, mesh in meshes.items()}
    kept = {obj_id: read_kept(file, _levels) for obj_id, file in files.items()}
    found = {obj_id: levels for obj_id, levels in kept.items() if levels is not None}
    missing = [obj_id for obj_id in meshes if obj_id not in found]
    for obj_id in progress(missing, len(missing), "levels of detail"):
        found[obj_id] = make_levels(meshes[obj_id])
        _keep(files[obj_id], found[obj_id])
    return {obj_id: found[obj_id] for obj_id in meshes}


def make_levels(mesh: Mesh) -> list[Level]:
    """Decimate a mesh and measure each level, from fine to coarse.

    Of what is cut out there is none: a coarser surface would have other holes.

    If the mesh is closed, as far as VIEWS views show, all levels are drawn without their faces'
    backs, and measured so; the finest is then the mesh itself.
    """
    from render.draw.decimate import Surface, dress

    if len(mesh.faces) < FEW or mesh.opacity is not None:
        return []
    coarse = _decimated(mesh)
    measured = _measure(mesh, coarse, closed=True)
    closed = measured is not None
    if measured is None:
        measured = _measure(mesh, coarse, closed=False) or []

    surface = Surface(mesh)
    levels = [Level(mesh, 0.0, closed)] if closed else []
    for (vertices, faces), error in measured:
        # Drawn where a pixel is at least error / PIXELS wide: half of that is fine enough.
        dressed = dress(surface, vertices, faces, blur=error / PIXELS / 2)
        levels.append(Level(dressed, error, closed))
    return levels


def _measure(
    mesh: Mesh, coarse: Sequence[Triangles], closed: bool
) -> list[tuple[Triangles, float]] | None:
    """Those of the coarse surfaces that are of use, with their errors.

    None if the mesh itself is to be drawn as `closed` and looks different so.
    """
    from render.draw.level_error import level_errors

    limit = LARGEST_ERROR * float(np.ptp(mesh.vertices, axis=0).max())
    errors: list[float] = []
    for views in (FIRST_VIEWS, VIEWS):
        levels = [Level(each, 0.0, closed) for each in (mesh, *(_bare(*c) for c in coarse))]
        itself, *others = level_errors(mesh, levels, views, SEED)
        if itself[2] > MOST_DIFFERING:
            return None
        errors = [float(max(silhouette, depth)) for silhouette, depth, _ in others]
        kept = [i for i, error in enumerate(errors) if error < limit]
        coarse, errors = [coarse[i] for i in kept], [errors[i] for i in kept]
    return list(zip(coarse, errors, strict=True))


def _decimated(mesh: Mesh) -> list[Triangles]:
    """Vertices (n, 3) and faces (m, 3) of ever fewer faces."""
    from render.draw.decimate import simplify, weld

    vertices, faces = weld(mesh)
    coarse: list[Triangles] = []
    last = len(mesh.faces)
    for count in FACES:
        if count * SAVING <= last:
            simplified = simplify(vertices, faces, count)
            if 0 < len(simplified[1]) * SAVING <= last:
                coarse.append(simplified)
                last = len(simplified[1])
    return coarse


def _bare(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """A mesh of which only the place counts."""
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        normals=np.tile(np.array([0, 0, 1], np.float32), (len(vertices), 1)),
        colors=np.zeros((len(vertices), 3), np.uint8),
    )


def _file(mesh: Mesh, renderer: str) -> Path:
    """Where a mesh's levels are kept: the name tells all that they depend on."""
    packages = ("fast-simplification", "numpy", "opencv-python-headless", "scipy")
    made_by = [FORMAT, renderer, *map(version, packages)]
    if np.ptp(mesh.vertices, axis=0).max() < SMALL:
        made_by.append("drawn from nearer")  # than before the near plane went with the size
    digest = hashlib.sha256(repr(made_by).encode())
    for name, array in _arrays(mesh).items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return cache_folder("levels") / f"{digest.hexdigest()}.npz"


def _arrays(mesh: Mesh) -> dict[str, np.ndarray]:
    arrays = {name: getattr(mesh, name) for name in ARRAYS}
    return {name: array for name, array in arrays.items() if array is not None}


def _keep(file: Path, levels: Sequence[Level]) -> None:
    """Write levels to the cache, or say why not and go on without."""
    content = io.BytesIO()
    arrays = {"errors": np.array([level.error for level in levels])}
    arrays["closed"] = np.array([level.closed for level in levels], bool)
    for i, level in enumerate(levels):
        arrays |= {f"{i}_{name}": array for name, array in _arrays(level.mesh).items()}
    np.savez(content, allow_pickle=False, **arrays)
    keep(file, content.getvalue(), "levels of detail", ", or draw the exact meshes: --exact")


def _levels(arrays: Mapping[str, np.ndarray]) -> list[Level]:
    """Levels from the arrays of their file; ValueError where they are not of meshes."""
    errors, closed = arrays["errors"], arrays["closed"]
    if errors.shape != closed.shape or errors.ndim != 1 or not (errors >= 0).all():
        raise ValueError("errors and closed do not belong together")
    levels = []
    for i, (error, is_closed) in enumerate(zip(errors, closed, strict=True)):
        names = [name for name in ARRAYS if f"{i}_{name}" in arrays]
        of_mesh: dict[str, Any] = {name: arrays[f"{i}_{name}"] for name in names}
        mesh = Mesh(**of_mesh)
        _check_mesh(mesh)
        levels.append(Level(mesh, float(error), bool(is_closed)))
    return levels


def _check_mesh(mesh: Mesh) -> None:
    """Raise ValueError for arrays that are not as `Mesh` says."""
    count, faces, texture = len(mesh.vertices), mesh.faces, mesh.texture
    kinds = {
        "vertices": (np.float32, (count, 3)),
        "faces": (np.int32, (len(faces), 3)),
        "normals": (np.float32, (count, 3)),
        "colors": (np.uint8, (count, 3)),
        "uv": (np.float32, (count, 2)),
        "texture": (np.uint8, () if texture is None else (*texture.shape[:2], 3)),
    }
    for name, array in _arrays(mesh).items():
        dtype, shape = kinds[name]
        if array.dtype != dtype or array.shape != shape:
            raise ValueError(f"{name} are {array.dtype} of {array.shape}")
    if not np.isfinite(mesh.vertices).all():
        raise ValueError("vertices are not finite")
    if not faces.size or faces.min() < 0 or faces.max() >= count:
        raise ValueError("faces name vertices that are not there")
