"""The nodes of a glTF file: which of them are drawn, where, and how skins bend their meshes.

Format: glTF 2.0, 3.5 (scenes, nodes), 3.7.3 (skins); EXT_mesh_gpu_instancing, KHR_node_visibility.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from render.mesh.gltf.accessor import Accessors
from render.mesh.gltf.file import GltfFile, extension, member, vector, whole

IDENTITY = (1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
LAST_ROW = np.array([0.0, 0, 0, 1])
ROUNDING = 1e-4  # by which a last row may be off


class Nodes:
    """The nodes of a file, by number.

    nodes: as JSON has them. scene_from_node: (4, 4) of each.
    """

    def __init__(self, file: GltfFile, accessors: Accessors) -> None:
        self._file, self._accessors = file, accessors
        self.nodes = [file.entry("nodes", i) for i in range(len(file.entries("nodes")))]
        self._children = [self._numbers(node, "children") for node in self.nodes]
        self._roots = self._find_roots()
        self.scene_from_node = self._place()

    def drawn(self) -> list[int]:
        """Nodes of the file's scene that have a mesh.

        By their names, as the datasets of before were drawn.
        """
        visited, found, left = set(), [], list(self._scene_roots())
        while left:
            i = left.pop()
            if i in visited:
                continue
            visited.add(i)
            node = self.nodes[i]
            if not (extension(node, "KHR_node_visibility") or {}).get("visible", True):
                continue
            left += self._children[i]
            if "mesh" in node:
                found.append(i)
        return sorted(found, key=lambda i: (str(self.nodes[i].get("name", i)), i))

    def copies(self, i: int) -> list[np.ndarray]:
        """scene_from_mesh, (4, 4), of each time that a node draws its mesh."""
        instancing = extension(self.nodes[i], "EXT_mesh_gpu_instancing")
        if instancing is None:
            return [self.scene_from_node[i]]
        attributes = member(instancing, "attributes", dict)
        given = {
            name: self._accessors.floats(attributes[name], (kind,))
            for name, kind in (("TRANSLATION", "VEC3"), ("ROTATION", "VEC4"), ("SCALE", "VEC3"))
            if name in attributes
        }
        counts = {len(values) for values in given.values()}
        if len(counts) != 1:
            raise ValueError("EXT_mesh_gpu_instancing whose attributes differ in number")
        count = counts.pop()
        node_from_copy = _compose(
            given.get("TRANSLATION", np.zeros((count, 3))),
            given.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1))),
            given.get("SCALE", np.ones((count, 3))),
        )
        return list(self.scene_from_node[i] @ node_from_copy)

    def joints(self, skin: Any) -> np.ndarray:
        """(j, 4, 4) scene_from_mesh of each joint of a skin, in the pose that the file rests in."""
        entry = self._file.entry("skins", skin)
        joints = self._numbers(entry, "joints")
        if not joints:
            raise ValueError(f"skin {skin} has no joints")
        scene_from_joint = np.stack([self.scene_from_node[i] for i in joints])
        if "inverseBindMatrices" not in entry:
            return scene_from_joint
        columns = self._accessors.floats(entry["inverseBindMatrices"], ("MAT4",))
        if len(columns) < len(joints):
            raise ValueError(f"skin {skin} binds {len(columns)} of its {len(joints)} joints")
        return scene_from_joint @ from_columns(columns[: len(joints)])

    def _find_roots(self) -> list[int]:
        """Nodes that no other has as a child; ValueError where one has two parents."""
        parents: dict[int, int] = {}
        for parent, children in enumerate(self._children):
            for child in children:
                if child in parents:
                    raise ValueError(f"node {child} is a child twice; nodes must form a tree")
                parents[child] = parent
        return [i for i in range(len(self.nodes)) if i not in parents]

    def _scene_roots(self) -> Iterable[int]:
        """Roots of the scene that is shown first; of all there is where the file has no scene."""
        if not self._file.entries("scenes"):
            return self._roots
        scene = self._file.entry("scenes", self._file.json.get("scene", 0))
        return self._numbers(scene, "nodes")

    def _numbers(self, entry: dict, name: str) -> list[int]:
        """Numbers of nodes that an entry gives."""
        given = member(entry, name, list, [])
        return [whole(i, f"a node of {name}", below=len(self.nodes)) for i in given]

    def _place(self) -> list[np.ndarray]:
        """scene_from_node of all nodes; ValueError on nodes in a circle."""
        placed: dict[int, np.ndarray] = {}
        left = [(i, np.eye(4)) for i in self._roots]
        while left:
            i, scene_from_parent = left.pop()
            with np.errstate(over="ignore", invalid="ignore"):  # vertices are checked in the end
                placed[i] = scene_from_parent @ _parent_from_node(self.nodes[i])
            left += [(child, placed[i]) for child in self._children[i]]
        if len(placed) < len(self.nodes):
            circle = next(i for i in range(len(self.nodes)) if i not in placed)
            raise ValueError(f"node {circle} is below itself; nodes must form a tree")
        return [placed[i] for i in range(len(self.nodes))]


def bend(joints: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """scene_from_mesh of each vertex, (n, 4, 4): the weighted mean of those of its joints.

    Args:
        joints: (j, 4, 4) scene_from_mesh of each joint.
        indices, weights: (n, k), the joints that move a vertex and how much.
    """
    indices = np.where(weights == 0, 0, indices)
    if not np.isfinite(weights).all() or (weights.sum(axis=1) <= 0).any():
        raise ValueError("skinned vertices whose weights are not finite, or sum to 0")
    if len(indices) and indices.max() >= len(joints):
        raise ValueError(f"vertices of joint {indices.max()}; their skin has {len(joints)} joints")
    weights = weights / weights.sum(axis=1, keepdims=True)
    scene_from_mesh = np.zeros((len(indices), 4, 4))
    for joint, weight in zip(indices.T, weights.T, strict=True):
        scene_from_mesh += weight[:, None, None] * joints[joint]
    return scene_from_mesh


def from_columns(values: np.ndarray) -> np.ndarray:
    """(n, 4, 4) float64 of matrices stored column by column, (n, 16) or any shape of as many.

    Raises:
        ValueError: the last row of one is not 0 0 0 1, as where it is stored row by row.
    """
    matrices = values.reshape(-1, 4, 4).swapaxes(1, 2).astype(np.float64)
    wrong = ~(np.abs(matrices[:, 3] - LAST_ROW) <= ROUNDING).all(axis=1)
    if wrong.any():
        row = " ".join(f"{number:.4g}" for number in matrices[wrong][0, 3])
        raise ValueError(
            f"a matrix whose last row is {row}, not 0 0 0 1; matrices are stored column by column"
        )
    matrices[:, 3] = LAST_ROW
    return matrices


def _parent_from_node(node: dict) -> np.ndarray:
    """(4, 4) of a node: its matrix, or translation, rotation and scale."""
    if "matrix" in node:
        return from_columns(vector(node, "matrix", IDENTITY))[0]
    if node.keys().isdisjoint(("translation", "rotation", "scale")):
        return np.eye(4)
    return _compose(
        vector(node, "translation", (0.0, 0, 0))[None],
        vector(node, "rotation", (0.0, 0, 0, 1))[None],
        vector(node, "scale", (1.0, 1, 1))[None],
    )[0]


def _compose(t: np.ndarray, quaternions: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(n, 4, 4) that scale, then turn by quaternions (x, y, z, w), then move."""
    q = quaternions[:, [3, 0, 1, 2]]
    squared = (q * q) @ np.ones(4)
    if not (np.isfinite(squared) & (squared > 0)).all():
        raise ValueError("a rotation that is no quaternion")
    q = q * np.sqrt(2 / squared)[:, None]
    _, xx, yy, zz = ((q[:, i] * q.T).T for i in range(4))  # each times w, x, y and z
    R = [
        [1 - yy[:, 2] - zz[:, 3], xx[:, 2] - zz[:, 0], xx[:, 3] + yy[:, 0]],
        [xx[:, 2] + zz[:, 0], 1 - xx[:, 1] - zz[:, 3], yy[:, 3] - xx[:, 0]],
        [xx[:, 3] - yy[:, 0], yy[:, 3] + xx[:, 0], 1 - xx[:, 1] - yy[:, 2]],
    ]
    parent_from_node = np.tile(np.eye(4), (len(t), 1, 1))
    parent_from_node[:, :3, :3] = np.array(R).transpose(2, 0, 1) * scale[:, None]
    parent_from_node[:, :3, 3] = t
    return parent_from_node
