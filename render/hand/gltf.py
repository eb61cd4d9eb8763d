"""A rigged glTF 2.0 hand -> HandModel, where its joints are named as WebXR's.

Joint names: WebXR Hand Input Module, https://www.w3.org/TR/webxr-hand-input-1/. Its 25 joints
become the 16 of `render.hand.model.JOINTS`: the metacarpals of the four fingers stay rigid with the
wrist, and the tips with the joints before them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from render.errors import InputError
from render.hand.gltf_asset import Asset
from render.hand.layout import find_side, find_tips
from render.hand.model import FINGERS, PARENTS, HandModel
from render.mesh.gltf.node import from_columns
from render.plain import clipped
from render.transforms import apply

SIZE_STEP = 0.06  # how much larger one unit of the only shape coefficient makes the hand
FARTHEST = 1e3  # metres from the origin, and no number that overflows later
COLOR = (214, 164, 138)


def webxr_joints() -> dict[str, int]:
    """WebXR's joint names, and which of our joints moves what each of them moves."""
    joints = {"wrist": 0}
    for i, finger in enumerate(FINGERS):
        thumb = finger == "thumb"
        prefix = finger if thumb else f"{finger}-finger"
        middle = () if thumb else ("phalanx-intermediate",)
        names = ("metacarpal", "phalanx-proximal", *middle, "phalanx-distal", "tip")
        first = 3 * i + 1
        moved_by = (*(() if thumb else (0,)), first, first + 1, first + 2, first + 2)
        joints |= zip((f"{prefix}-{name}" for name in names), moved_by, strict=True)
    return joints


def read_gltf_hand(path: Path) -> HandModel:
    """Read the first skinned mesh of a .glb or .gltf file, in the pose and place it is bound in.

    Its one shape coefficient is the size, about the wrist.

    Raises:
        InputError: the file is damaged, holds no skinned triangle mesh, or lacks a joint.
    """
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused
            return _read(path, Asset(path))
    except (ValueError, np.linalg.LinAlgError) as error:
        raise InputError(
            f"{path}: damaged, or not a rigged glTF 2.0 hand ({clipped(error)})"
        ) from None


def _read(path: Path, asset: Asset) -> HandModel:
    nodes = asset.items("nodes")
    skinned = [node for node in nodes if "skin" in node and "mesh" in node]
    if not skinned:
        raise InputError(f"{path}: no skinned mesh; a rigged hand was expected")
    skin = asset.item("skins", skinned[0]["skin"])
    numbers = [asset.index(joint, nodes, "joint") for joint in asset.listed(skin, "joints")]
    names = [str(nodes[joint].get("name", "")).lower() for joint in numbers]
    missing = [n for n in webxr_joints() if n not in names and not n.endswith("-tip")]
    if missing:
        raise InputError(f"{path}: no joint named {missing[0]}; WebXR's joint names were expected")

    bound = asset.array(skin.get("inverseBindMatrices"), "MAT4")
    if len(bound) != len(names):
        raise ValueError(f"{len(bound)} inverseBindMatrices for {len(names)} joints")
    mesh_from_joint = np.linalg.inv(from_columns(bound))
    wrist = names.index("wrist")
    scene_from_joint = asset.scene_from_node(numbers[wrist])
    scene_from_mesh = scene_from_joint @ np.linalg.inv(mesh_from_joint[wrist])
    joints = _joints(names, apply(scene_from_mesh, mesh_from_joint[:, :3, 3]))

    vertices, weights, faces = _skinned_mesh(asset, skinned[0]["mesh"], names)
    vertices = apply(scene_from_mesh, vertices.astype(np.float64))
    if not (np.abs(vertices) < FARTHEST).all() or not (np.abs(joints) < FARTHEST).all():
        raise ValueError("its joints and vertices are placed where nothing can be")
    if np.linalg.det(scene_from_mesh[:3, :3]) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    tips = find_tips(vertices, joints, weights)
    return HandModel(
        name=path.stem,
        side=find_side(joints, vertices[tips]),
        vertices=vertices,
        faces=faces,
        joints=joints,
        parents=np.array(PARENTS),
        weights=weights,
        tips=tips,
        shape_directions=SIZE_STEP * (vertices - joints[0])[..., None],
        joint_directions=SIZE_STEP * (joints - joints[0])[..., None],
        pose_directions=None,
        colors=np.tile(np.array(COLOR, np.uint8), (len(vertices), 1)),
    )


def _skinned_mesh(
    asset: Asset, number: Any, names: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), weights (V, 16) and faces (F, 3) of the first part of a mesh."""
    primitives = asset.listed(asset.item("meshes", number), "primitives")
    primitive = asset.item_of(primitives, 0, "primitive")
    if primitive.get("mode", 4) != 4:
        raise ValueError("its mesh is not of triangles")
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict):
        raise ValueError("its mesh has no attributes")
    vertices = asset.array(attributes.get("POSITION"), "VEC3")
    indices = asset.array(attributes.get("JOINTS_0"), "VEC4")
    shares = asset.array(attributes.get("WEIGHTS_0"), "VEC4")
    corners = asset.array(primitive.get("indices"), "SCALAR")
    if not len(vertices) == len(indices) == len(shares):
        raise ValueError("POSITION, JOINTS_0 and WEIGHTS_0 are not of the same vertices")
    if not len(vertices) or not len(corners) or len(corners) % 3:
        raise ValueError("its mesh has no vertices, or no triangles")
    for what, found, count in (("vertex", corners, len(vertices)), ("joint", indices, len(names))):
        if found.dtype.kind != "u" or found.max() >= count:
            raise ValueError(f"it names a {what} {found.max()}; they are 0 to {count - 1}")
    if shares.min() < 0 or not (shares.sum(axis=1) > 0).all():
        raise ValueError("WEIGHTS_0 are negative, or all 0 of a vertex")
    faces = corners.reshape(-1, 3).astype(np.int32)
    return vertices, _weights(names, indices, shares), faces


def _joints(names: list[str], places: np.ndarray) -> np.ndarray:
    """(16, 3): of the file's joints that one of ours moves along, the first says where it is."""
    joints = np.zeros((len(PARENTS), 3))
    for name, joint in reversed(webxr_joints().items()):
        if name in names:
            joints[joint] = places[names.index(name)]
    return joints


def _weights(names: list[str], indices: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(V, 16) from the file's four (V, 4) indices and shares a vertex."""
    moved_by = webxr_joints()
    joint = np.array([moved_by.get(name, 0) for name in names])
    weights = np.zeros((len(indices), len(PARENTS)))
    np.add.at(weights, (np.arange(len(indices))[:, None], joint[indices]), shares)
    return weights / weights.sum(axis=1, keepdims=True)
