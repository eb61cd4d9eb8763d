"""Hands as OpenGL draws them: each articulation in vertex buffers of its own."""

import moderngl

from render.gl_context import Programs
from render.gl_mesh import DrawnMesh, spatial_order, upload, vertex_records
from render.hand_skin import HandSkin
from render.scene import Articulation


class DrawnHand:
    """A hand in the memory of an OpenGL context, in any number of articulations at a time."""

    def __init__(self, context: moderngl.Context, skin: HandSkin, programs: Programs) -> None:
        """
        Raises:
            ValueError: the hand has no faces.
        """
        self._context, self._skin, self._programs = context, skin, programs
        template = skin.mesh(None)
        self._order = spatial_order(template.vertices, template.faces)[0]
        self._drawn: dict[Articulation | None, DrawnMesh] = {}
        self._free = [self._upload()]

    def posed(self, articulation: Articulation | None) -> DrawnMesh:
        """The hand in an articulation; it stays in memory until `forget`."""
        if articulation not in self._drawn:
            drawn = self._free.pop() if self._free else self._upload()
            records = vertex_records(self._skin.mesh(articulation), self._order)
            drawn.vertices.orphan()
            drawn.vertices.write(records.tobytes())
            self._drawn[articulation] = drawn
        return self._drawn[articulation]

    def forget(self) -> None:
        """Let the articulations in memory make room for others."""
        self._free.extend(self._drawn.values())
        self._drawn.clear()

    def _upload(self) -> DrawnMesh:
        """New buffers, all in the order of the template."""
        return upload(self._context, self._skin.mesh(None), self._programs)
