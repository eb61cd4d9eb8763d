"""Any mesh file -> a checked mesh in metres; an object model: mesh, diameter, symmetries."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from render import plain
from render.errors import InputError, all_of
from render.image_file import write_png
from render.json_file import read_json
from render.mesh.axes import RECORDS, up_axis, with_z_up
from render.mesh.file import read_mesh_file
from render.mesh.finish import Finish
from render.mesh.names import name_in_file, title_of, told_apart, write_names
from render.mesh.part import Part
from render.mesh.ply.mesh import CUT_OUT, TINTED_TEXTURE
from render.mesh.ply.ply import encode_ply
from render.mesh.sources import mesh_files, number_files
from render.mesh.symmetry import symmetry_transforms
from render.mesh.unit import UNITS, check_origin, check_size, say_taken_for_metres, unit_of

log = logging.getLogger(__name__)

SMALL = 0.03  # metres; smaller objects are seen from nearer and in finer steps
RECORD_TOLERANCE = 0.05  # of the diameter, between a mesh and its models_info.json

_AXIS = plain.record({"axis": plain.flat(3), "offset": plain.flat(3)}, others=True)
_SYMMETRIES = {
    "symmetries_discrete": plain.list_of(plain.flat(16), most=256),
    "symmetries_continuous": plain.list_of(_AXIS, most=8),
}
SYMMETRIES = plain.record({}, _SYMMETRIES)  # of a record, alone
_RECORD = plain.record(
    {},
    {
        "diameter": plain.number(0),
        **{f"{of}_{axis}": plain.number() for of in ("min", "size") for axis in "xyz"},
        **_SYMMETRIES,
    },
    others=True,
)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh in metres, ready to draw.

    vertices: (n, 3) float32. faces: (m, 3) int32. normals: (n, 3) float32, unit length.
    colors: (n, 3) uint8. uv: (n, 2) float32, v up as in OpenGL, or None. texture: (h, w, 3) uint8,
    first row on top, or None; the drawn colour is texture times vertex colour.

    opacity: (n,) float32, or None. What is cut out is not there, in any image: a point where
    opacity, interpolated, times the texture's alpha, 0..1, is below 1; a texture of (h, w, 4) has
    one, else it is 1. finish: how the surface takes light in an environment, or None where the file
    leaves that to the scene.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None
    opacity: np.ndarray | None = None
    finish: Finish | None = None


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """A mesh with what BOP's models_info.json says of it.

    diameter: largest distance between two vertices, metres. box: (2, 3) min and max corner, metres.
    symmetries: (s, 4, 4) obj_from_obj transforms that leave the object unchanged, the identity
    first; continuous symmetries are sampled in 64 steps.
    """

    obj_id: int
    mesh: Mesh
    diameter: float
    box: np.ndarray
    symmetries: np.ndarray
    info: dict  # the record as it stands in models_info.json, mm
    source: str  # the file it came from
    name: str = ""  # what people call it; empty where it has a number alone

    @property
    def title(self) -> str:
        """What lines call it."""
        return title_of(self.obj_id, self.name)


def load_mesh(path: Path, unit: str | None = None, up: str | None = None) -> Mesh:
    """Read a mesh file: PLY, OBJ, STL, GLB, GLTF or OFF.

    Normals are the file's, or its faces' weighted by angle: vertices that the file keeps apart stay
    a hard edge.

    Args:
        unit: the file's unit, "m", "cm" or "mm". None takes millimetres in a folder with a
            models_info.json (BOP's layout), metres elsewhere.
        up: the file's axis that is up, "y" or "z"; None as `render.mesh.axes.up_axis` says. What
            has y up is turned to have z.

    Raises:
        InputError: the file is missing, damaged or empty, a texture is missing, vertices are not
            finite, or the size shows that the unit is wrong.
    """
    path = Path(path)
    unit = unit_of(path, unit)
    turned = up_axis(path, up) == "y"
    part = read_mesh_file(path)
    check_size(path, float(np.ptp(part.vertices, axis=0).max()), unit)
    check_origin(path, part.vertices, unit)
    if turned:
        part = replace(part, vertices=with_z_up(part.vertices), normals=with_z_up(part.normals))

    return Mesh(
        vertices=(part.vertices * UNITS[unit]).astype(np.float32),
        faces=part.faces.astype(np.int32),
        normals=_unit_normals(part).astype(np.float32),
        colors=part.colors,
        uv=None if part.uv is None else part.uv.astype(np.float32),
        texture=part.texture,
        opacity=None if part.opacity is None else part.opacity.astype(np.float32),
        finish=part.finish,
    )


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write a mesh as BOP has them: binary PLY in mm with normals and colours.

    A texture goes beside it as PNG under the same stem, with texture_u and texture_v a vertex. What
    is cut out is told by a comment, and an opacity a vertex. A finish is left out.
    """
    columns = dict(zip("xyz", (mesh.vertices.astype(np.float64) * 1000).T, strict=True))
    columns |= zip(("nx", "ny", "nz"), mesh.normals.T, strict=True)
    colored, comments = True, []
    if mesh.uv is not None and mesh.texture is not None:
        texture = path.with_suffix(".png")
        write_png(texture, mesh.texture, level=9)
        columns |= zip(("texture_u", "texture_v"), mesh.uv.T, strict=True)
        colored = bool((mesh.colors != 255).any())
        comments = [f"TextureFile {texture.name}"] + [TINTED_TEXTURE] * colored
    if mesh.opacity is not None:
        columns["opacity"] = mesh.opacity
        comments.append(CUT_OUT)
    columns = {name: column.astype(np.float32) for name, column in columns.items()}
    if colored:
        columns |= zip(("red", "green", "blue"), mesh.colors.T, strict=True)
    path.write_bytes(encode_ply(columns, mesh.faces, comments))


def load_models(
    sources: Sequence[str | Path],
    unit: str | None = None,
    obj_ids: Sequence[int] | None = None,
    up: str | None = None,
) -> dict[int, ObjectModel]:
    """Load objects, by id.

    The id is the number in a file name `obj_NNNNNN`; other files get those that are left, from 1
    on, in the order of sources and names. Diameter, box and symmetries come from the
    models_info.json beside the file, and from the mesh where there is none; names from names.json,
    or from the files.

    Args:
        sources: each "assets" (the bundled objects), a folder of meshes, or a mesh file.
        unit, up: as in `load_mesh`.
        obj_ids: load these only.

    Raises:
        InputError: a source is missing or empty, an id is unknown or stands for two files, a file
            is unusable, or a record does not fit its mesh.
    """
    files = number_files([file for source in sources for file in mesh_files(source)])
    unknown = sorted(set(obj_ids or ()) - set(files))
    if unknown:
        present = ", ".join(map(str, files)) or "none"
        raise InputError(f"no object {unknown[0]} in {_names(sources)}; present are {present}")
    wanted = sorted(files if obj_ids is None else set(obj_ids))
    models = all_of(wanted, lambda i: _load_model(i, files[i], unit, up), "objects cannot be used")
    names = told_apart({model.obj_id: model.name for model in models})
    loaded = {model.obj_id: replace(model, name=names[model.obj_id]) for model in models}
    if unit is None:
        sizes = {i: float(np.ptp(model.mesh.vertices, axis=0).max()) for i, model in loaded.items()}
        say_taken_for_metres({files[i]: size for i, size in sizes.items()})
    return loaded


def object_model(obj_id: int, mesh: Mesh, info: dict, source: str) -> ObjectModel:
    """An object from its mesh and its record, complete as in models_info.json."""
    low = np.array([info[f"min_{axis}"] for axis in "xyz"], np.float64) / 1000
    size = np.array([info[f"size_{axis}"] for axis in "xyz"], np.float64) / 1000
    return ObjectModel(
        obj_id=obj_id,
        mesh=mesh,
        diameter=float(info["diameter"]) / 1000,
        box=np.stack([low, low + size]),
        symmetries=symmetry_transforms(info),
        info=info,
        source=source,
    )


def write_models(folder: Path, models: Iterable[ObjectModel]) -> None:
    """Write BOP's `models` folder: obj_NNNNNN.ply, models_info.json, and names.json if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    models = list(models)
    for model in models:
        write_ply(folder / f"obj_{model.obj_id:06d}.ply", model.mesh)
    records = [f'  "{model.obj_id}": {json.dumps(model.info)}' for model in models]
    (folder / "models_info.json").write_text("{\n" + ",\n".join(records) + "\n}\n")
    names = {model.obj_id: model.name for model in models}
    write_names(folder, names, {model.obj_id: model.source for model in models})


def models_info_record(mesh: Mesh) -> dict[str, float]:
    """What BOP's models_info.json says of a mesh, but for its symmetries: mm, to 0.1 micrometre."""
    low = mesh.vertices.min(axis=0).astype(np.float64)
    size = mesh.vertices.max(axis=0) - low
    metres = {"diameter": diameter(mesh.vertices)}
    metres |= {f"min_{axis}": low[i] for i, axis in enumerate("xyz")}
    metres |= {f"size_{axis}": size[i] for i, axis in enumerate("xyz")}
    return {name: round(1000 * float(value), 4) for name, value in metres.items()}


def diameter(points: np.ndarray) -> float:
    """Largest distance between two of (n, 3) points; both lie on the convex hull."""
    points = np.asarray(points, np.float64)
    if len(points) > 1000:
        try:
            hull = ConvexHull(points)
        except QhullError:  # flat or on a line: let Qhull move the points a little
            hull = ConvexHull(points, qhull_options="QJ")
        points = points[hull.vertices]
    blocks = np.array_split(points, 1 + len(points) // 1000)
    return float(max(cdist(block, points).max() for block in blocks))


def _unit_normals(part: Part) -> np.ndarray:
    """The part's normals at unit length; +z where a vertex has none."""
    length = np.linalg.norm(part.normals, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 1e-12)
    return np.where(usable, part.normals / np.where(usable, length, 1), [0.0, 0.0, 1.0])


def _names(sources: Sequence[str | Path]) -> str:
    return ", ".join(map(str, sources))


def _load_model(obj_id: int, path: Path, unit: str | None, up: str | None) -> ObjectModel:
    mesh, name = load_mesh(path, unit, up), name_in_file(path, obj_id)
    records = path.parent / RECORDS
    record = _read_record(records, obj_id)
    needed = {"diameter", *(f"{key}_{axis}" for key in ("min", "size") for axis in "xyz")}
    info = record if needed <= set(record) else models_info_record(mesh) | record
    try:
        model = replace(object_model(obj_id, mesh, info, str(path)), name=name)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{records}: the record of object {obj_id} is damaged ({error})") from None
    _check_record(model)
    return model


def _read_record(file: Path, obj_id: int) -> dict:
    """An object's record, empty where the file or the record is missing."""
    if not file.is_file():
        return {}
    return _RECORD(read_json(file).get(str(obj_id), {}), f"{file}: record {obj_id}")


def _check_record(model: ObjectModel) -> None:
    """Refuse a record that speaks of another mesh, or of this one in another unit."""
    vertices = model.mesh.vertices
    box = np.stack([vertices.min(axis=0), vertices.max(axis=0)])
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    off = np.abs(model.box - box).max()
    longest = float((box[1] - box[0]).max())
    slack = 1 + RECORD_TOLERANCE
    if off > RECORD_TOLERANCE * diagonal or not (
        longest / slack <= model.diameter <= diagonal * slack
    ):
        raise InputError(
            f"{model.source}: {1000 * longest:.4g} mm across, but models_info.json gives it a"
            f" diameter of {1000 * model.diameter:.4g} mm; most likely the wrong --unit"
            " (BOP's meshes are in mm), or the record of another mesh"
        )
