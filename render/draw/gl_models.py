"""All that a rasteriser can draw: meshes with their levels of detail, hands in any posture."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import moderngl
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from render.draw.gl_context import Programs
from render.draw.gl_hand import DrawnHand
from render.draw.gl_mesh import DrawnMesh
from render.draw.level import Level, allowed_error
from render.draw.records import Bounds, View, corners_of
from render.hand.model import HandModel
from render.hand.skin import HandSkin
from render.mesh.box import mesh_corners
from render.mesh.mesh import Mesh
from render.scene.spec import Placed
from render.transforms import apply


class DrawnModels:
    """Meshes and hands, by obj_id, in the memory of an OpenGL context once they are uploaded.

    hands: the hands among them. boxes: the bounds of each.
    """

    def __init__(
        self, meshes: Mapping[int, Mesh | HandModel], levels: Mapping[int, Sequence[Level]]
    ) -> None:
        self._rigid = {i: m for i, m in meshes.items() if isinstance(m, Mesh)}
        self._coarser = levels
        self.hands = {i: HandSkin(m) for i, m in meshes.items() if isinstance(m, HandModel)}
        self.boxes: dict[int, Bounds] = {i: skin.corners for i, skin in self.hands.items()}
        for i, mesh in self._rigid.items():
            self.boxes[i] = mesh_corners(mesh, *(level.mesh for level in levels.get(i, ())))
        self._drawn: dict[int, DrawnMesh | DrawnHand] = {}
        self._levels: dict[tuple[int, int], DrawnMesh] = {}
        self._hulls: dict[int, np.ndarray] = {}

    def upload(self, context: moderngl.Context, programs: Programs) -> None:
        """Copy all of them into a context; levels of detail follow when they are first drawn.

        Raises:
            InputError: a texture is larger than the device allows.
            ValueError: a mesh has no faces.
        """
        self._context, self._programs = context, programs
        for i, skin in self.hands.items():
            self._drawn[i] = DrawnHand(context, skin, programs)
        for i, mesh in self._rigid.items():
            self._drawn[i] = DrawnMesh(context, mesh, programs)

    def forget(self) -> None:
        """Let the postures of hands in memory make room for others."""
        for drawn in self._drawn.values():
            drawn.forget()

    def outline(self, placed: Placed) -> np.ndarray:
        """Points in whose convex hull a placed mesh lies: (n, 3), camera frame, metres."""
        if placed.obj_id not in self._rigid:
            return apply(placed.matrix, corners_of(placed, self.boxes))
        if placed.obj_id not in self._hulls:
            self._hulls[placed.obj_id] = self._hull(placed.obj_id)
        return apply(placed.matrix, self._hulls[placed.obj_id] * np.array(placed.stretch))

    def _hull(self, obj_id: int) -> np.ndarray:
        levels = self._coarser.get(obj_id, ())
        meshes = [self._rigid[obj_id], *(level.mesh for level in levels)]
        points = np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float64)
        try:
            return points[ConvexHull(points).vertices]
        except QhullError:  # they are flat
            return mesh_corners(*meshes)

    def seen(self, view: View) -> list[DrawnMesh]:
        """For each of `view.placed` the coarsest mesh that is good enough."""
        return [self._choose(view, i) for i in range(len(view.placed))]

    def casters(self, view: View) -> list[DrawnMesh]:
        """What casts the shadows of each of `view.spec.objects`, seen or not.

        It is what is seen: a surface must not lie in the shadow of a finer one.
        """
        chosen = {placed: self._choose(view, i) for i, (placed, _) in enumerate(view.placed)}
        return [
            chosen.get(placed) or self._drawn[placed.obj_id].posed(placed.posture)
            for placed in view.spec.objects
        ]

    def _choose(self, view: View, i: int) -> DrawnMesh:
        placed, depth = view.placed[i][0], float(view.corners[i, :, 2].min())
        # Of what the near plane cuts open, or is turned inside out, the backs of faces are seen.
        if depth > view.spec.near and min(placed.stretch) > 0:
            allowed = allowed_error(view.camera, depth) / max(placed.stretch)
            levels = self._levels_of(placed.obj_id, view.spec.environment is not None)
            for k in reversed(range(len(levels))):
                if levels[k].error < allowed:
                    return self._level(placed.obj_id, k)
        return self._drawn[placed.obj_id].posed(placed.posture)

    def _levels_of(self, obj_id: int, physical: bool) -> Sequence[Level]:
        """A mesh's levels; in an environment none, if they cannot show its finish."""
        finish = self._rigid[obj_id].finish if obj_id in self._rigid else None
        if physical and finish is not None and finish.everywhere(1) is None:
            return ()
        return self._coarser.get(obj_id, ())

    def _level(self, obj_id: int, k: int) -> DrawnMesh:
        """The k-th level of a mesh, in the context's memory from its first call on."""
        if (obj_id, k) not in self._levels:
            level, finish = self._coarser[obj_id][k], self._rigid[obj_id].finish
            mesh = level.mesh
            if finish is not None:
                mesh = replace(mesh, finish=finish.everywhere(len(mesh.vertices)))
            drawn = DrawnMesh(self._context, mesh, self._programs, level.closed)
            self._levels[obj_id, k] = drawn
        return self._levels[obj_id, k]
