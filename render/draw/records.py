"""SceneSpec -> the numbers the shaders read: matrices, material and lights of every placed mesh."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from render.camera import Camera
from render.scene.spec import LIGHT_KINDS, Light, Placed, Posture, SceneSpec
from render.transforms import apply

Part = tuple[int, int, int, int]  # x, y, width, height in whole pixels

MAX_LIGHTS = 8
MAX_INSTANCES = 255  # ids are drawn into 8 bits

# std140 uniform blocks of mesh.vert, shaded.frag and physical.frag. A block must start at a
# multiple of 256 bytes on some devices, so each is padded to one; by a field, since NumPy may drop
# a hidden gap.
_MATRIX, _VECTOR = ("<f4", (4, 4)), ("<f4", 4)
GEOMETRY = np.dtype(
    [
        ("clip_from_obj", *_MATRIX),
        ("cam_from_obj", *_MATRIX),
        ("cam_from_normal", *_MATRIX),
        ("padding", "V64"),
    ]
)
SHADING = np.dtype(
    [
        ("tint", *_VECTOR),
        ("highlight", *_VECTOR),
        ("ambient", *_VECTOR),
        ("vectors", "<f4", (MAX_LIGHTS, 4)),
        ("intensity", "<f4", (MAX_LIGHTS, 4)),
        ("beams", "<f4", (MAX_LIGHTS, 4)),
        ("repeats", *_VECTOR),
        ("padding", "V64"),
    ]
)
RECORD = np.dtype([("geometry", GEOMETRY), ("shading", SHADING)])


@dataclass(frozen=True, eq=False)
class View:
    """A spec made ready to draw.

    camera: the spec's. placed: what is in front of the camera, with its instance id (0 if it is not
    annotated), in the order of the spec. corners: (n, 8, 3) of its bounds, camera frame, metres.
    near, far: planes that hold all of it. part: outside of it the image is empty.
    """

    spec: SceneSpec
    camera: Camera
    placed: tuple[tuple[Placed, int], ...]
    corners: np.ndarray
    near: float
    far: float
    part: Part


# A mesh's `mesh_corners`, or how to find a hand's.
Bounds = np.ndarray | Callable[[Posture | None], np.ndarray]


def corners_of(item: Placed, boxes: Mapping[int, Bounds]) -> np.ndarray:
    """The 8 corners of a placed mesh's bounds in its own frame: (8, 3) metres."""
    box = boxes[item.obj_id]
    return (box(item.posture) if callable(box) else box) * np.array(item.stretch)


def make_view(spec: SceneSpec, boxes: Mapping[int, Bounds]) -> View:
    """Find what a spec shows and between which depths.

    Args:
        boxes: each mesh's bounds, by obj_id.

    Raises:
        ValueError: the spec names an unknown mesh or light, or more lights or annotated objects
            than can be drawn, or it bends what is no hand, or not as the hand has joints.
    """
    _check(spec, boxes)
    placed, corners, instance = [], [], 0
    for item in spec.objects:
        instance += item.annotated
        in_cam = apply(item.matrix, corners_of(item, boxes))
        if in_cam[:, 2].max() > spec.near:
            placed.append((item, instance if item.annotated else 0))
            corners.append(in_cam)

    stacked = np.array(corners).reshape(-1, 8, 3)
    depths = stacked[..., 2] if placed else np.array([1.0])
    # A thousandth more than the bounds, so that rounding never clips a surface away.
    near, far = max(spec.near, 0.999 * depths.min()), 1.001 * depths.max()
    camera = spec.camera
    part = _drawn_part(stacked, camera, spec.near) if placed else (0, 0, 1, 1)
    return View(spec, camera, tuple(placed), stacked, near, far, part)


