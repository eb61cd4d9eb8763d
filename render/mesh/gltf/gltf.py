"""glTF 2.0 files, .gltf and .glb -> the triangles of their scene, in the scene's frame.

Shapes are those of the file at rest: skins in the pose of their joints' nodes, morph targets by
their default weights; animations, cameras and lights are not looked at. Format: glTF 2.0, 3.7.
"""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from render.input_file import read_bytes
from render.mesh.gltf.accessor import Accessors
from render.mesh.gltf.file import GltfFile, extension, member, objects, whole
from render.mesh.gltf.material import Materials
from render.mesh.gltf.node import Nodes, bend
from render.mesh.gltf.primitive import (
    TRIANGLES,
    Geometry,
    morph_targets,
    triangles,
    used_vertices,
)
from render.mesh.part import PLAIN, Part, check, uniform
from render.mesh.repair import Mended, mend_part
from render.transforms import apply

log = logging.getLogger(__name__)

DRACO = "KHR_draco_mesh_compression"


def read_gltf(path: Path) -> list[Part]:
    """All triangle meshes of a file's scene.

    Raises:
        InputError: the file needs what is not read here, or names a file that is not there.
        ValueError: it is damaged.
    """
    return _Reader(GltfFile(path, read_bytes(path))).parts()


class _Reader:
    """Makes parts of a file's primitives."""

    def __init__(self, file: GltfFile) -> None:
        self._file = file
        self._accessors = Accessors(file)
        self._materials = Materials(file)
        self._nodes = Nodes(file, self._accessors)
        self._mended = Mended()
        self._repeated: Counter[str] = Counter()  # how many nodes draw a mesh
        self._shapes: dict[tuple, tuple[Part, Geometry] | None] = {}

    def parts(self) -> list[Part]:
        """Of all nodes, each primitive as often as it is drawn."""
        parts, passed_over = [], False
        drawn = self._nodes.drawn()
        self._repeated = Counter(str(self._nodes.nodes[i]["mesh"]) for i in drawn)
        for i in drawn:
            node = self._nodes.nodes[i]
            mesh = self._file.entry("meshes", node["mesh"])
            for place, primitive in enumerate(objects(mesh, "primitives")):
                if whole(primitive.get("mode", TRIANGLES), "mode of a primitive", below=7) < 4:
                    passed_over = True
                elif (shape := self._shape(node, mesh, place, primitive)) is not None:
                    parts += self._placed(i, *shape)
        self._mended.say(self._file.path)
        if parts and passed_over:
            log.info("%s: has points and lines, which are not drawn", self._file.path)
        return parts

    def _placed(self, i: int, part: Part, geometry: Geometry) -> list[Part]:
        """A part in all places where node `i` draws it."""
        node = self._nodes.nodes[i]
        if "skin" in node:
            # The transform of the node itself does not count.
            return [_bent(part, bend(self._nodes.joints(node["skin"]), *geometry.weights()))]
        copies = self._nodes.copies(i)
        self._file.unpack(len(copies) * (2 * part.vertices.size + part.faces.size))
        return [_moved(part, scene_from_mesh) for scene_from_mesh in copies]

    def _shape(
        self, node: dict, mesh: dict, place: int, primitive: dict
    ) -> tuple[Part, Geometry] | None:
        """A primitive in its mesh's frame, made once for all nodes; None where it has no faces."""
        targets = morph_targets(node, mesh, primitive)
        key = (node["mesh"], place, *(weight for weight, _ in targets))
        if key in self._shapes:
            return self._shapes[key]
        attributes = member(primitive, "attributes", dict)
        if "POSITION" not in attributes:
            raise ValueError("a primitive without positions")
        packed = not self._accessors.has_data(attributes["POSITION"])
        if packed and extension(primitive, DRACO) is not None:
            self._file.refuse(DRACO)
        shape, corners = None, self._corners(primitive)
        if len(corners):
            rows, faces = used_vertices(corners, self._accessors.count(attributes["POSITION"]))
            geometry = Geometry(self._accessors, attributes, rows, targets)
            part = self._painted(geometry, faces, primitive.get("material"))
            shape = mend_part(part, self._mended), geometry
        if self._repeated[str(node["mesh"])] > 1:
            self._shapes[key] = shape
        return shape

    def _corners(self, primitive: dict) -> np.ndarray:
        """(m, 3) numbers of the vertices of each triangle."""
        count = len(self._accessors.values(primitive["attributes"]["POSITION"], ("VEC3",)))
        if "indices" in primitive:
            order = self._accessors.values(primitive["indices"], ("SCALAR",))
            if order.dtype.kind != "u":
                raise ValueError("indices that are not unsigned")
            self._file.unpack(order.size)
            order = order.astype(np.int64)
            if len(order) and order.max() >= count:
                raise ValueError(f"faces name vertex {order.max()}, there are {count}")
        else:
            self._file.unpack(count)
            order = np.arange(count)
        return triangles(order, primitive.get("mode", TRIANGLES))

    def _painted(self, geometry: Geometry, faces: np.ndarray, number: Any) -> Part:
        """A primitive in its mesh's frame, with its colours and texture."""
        vertices = geometry.get("POSITION", ("VEC3",))
        check(vertices, faces)
        colors = geometry.colors()
        if number is None:
            colors = uniform(PLAIN, vertices) if colors is None else colors
            return Part(vertices, faces, geometry.normals(), colors)
        material = self._materials.get(number, geometry)
        part = Part(
            vertices,
            faces,
            geometry.normals(),
            material.vertex_colors(colors, len(vertices)),
            opacity=material.opacity(geometry),
            finish=material.finished(geometry, len(vertices)),
        )
        if material.texture is None:
            return part
        texture, uv = material.texture.laid_out(geometry)
        if part.opacity is None and texture.shape[2] == 4:
            texture = np.ascontiguousarray(texture[..., :3])
        return replace(part, uv=uv, texture=texture)


