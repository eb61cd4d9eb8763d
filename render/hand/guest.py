"""A hand among the objects of a scene: where it is, and what scene_hand.json says of it.

BOP's files show it as an object: HAND_ID, at cam_from_hand, its mesh in `models` that of the rest
pose. How it is bent and shaped stands in scene_hand.json beside them: image id -> a list of

    gt_id: its place in scene_gt.json
    side: "right" or "left"
    joints_cam_mm: 21 x (x, y, z), `render.hand.model.POINTS`, camera frame
    pose: 16 rotation vectors, radians, and shape: coefficients, as `render.hand.model.pose_hand`
        takes them
    model: of the hand, as `render.hand.file.load_hand` takes it
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.formats.bop_records import numbers, parse_integer
from render.hand.model import POINTS, HandModel, pose_hand
from render.hand.pose import palm_frame
from render.hand.scene import HandRandomizer, HandSceneConfig
from render.hand.skin import HandSkin
from render.mesh.mesh import ObjectModel, models_info_record, object_model
from render.scene.props import TABLES
from render.scene.spec import Posture, SceneSpec, rows
from render.transforms import apply, rigid

HAND_ID = 999_999  # the last that fits BOP's file names; `render` refuses objects of this id
HAND_FILE = "scene_hand.json"
PURPOSE = 50  # of the stream that says where the hand is; no other has this number
GAP = (0.02, 0.10)  # metres from the sphere around an object to the middle of the palm
TOWARDS = (0.1, 0.7)  # share of that direction which points to the camera
ABOVE = 0.12  # metres: the palm is that far above a table at least
NEAREST = 0.25  # metres from the camera to the palm
TRIES = 10  # of a place


class HandGuest:
    """Adds a hand to scenes of objects, over or beside one of them.

    It is not kept from touching them, or a table: fingers may reach into what they are next to.
    """

    def __init__(
        self,
        model: HandModel,
        config: HandSceneConfig,
        models: Mapping[int, ObjectModel],
        seed: int,
    ) -> None:
        """
        Args:
            config: its gestures, shapes and directions; what of it is of places and of what stands
                around a hand is not looked at.
            models: the annotated objects.

        Raises:
            InputError: an object has the hand's id, or config does not fit the model.
        """
        if HAND_ID in models:
            raise InputError(f"{models[HAND_ID].source}: object {HAND_ID} is the hand's id")
        self.model, self._models, self._seed = model, models, seed
        self._hands = HandRandomizer(config, model, seed)
        mesh = HandSkin(model).mesh(None)
        self.object = object_model(HAND_ID, mesh, models_info_record(mesh), model.name)

    def join(self, spec: SceneSpec, frame_id: int) -> SceneSpec:
        """The scene with the hand as its last object, annotated."""
        hand = self._hands.scene(frame_id).objects[0]
        assert hand.posture is not None
        middle, _ = palm_frame(self.model, np.array(hand.posture.shape))
        palm = self._palm(spec, np.random.default_rng([self._seed, frame_id, PURPOSE]))
        R = hand.matrix[:3, :3]
        placed = replace(hand, obj_id=HAND_ID, cam_from_obj=rows(rigid(R, palm - R @ middle)))
        return replace(spec, objects=(*spec.objects, placed))

    def _palm(self, spec: SceneSpec, rng: np.random.Generator) -> np.ndarray:
        """(3,) metres, camera frame: the first place of some in the image, or the last of them."""
        for _ in range(TRIES):
            palm = self._beside(spec, rng)
            pixel = spec.camera.project(palm)
            if ((pixel >= 0) & (pixel <= np.array(spec.size) - 1)).all():
                break
        return palm

    def _beside(self, spec: SceneSpec, rng: np.random.Generator) -> np.ndarray:
        """(3,) metres, camera frame: beside an annotated object, not behind it, above a table."""
        annotated = [placed for placed in spec.objects if placed.annotated]
        target = annotated[int(rng.integers(len(annotated)))]
        model = self._models[target.obj_id]
        (center,) = apply(target.matrix, model.box.mean(axis=0)[None] * target.stretch)
        angle, towards = rng.uniform(0, 2 * np.pi), rng.uniform(*TOWARDS)
        aside = np.sqrt(1 - towards**2)
        direction = np.array([aside * np.cos(angle), aside * np.sin(angle), -towards])
        reach = max(target.stretch) * model.diameter / 2 + rng.uniform(*GAP)
        palm = center + reach * direction
        for table in spec.objects:
            if table.obj_id in TABLES:
                up, origin = table.matrix[:3, 2], table.matrix[:3, 3]
                palm = palm + max(0.0, ABOVE - float((palm - origin) @ up)) * up
        return palm * max(1.0, NEAREST / palm[2])


def hand_records(spec: SceneSpec, model: HandModel, source: str) -> list[dict[str, Any]]:
    """Records of scene_hand.json for one image; source: what the model was loaded from."""
    records = []
    annotated = [placed for placed in spec.objects if placed.annotated]
    for gt_id, placed in enumerate(annotated):
        if placed.posture is not None:
            points = posed(model, placed.matrix, placed.posture)
            records.append(
                {
                    "gt_id": gt_id,
                    "side": model.side,
                    "joints_cam_mm": (1000 * points).round(4).tolist(),
                    "pose": placed.posture.pose,
                    "shape": placed.posture.shape,
                    "model": source,
                }
            )
    return records


def posed(model: HandModel, cam_from_hand: np.ndarray, posture: Posture) -> np.ndarray:
    """(21, 3) metres, camera frame: `render.hand.model.POINTS` of a hand."""
    pose, shape = np.array([posture.pose]), np.array([posture.shape])
    return pose_hand(model, pose, shape, cam_from_hand[None])[1][0]


def parse_hand(record: Any, model: HandModel, where: str) -> tuple[int, Posture, np.ndarray]:
    """Gt id, posture and (21, 3) joints in metres of a record of scene_hand.json.

    Raises:
        InputError: it is malformed, or of another hand than the model.
    """
    if record.get("side") != model.side:
        raise InputError(f"{where}: side is {record.get('side')!r}, but the model is {model.side}")
    pose = numbers(record, "pose", 3 * len(model.joints), where).reshape(-1, 3)
    shape = numbers(record, "shape", model.shape_size, where)
    joints_mm = numbers(record, "joints_cam_mm", 3 * len(POINTS), where).reshape(-1, 3)
    return parse_integer(record, "gt_id", where), Posture.of(pose, shape), joints_mm / 1000


def scene_hand_path(scene_dir: Path) -> Path:
    """Where a scene's hands are described."""
    return scene_dir / HAND_FILE