def fill_records(view: View, camera: Camera | None = None) -> np.ndarray:
    """The uniform blocks of a view's meshes: (n,) RECORD.

    Args:
        camera: draws the view through this camera instead of its own.
    """
    records = np.zeros(len(view.placed), RECORD)
    clip_from_cam = (camera or view.camera).clip_from_cam(view.near, view.far)
    for record, (item, instance) in zip(records, view.placed, strict=True):
        cam_from_obj, stretch = item.matrix, np.array(item.stretch)
        geometry, shading = record["geometry"], record["shading"]
        geometry["cam_from_normal"][:3, :3] = cam_from_obj[:3, :3] / stretch
        cam_from_obj[:3, :3] *= stretch
        geometry["cam_from_obj"] = cam_from_obj
        geometry["clip_from_obj"] = clip_from_cam @ cam_from_obj

        material = item.material
        shading["tint"] = *material.tint, instance / MAX_INSTANCES
        shading["highlight"] = material.gloss, material.shininess, *material.microfacets
        if material.texture is not None:
            shading["repeats"][:3] = stretch / material.texture.tile
    shading = records["shading"]
    shading["ambient"][:, :3] = view.spec.ambient
    for i, light in enumerate(view.spec.lights):
        shading["vectors"][:, i] = *light.vector, light.kind != "directional"
        shading["beams"][:, i], offset = _beam(light)
        shading["intensity"][:, i] = *light.color, offset
    return records


def pixel_box(corners: np.ndarray, camera: Camera, near: float) -> tuple[int, int, int, int]:
    """Where an object can be seen, in whole pixels of the image.

    Args:
        corners: (8, 3) of its bounds, camera frame.
        near: metres; what is nearer is cut off.

    Returns:
        left, top, right, bottom, the last two one beyond.
    """
    if corners[:, 2].min() <= near:
        return 0, 0, camera.width, camera.height
    pixels = camera.project(corners)
    left, top = np.clip(np.floor(pixels.min(axis=0)), 0, camera.size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, camera.size).astype(int).tolist()
    return left, top, right, bottom


def _drawn_part(corners: np.ndarray, camera: Camera, near: float) -> Part:
    """What of the image the boxes with (n, 8, 3) corners lie in."""
    left, top, right, bottom = pixel_box(corners.reshape(-1, 3), camera, near)
    if left >= right or top >= bottom:
        return 0, 0, 1, 1  # one pixel, so that no case is special
    return left, top, right - left, bottom - top


def _check(spec: SceneSpec, boxes: Mapping[int, Bounds]) -> None:
    for item in spec.objects:
        if item.obj_id not in boxes:
            raise ValueError(f"no mesh for object {item.obj_id}; there are {sorted(boxes)}")
        if 0 in item.stretch:
            raise ValueError(f"stretch must not be zero, got {item.stretch}")
        if item.posture is not None and not callable(boxes[item.obj_id]):
            raise ValueError(f"object {item.obj_id} is no hand: it takes no posture")
    annotated = sum(item.annotated for item in spec.objects)
    if annotated > MAX_INSTANCES:
        raise ValueError(f"at most {MAX_INSTANCES} annotated objects in a frame, got {annotated}")
    if len(spec.lights) > MAX_LIGHTS:
        raise ValueError(f"at most {MAX_LIGHTS} lights, got {len(spec.lights)}")
    for light in spec.lights:
        _check_light(light)


def _check_light(light: Light) -> None:
    if light.kind not in LIGHT_KINDS:
        raise ValueError(f"light kind must be one of {LIGHT_KINDS}, got {light.kind!r}")
    if light.kind == "spot":
        if abs(np.linalg.norm(light.direction) - 1) > 1e-6:
            raise ValueError(f"a spot's direction must have unit length, got {light.direction}")
        inner, outer = light.cone
        if not 0 <= inner < outer < np.pi / 2:
            raise ValueError(f"a spot's cone must be 0 <= inner < outer < pi/2, got {light.cone}")


def _beam(light: Light) -> tuple[tuple[float, ...], float]:
    """How a light's strength changes with the angle: it is clip(dot(way, xyz) w + offset, 0, 1)^2.

    `way` leads from the light to the surface. The formula is KHR_lights_punctual's.

    Returns:
        xyz and w, and offset; for lights other than spots the strength is 1 everywhere.
    """
    if light.kind != "spot":
        return (0.0, 0.0, 0.0, 0.0), 1.0
    inner, outer = np.cos(light.cone)
    scale = 1 / max(0.001, inner - outer)
    return (*light.direction, scale), -outer * scale
