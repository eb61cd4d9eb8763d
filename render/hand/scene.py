"""(config, seed, frame id) -> SceneSpec of a hand: every random choice of a hand's image.

A hand is placed by a frame that all hand models have: x across the palm, y to the fingertips, z out
of the back of the hand.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from render.camera import Camera
from render.config import option
from render.errors import InputError
from render.formats.nyu import CAMERA
from render.hand.contact import HandCapsules
from render.hand.fits import read_gestures
from render.hand.model import HandModel, mirrored, shaped
from render.hand.pose import HandAngles, hand_angles, palm_frame, pose_from_angles
from render.hand.props import draw_forearm, draw_person, draw_wall, hand_props
from render.hand.sample import draw_angles
from render.hand.solve import relaxed
from render.mesh.mesh import Mesh
from render.scene.spec import Placed, Posture, SceneSpec, rows
from render.sensor.config import DEFAULT_SENSOR, SensorConfig, draw_sensors
from render.transforms import apply, rigid, rodrigues

Range = tuple[float, float]

HAND, OTHER_HAND = 1, 2  # obj_id of the annotated hand, and of its person's other one
# Of streams; those of objects begin at 0, and both may be drawn for one frame.
PURPOSES = {name: 40 + i for i, name in enumerate(("place", "hand", "around", "other", "sensor"))}
LARGEST_SHAPE = 2.5  # standard deviations: farther from the mean no hand is drawn
BEHIND, ASIDE, ABOVE = (0.08, 0.30), (0.15, 0.30), 0.10  # metres: where the other hand is
UPRIGHT = np.diag([-1.0, -1.0, 1.0])  # camera from hand: fingers up, the palm to the camera


@dataclass(frozen=True)
class HandSceneConfig:
    """Ranges of everything random in a hand's image; a range is drawn from uniformly.

    The defaults of distance, place and direction span what NYU's test labels show.
    """

    distance: Range = option((0.5, 1.1), "From the camera to the palm, m", minimum=0.3)
    place: float = option(
        0.4, "Palm off the middle, share of the image's half sides, up to", minimum=0, maximum=1
    )
    tilt_deg: float = option(
        90.0,
        "How far fingers are off the vertical at most, degrees; never away from the camera",
        minimum=0,
        maximum=180,
    )
    twist_deg: Range = option(
        (-150.0, 60.0),
        "Turn about the forearm, degrees; 0: the palm to the camera, 180 or -180: its back",
        minimum=-180,
        maximum=180,
    )
    bend: Range = option(
        (0.3, 1.0),
        "Share of the joints' limits that gestures keep to, from the relaxed hand on; each frame's"
        " own",
        minimum=0,
        maximum=1,
    )
    poses: str | None = option(
        None,
        "Bend and turn the annotated hand nearly as real ones, instead: the folder of a split of"
        " twins, which `pair --real nyu` made",
    )
    shape: tuple[float, ...] = option((), "Shape coefficients of the mean hand; none: zeros")
    shape_spread: float = option(
        0.8, "Spread of the shape from frame to frame, standard deviations", minimum=0, maximum=2
    )
    forearm_chance: float = option(1.0, "Chance of a forearm behind the hand", minimum=0, maximum=1)
    body_chance: float = option(
        0.7, "Chance of a body and head behind the hand", minimum=0, maximum=1
    )
    wall_chance: float = option(0.5, "Chance of a wall behind all", minimum=0, maximum=1)
    second_chance: float = option(
        0.3, "Chance of the person's other hand in view", minimum=0, maximum=1
    )
    joints: Literal["all", "evaluated"] = option(
        "all", "nyu: which joints are annotated, NYU's 36 or the 14 evaluated ones"
    )
    images: Literal["both", "alone"] = option(
        "both", "nyu: both depth and synthdepth, or synthdepth, the hand alone, in a third the time"
    )


class HandRandomizer:
    """Draws scenes of a hand; the same (seed, frame id) gives the same scene, in whatever order.

    meshes: what a Rasterizer needs to draw them, by obj_id.
    """

    def __init__(
        self,
        config: HandSceneConfig,
        model: HandModel,
        seed: int,
        sensor: SensorConfig = DEFAULT_SENSOR,
        camera: Camera = CAMERA,
    ) -> None:
        """
        Args:
            model: the hand that is annotated, as HAND.
            sensor: ranges of the cameras.
            camera: what looks at it.

        Raises:
            InputError: the mean shape has not as many coefficients as the model, or the real poses
                are not there or of another hand.
        """
        if config.shape and len(config.shape) != model.shape_size:
            raise InputError(
                f"hand_scene.shape: the hand {model.name} has {model.shape_size} coefficients, got"
                f" {len(config.shape)}"
            )
        self.config, self.model, self.seed = config, model, seed
        self.sensor_config, self.camera = sensor, camera
        self.hands = {HAND: model, OTHER_HAND: mirrored(model)}
        self.angles = {obj_id: hand_angles(hand) for obj_id, hand in self.hands.items()}
        self.real = None if config.poses is None else read_gestures(Path(config.poses), model)
        self.meshes: dict[int, Mesh | HandModel] = {**self.hands, **hand_props()}

    def scene(self, frame_id: int) -> SceneSpec:
        """The scene of one frame; its first object is the annotated hand."""
        rng = {
            purpose: np.random.default_rng([self.seed, frame_id, number])
            for purpose, number in PURPOSES.items()
        }
        config, around = self.config, rng["around"]
        # All is drawn for every frame, so that one chance shifts nothing of another.
        arm, other_arm, person, wall = around.spawn(4)
        has_arm, has_other, has_body, has_wall = around.random(4) < (
            config.forearm_chance,
            config.second_chance,
            config.body_chance,
            config.wall_chance,
        )
        palm = self._palm(rng["place"])
        shape = self._shape(rng["hand"])
        hand = self._hand(HAND, rng["hand"], palm, shape)
        objects = [hand]
        if has_arm:
            objects.append(self._forearm(arm, hand))
        if has_other:
            side = rng["other"].choice([-1.0, 1.0])
            away = [side * rng["other"].uniform(*ASIDE), rng["other"].uniform(-ABOVE, ABOVE)]
            palm_too = palm + [*away, rng["other"].uniform(*BEHIND)]
            other = self._hand(OTHER_HAND, rng["other"], palm_too, shape)
            objects += [replace(other, annotated=False), self._forearm(other_arm, other)]
        if has_body:
            objects += draw_person(person, palm)
        if has_wall:
            objects.append(draw_wall(wall, palm))
        color, depth = draw_sensors(self.sensor_config, rng["sensor"])
        camera = self.camera
        return SceneSpec(
            rows(camera.K), camera.size, tuple(objects), sensor=color, depth_sensor=depth
        )

    def _palm(self, rng: np.random.Generator) -> np.ndarray:
        """(3,) where the middle of the palm is, metres, camera frame."""
        size = np.array(self.camera.size)
        pixel = (size - 1) / 2 + self.config.place * rng.uniform(-1, 1, 2) * size / 2
        ray = np.linalg.solve(self.camera.K, [*pixel, 1.0])
        return rng.uniform(*self.config.distance) * ray

    def _shape(self, rng: np.random.Generator) -> np.ndarray:
        """(S,) coefficients."""
        config, size = self.config, self.model.shape_size
        mean = np.array(config.shape) if config.shape else np.zeros(size)
        away = np.clip(rng.standard_normal(size), -LARGEST_SHAPE, LARGEST_SHAPE)
        return mean + config.shape_spread * away

    def _hand(
        self, obj_id: int, rng: np.random.Generator, palm: np.ndarray, shape: np.ndarray
    ) -> Placed:
        """A random gesture, turned at random, with its palm at (3,)."""
        capsules = HandCapsules(self.hands[obj_id], shape)
        if self.real is not None and obj_id == HAND:
            angles, turned = self.real.draw(rng, self.angles[obj_id], capsules)
        else:
            angles = self._gesture(obj_id, rng, capsules)
            turned = direction(self._turn(rng))
        return self._posed(obj_id, angles, shape, (palm, turned))

    def _gesture(self, obj_id: int, rng: np.random.Generator, capsules: HandCapsules) -> np.ndarray:
        """(D,) angles, radians."""
        limited = _within(self.angles[obj_id], rng.uniform(*self.config.bend))
        return draw_angles(rng, limited, capsules, 1)[0]

    def _turn(self, rng: np.random.Generator) -> np.ndarray:
        """(3,) radians: how far fingers turn about x and z, after a turn about the forearm."""
        tilt = np.arccos(rng.uniform(np.cos(np.radians(self.config.tilt_deg)), 1))
        # Fingers turn about an axis in the plane of x and z, down which they do not lean away from
        # the camera: there the forearm would hide the hand.
        towards = rng.uniform(-np.pi / 2, np.pi / 2)
        twist = np.radians(rng.uniform(*self.config.twist_deg))
        return np.array([tilt * np.cos(towards), tilt * np.sin(towards), twist])

    def _posed(
        self,
        obj_id: int,
        angles: np.ndarray,
        shape: np.ndarray,
        cam_from_palm: tuple[np.ndarray, np.ndarray],
    ) -> Placed:
        """A hand of (D,) angles.

        Args:
            cam_from_palm: where the middle of its palm is (3,), and the rotation of `palm_frame`.
        """
        posture = Posture.of(pose_from_angles(self.angles[obj_id], angles[None])[0], shape)
        palm, turned = cam_from_palm
        middle, R = palm_frame(self.hands[obj_id], shape)
        R = turned @ R.T
        return Placed(obj_id, rows(rigid(R, palm - R @ middle)), posture=posture)

    def _forearm(self, rng: np.random.Generator, hand: Placed) -> Placed:
        assert hand.posture is not None
        model, shape = self.hands[hand.obj_id], np.array(hand.posture.shape)
        _, R = palm_frame(model, shape)
        vertices, joints = (arrays[0] for arrays in shaped(model, shape[None]))
        wrist_from_hand = rigid(R.T, -R.T @ joints[0])
        return draw_forearm(rng, apply(wrist_from_hand, vertices), hand.matrix, wrist_from_hand)


def direction(turn: np.ndarray) -> np.ndarray:
    """(3, 3) rotation to the camera from the frame of the palm."""
    lean_x, lean_z, twist = turn
    lean = rodrigues(np.array([lean_x, 0, lean_z]))
    return lean @ rodrigues(np.array([0, twist, 0])) @ UPRIGHT


def _within(hand: HandAngles, share: float) -> HandAngles:
    """The angles with limits that are drawn this near to the relaxed hand."""
    calm = relaxed(hand)
    return replace(
        hand, lower=calm + share * (hand.lower - calm), upper=calm + share * (hand.upper - calm)
    )
