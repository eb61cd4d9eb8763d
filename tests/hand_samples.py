"""Small hands for tests."""

import numpy as np

from assets.hand_skeleton import joints
from render.hand.model import PARENTS, HandModel

CORNERS = np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64
)
OCTAHEDRON = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)


def stick_hand() -> HandModel:
    """The bundled skeleton, an 8 mm octahedron rigid to each joint and one at each fingertip.

    Two shape coefficients: 10 % larger, and fingers 10 % longer than the palm.
    """
    places, tips = (points / 1000 for points in joints())
    centers = np.concatenate([places, tips])
    owner = np.array([*range(16), 3, 6, 9, 12, 15])
    vertices = (centers[:, None] + 0.004 * CORNERS).reshape(-1, 3)
    knuckle = np.array([0, *np.repeat([1, 4, 7, 10, 13], 3)])
    reach = (vertices - np.repeat(places[knuckle[owner]], 6, axis=0)) * np.repeat(owner > 0, 6)[
        :, None
    ]
    return HandModel(
        name="stick",
        side="right",
        vertices=vertices,
        faces=(OCTAHEDRON + 6 * np.arange(21)[:, None, None]).reshape(-1, 3).astype(np.int32),
        joints=places,
        parents=np.array(PARENTS),
        weights=np.repeat(np.eye(16)[owner], 6, axis=0),
        tips=6 * np.arange(16, 21) + 2,
        shape_directions=0.1 * np.stack([vertices, reach], axis=-1),
        joint_directions=0.1 * np.stack([places, places - places[knuckle]], axis=-1),
        pose_directions=None,
        colors=np.full((len(vertices), 3), 200, np.uint8),
    )


def as_mano(hand: HandModel) -> dict[str, np.ndarray]:
    """A hand in the arrays of MANO's files, with a regressor that finds its joints."""
    known = np.column_stack([hand.vertices, np.ones(len(hand.vertices))])
    wanted = np.column_stack([hand.joints, np.ones(len(hand.joints))])
    regressor = np.linalg.lstsq(known.T, wanted.T, rcond=None)[0].T
    bent = hand.pose_directions
    return {
        "v_template": hand.vertices,
        "f": hand.faces,
        "J_regressor": regressor,
        "kintree_table": np.array([np.array(PARENTS) % 2**32, range(16)]),
        "weights": hand.weights,
        "shapedirs": hand.shape_directions,
        "posedirs": np.zeros((len(hand.vertices), 3, 135)) if bent is None else bent,
    }
