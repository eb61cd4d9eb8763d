"""Where objects and the camera are: the ranges, the camera's view, and the plain layouts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from render.camera import Camera
from render.config import option
from render.mesh.box import box_corners
from render.mesh.mesh import ObjectModel
from render.scene.distractors import draw_distractor
from render.scene.orbit import view_angles, view_matrix
from render.scene.packing import scatter
from render.scene.views import near_view
from render.transforms import apply, random_rotation, rigid

Range = tuple[float, float]
# LINEMOD's camera: fx fy cx cy of a 640x480 image.
DEFAULT_INTRINSICS, FULL_SIZE = (572.4114, 573.57043, 325.2611, 242.04899), (640, 480)
CLEAR = 0.1  # of a distance that is drawn: what is looked at leaves it free before the camera
CROP_DISTANCE = (4.0, 9.0)  # diameters; LM-O's objects of 10 to 26 cm stand at 0.6 to 1.4 m


@dataclass(frozen=True)
class LayoutConfig:
    """Ranges of where objects and the camera are; a range is drawn from uniformly."""

    layout: Literal["tabletop", "upright", "crop", "pile", "bin"] = option(
        "tabletop",
        "tabletop: objects at rest on a table; upright: objects standing on a plane that is not"
        " drawn; crop: one object, centred and cropped; pile, bin: objects dropped onto one another"
        " by physics, on the ground or between four walls",
    )
    intrinsics: tuple[float, float, float, float] | None = option(
        None,
        "fx fy cx cy in pixels, for frames of just the size that is asked for; crop: for a 640x480"
        " image, which crops are taken from; none: LINEMOD's, its field of view across the width"
        " kept at any size",
        none_as=DEFAULT_INTRINSICS,
    )
    off_axis: bool = option(
        False, "Take intrinsics whose principal point lies outside the image", later=True
    )
    distance: Range | None = option(
        None,
        "From the camera to the object or the middle of the objects, m; where they would reach the"
        " camera by their size, in pile and bin not at all  [default: always by their size]",
        minimum=0.01,
    )
    baseline: float = option(
        0.0,
        "All but crop: from the camera to a second one at its right, m, whose images of the same"
        " moment are the split NAME_right; 0: none, 0.06: as eyes",
        minimum=0,
        maximum=100,
        later=True,
    )
    elevation_deg: Range = option(
        (15.0, 75.0),
        "Of the camera above the object, degrees; 0 level with it, 90 from above; uniform in area",
        minimum=-90,
        maximum=90,
    )
    inplane_deg: Range = option((-20.0, 20.0), "Roll of the camera about its axis, degrees")
    views: str = option(
        "",
        "crop: a scene_gt.json; objects show sides that are near those of its poses, in place of"
        " elevation_deg and inplane_deg",
        later=True,
    )
    views_deg: float = option(
        25.0,
        "How near, degrees of rotation, up to; 0: those very sides, 180: any",
        minimum=0,
        maximum=180,
        later=True,
    )
    zoom: Range = option(
        (0.9, 1.4),
        "Side of the frame over that of the box of what is looked at; on full frames with a"
        " distance only where objects would reach the camera",
        minimum=0.01,
    )
    objects_per_frame: tuple[int, int] = option(
        (3, 6), "All but crop: fewest and most annotated objects", minimum=1, maximum=255
    )
    clutter_per_frame: tuple[int, int] = option(
        (1, 5), "tabletop, pile, bin: fewest and most things beside them", minimum=0, maximum=255
    )
    spread: Range = option(
        (0.0, 1.0),
        "tabletop: how far off the others an object is put, in their extent; 0: as near as may be",
        minimum=0,
    )
    upright_chance: float = option(
        0.4,
        "tabletop: chance that an object stands as modelled, not as dropped",
        minimum=0,
        maximum=1,
    )
    table: Literal["any", "wood", "cloth", "checker", "stone", "plain"] = option(
        "any",
        "tabletop, pile, bin: what the table's or floor's surface looks like; any: drawn anew for"
        " each scene",
    )
    occluder_chance: float = option(
        0.5, "tabletop, crop: chance of a thing in front of an object", minimum=0, maximum=1
    )
    distractor_chance: float = option(
        0.3, "crop: chance of another object behind the one that is seen", minimum=0, maximum=1
    )
    distractors: tuple[str, ...] = option(
        (),
        "All but upright: more meshes to stand or lie about objects, never annotated:"
        " assets, folders of meshes, or files. none: objects that are not annotated, and plain"
        " solids",
        later=True,
    )


@dataclass(frozen=True, eq=False)
class Body:
    """A mesh in its place. cam_from_obj: (4, 4). stretch: along its axes; None as configured."""

    obj_id: int
    cam_from_obj: np.ndarray
    annotated: bool = True
    stretch: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Stage:
    """What a layout works with: its ranges, the meshes, those of them that are annotated, the
    camera of the whole image, and the size of the frames, which in crops is another; the sides that
    crops show, where views say them, as `read_views` gives them; and meshes that are only to stand
    about."""

    config: LayoutConfig
    models: Mapping[int, ObjectModel]
    obj_ids: Sequence[int]
    camera: Camera
    size: tuple[int, int]
    views: Mapping[int, np.ndarray] = field(default_factory=dict)
    distractors: Mapping[int, ObjectModel] = field(default_factory=dict)

    @cached_property
    def aim(self) -> np.ndarray:
        """(2,) x/z and y/z of the direction that is looked in: along the optical axis, or, where
        that is far from the middle of the image, to the middle."""
        off = (np.array(self.camera.size) - 1) / 2 - self.camera.K[:2, 2]
        if (np.abs(off) <= np.array(self.camera.size) / 4).all():
            return np.zeros(2)
        return off / np.diag(self.camera.K)[:2]


def crop(stage: Stage, frame_id: int, pose_rng, clutter_rng) -> tuple[Camera, list[Body]]:
    """One object cropped and centred, perhaps with an occluder in front and clutter behind."""
    config, models = stage.config, stage.models
    obj_id = stage.obj_ids[frame_id % len(stage.obj_ids)]
    full = stage.camera
    pixel = pose_rng.uniform(0.15, 0.85, 2) * full.size
    cam_from_obj = _placed_at(stage, pose_rng, models[obj_id], full, pixel)
    camera, side = _crop_camera(stage, pose_rng, full, models[obj_id], cam_from_obj)

    placed = [Body(obj_id, cam_from_obj)]
    radius = models[obj_id].diameter / 2
    (middle,) = apply(cam_from_obj, models[obj_id].box.mean(axis=0)[None])
    others = {i: m for i, m in [*models.items(), *stage.distractors.items()] if i != obj_id}
    for chance, towards in ((config.occluder_chance, -1), (config.distractor_chance, 1)):
        if clutter_rng.random() >= chance:
            continue
        other, stretch, box, size = draw_distractor(others, models[obj_id].diameter, clutter_rng)
        gap = radius + size / 2
        nearest = min(0.25, middle[2] / 2)
        depth = max(middle[2] + towards * gap * clutter_rng.uniform(0.8, 1.3), nearest)
        angle, reach = clutter_rng.uniform(0, 2 * np.pi), clutter_rng.uniform(0.35, 0.9)
        shifted = pixel + side * reach * np.array([np.cos(angle), np.sin(angle)])
        R, ray = random_rotation(clutter_rng), np.linalg.inv(full.K) @ [*shifted, 1.0]
        t = depth * ray - R @ box.mean(axis=0)
        placed.append(Body(other, rigid(R, t), annotated=False, stretch=stretch))
    return camera, placed


def upright(stage: Stage, pose_rng: np.random.Generator) -> tuple[Camera, list[Body]]:
    """Several objects upright on a plane, apart from one another; the camera looks at them."""
    models, chosen = stage.models, choose_objects(stage, pose_rng)
    boxes = [models[i].box for i in chosen]
    radii = np.array([np.linalg.norm(np.ptp(box, axis=0)[:2]) / 2 for box in boxes])

    def fits(i: int, center: np.ndarray, centers: Sequence[np.ndarray]) -> bool:
        gaps = (np.linalg.norm(center - c) - r for c, r in zip(centers, radii, strict=False))
        return all(gap > radii[i] for gap in gaps)

    centers = scatter(pose_rng, radii, fits)
    centers -= centers.mean(axis=0)
    R = facing(stage, view_matrix(*view_angles(stage.config, pose_rng)))
    reach = (np.linalg.norm(centers, axis=1) + radii).max()
    corners = np.concatenate([_ring(reach, 0.0), _ring(reach, max(b[1, 2] for b in boxes))])
    depth = view_distance(stage, pose_rng, corners @ R.T)
    cam_from_table = rigid(R, [*(stage.aim * depth), depth])
    placed = []
    for obj_id, box, center in zip(chosen, boxes, centers, strict=True):
        spin = Rotation.from_euler("z", pose_rng.uniform(0, 360), degrees=True).as_matrix()
        foot = np.append(box[:, :2].mean(axis=0), box[0, 2])
        table_from_obj = rigid(spin, [*center, 0.0] - spin @ foot)
        placed.append(Body(obj_id, cam_from_table @ table_from_obj))
    return stage.camera, placed


def choose_objects(stage: Stage, rng: np.random.Generator) -> list[int]:
    """The annotated objects of a full frame; none twice while others are left."""
    count = int(rng.integers(*stage.config.objects_per_frame, endpoint=True))
    return rng.choice(stage.obj_ids, count, replace=count > len(stage.obj_ids)).tolist()


def facing(stage: Stage, R: np.ndarray) -> np.ndarray:
    """A (3, 3) camera from object, turned so that the object shows the same side where the camera
    is aimed as it would on the optical axis."""
    if not stage.aim.any():
        return R
    ray = np.append(stage.aim, 1.0)
    turn, _ = Rotation.align_vectors([ray / np.linalg.norm(ray)], [[0.0, 0.0, 1.0]])
    return turn.as_matrix() @ R


def sheared(stage: Stage, points: np.ndarray) -> np.ndarray:
    """(n, 2) offsets of (n, 3) points about a target from the line that the camera looks along."""
    return points[:, :2] - stage.aim * points[:, 2:]


def view_distance(stage: Stage, rng: np.random.Generator, points: np.ndarray) -> float:
    """The depth of what the camera looks at: drawn, or so that (n, 3) points about it, along the
    camera's axes, fill the frame, also where they would reach the camera; metres."""
    depth = asked_distance(stage, rng, points)
    if depth is not None:
        return depth
    zoom = rng.uniform(*stage.config.zoom)
    # A point at (x, z) stays within a part 1 / zoom of the frame if x zoom <= (z + d) tan(half).
    offsets = np.abs(sheared(stage, points))
    return float((zoom * offsets / half_field(stage) - points[:, 2:]).max())


