"""What moves the bundled hand's skin: weights, pose and shape directions. Millimetres."""

import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve

from assets.hand_skeleton import flexion_axes, joints
from render.hand.model import FINGERS
from render.transforms import rodrigues

HEAT = 1.0  # how fast a bone heats the skin around it; less is softer
BEND = np.radians(np.arange(-30, 111, 10))  # over which pose directions are fitted

SIZE_STEP, STEP = 0.06, 0.05  # what one unit of a shape coefficient changes, as a share
SHAPE = (
    "size",
    *(f"{finger} length" for finger in FINGERS),
    *(f"{finger} thickness" for finger in FINGERS),
    "palm width",
)


def bones() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments that skin follows: starts (n, 3), ends (n, 3), and the joint that moves each (n,).

    The wrist moves the forearm and the metacarpals of the four fingers.
    """
    places, tips = joints()
    forearm = np.array([0.0, -80.0, -3.0])
    starts, ends, owners = [forearm], [places[0]], [0]
    for i in range(len(FINGERS)):
        chain = [places[0], *places[1 + 3 * i : 4 + 3 * i], tips[i]]
        for k in range(4):
            starts.append(chain[k])
            ends.append(chain[k + 1])
            owners.append(0 if k == 0 else 3 * i + k)
    return np.array(starts), np.array(ends), np.array(owners)


def skinning_weights(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 16) weights: heat that flows from each joint's bones through the skin, in equilibrium.

    Baran and Popovic, "Automatic Rigging and Animation of 3D Characters", SIGGRAPH 2007, section 4.
    """
    starts, ends, owners = bones()
    distance = _segment_distances(vertices, starts, ends)
    # Rounded, so that of bones as near, as on either side of a joint, the first is the nearest on
    # every processor.
    nearest = owners[distance.round(6).argmin(axis=1)]
    stiffness, area = _cotangent_laplacian(vertices, faces)
    heat = area * HEAT / distance.min(axis=1) ** 2
    target = heat[:, None] * (nearest[:, None] == np.arange(16))
    weights = spsolve((stiffness + diags_array(heat)).tocsc(), target)
    weights = np.where(weights < 0.005, 0, weights)  # what is left far away
    return weights / weights.sum(axis=1, keepdims=True)


def pose_directions(vertices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, 3, 135) corrections that keep bent joints from growing thin.

    Linear skinning takes a point with share s of a bend straight towards where the whole bend would
    take it, and so nearer to the joint. These directions let it turn by s of the angle instead, at
    its distance; fitted for bends about the flexion axes, and nothing for bends square to them.
    """
    places, axes = joints()[0], flexion_axes()
    sine, versine = np.sin(BEND), 1 - np.cos(BEND)
    solve = np.linalg.pinv(np.stack([sine, versine], axis=1))  # (2, angles)
    directions = np.zeros((len(vertices), 3, 15, 9))
    for joint in range(1, 16):
        share = weights[:, joint : joint + 3 - (joint - 1) % 3].sum(axis=1)
        moved = np.flatnonzero((share > 0.02) & (share < 0.98))
        offsets, share = vertices[moved] - places[joint], share[moved]
        needed = np.stack([_correction(offsets, share, angle * axes[joint]) for angle in BEND])
        by_sine, by_versine = np.einsum("ka,anc->knc", solve, needed)

        # Products with R - I that give the sine and the versine of a turn about the axis, the first
        # 0 for any turn about an axis square to it, and so the second.
        a = axes[joint]
        cross = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
        directions[moved, :, joint - 1] = by_sine[..., None] * cross.reshape(9) / 2
        directions[moved, :, joint - 1] += by_versine[..., None] * (
            np.outer(a, a) - np.eye(3) / 2
        ).reshape(9)
    return directions.reshape(len(vertices), 3, -1)


def _correction(offsets: np.ndarray, share: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(N, 3) moves after which skinning by `turn` (3,) takes points to a share (N,) of the turn."""
    wanted = (rodrigues(share[:, None] * turn) @ offsets[..., None])[..., 0]
    mix = np.eye(3) + share[:, None, None] * (rodrigues(turn) - np.eye(3))
    return np.linalg.solve(mix, wanted[..., None])[..., 0] - offsets


def shape_directions(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What one unit of each of SHAPE moves points by: (N, 3, 12).

    Args:
        points: (N, 3) of the skin, or joints. weights: (N, 16), how they follow the joints.
    """
    directions = np.zeros((len(points), 3, len(SHAPE)))
    directions[..., 0] = SIZE_STEP * points
    places, tips = joints()
    for i in range(len(FINGERS)):
        chain = np.array([*places[1 + 3 * i : 4 + 3 * i], tips[i]])
        for k in range(3):
            share = weights[:, 1 + 3 * i + k, None]
            bone = chain[k + 1] - chain[k]
            along = np.clip((points - chain[k]) @ bone / (bone @ bone), 0, 1)[:, None] * bone
            directions[..., 1 + i] += STEP * share * (chain[k] - chain[0] + along)
            directions[..., 6 + i] += STEP * share * (points - chain[k] - along)
    directions[..., 11] = STEP * _palm_widening(points, weights)
    return directions


def _palm_widening(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, 3) moves of a palm twice as wide: fingers go along as they are, the forearm stays."""
    across = np.array([1.0, 0.0, 0.0])
    palm = np.clip((points[:, 1] + 20) / 60, 0, 1)
    moves = (weights[:, 0] * palm * points[:, 0])[:, None] * across
    for i in range(len(FINGERS)):
        share = weights[:, 1 + 3 * i : 4 + 3 * i].sum(axis=1)
        moves = moves + share[:, None] * joints()[0][1 + 3 * i] * across
    return moves


def _segment_distances(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(N, n) distances of points to segments."""
    axes = ends - starts
    offsets = points[:, None] - starts
    along = np.clip((offsets * axes).sum(axis=2) / (axes**2).sum(axis=1), 0, 1)
    return np.linalg.norm(offsets - along[..., None] * axes, axis=2)


def _cotangent_laplacian(vertices: np.ndarray, faces: np.ndarray) -> tuple[coo_array, np.ndarray]:
    """Stiffness matrix (V, V), positive semi-definite, and a third of the area around (V,)."""
    count, rows, columns, values = len(vertices), [], [], []
    area = np.zeros(count)
    for k in range(3):
        i, j, o = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        u, v = vertices[i] - vertices[o], vertices[j] - vertices[o]
        twice_area = np.linalg.norm(np.cross(u, v), axis=1)
        weight = (u * v).sum(axis=1) / twice_area / 2
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-weight, -weight, weight, weight]
        area += np.bincount(i, twice_area / 6, count)
    indices = np.concatenate(rows), np.concatenate(columns)
    return coo_array((np.concatenate(values), indices), (count, count)), area
