"""Meshes as OpenGL draws them: vertex buffers in a fast order, textures with mipmaps."""

from collections.abc import Callable, Mapping

import cv2
import moderngl
import numpy as np

from render.draw.gl_context import MAP_UNITS, SURFACE_UNIT, Programs
from render.errors import InputError
from render.mesh.finish import MAPS
from render.mesh.mesh import Mesh
from render.mesh.tangent import vertex_tangents
from render.scene.spec import Posture

# Interleaved vertices, as mesh.vert names them; colours are padded to four bytes.
ATTRIBUTES = ("position", "normal", "color", "uv")
VERTEX = np.dtype({"names": ATTRIBUTES, "formats": ["3<f4", "3<f4", "4u1", "2<f4"]})
VERTEX_FORMAT = "3f 3f 3f1 x1 2f"
OPACITY = np.dtype("<f4")
# Of a finish: its factors, uv of its maps, two by two, and the tangents of that of normals.
FINISH_ATTRIBUTES = ("finish", "emissive", "map_uv", "more_map_uv", "tangent")
FINISH_FORMAT = "4f 3f 4f 4f 3f"


class DrawnMesh:
    """A mesh in the memory of an OpenGL context.

    vertices: VERTEX, in the order in which the mesh was uploaded. closed: the backs of its faces
    need not be drawn.
    """

    def __init__(
        self, context: moderngl.Context, mesh: Mesh, programs: Programs, closed: bool = False
    ) -> None:
        """Copy a mesh into a context.

        Raises:
            InputError: its texture is larger than the device allows.
            ValueError: the mesh has no faces.
        """
        if not len(mesh.faces):
            raise ValueError("the mesh has no faces")
        order, faces = spatial_order(mesh.vertices, mesh.faces)
        self.vertices = context.buffer(vertex_records(mesh, order).tobytes())
        self._texture: moderngl.Texture | None = None
        if mesh.texture is not None and mesh.uv is not None:
            self._texture = upload_texture(context, mesh.texture)
        self._opacity: moderngl.Buffer | None = None
        if mesh.opacity is not None:
            self._opacity = context.buffer(mesh.opacity[order].astype(OPACITY).tobytes())
        # Uploaded when it is first drawn.
        self._finished = None if mesh.finish is None else (mesh, order)
        self._finish_buffer: moderngl.Buffer | None = None
        self._maps: dict[str, moderngl.Texture] = {}
        self.closed = closed
        self._context, self._programs = context, programs
        self._indices = context.buffer(faces.tobytes())
        self._arrays: dict[moderngl.Program, moderngl.VertexArray] = {}

    def draw_shaded(
        self, lights: int, lamps: Mapping[str, bool], physical: bool, smooth: bool
    ) -> None:
        """Draw it in the light; as `Programs.shaded`. lamps: its kinds SPOTS and SOFT, and
        PAINTED, where the texture of `Paints` is shown."""
        textured, cut = self._texture is not None, self._opacity is not None
        if self._texture is not None:
            self._texture.use(SURFACE_UNIT)
        kinds = dict(TEXTURED=textured, CUT=cut, **lamps, SMOOTH=cut and smooth)
        if physical and self._finished is not None:
            self._use_finish(*self._finished)
            kinds |= {"FINISH": True, **{f"MAP_{name.upper()}": True for name in self._maps}}
        self._array(self._programs.shaded(lights, physical, **kinds)).render()

    def _use_finish(self, mesh: Mesh, order: np.ndarray) -> None:
        """Let the next draw have the finish of a mesh, whose vertices are drawn in this order."""
        if self._finish_buffer is None and mesh.finish is not None:
            self._finish_buffer = self._context.buffer(finish_records(mesh)[order].tobytes())
            for name, one in mesh.finish.maps.items():
                self._maps[name] = upload_texture(self._context, one.texture)
        for name, texture in self._maps.items():
            texture.use(MAP_UNITS[name])

    def draw_surfaces(self) -> None:
        """Draw its depth and normals."""
        self._draw_whole(self._programs.surfaces)

    def draw_silhouette(self) -> None:
        """Draw where it is."""
        self._draw_whole(self._programs.silhouette)

    def _draw_whole(self, program: Callable[..., moderngl.Program]) -> None:
        """Draw it without its colours, and without what is cut out of it."""
        cut = self._opacity is not None
        textured = cut and self._texture is not None
        if self._texture is not None and textured:
            self._texture.use(SURFACE_UNIT)
        self._array(program(CUT=cut, TEXTURED=textured)).render()

    def cull(self) -> None:
        """Let the next draw leave out the backs of faces, if they need not be drawn."""
        switch = self._context.enable if self.closed else self._context.disable
        switch(moderngl.CULL_FACE)

    def _array(self, program: moderngl.Program) -> moderngl.VertexArray:
        if program not in self._arrays:
            content: list[tuple] = [(self.vertices, VERTEX_FORMAT, *ATTRIBUTES)]
            if self._opacity is not None:
                content.append((self._opacity, "1f", "opacity"))
            if self._finish_buffer is not None:
                content.append((self._finish_buffer, FINISH_FORMAT, *FINISH_ATTRIBUTES))
            # A program that ignores an attribute does not have it: skip_errors leaves it out.
            self._arrays[program] = self._context.vertex_array(
                program, content, index_buffer=self._indices, skip_errors=True
            )
        return self._arrays[program]

    def posed(self, posture: Posture | None) -> "DrawnMesh":
        """The mesh itself: it has no joints."""
        return self

    def forget(self) -> None:
        """Nothing: there is only one of it."""


