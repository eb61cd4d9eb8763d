"""A hand's skin as a mesh to draw, by posture."""

from collections import OrderedDict

import numpy as np
from scipy.sparse import csr_array

from render.hand.model import HandModel, pose_hand
from render.mesh.box import mesh_corners
from render.mesh.mesh import Mesh
from render.scene.spec import Posture

KEPT = 512  # postures; what is drawn together is made once


class HandSkin:
    """The meshes of a hand model in its own frame; the last ones are kept."""

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self._faces = np.ascontiguousarray(model.faces.T, np.intp)
        self._face_sums = _face_sums(model)
        self._made: OrderedDict[Posture | None, tuple[Mesh, np.ndarray]] = OrderedDict()

    def mesh(self, posture: Posture | None) -> Mesh:
        """The bent and shaped hand; None is the template.

        Normals are the faces', weighted by area; vertices at one place share them.

        Raises:
            ValueError: the posture has another number of joints or shape coefficients.
        """
        return self._make(posture)[0]

    def points(self, posture: Posture | None) -> np.ndarray:
        """(21, 3) metres, in the hand's frame: joints and tips, `render.hand.model.POINTS`."""
        return self._make(posture)[1]

    def corners(self, posture: Posture | None) -> np.ndarray:
        """The 8 corners of the mesh's bounds: (8, 3) metres."""
        return mesh_corners(self.mesh(posture))

    def _make(self, posture: Posture | None) -> tuple[Mesh, np.ndarray]:
        if posture not in self._made:
            pose, shape = np.zeros((1, len(self.model.joints), 3)), np.zeros(self.model.shape_size)
            if posture is not None:
                pose, shape = np.array([posture.pose]), np.array(posture.shape)
            vertices, points = pose_hand(self.model, pose, shape[None], np.eye(4)[None])
            self._made[posture] = self._mesh(vertices[0]), points[0]
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        return self._made[posture]

    def _mesh(self, vertices: np.ndarray) -> Mesh:
        # np.take gathers ten times as fast as an index does.
        a, b, c = np.take(vertices, self._faces, axis=0)
        normals = self._face_sums @ np.cross(b - a, c - a)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return Mesh(
            vertices=vertices.astype(np.float32),
            faces=self.model.faces,
            normals=(normals / np.maximum(lengths, 1e-300)).astype(np.float32),
            colors=self.model.colors,
        )


def _face_sums(model: HandModel) -> csr_array:
    """(V, F) that adds up what the faces around each vertex have; seams are sewn up."""
    _, place = np.unique(model.vertices, axis=0, return_inverse=True)
    corners = place[model.faces].reshape(-1)
    faces = np.repeat(np.arange(len(model.faces)), 3)
    shape = int(place.max()) + 1, len(model.faces)
    return csr_array((np.ones(len(faces)), (corners, faces)), shape)[place]