def _moved(part: Part, scene_from_mesh: np.ndarray) -> Part:
    """A part moved by one (4, 4) transform."""
    with np.errstate(over="ignore", invalid="ignore"):  # vertices are checked below
        scale = np.linalg.det(scene_from_mesh[:3, :3])
        vertices = apply(scene_from_mesh, part.vertices)
    if scale == 0:
        raise ValueError("a node that flattens its mesh")
    check(vertices, part.faces)
    return replace(
        part,
        vertices=vertices,
        # A mirrored part would be inside out.
        faces=part.faces[:, ::-1] if scale < 0 else part.faces,
        # Normals move with the inverse transpose.
        normals=part.normals @ np.linalg.inv(scene_from_mesh[:3, :3]),
    )


def _bent(part: Part, scene_from_mesh: np.ndarray) -> Part:
    """A part whose vertices are moved each by its own of (n, 4, 4) transforms."""
    A, t = scene_from_mesh[:, :3, :3], scene_from_mesh[:, :3, 3]
    vertices = np.einsum("nij,nj->ni", A, part.vertices) + t
    check(vertices, part.faces)
    # The rows of the cofactors: the inverse transpose times the determinant.
    cofactors = np.stack([np.cross(A[:, i - 2], A[:, i - 1]) for i in range(3)], axis=1)
    scale = np.einsum("nj,nj->n", A[:, 0], cofactors[:, 0])
    if not scale.any():
        raise ValueError("a skin that flattens its mesh")
    normals = np.einsum("nij,nj->ni", cofactors, part.normals) * np.sign(scale)[:, None]
    mirrored = scale[part.faces].sum(axis=1) < 0
    faces = np.where(mirrored[:, None], part.faces[:, ::-1], part.faces)
    return replace(part, vertices=vertices, faces=faces, normals=normals)
