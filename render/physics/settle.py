"""Bodies of convex pieces fall onto a floor, or into a bin, and come to rest: MuJoCo.

E. Todorov, T. Erez and Y. Tassa, "MuJoCo: a physics engine for model-based control", IROS 2012. It
works in lengths of the bodies' mean size, so that millimetres and metres behave alike.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render.transforms import rigid

log = logging.getLogger(__name__)

STEP = 0.004  # of time, s, where a body is one long: a fall of its size takes 110 of them
STEPS = 5000  # at most
LOOK = 50  # steps between two looks at whether all is still
STILL = 2e-3  # sizes a second: what moves less, over so many looks, is at rest
LOOKS = 3
FALLEN = 0.05  # sizes a second: what moves less, while something holds all together, has fallen
# Bodies keep so far apart, in sizes: softly, so that what presses on them never closes the gap.
APART = 0.002
STIFF = [0.01, 1.0]  # s, and share of critical damping, in which a contact yields
FRICTION = [0.8, 0.02, 0.01]  # sliding, turning and rolling, the latter two in sizes
DRAG = 0.5  # per second: share of its motion that a body loses to the air
# Of bodies a size across mass is at most 1, inertia a sixth; MuJoCo takes none of 1e-15 or less.
LIGHTEST = 1e-14
DEEPEST = 0.002  # sizes that pieces may reach into one another at the end
_SIDES = [(0, -1.0), (0, 1.0), (1, -1.0), (1, 1.0)]  # of a box: axis, and which way


@dataclass(frozen=True, eq=False)
class Box:
    """What stands fast: size (3,) along its axes and the (3,) middle of its lower face, metres."""

    size: np.ndarray
    foot: np.ndarray


def settle(
    bodies: Sequence[Sequence[np.ndarray]],
    starts: Sequence[np.ndarray],
    walls: Sequence[Box] = (),
    inside: tuple[float, float] | None = None,
    further: float = 0.0,
) -> list[np.ndarray] | None:
    """Let bodies fall onto the plane z = 0 until they are still.

    Args:
        bodies: of each the pieces' (n, 3) vertices in its own frame, metres.
        starts: of each its (4, 4) world_from_body; apart from one another.
        walls: what stands on the plane.
        inside: (width, length) around the origin that nothing leaves while it falls.
        further: seconds that are simulated after all is still.

    Returns:
        Of each its (4, 4) world_from_body, metres; None if they do not come to rest, or only by
        reaching into one another.

    Raises:
        ValueError: MuJoCo takes a body for none; its own words.
    """
    scale = float(np.mean([_size(pieces) for pieces in bodies]))
    world = _World(bodies, starts, walls, inside, scale)
    if inside is not None:
        world.run_until_still(FALLEN)
        world.let_out()
    if not world.run_until_still():
        return None
    world.run(int(further / np.sqrt(scale) / STEP))
    return world.poses() if world.depth() < DEEPEST else None


def _warned(text: str) -> None:
    log.debug("MuJoCo: %s", text)


class _World:
    """A simulation, in which a body of mean size is one long."""

    def __init__(
        self,
        bodies: Sequence[Sequence[np.ndarray]],
        starts: Sequence[np.ndarray],
        walls: Sequence[Box],
        inside: tuple[float, float] | None,
        scale: float,
    ) -> None:
        import mujoco

        # Its own writes a file into the folder that the user is in.
        mujoco.set_mju_user_warning(_warned)
        self._mujoco, self._scale = mujoco, scale
        spec = mujoco.MjSpec()
        spec.option.timestep, spec.option.cone = STEP, mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.compiler.boundmass = spec.compiler.boundinertia = LIGHTEST
        spec.option.impratio = 5  # lest what lies on a slope creeps
        self._add_ground(spec, walls, inside)
        for i, (pieces, start) in enumerate(zip(bodies, starts, strict=True)):
            self._add_body(spec, i, pieces, start)
        self._model = spec.compile()
        self._model.dof_damping[:] = DRAG * self._model.dof_M0
        self._data = mujoco.MjData(self._model)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._mujoco.mj_step(self._model, self._data)

    def run_until_still(self, slow: float = STILL) -> bool:
        """Whether all came to rest, or moves so slowly, within STEPS."""
        still = 0
        for _ in range(STEPS // LOOK):
            before = self._data.qpos.copy()
            self.run(LOOK)
            moved = float(np.abs(self._data.qpos - before).max()) / (LOOK * STEP)
            still = still + 1 if moved < slow else 0
            if self._is_lost():
                return False
            if still == LOOKS:
                return True
        return False

    def _is_lost(self) -> bool:
        """Whether a number was no number: MuJoCo then begins again."""
        kinds = self._mujoco.mjtWarning
        bad = (kinds.mjWARN_BADQPOS, kinds.mjWARN_BADQVEL, kinds.mjWARN_BADQACC)
        return any(self._data.warning[kind].number for kind in bad)

    def let_out(self) -> None:
        """Take away what kept bodies inside."""
        for i in range(self._model.ngeom):
            if self._model.geom(i).name.startswith("guard"):
                self._model.geom_contype[i] = self._model.geom_conaffinity[i] = 0

    def depth(self) -> float:
        """How far pieces reach into one another, in sizes."""
        self._mujoco.mj_forward(self._model, self._data)
        return max(0.0, *(-float(d) for d in self._data.contact.dist), 0.0)

    def poses(self) -> list[np.ndarray]:
        """(4, 4) world_from_body of each, metres."""
        found = []
        for position in self._data.qpos.reshape(-1, 7):
            w, x, y, z = position[3:]
            R = Rotation.from_quat([x, y, z, w]).as_matrix()
            found.append(rigid(R, position[:3] * self._scale))
        return found

    def _add_ground(
        self, spec: Any, walls: Sequence[Box], inside: tuple[float, float] | None
    ) -> None:
        kinds, world = self._mujoco.mjtGeom, spec.worldbody
        world.add_geom(type=kinds.mjGEOM_PLANE, size=[0, 0, 1], **_contact())
        for wall in walls:
            half = wall.size / 2 / self._scale
            middle = wall.foot / self._scale + [0, 0, half[2]]
            world.add_geom(type=kinds.mjGEOM_BOX, size=half, pos=middle, **_contact())
        for number, (axis, sign) in enumerate([] if inside is None else _SIDES):
            assert inside is not None
            inwards = -sign * np.eye(3)[axis]
            place = -inwards * inside[axis] / 2 / self._scale
            world.add_geom(
                name=f"guard{number}",
                type=kinds.mjGEOM_PLANE,
                size=[0, 0, 1],
                pos=place,
                quat=_facing(inwards),
                **_contact(),
            )

    def _add_body(
        self, spec: Any, number: int, pieces: Sequence[np.ndarray], start: np.ndarray
    ) -> None:
        x, y, z, w = Rotation.from_matrix(start[:3, :3]).as_quat()
        body = spec.worldbody.add_body(pos=start[:3, 3] / self._scale, quat=[w, x, y, z])
        body.add_freejoint()
        for i, piece in enumerate(pieces):
            mesh = spec.add_mesh(name=f"{number}_{i}")
            mesh.uservert = (piece / self._scale).ravel()
            kind = self._mujoco.mjtGeom.mjGEOM_MESH
            body.add_geom(type=kind, meshname=mesh.name, density=1.0, **_contact())


def _contact() -> dict[str, Any]:
    """How anything touches anything: each of two keeps half of the distance."""
    return {"margin": APART / 2, "condim": 6, "friction": FRICTION, "solref": STIFF}


def _facing(direction: np.ndarray) -> list[float]:
    """w, x, y, z of a turn of the z axis to a direction."""
    turn, _ = Rotation.align_vectors([direction], [[0.0, 0.0, 1.0]])
    x, y, z, w = turn.as_quat().tolist()
    return [w, x, y, z]


def _size(pieces: Sequence[np.ndarray]) -> float:
    """The longest side of what pieces fill, metres."""
    points = np.concatenate(list(pieces))
    return float(np.ptp(points, axis=0).max())
