"""Mesh files as three readers see them: triangles, with a colour and normals each."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from scipy.spatial import cKDTree

from benchmarks.mesh_features.feature import PLAIN, Feature
from render.errors import InputError
from render.mesh.mesh import Mesh, load_mesh
from render.mesh.part import Part

Z_FROM_Y = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True, eq=False)
class Soup:
    """triangles: (m, 3, 3). colors: (m, 3) at the faces' middles, 0..255. normals: (m, 3, 3)."""

    triangles: np.ndarray
    colors: np.ndarray
    normals: np.ndarray


def _texel(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(m, 3): the nearest texel of (m, 2) coordinates, v up, repeated outside 0..1."""
    height, width = texture.shape[:2]
    u, v = (np.mod(uv, 1.0) * [width, height]).astype(int).T
    rows, columns = height - 1 - np.minimum(v, height - 1), np.minimum(u, width - 1)
    return texture[rows, columns, :3].astype(float)


def by_us(path: Path) -> Soup:
    return soup_of(load_mesh(path, "m"))


def soup_of(mesh: Mesh | Part) -> Soup:
    """A mesh of this project as the others are compared with it."""
    colors = mesh.colors[mesh.faces].mean(axis=1)
    if mesh.texture is not None and mesh.uv is not None:
        colors = colors * _texel(mesh.texture, mesh.uv[mesh.faces].mean(axis=1)) / 255
    return Soup(mesh.vertices[mesh.faces], colors, mesh.normals[mesh.faces])


def by_trimesh(path: Path) -> Soup:
    """As its user would: the scene's meshes in their places, their visuals as colours."""
    logging.getLogger("trimesh").setLevel(logging.CRITICAL)
    scene = trimesh.load_scene(path, process=False)
    soups = []
    for mesh in scene.dump():
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue
        colors = np.full((len(mesh.faces), 3), 178.0)
        visual: Any = mesh.visual
        if visual.kind == "texture":
            material = visual.material
            image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
            base = getattr(material, "baseColorFactor", None)
            base = getattr(material, "diffuse", None) if base is None and image is None else base
            if base is not None:
                colors[:] = base[:3]
            if image is not None and visual.uv is not None:
                texture = np.array(image.convert("RGB"))
                texels = _texel(texture, visual.uv[mesh.faces].mean(axis=1))
                colors = texels if base is None else colors * texels / 255
        elif visual.kind == "face":
            colors = visual.face_colors[:, :3].astype(float)
        elif visual.kind == "vertex":
            colors = visual.vertex_colors[:, :3][mesh.faces].mean(axis=1)
        soups.append(Soup(mesh.triangles, colors, mesh.vertex_normals[mesh.faces]))
    return _joined(soups)


def by_assimp(path: Path) -> Soup:
    """Through assimp-py: it has no textures within a file, and colours are vertices' or Kd."""
    import assimp_py as assimp

    flags = assimp.Process_Triangulate | assimp.Process_GenSmoothNormals
    scene = assimp.import_file(str(path), flags | assimp.Process_PreTransformVertices)
    soups = []
    for mesh in scene.meshes:
        faces = np.array(mesh.indices, np.int64).reshape(-1, 3)
        vertices = np.array(mesh.vertices, float).reshape(-1, 3)
        material = scene.materials[mesh.material_index] if scene.materials else {}
        colors = np.full((len(faces), 3), 178.0)
        if "COLOR_DIFFUSE" in material and material.get("NAME") != "DefaultMaterial":
            colors[:] = np.array(material["COLOR_DIFFUSE"][:3]) * 255
        if mesh.colors is not None and len(mesh.colors):
            tint = np.array(mesh.colors[0], float).reshape(len(vertices), -1)[:, :3]
            colors = tint[faces].mean(axis=1) * 255
        names = material.get("TEXTURES", {}).get(assimp.TextureType_DIFFUSE, [])
        if names and (path.parent / names[0]).is_file() and mesh.texcoords:
            from PIL import Image

            texture = np.array(Image.open(path.parent / names[0]).convert("RGB"))
            uv = np.array(mesh.texcoords[0], float).reshape(len(vertices), -1)[:, :2]
            colors = _texel(texture, uv[faces].mean(axis=1))
        normals = np.zeros_like(vertices)
        if mesh.normals is not None and len(mesh.normals):
            normals = np.array(mesh.normals, float).reshape(-1, 3)
        soups.append(Soup(vertices[faces], colors, normals[faces]))
    return _joined(soups)


READERS: dict[str, Callable[[Path], Soup]] = {
    "this project": by_us,
    "trimesh": by_trimesh,
    "assimp": by_assimp,
}


def judge(feature: Feature, reader: Callable[[Path], Soup], folder: Path) -> str:
    """What a reader makes of a feature: right, refused, accepted, or what is wrong of it."""
    for name, content in feature.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    try:
        soup = reader(folder / next(iter(feature.files)))
    except InputError as error:
        if feature.refused and feature.refused not in str(error):
            return f"refused for another reason: {error}"
        return "refused"
    except Exception:
        return "refused" if reader is not by_us else "crash"
    if feature.refused:
        return "accepted"
    if feature.format == "glTF" and reader is not by_us:  # they leave its y axis up
        soup = Soup(soup.triangles @ Z_FROM_Y.T, soup.colors, soup.normals @ Z_FROM_Y.T)
    plain = np.array_equal(feature.colors, PLAIN)
    if plain and reader is not by_us and np.ptp(soup.colors) == 0:
        soup = replace(soup, colors=np.full_like(soup.colors, PLAIN[0]))  # each has its own grey
    expected = Soup(feature.triangles, feature.face_colors, feature.corner_normals)
    # Programs weight the faces that meet at a corner by angle, by area or alike.
    exact = reader is by_us or feature.normals is not None
    return differs(soup, expected, normals_deg=1 if exact else 45) or "right"


def differs(soup: Soup, other: Soup, normals_deg: float) -> str:
    """What of two readings is not the same: "shape", "colours", "normals"; "" where all is."""
    if len(soup.triangles) != len(other.triangles):
        return "shape"
    size = np.ptp(other.triangles.reshape(-1, 3), axis=0).max()
    order, off = _match(soup.triangles, other.triangles)
    if not (off < 1e-4 * size).all():
        return "shape"
    if not (np.abs(soup.colors[order] - other.colors) <= 2).all():
        return "colours"
    ours = _turned(soup.triangles[order], soup.normals[order], other.triangles)
    lengths = np.linalg.norm(ours, axis=2) * np.linalg.norm(other.normals, axis=2)
    cosines = (ours * other.normals).sum(axis=2) / np.maximum(lengths, 1e-30)
    if not (cosines > np.cos(np.radians(normals_deg))).all():
        return "normals"
    return ""


def _match(triangles: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of `other` the nearest of `triangles` by their middles and longest corners."""

    def key(t: np.ndarray) -> np.ndarray:
        spread = np.sqrt(((t - t.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)))
        return np.hstack([t.mean(axis=1), spread[:, None]])

    off, order = cKDTree(key(triangles)).query(key(other))
    return order, off


def _turned(triangles: np.ndarray, normals: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The normals in the order of the other's corners."""
    distance = np.linalg.norm(other[:, :, None] - triangles[:, None], axis=3)  # (m, 3, 3)
    nearest = distance.argmin(axis=2)
    return np.take_along_axis(normals, nearest[:, :, None], axis=1)


def _joined(soups: list[Soup]) -> Soup:
    if not soups:
        raise ValueError("no faces")
    return Soup(
        *(
            np.concatenate([getattr(s, n) for s in soups])
            for n in ("triangles", "colors", "normals")
        )
    )
