"""What stands around a hand in its images: forearms, the body they belong to, a wall."""

from functools import cache

import numpy as np

from render.mesh.mesh import Mesh
from render.scene.spec import Material, Placed, rows
from render.transforms import invert, rigid, rodrigues

FOREARM, BALL, WALL = -101, -102, -103  # ids that neither objects nor render/scene/props.py have
SKIN, WALL_COLOR = (205, 160, 135), (190, 190, 185)

LENGTH = (0.20, 0.28)  # metres of forearm in view
ELBOW = 1.5  # how much thicker than the wrist it becomes
BENT_DEG = (25.0, 12.0)  # that a wrist bends at most towards the palm or back, and sideways
STUB = 0.012  # metres at the end of a hand, whose outline the forearm goes on with
TORSO, HEAD = np.array([0.40, 0.70, 0.24]), np.array([0.16, 0.22, 0.20])  # metres, axes
BODY_BEHIND = (0.20, 0.60)  # metres that the chest is behind the palm
WALL_BEHIND = (0.35, 1.20)  # metres
CLOTHES = Material((0.3, 0.4, 0.6))


@cache
def hand_props() -> dict[int, Mesh]:
    """The meshes by id. A forearm of radius 1 at its wrist, in the origin, 1 long down the y axis;
    a ball of diameter 1 and a square wall of side 1 around the origin, the wall in z = 0.
    """
    import trimesh  # where hands are drawn and not before: it takes a third of a second

    steps = np.linspace(0, np.pi / 2, 5)
    cap = np.stack([np.sin(steps), 0.06 * np.cos(steps)], axis=1)  # radius, height
    profile = np.concatenate([cap, [[ELBOW, -0.9], [0, -1.0]]])[::-1]
    forearm = trimesh.creation.revolve(profile, sections=32)
    forearm.vertices = forearm.vertices[:, [0, 2, 1]] * [-1, 1, 1]  # revolved about z
    wall = trimesh.Trimesh(
        [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], [[0, 2, 1], [0, 3, 2]]
    )
    return {
        FOREARM: _mesh(forearm, SKIN),
        BALL: _mesh(trimesh.creation.icosphere(4, 0.5), SKIN),
        WALL: _mesh(wall, WALL_COLOR),
    }


def draw_forearm(
    rng: np.random.Generator,
    skin: np.ndarray,
    cam_from_hand: np.ndarray,
    wrist_from_hand: np.ndarray,
) -> Placed:
    """A forearm that goes on where a hand ends, bent a little.

    Args:
        skin: (V, 3) of the unbent hand in the frame of its wrist: y to the fingertips, z out of
            the back of the hand; metres.
    """
    end = skin[:, 1].min()
    stub = skin[skin[:, 1] < end + STUB]
    low, high = stub.min(axis=0), stub.max(axis=0)
    x, _, z = ((low + high) / 2).tolist()
    to_palm, aside = np.radians(rng.uniform(-1, 1, 2) * BENT_DEG)
    wrist_from_arm = rigid(rodrigues(np.array([to_palm, 0, aside])), [x, end, z])
    cam_from_arm = cam_from_hand @ invert(wrist_from_hand) @ wrist_from_arm
    wide, _, thick = ((high - low) / 2).tolist()
    stretch = (wide, rng.uniform(*LENGTH), thick)
    return Placed(FOREARM, rows(cam_from_arm), stretch=stretch, annotated=False)


def draw_person(rng: np.random.Generator, palm: np.ndarray) -> list[Placed]:
    """Chest and head of who holds a hand up at (3,), behind it."""
    z = palm[2] + rng.uniform(*BODY_BEHIND) + TORSO[2] / 2
    chest = np.array([*rng.uniform(-0.2, 0.2, 2), z])
    head = chest + [rng.uniform(-0.05, 0.05), -TORSO[1] / 2 - 0.08, 0]
    return [
        Placed(BALL, rows(rigid(np.eye(3), place)), material, tuple(size), annotated=False)
        for place, size, material in (
            (chest, TORSO.tolist(), CLOTHES),
            (head, HEAD.tolist(), Material()),
        )
    ]


def draw_wall(rng: np.random.Generator, palm: np.ndarray) -> Placed:
    """A wall behind a hand at (3,), turned a little, larger than what is in view."""
    turn = rodrigues(np.radians(rng.uniform(-15, 15, 3)))
    place = [0, 0, palm[2] + rng.uniform(*WALL_BEHIND)]
    return Placed(WALL, rows(rigid(turn, place)), stretch=(8.0, 8.0, 1.0), annotated=False)


def _mesh(mesh, color: tuple[int, int, int]) -> Mesh:
    return Mesh(
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        normals=mesh.vertex_normals.astype(np.float32),
        colors=np.tile(np.array(color, np.uint8), (len(mesh.vertices), 1)),
    )