def asked_distance(stage: Stage, rng: np.random.Generator, points: np.ndarray) -> float | None:
    """That depth as drawn; None where none is asked for, or points would reach the camera."""
    if stage.config.distance is None:
        return None
    depth = rng.uniform(*stage.config.distance) / float(np.linalg.norm([*stage.aim, 1.0]))
    return depth if depth + points[:, 2].min() > CLEAR * depth else None


def half_field(stage: Stage) -> np.ndarray:
    """(2,) tangents of the angles from where the camera is aimed to the frame's nearest borders."""
    K, size = stage.camera.K, np.array(stage.size)
    center = size / 2 if stage.aim.any() else K[:2, 2] + 0.5
    return np.minimum(center, size - center) / np.diag(K)[:2]


def _placed_at(
    stage: Stage,
    rng: np.random.Generator,
    model: ObjectModel,
    camera: Camera,
    pixel: np.ndarray,
) -> np.ndarray:
    """cam_from_obj with the centre of the object's box seen at a pixel, from a random side."""
    config = stage.config
    ray = np.linalg.inv(camera.K) @ [*pixel, 1.0]
    ray /= np.linalg.norm(ray)
    # Turn the optical axis to the ray, so that the object shows the drawn side wherever it is.
    turn, _ = Rotation.align_vectors([ray], [[0.0, 0.0, 1.0]])
    views = stage.views.get(model.obj_id)
    if views is None:
        R = turn.as_matrix() @ view_matrix(*view_angles(config, rng))
    else:
        R = turn.as_matrix() @ near_view(views, config.views_deg, rng)
    nearest, farthest = config.distance or np.multiply(CROP_DISTANCE, model.diameter)
    return rigid(R, rng.uniform(nearest, farthest) * ray - R @ model.box.mean(axis=0))


def _crop_camera(stage: Stage, rng, full: Camera, model: ObjectModel, cam_from_obj: np.ndarray):
    """The square crop around the projected box, and the box's longer half side in pixels."""
    corners = full.project(apply(cam_from_obj, box_corners(model.box)))
    low, high = corners.min(axis=0), corners.max(axis=0)
    side = (high - low).max()
    scale = min(stage.size) / (side * rng.uniform(*stage.config.zoom))
    middle = (np.array(stage.size) - 1) / 2
    crop_from_image = np.column_stack([np.eye(2) * scale, middle - scale * (low + high) / 2])
    return full.crop(crop_from_image, *stage.size), side / 2


def _ring(radius: float, height: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn), np.full(16, height)])
