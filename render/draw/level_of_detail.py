"""Coarser meshes to draw where the difference stays below a quarter of a pixel."""

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from render.draw.level import PIXELS, Level
from render.errors import InputError
from render.mesh.mesh import SMALL, Mesh
from render.progress import progress

FACES = (16_000, 8_000, 5_600, 4_000, 2_800, 2_000, 1_400, 1_000, 700, 500)
FEW = 3_000  # faces of a mesh that is drawn as it is: there would be nothing to gain
SAVING = 1.3  # a level has fewer faces than the one before by this factor at least
VIEWS, FIRST_VIEWS, SEED = 200, 10, 0
LARGEST_ERROR = 0.02  # of the object's size; what is worse is hardly ever good enough to be drawn
MOST_DIFFERING = 1e-4  # of the pixels of a closed mesh: edges seen end-on round either way
FORMAT = 2  # of the files in the cache; to be raised with every change in how levels are made
Triangles = tuple[np.ndarray, np.ndarray]  # vertices (n, 3) and faces (m, 3)
version = cache(metadata.version)  # which reads the package's files


def load_levels(meshes: Mapping[int, Mesh]) -> dict[int, list[Level]]:
    """The levels of every mesh, from fine to coarse, by obj_id.

    They are made when first asked for, in some seconds a mesh, and kept in the user's cache folder
    (XDG_CACHE_HOME), so that other datasets, workers and replays have the same.

    Raises:
        InputError: the cache folder cannot be written.
    """
    return {obj_id: _read(file) for obj_id, file in level_files(meshes).items()}


def level_files(meshes: Mapping[int, Mesh]) -> dict[int, Path]:
    """The file of every mesh's levels, by obj_id, made if it is not there."""
    from render.draw.gl_context import open_context, renderer_name

    context = open_context()
    renderer = renderer_name(context)
    context.release()
    files = {obj_id: _file(mesh, renderer) for obj_id, mesh in meshes.items()}
    missing = [obj_id for obj_id, file in files.items() if not file.is_file()]
    for obj_id in progress(missing, len(missing), "levels of detail"):
        _write(files[obj_id], make_levels(meshes[obj_id]))
    return files


def make_levels(mesh: Mesh) -> list[Level]:
    """Decimate a mesh and measure each level, from fine to coarse.

    If the mesh is closed, as far as VIEWS views show, all levels are drawn without their faces'
    backs, and measured so; the finest is then the mesh itself.
    """
    from render.draw.decimate import Surface, dress

    if len(mesh.faces) < FEW:
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
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "feature-mapping" / "levels" / f"{digest.hexdigest()}.npz"


def _arrays(mesh: Mesh) -> dict[str, np.ndarray]:
    arrays = {name: getattr(mesh, name) for name in Mesh.__dataclass_fields__}
    return {name: array for name, array in arrays.items() if array is not None}


def _write(file: Path, levels: Sequence[Level]) -> None:
    content = io.BytesIO()
    arrays = {"errors": np.array([level.error for level in levels])}
    arrays["closed"] = np.array([level.closed for level in levels], bool)
    for i, level in enumerate(levels):
        arrays |= {f"{i}_{name}": array for name, array in _arrays(level.mesh).items()}
    np.savez(content, allow_pickle=False, **arrays)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content.getvalue())
        partial.replace(file)
    except OSError as error:
        raise InputError(
            f"{file.parent}: cannot keep levels of detail here ({error.strerror}); name another"
            " folder by XDG_CACHE_HOME, or draw the exact meshes: --exact"
        ) from None


def _read(file: Path) -> list[Level]:
    levels = []
    with np.load(file) as arrays:
        for i, (error, closed) in enumerate(zip(arrays["errors"], arrays["closed"], strict=True)):
            names = [name for name in Mesh.__dataclass_fields__ if f"{i}_{name}" in arrays]
            mesh = Mesh(**{name: arrays[f"{i}_{name}"] for name in names})
            levels.append(Level(mesh, float(error), bool(closed)))
    return levels