def vertex_records(mesh: Mesh, order: np.ndarray) -> np.ndarray:
    """(n,) VERTEX of a mesh's vertices in an order."""
    vertices = np.zeros(len(order), VERTEX)
    vertices["position"] = mesh.vertices[order]
    vertices["normal"] = mesh.normals[order]
    vertices["color"][:, :3] = mesh.colors[order]
    if mesh.uv is not None:
        vertices["uv"] = mesh.uv[order]
    return vertices


def finish_records(mesh: Mesh) -> np.ndarray:
    """(n, 18) float32 of a mesh's finish, as FINISH_FORMAT has them; 0 for maps that it has not."""
    finish = mesh.finish
    assert finish is not None
    none = np.zeros((len(finish.factors), 3))
    uv = [finish.maps[name].uv if name in finish.maps else none[:, :2] for name in MAPS]
    tangents = none
    if "normal" in finish.maps:
        uv_of_normals = finish.maps["normal"].uv
        tangents = vertex_tangents(mesh.vertices, mesh.normals, mesh.faces, uv_of_normals)
    return np.hstack([finish.factors, *uv, tangents]).astype("<f4")


def spatial_order(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort faces along a space-filling (Morton) curve, and vertices by their first use.

    Neighbours in space become neighbours in memory, so that vertices are found in the vertex cache
    and triangles fall into one screen tile after another. Scanned meshes come in any order: the
    LM-O "can" draws in half the time on llvmpipe.

    Args:
        vertices: (n, 3). faces: (m, 3).

    Returns:
        (k,) indices of the vertices that are used, in their new order, and (m, 3) int32 faces that
        index those.
    """
    centers = vertices[faces].mean(axis=1, dtype=np.float64)
    low, extent = centers.min(axis=0), np.ptp(centers, axis=0).max() or 1.0
    cell = ((centers - low) / extent * 1023).astype(np.int64)
    along_curve = np.argsort(
        sum(_spread(cell[:, axis]) << axis for axis in range(3)), kind="stable"
    )
    faces = faces[along_curve]

    used, first_use = np.unique(faces, return_index=True)
    order = used[np.argsort(first_use)]
    new_index = np.empty(len(vertices), np.int32)
    new_index[order] = np.arange(len(order), dtype=np.int32)
    return order, new_index[faces]


def _spread(x: np.ndarray) -> np.ndarray:
    """Put two zero bits between any two bits of 10-bit integers."""
    x = (x | x << 16) & 0x030000FF
    x = (x | x << 8) & 0x0300F00F
    x = (x | x << 4) & 0x030C30C3
    return (x | x << 2) & 0x09249249


def _filled(image: np.ndarray) -> np.ndarray:
    """(h, w, 4) uint8 whose clear texels have the colour of the nearest that are not.

    Programs write them black, and filters and mipmaps mix colours whatever alpha is.
    """
    clear = image[..., 3] == 0
    if not clear.any() or clear.all():
        return image
    _, nearest = cv2.distanceTransformWithLabels(
        clear.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((nearest.max() + 1, 3), np.uint8)
    colors[nearest[~clear]] = image[~clear, :3]
    filled = image.copy()
    filled[clear, :3] = colors[nearest[clear]]
    return filled


def upload_texture(context: moderngl.Context, image: np.ndarray) -> moderngl.Texture:
    """(h, w, channels) uint8, first row on top -> a texture with mipmaps, v up."""
    height, width, channels = image.shape
    limit = context.info["GL_MAX_TEXTURE_SIZE"]
    if max(height, width) > limit:
        raise InputError(
            f"a texture of {width}x{height}: this OpenGL device takes up to {limit}x{limit};"
            " scale it down"
        )
    if channels == 4:
        image = _filled(image)
    content = np.ascontiguousarray(image[::-1]).tobytes()
    texture = context.texture((width, height), channels, content)
    texture.build_mipmaps()
    texture.filter = moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR
    return texture
