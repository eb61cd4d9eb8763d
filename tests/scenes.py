"""Meshes and scenes that the tests of drawing share."""

import dataclasses

import numpy as np

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.mesh.mesh import Mesh
from render.scene.spec import Light, Material, Placed, SceneSpec, rows
from render.transforms import random_rotation, rigid, rodrigues

K = np.array([[572.4114, 0, 325.2611], [0, 573.57043, 242.04899], [0, 0, 1]])
CAMERA = Camera(K, 640, 480)
SMALL = Camera(np.array([[100, 0, 31.5], [0, 100, 23.5], [0, 0, 1]]), 64, 48)
FULL_AMBIENT = (1.0, 1.0, 1.0)
EYE = rows(np.eye(4))


def quads(corners, colors=(200, 100, 50)) -> Mesh:
    """A mesh of separate quads: (n, 4, 3) corners in metres, in order around each."""
    corners = np.asarray(corners, np.float64).reshape(-1, 4, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    first = 4 * np.arange(len(corners))[:, None]
    return Mesh(
        vertices=corners.reshape(-1, 3).astype(np.float32),
        faces=(first + [0, 1, 2, 0, 2, 3]).reshape(-1, 3).astype(np.int32),
        normals=np.repeat(normals, 4, axis=0).astype(np.float32),
        colors=np.repeat(np.broadcast_to(colors, (len(corners), 3)), 4, axis=0).astype(np.uint8),
    )


def square(half: float, **changes) -> Mesh:
    """A square in the object's xy plane, its normal towards -z."""
    corners = half * np.array([[-1, -1, 0], [-1, 1, 0], [1, 1, 0], [1, -1, 0]])
    return dataclasses.replace(quads(corners), **changes)


def lumpy(rng, faces: int = 300, reach: float = 0.1) -> Mesh:
    """A closed-looking heap of random triangles with random colours."""
    centers = rng.normal(size=(faces, 1, 3)) * reach / 2
    vertices = (centers + rng.normal(size=(faces, 3, 3)) * reach / 5).reshape(-1, 3)
    normals = rng.normal(size=vertices.shape)
    return Mesh(
        vertices=vertices.astype(np.float32),
        faces=np.arange(3 * faces, dtype=np.int32).reshape(-1, 3),
        normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        colors=rng.integers(0, 256, vertices.shape, dtype=np.uint8),
    )


def two_meshes() -> dict[int, Mesh]:
    """What `random_scene` places."""
    return {1: lumpy(np.random.default_rng(1)), 2: square(0.08)}


def scene(camera, *placed, **changes) -> SceneSpec:
    return SceneSpec(rows(camera.K), camera.size, placed, **changes)


def at(t, R=None, obj_id=1, **changes) -> Placed:
    return Placed(obj_id, rows(rigid(np.eye(3) if R is None else R, t)), **changes)


def random_scene(rng, camera=SMALL, obj_ids=(1, 2)) -> SceneSpec:
    placed = [
        at(
            [*rng.uniform(-0.1, 0.1, 2), rng.uniform(0.4, 0.8)],
            random_rotation(rng),
            obj_id=int(rng.choice(obj_ids)),
            material=Material(tuple(rng.uniform(0.5, 1, 3).tolist()), 0.3, 20.0),
            annotated=bool(rng.random() < 0.8),
        )
        for _ in range(4)
    ]
    lights = (Light("directional", (0.0, 0.6, -0.8)), Light("point", (0.3, 0.2, 0.1)))
    return scene(camera, *placed, lights=lights)


def draw(meshes, *specs, backgrounds=None, antialias=False):
    with Rasterizer(meshes, antialias=antialias) as rasterizer:
        return rasterizer.render(specs, backgrounds)


def assert_same_frame(a, b):
    for name in ("rgb", "depth", "instance", "normals", "coordinates"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def plane_depth(camera: Camera, cam_from_obj: np.ndarray) -> np.ndarray:
    """Analytic depth of the object's xy plane at every pixel centre."""
    normal = cam_from_obj[:3, 2]
    rays = camera.unproject(np.ones((camera.height, camera.width)))
    return normal @ cam_from_obj[:3, 3] / (rays @ normal)


def rotated_crop(camera: Camera) -> Camera:
    """A 128x128 crop around (200, 300), rotated by 0.7 rad and magnified 1.5 times."""
    R = 1.5 * rodrigues(np.array([0, 0, 0.7]))[:2, :2]
    return camera.crop(np.column_stack([R, 63.5 - R @ [200, 300]]), 128, 128)
