"""The vertices and triangles of one primitive of a glTF file, at rest.

Format: glTF 2.0, 3.7.2 (meshes, morph targets).
"""

import numpy as np

from render.mesh.gltf.accessor import Accessors
from render.mesh.gltf.file import member, number, objects
from render.mesh.part import to_uint8

TRIANGLES, STRIP, FAN = 4, 5, 6


class Geometry:
    """What a primitive's vertices have, morphed; only of those that its faces use."""

    def __init__(
        self,
        accessors: Accessors,
        attributes: dict,
        rows: np.ndarray,
        targets: list[tuple[float, dict]],
    ) -> None:
        """
        Args:
            rows: numbers of the vertices, out of all that the accessors hold.
            targets: weight and attributes of each morph target.
        """
        self._accessors, self._attributes = accessors, attributes
        self._rows, self._targets = rows, targets
        self._count = accessors.count(attributes["POSITION"])

    def get(self, name: str, types: tuple[str, ...], normalized: bool = False) -> np.ndarray:
        """(n, width) float64; integers are normalised where their accessor says so."""
        values = self._floats(self._attributes, name, types, normalized)
        for weight, target in self._targets:
            if weight != 0 and name in target:
                delta = self._floats(target, name, types, normalized)
                if delta.shape != values.shape:
                    raise ValueError(f"a morph target whose {name} is of another type")
                values = values + weight * delta
        return values

    def has(self, name: str) -> bool:
        return name in self._attributes

    def normals(self) -> np.ndarray:
        """(n, 3), zero where the file has none."""
        missing = not self.has("NORMAL")
        return np.zeros((len(self._rows), 3)) if missing else self.get("NORMAL", ("VEC3",))

    def colors(self) -> np.ndarray | None:
        """(n, 3) uint8, as they are displayed."""
        if not self.has("COLOR_0"):
            return None
        colors = self.get("COLOR_0", ("VEC3", "VEC4"), normalized=True)[:, :3]
        if not np.isfinite(colors).all():
            raise ValueError("vertex colours that are NaN or infinite")
        return to_uint8(colors.astype(np.float32), np.dtype(np.float32))

    def alphas(self) -> np.ndarray:
        """(n,) opacity of the colours, 0..1; 1 where they have none."""
        if not self.has("COLOR_0"):
            return np.ones(len(self._rows))
        colors = self.get("COLOR_0", ("VEC3", "VEC4"), normalized=True)
        if not np.isfinite(colors).all():
            raise ValueError("vertex colours that are NaN or infinite")
        return np.ones(len(colors)) if colors.shape[1] == 3 else np.clip(colors[:, 3], 0, 1)

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, k) joints that move each vertex, and how much."""
        joints: list[np.ndarray] = []
        weights: list[np.ndarray] = []
        while self.has(f"JOINTS_{len(joints)}"):
            values = self._floats(self._attributes, f"JOINTS_{len(joints)}", ("VEC4",), False)
            shares = self.get(f"WEIGHTS_{len(joints)}", ("VEC4",), normalized=True)
            joints.append(values.astype(np.int64))
            weights.append(shares)
        if not joints:
            raise ValueError("a skinned mesh without JOINTS_0")
        return np.hstack(joints), np.hstack(weights)

    def _floats(
        self, attributes: dict, name: str, types: tuple[str, ...], normalized: bool
    ) -> np.ndarray:
        if name not in attributes:
            raise ValueError(f"a primitive without {name}")
        count = self._accessors.count(attributes[name])
        if count != self._count:
            raise ValueError(f"{count} elements of {name} for {self._count} vertices")
        return self._accessors.floats(attributes[name], types, self._rows, normalized)


def used_vertices(corners: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of `count` vertices (m, 3) corners name, and the corners as numbers of those.

    The others are left out before they are read: primitives may share long arrays.
    """
    if count > 4 * corners.size:
        rows, faces = np.unique(corners, return_inverse=True)
        return rows, faces.reshape(corners.shape)
    used = np.zeros(count, bool)
    used[corners] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[corners]


def morph_targets(node: dict, mesh: dict, primitive: dict) -> list[tuple[float, dict]]:
    """The morph targets of a primitive, with the weights that node or mesh gives them."""
    targets = objects(primitive, "targets")
    weights = member(node if "weights" in node else mesh, "weights", list, [0] * len(targets))
    if targets and len(weights) != len(targets):
        raise ValueError(f"{len(weights)} weights for {len(targets)} morph targets")
    return [
        (number({"weight": weight}, "weight", 0), target)
        for weight, target in zip(weights, targets, strict=bool(targets))
    ]


def triangles(order: np.ndarray, mode: int) -> np.ndarray:
    """(m, 3) corners of the triangles, strip or fan of these (n,) vertices."""
    if mode == TRIANGLES:
        if len(order) % 3:
            raise ValueError(f"triangles of {len(order)} corners")
        return order.reshape(-1, 3)
    if mode == FAN:
        first = np.full(max(len(order) - 2, 0), order[0] if len(order) else 0)
        return np.column_stack([order[1:-1], order[2:], first])
    strip = np.column_stack([order[:-2], order[1:-1], order[2:]])
    strip[1::2] = strip[1::2, ::-1]  # every other one is wound the other way
    return strip
