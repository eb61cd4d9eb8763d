"""What the benchmarks draw: a mesh, placed at random poses, at one image size."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import assets
from render.environment.spec import DRAWN_KINDS, Environment
from render.mesh.mesh import Mesh, load_models, object_model
from render.mesh.mesh import models_info_record as info_of
from render.scene.layout import DEFAULT_INTRINSICS
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Light, Material, Placed, SceneSpec, rows
from render.transforms import random_rotation, rigid

CROP = (128, 128)
SCENES = 64  # different ones of a workload; longer runs draw them again
DISTANCE = (0.6, 1.2)  # metres, as `render` has it
LIGHTS = (Light("directional", (0.0, 0.6, -0.8), (0.6, 0.6, 0.6)),)
MATERIAL = Material(gloss=0.2)


@dataclass(frozen=True)
class Workload:
    """A mesh at some poses.

    source: a mesh file, or "blob", a bumpy closed surface of `faces` triangles. count: objects in a
    scene. levels: draw coarser meshes where those are good enough. environments: light from all
    around, so many different; 0 is none.
    """

    source: str
    obj_id: int = 1
    faces: int = 0
    size: tuple[int, int] = (640, 480)
    count: int = 1
    levels: bool = False
    environments: int = 0


BUNDLED = Workload(str(assets.FOLDER), 1)


@cache
def mesh_of(source: str, obj_id: int, faces: int) -> Mesh:
    """The mesh of a workload, made once in a process."""
    return blob(faces) if source == "blob" else load_models([source], obj_ids=[obj_id])[obj_id].mesh


def blob(faces: int, radius: float = 0.1) -> Mesh:
    """A closed, bumpy, coloured sphere of about so many triangles, metres."""
    n = max(4, round(np.sqrt(faces / 4)))
    polar, around = np.linspace(0, np.pi, n + 1)[:, None], np.arange(2 * n) * np.pi / n
    across = np.sin(polar)
    across[-1] = 0  # sin(pi) is not, in floating point: the pole would stay open
    out = np.stack(
        np.broadcast_arrays(across * np.cos(around), across * np.sin(around), np.cos(polar)),
        axis=-1,
    )
    bumps = 1 + 0.1 * np.sin(5 * polar) * across * np.cos(4 * around)
    row, column = np.divmod(np.arange(2 * n * n), 2 * n)
    first, right = row * 2 * n + column, row * 2 * n + (column + 1) % (2 * n)
    quads = np.stack([first, first + 2 * n, right, right, first + 2 * n, right + 2 * n], axis=-1)
    colors = 128 + 100 * np.sin(40 * out)
    return Mesh(
        vertices=(radius * bumps[..., None] * out).reshape(-1, 3).astype(np.float32),
        faces=quads.reshape(-1, 3).astype(np.int32),
        normals=out.reshape(-1, 3).astype(np.float32),
        colors=colors.reshape(-1, 3).astype(np.uint8),
    )


@cache
def specs_of(workload: Workload, count: int = SCENES) -> list[SceneSpec]:
    """The scenes of a workload: a perfect camera before black."""
    if workload.environments:
        plain = specs_of(replace(workload, environments=0), count)
        numbers = np.arange(count) % workload.environments
        around = [Environment(DRAWN_KINDS[i % len(DRAWN_KINDS)], seed=(int(i),)) for i in numbers]
        return [replace(s, environment=e) for s, e in zip(plain, around, strict=True)]
    mesh = mesh_of(workload.source, workload.obj_id, workload.faces)
    model = object_model(workload.obj_id, mesh, info_of(mesh), workload.source)
    if workload.size == CROP:
        config = SceneConfig(
            layout="crop", distance=(0.6, 1.2), occluder_chance=0, distractor_chance=0
        )
        crops = Randomizer(config, {workload.obj_id: model}, CROP, seed=0)
        specs = [crops.scene(i) for i in range(count)]
        return [
            SceneSpec(s.K, s.size, tuple(_plain(p) for p in s.objects), lights=LIGHTS)
            for s in specs
        ]

    fx, fy, cx, cy = DEFAULT_INTRINSICS
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    rng = np.random.default_rng([0, workload.count])
    reach = 0.08 * np.sqrt(workload.count)  # many objects fill the image, overlapping
    specs = []
    for _ in range(count):
        places = [
            [*rng.uniform(-1, 1, 2) * min(reach, 0.35), rng.uniform(*DISTANCE)]
            for _ in range(workload.count)
        ]
        placed = tuple(
            Placed(workload.obj_id, rows(rigid(random_rotation(rng), t)), MATERIAL) for t in places
        )
        specs.append(SceneSpec(rows(K), workload.size, placed, lights=LIGHTS))
    return specs


def _plain(placed: Placed) -> Placed:
    return Placed(placed.obj_id, placed.cam_from_obj, MATERIAL)
