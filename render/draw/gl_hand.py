"""Hands as OpenGL draws them: each posture in vertex buffers of its own."""

import moderngl

from render.draw.gl_context import Programs
from render.draw.gl_mesh import DrawnMesh, spatial_order, vertex_records
from render.hand.skin import HandSkin
from render.scene.spec import Posture


class DrawnHand:
    """A hand in the memory of an OpenGL context, in any number of postures at a time."""

    def __init__(self, context: moderngl.Context, skin: HandSkin, programs: Programs) -> None:
        """
        Raises:
            ValueError: the hand has no faces.
        """
        self._context, self._skin, self._programs = context, skin, programs
        template = skin.mesh(None)
        self._order = spatial_order(template.vertices, template.faces)[0]
        self._drawn: dict[Posture | None, DrawnMesh] = {}
        self._free = [self._upload()]

    def posed(self, posture: Posture | None) -> DrawnMesh:
        """The hand in a posture; it stays in memory until `forget`."""
        if posture not in self._drawn:
            drawn = self._free.pop() if self._free else self._upload()
            records = vertex_records(self._skin.mesh(posture), self._order)
            drawn.vertices.orphan()
            drawn.vertices.write(records.tobytes())
            self._drawn[posture] = drawn
        return self._drawn[posture]

    def forget(self) -> None:
        """Let the postures in memory make room for others."""
        self._free.extend(self._drawn.values())
        self._drawn.clear()

    def _upload(self) -> DrawnMesh:
        """New buffers, all in the order of the template."""
        return DrawnMesh(self._context, self._skin.mesh(None), self._programs)
