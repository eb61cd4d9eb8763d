"""STL files, by trimesh, with what it passes over in silence refused."""

import io
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals

from render.errors import InputError
from render.mesh.part import PLAIN, WHITE, Part, check, split, to_uint8, uniform
from render.transforms import apply

TEXTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".tga", ".webp", ".gif")


class _Resolver(trimesh.resolvers.FilePathResolver):
    """Finds the files a mesh names, and remembers the bad ones: trimesh goes on without them."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), allow_anywhere=True)
        self.fault = ""

    def get(self, name: str) -> bytes:
        try:
            content = super().get(name)
            if Path(name).suffix.lower() in TEXTURE_SUFFIXES:
                Image.open(io.BytesIO(content)).load()
        except FileNotFoundError:
            self.fault = f"names the file {name}, which is not in {self.parent}"
            raise
        except (OSError, ValueError, SyntaxError) as error:
            self.fault = f"names the texture {name}, which is not a readable image ({error})"
            raise
        return content


def read_with_trimesh(path: Path) -> list[Part]:
    """All triangle meshes of a scene, in the scene's frame."""
    kind, content = path.suffix.lower(), path.read_bytes()
    resolver = _Resolver(path)
    log = logging.getLogger("trimesh")
    level = log.level
    log.setLevel(logging.CRITICAL)  # it logs tracebacks of what is refused here in one line
    try:
        with np.errstate(invalid="ignore"):  # of infinite vertices, which are refused below
            scene = trimesh.load_scene(
                io.BytesIO(content), file_type=kind[1:], resolver=resolver, process=False
            )
    finally:
        log.setLevel(level)
        if resolver.fault:
            raise InputError(f"{path}: {resolver.fault}")

    placed = [scene.graph[node] for node in sorted(scene.graph.nodes_geometry)]
    return [
        _part(mesh, scene_from_mesh)
        for scene_from_mesh, name in placed
        if isinstance(mesh := scene.geometry[name], trimesh.Trimesh) and len(mesh.faces)
    ]


def _part(mesh: trimesh.Trimesh, scene_from_mesh: np.ndarray) -> Part:
    check(mesh.vertices, mesh.faces)
    faces = np.array(mesh.faces)
    scale = np.linalg.det(scene_from_mesh[:3, :3])
    if scale == 0:
        raise ValueError("a node that flattens its mesh")
    if scale < 0:  # a mirrored part would be inside out
        faces = faces[:, ::-1]
    vertices = apply(scene_from_mesh, np.array(mesh.vertices))
    # Normals move with the inverse transpose; trimesh computes those the file lacks.
    normals = mesh.vertex_normals @ np.linalg.inv(scene_from_mesh[:3, :3])
    part = Part(vertices, faces, normals, uniform(PLAIN, vertices))

    match mesh.visual:
        case TextureVisuals() as visual:
            return _with_material(part, visual)
        case ColorVisuals(kind="face") as visual:
            return split(part, colors=np.repeat(visual.face_colors[:, :3], 3, axis=0))
        case ColorVisuals(kind="vertex") as visual:
            return replace(part, colors=np.array(visual.vertex_colors[:, :3]))
    return part


def _with_material(part: Part, visual: TextureVisuals) -> Part:
    """Texture and base colour are multiplied (glTF 2.0, 3.9.2)."""
    material, count = visual.material, len(part.vertices)
    if not isinstance(material, trimesh.visual.material.PBRMaterial):  # trimesh's stand-in
        return part
    image, base = material.baseColorTexture, material.baseColorFactor
    colors = uniform(WHITE if base is None else tuple(base[:3]), part.vertices)
    tint = visual.vertex_attributes.get("color", None)
    if tint is not None and len(tint) == count:
        colors = np.round(colors * (to_uint8(tint, tint.dtype) / 255)).astype(np.uint8)
    part = replace(part, colors=colors)
    if image is None or visual.uv is None:
        return part
    return replace(part, uv=np.array(visual.uv), texture=np.array(image.convert("RGB")))
