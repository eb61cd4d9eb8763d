"""A rigged glTF 2.0 hand -> HandModel, where its joints are named as WebXR's.

Joint names: WebXR Hand Input Module, https://www.w3.org/TR/webxr-hand-input-1/. Its 25 joints
become the 16 of `render.hand.model.JOINTS`: the metacarpals of the four fingers stay rigid with the
wrist, and the tips with the joints before them.
"""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from render.errors import InputError
from render.hand.layout import find_side, find_tips
from render.hand.model import FINGERS, PARENTS, HandModel
from render.transforms import apply

SIZE_STEP = 0.06  # how much larger one unit of the only shape coefficient makes the hand
COLOR = (214, 164, 138)

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


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
        return _read(path, _Asset(path))
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise InputError(f"{path}: damaged, or not a rigged glTF 2.0 hand ({error})") from None


class _Asset:
    """A glTF file: its JSON, and its arrays by the number of their accessor."""

    def __init__(self, path: Path) -> None:
        content, self._embedded, self._folder = path.read_bytes(), b"", path.parent
        if content[:4] == b"glTF":
            length = struct.unpack_from("<I", content, 12)[0]
            self._embedded = content[20 + length + 8 :]
            content = content[20 : 20 + length]
        self.json: dict[str, Any] = json.loads(content)

    def array(self, number: int) -> np.ndarray:
        """An accessor's values, (count,) or (count, width); normalised integers as floats."""
        accessor = self.json["accessors"][number]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise ValueError("sparse arrays are not read here")
        view = self.json["bufferViews"][accessor["bufferView"]]
        kind, width = np.dtype(_COMPONENTS[accessor["componentType"]]), _WIDTHS[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        values = np.ndarray(
            (accessor["count"], width),
            kind,
            self._buffer(view["buffer"]),
            start,
            (view.get("byteStride", width * kind.itemsize), kind.itemsize),
        )
        if accessor.get("normalized"):
            values = values / np.iinfo(kind).max
        return values[:, 0] if width == 1 else values

    def _buffer(self, number: int) -> bytes:
        uri = self.json["buffers"][number].get("uri")
        if uri is None:
            return self._embedded
        if uri.startswith("data:"):
            return base64.b64decode(uri.partition(",")[2])
        if not (self._folder / uri).is_file():
            raise InputError(f"{self._folder / uri}: no such file; a .gltf beside it names it")
        return (self._folder / uri).read_bytes()


def _read(path: Path, asset: _Asset) -> HandModel:
    nodes = asset.json["nodes"]
    skinned = [node for node in nodes if "skin" in node and "mesh" in node]
    if not skinned:
        raise InputError(f"{path}: no skinned mesh; a rigged hand was expected")
    skin = asset.json["skins"][skinned[0]["skin"]]
    names = [nodes[joint].get("name", "").lower() for joint in skin["joints"]]
    missing = [n for n in webxr_joints() if n not in names and not n.endswith("-tip")]
    if missing:
        raise InputError(f"{path}: no joint named {missing[0]}; WebXR's joint names were expected")

    mesh_from_joint = np.linalg.inv(_matrices(asset.array(skin["inverseBindMatrices"])))
    wrist = names.index("wrist")
    scene_from_joint = _scene_from_node(nodes, skin["joints"][wrist])
    scene_from_mesh = scene_from_joint @ np.linalg.inv(mesh_from_joint[wrist])
    joints = _joints(names, apply(scene_from_mesh, mesh_from_joint[:, :3, 3]))

    primitive = asset.json["meshes"][skinned[0]["mesh"]]["primitives"][0]
    attributes = {name: asset.array(i) for name, i in primitive["attributes"].items()}
    vertices = apply(scene_from_mesh, attributes["POSITION"].astype(np.float64))
    weights = _weights(names, attributes["JOINTS_0"], attributes["WEIGHTS_0"])
    faces = asset.array(primitive["indices"]).reshape(-1, 3).astype(np.int32)
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


def _matrices(values: np.ndarray) -> np.ndarray:
    """(n, 16) column by column -> (n, 4, 4)."""
    return values.reshape(-1, 4, 4).swapaxes(1, 2).astype(np.float64)


def _scene_from_node(nodes: list[dict], number: int) -> np.ndarray:
    """(4, 4) of a node: its own transform after those of its parents."""
    node = nodes[number]
    if "matrix" in node:
        parent_from_node = _matrices(np.array(node["matrix"]))[0]
    else:
        R = Rotation.from_quat(node.get("rotation", (0, 0, 0, 1))).as_matrix()
        parent_from_node = np.eye(4)
        parent_from_node[:3, :3] = R * node.get("scale", (1, 1, 1))
        parent_from_node[:3, 3] = node.get("translation", (0, 0, 0))
    for parent, other in enumerate(nodes):
        if number in other.get("children", ()):
            return _scene_from_node(nodes, parent) @ parent_from_node
    return parent_from_node
