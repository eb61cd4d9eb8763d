"""What a network is trained to read from a crop, and what its reader must know to use it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from render import plain
from render.camera import Camera
from render.errors import InputError
from render.formats.nyu import JOINTS
from render.mesh.box import box_corners
from render.mesh.mesh import SYMMETRIES
from render.mesh.names import title_of
from train.options import MOST_SURFACE_POINTS

NO_POINTS = np.zeros((0, 3))
NO_POINTS.setflags(write=False)


@dataclass(frozen=True, eq=False)
class ObjectInfo:
    """The 8 corners of an object's box, and points of its surface, in a colour crop.

    box: (2, 3) corners, metres, object frame. surface: (n, 3) likewise. camera: of the real frames
    it was trained on, for images that come without one; None where it saw no real frame.
    symmetries: those that count, as models_info.json has them (mm); None where there are none, or a
    checkpoint does not say. called: what people call it; empty where it has a number alone.
    """

    obj_id: int
    box: np.ndarray
    camera: Camera | None = None
    symmetries: dict[str, Any] | None = None
    called: str = ""
    surface: np.ndarray = field(default_factory=lambda: NO_POINTS)

    kind: ClassVar[str] = "object"
    channels: ClassVar[int] = 3  # of a crop

    @property
    def points(self) -> np.ndarray:
        """(8 + n, 3) what is read, metres, object frame: the box's corners, then the surface's."""
        return np.concatenate([box_corners(self.box), self.surface])

    @property
    def outputs(self) -> int:
        """Numbers that the network gives: x and y of each point."""
        return 2 * (8 + len(self.surface))

    @property
    def name(self) -> str:
        """For messages that tell networks apart."""
        on_it = f" with {len(self.surface)} surface points" if len(self.surface) else ""
        return f"object {self.obj_id}{on_it}"

    @property
    def title(self) -> str:
        """What lines call it."""
        return title_of(self.obj_id, self.called)

    @property
    def settings(self) -> dict[str, Any]:
        """What of it decides the result of a training; train.surface_points stands beside it."""
        return {"object": self.obj_id} | self._symmetries

    def record(self) -> dict[str, Any]:
        """As plain data; `from_record` takes it back."""
        camera = None if self.camera is None else [self.camera.K.tolist(), *self.camera.size]
        found = {"obj_id": self.obj_id, "box": self.box.tolist(), "camera": camera}
        if len(self.surface):
            found["surface"] = self.surface.tolist()
        return found | self._symmetries | self.names

    @property
    def names(self) -> dict[str, str]:
        """What records say of its name; nothing where it has none."""
        return {"name": self.called} if self.called else {}

    @property
    def _symmetries(self) -> dict[str, Any]:
        return {} if self.symmetries is None else {"symmetries": self.symmetries}

    @classmethod
    def from_record(cls, record: dict[str, Any], where: str) -> "ObjectInfo":
        """Undo `record`; InputError for one that is damaged, by the words for where it stands."""
        _OBJECT(record, where)
        camera = record.get("camera") and _camera(record["camera"], f"{where}.camera")
        box, called = np.array(record["box"]), record.get("name", "")
        surface = np.array(record.get("surface", []), np.float64).reshape(-1, 3)
        return cls(record["obj_id"], box, camera, record.get("symmetries"), called, surface)


@dataclass(frozen=True)
class HandInfo:
    """Joints of a hand, in a depth crop.

    joints: which of nyu.JOINTS, by their indices, in the order of the outputs.
    """

    joints: tuple[int, ...]

    kind: ClassVar[str] = "hand"
    channels: ClassVar[int] = 1  # of a crop

    @property
    def outputs(self) -> int:
        """Numbers that the network gives: x, y, z of each joint."""
        return 3 * len(self.joints)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{len(self.joints)} joints of a hand"

    title = name

    @property
    def settings(self) -> dict[str, Any]:
        """What of it decides the result of a training."""
        return self.record()

    def record(self) -> dict[str, Any]:
        """As plain data; `from_record` takes it back."""
        return {"joints": list(self.joints)}

    @classmethod
    def from_record(cls, record: dict[str, Any], where: str) -> "HandInfo":
        """Undo `record`; InputError for one that is damaged, by the words for where it stands."""
        return cls(tuple(_HAND(record, where)["joints"]))


Target = ObjectInfo | HandInfo

_JOINT = plain.whole(0, len(JOINTS) - 1)
_HAND = plain.record({"joints": plain.list_of(_JOINT, most=len(JOINTS), least=1)})
_CAMERA = plain.list_of(lambda part, where: part, most=3, least=3)
_OBJECT = plain.record(
    {"obj_id": plain.whole(), "box": plain.array(2, 3)},
    {
        "camera": plain.optional(_CAMERA),
        "symmetries": SYMMETRIES,
        "name": plain.text,
        "surface": plain.list_of(plain.array(3), most=MOST_SURFACE_POINTS),
    },
)


def _camera(parts: Sequence[Any], where: str) -> Camera:
    K, *size = parts
    plain.array(3, 3)(K, where)
    for side in size:
        plain.whole(1, 1 << 20)(side, where)
    try:
        return Camera(np.array(K), *size)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
