"""What rooms are built of, and never annotated: floors, walls and ceilings, windows."""

from functools import cache

import numpy as np

from render.mesh.mesh import Mesh, ObjectModel, models_info_record, object_model
from render.scene.props import SURFACES, TABLES, cube, props
from render.scene.textures import SIDE, draw_texture

_TEXTURES = [(kind, number) for kind, count in SURFACES.items() for number in range(count)]
# Their ids go down from here; props have those above, distractors those from -1000 on.
FIRST = -100
FLOORS = tuple(range(FIRST, FIRST - len(_TEXTURES), -1))
WALLS = tuple(range(FLOORS[-1] - 1, FLOORS[-1] - 1 - len(_TEXTURES), -1))
WINDOW = WALLS[-1] - 1
FLOOR_COLOR, WALL_COLOR = 0.5, 0.3  # share of their colour that floors and walls keep
FLOOR_REPEATS, WALL_REPEATS = 6, 3  # of a surface's pattern along its side
GROUNDS = frozenset((*TABLES, *FLOORS))  # what things stand on: the plane z = 0 of its own frame


@cache
def furnishings() -> dict[int, ObjectModel]:
    """All of them by id, each of size 1 m, to be stretched.

    A floor's top lies at z = 0 in a square of side 1 around the origin; walls and windows stand on
    such a square, 1 m high, and a wall that hangs is a ceiling.
    """
    meshes = {WINDOW: _textured(cube(), _window(), 1)}
    for floor, wall, (kind, number) in zip(FLOORS, WALLS, _TEXTURES, strict=True):
        texture = draw_texture(kind, number)
        below = texture if kind == "wood" else _muted(texture, FLOOR_COLOR)
        meshes[floor] = _textured(cube(top=0.0), below, FLOOR_REPEATS)
        meshes[wall] = _textured(cube(), _muted(texture, WALL_COLOR), WALL_REPEATS)
    return {i: object_model(i, m, models_info_record(m), "a room") for i, m in meshes.items()}


def all_props() -> dict[int, ObjectModel]:
    """All that furnishes any scene: tables, plain solids, and what rooms are built of."""
    return {**props(), **furnishings()}


def floor_kind(obj_id: int) -> str:
    """Of which kind a floor's or wall's surface is."""
    return _TEXTURES[(FIRST - obj_id) % len(_TEXTURES)][0]


def _textured(mesh: Mesh, texture: np.ndarray, repeats: int) -> Mesh:
    assert mesh.uv is not None
    uv = mesh.uv * np.float32(repeats)
    return Mesh(mesh.vertices, mesh.faces, mesh.normals, mesh.colors, uv, texture)


def _muted(texture: np.ndarray, share: float) -> np.ndarray:
    """A surface whose colours are nearer to grey."""
    gray = texture.mean(axis=2, keepdims=True)
    muted = np.round(gray + share * (texture - gray)).astype(np.uint8)
    muted.setflags(write=False)
    return muted


def _window() -> np.ndarray:
    """Two by two panes before a sky that is brighter below, (256, 256, 3) uint8."""
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE
    sky = np.stack([0.72 + 0.25 * v, 0.85 + 0.13 * v, np.full_like(v, 0.98)], axis=-1)
    bars = np.min([np.abs(a - at) for a in (u, v) for at in (0.0, 0.5, 1.0)], axis=0) < 0.035
    panes = np.where(bars[..., None], 0.55, sky)
    texture = (255 * panes).astype(np.uint8)
    texture.setflags(write=False)
    return texture
