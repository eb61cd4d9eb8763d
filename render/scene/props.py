"""What furnishes a scene and is never annotated: tables, and plain solids as clutter.

Their ids are 0 and below, which no object of a dataset has.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from render.mesh.mesh import Mesh, ObjectModel, models_info_record, object_model
from render.scene.spec import Material
from render.scene.textures import draw_texture

SURFACES = {"wood": 5, "cloth": 4, "checker": 3, "stone": 4, "plain": 4}
_TEXTURES = [(kind, number) for kind, count in SURFACES.items() for number in range(count)]
SOLID_KINDS = ("box", "cylinder", "ball")

TABLES = tuple(range(0, -len(_TEXTURES), -1))
SOLIDS = tuple(range(-len(_TEXTURES), -2 * len(_TEXTURES), -1))
REPEATS = 4  # of a table's surface along its side


@cache
def props() -> dict[int, ObjectModel]:
    """All of them by id: one a surface, each of size 1 m, to be stretched.

    A table's top lies at z = 0 in a square of side 1 around the origin; a solid stands on z = 0 in
    the middle of such a square, 1 m high.
    """
    meshes = {}
    for table in TABLES:
        meshes[table] = _slab() if table % 2 else _disc()
    for solid in SOLIDS:
        meshes[solid] = {"box": _box, "cylinder": _cylinder, "ball": _ball}[solid_kind(solid)]()
    textured = {
        obj_id: _with_texture(mesh, draw_texture(*_TEXTURES[-obj_id % len(_TEXTURES)]))
        for obj_id, mesh in meshes.items()
    }
    return {i: object_model(i, m, models_info_record(m), "a prop") for i, m in textured.items()}


def cube(top: float = 1.0) -> Mesh:
    """A cube of side 1 m about the z axis, its upper face at a height; six squares."""
    return _moved(_box(), [0, 0, top - 1], 1)


def prop_material(rng: np.random.Generator, physical: bool = False) -> Material:
    """A random surface of a prop, whatever the ranges of objects; physical: for an environment."""
    tint = rng.uniform(0.55, 0.95) * rng.uniform(0.85, 1.15, 3)
    old = Material(tuple(tint.tolist()), rng.uniform(0.0, 0.15), rng.uniform(8.0, 64.0))
    if not physical:
        return old
    (rng,) = rng.spawn(1)
    return replace(old, roughness=rng.uniform(0.35, 1.0), metallic=0.0)


def solid_kind(obj_id: int) -> str:
    """Of which kind a solid is."""
    return SOLID_KINDS[-obj_id % len(SOLID_KINDS)]


def surface_kind(obj_id: int) -> str:
    """Of which kind a prop's surface is."""
    return _TEXTURES[-obj_id % len(_TEXTURES)][0]


def _with_texture(mesh: Mesh, texture: np.ndarray) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces, mesh.normals, mesh.colors, mesh.uv, texture)


def _slab() -> Mesh:
    return _moved(_box(), [0, 0, -1], REPEATS)


def _disc() -> Mesh:
    return _moved(_cylinder(), [0, 0, -1], REPEATS)


def _moved(mesh: Mesh, t, repeats: int) -> Mesh:
    assert mesh.uv is not None
    vertices = (mesh.vertices + np.array(t, np.float32)).astype(np.float32)
    return Mesh(vertices, mesh.faces, mesh.normals, mesh.colors, mesh.uv * repeats)


def _box() -> Mesh:
    """A cube: six squares, the texture once on each."""
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    vertices, normals = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = np.insert(square if sign > 0 else square[::-1], axis, 0.5 * sign, axis=1)
            vertices.append(corners if axis != 1 else corners[::-1])
            normals.append(np.tile(sign * np.eye(3)[axis], (4, 1)))
    faces = np.array([[0, 1, 2], [0, 2, 3]]) + 4 * np.arange(6)[:, None, None]
    points = np.concatenate(vertices) + [0, 0, 0.5]
    return _mesh(
        points, faces.reshape(-1, 3), np.concatenate(normals), np.tile(square + 0.5, (6, 1))
    )


def _cylinder() -> Mesh:
    side = _revolved(np.array([[0.5, 0], [0.5, 1]]), np.array([[1.0, 0], [1, 0]]))
    caps = [
        _revolved(np.array([[0.5, z], [0, z]])[::order], np.array([[0.0, order]] * 2), flat=True)
        for z, order in ((1.0, 1), (0.0, -1))
    ]
    return _joined([side, *caps])


def _ball() -> Mesh:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 25)
    normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _revolved(0.5 * normals + [0, 0.5], normals)


def _revolved(
    profile: np.ndarray, normals: np.ndarray, flat: bool = False, steps: int = 48
) -> Mesh:
    """A profile (k, 2) of radius and height, with its normals, swept about the z axis.

    flat: the texture lies on it as seen from above; else it goes twice around.
    """
    angles = np.linspace(0, 2 * np.pi, steps + 1)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def sweep(lines: np.ndarray) -> np.ndarray:
        heights = np.broadcast_to(lines[:, None, 1:], (len(lines), steps + 1, 1))
        return np.concatenate([lines[:, None, :1] * around, heights], axis=2).reshape(-1, 3)

    points = sweep(profile)
    if flat:
        uv = points[:, :2] + 0.5
    else:
        u, v = np.meshgrid(angles / np.pi, profile[:, 1])
        uv = np.stack([u, v], axis=-1).reshape(-1, 2)
    first = np.add.outer((steps + 1) * np.arange(len(profile) - 1), np.arange(steps)).reshape(-1, 1)
    up = steps + 1
    faces = np.concatenate([first + [0, 1, up + 1], first + [0, up + 1, up]])
    return _mesh(points, faces, sweep(normals), uv)


def _joined(parts: list[Mesh]) -> Mesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    uvs = [part.uv for part in parts if part.uv is not None]
    vertices, normals = ([getattr(p, name) for p in parts] for name in ("vertices", "normals"))
    return _mesh(*map(np.concatenate, (vertices, faces, normals, uvs)))


def _mesh(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, uv: np.ndarray) -> Mesh:
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        normals=normals.astype(np.float32),
        colors=np.full((len(vertices), 3), 255, np.uint8),
        uv=uv.astype(np.float32),
    )
