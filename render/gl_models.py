"""All that a rasteriser can draw: meshes with their levels of detail, hands in any posture."""

from collections.abc import Mapping, Sequence

import moderngl

from render.draw_records import NEAR, Bounds, View, mesh_corners
from render.gl_context import Programs
from render.gl_hand import DrawnHand
from render.gl_mesh import DrawnMesh
from render.hand import HandModel
from render.hand_skin import HandSkin
from render.level_of_detail import Level, allowed_error
from render.mesh import Mesh


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
        self._levels: dict[int, list[tuple[float, DrawnMesh]]] = {}

    def upload(self, context: moderngl.Context, programs: Programs) -> None:
        """Copy all of them into a context.

        Raises:
            InputError: a texture is larger than the device allows.
            ValueError: a mesh has no faces.
        """
        for i, skin in self.hands.items():
            self._drawn[i] = DrawnHand(context, skin, programs)
        for i, mesh in self._rigid.items():
            self._drawn[i] = DrawnMesh(context, mesh, programs)
        for i, levels in self._coarser.items():
            drawn = [DrawnMesh(context, level.mesh, programs, level.closed) for level in levels]
            self._levels[i] = [(lv.error, mesh) for lv, mesh in zip(levels, drawn, strict=True)]

    def forget(self) -> None:
        """Let the postures of hands in memory make room for others."""
        for drawn in self._drawn.values():
            drawn.forget()

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
        if depth > NEAR and min(placed.stretch) > 0:
            allowed = allowed_error(view.camera, depth) / max(placed.stretch)
            for error, mesh in reversed(self._levels.get(placed.obj_id, ())):
                if error < allowed:
                    return mesh
        return self._drawn[placed.obj_id].posed(placed.posture)
