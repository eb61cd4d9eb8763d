"""OBJ mesh files: any polygons, materials with colours or textures, colours of vertices."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from render.errors import InputError
from render.input_file import read_bytes
from render.mesh.companion import companion
from render.mesh.obj.mtl import Entry, Material, fractions, material_of, read_mtl
from render.mesh.obj.text import ObjText, parse_obj
from render.mesh.part import PLAIN, WHITE, Part, check, to_uint8, uniform
from render.mesh.polygons import triangulate
from render.mesh.texture import decode_texture, lay_out

log = logging.getLogger(__name__)

MAX_MATERIALS = 10_000  # each is a part of its own
MOST_LAID_OUT = 2**29  # bytes of textures that are clamped


def read_obj(path: Path) -> list[Part]:
    """An OBJ file's parts: the faces of each material.

    A texture replaces all colours, and the vertices' colours replace the materials'. Vertices are
    shared as the file shares them: smoothing groups are passed over.
    """
    text = parse_obj(read_bytes(path))
    for what in sorted(text.left_out):
        log.info("%s: %s are left out", path, what)
    if not len(text.counts) or not len(text.lengths):
        if any(what.startswith("free-form") for what in text.left_out):
            raise InputError(f"{path}: free-form curves or surfaces only; export it as polygons")
        return []
    vertices, colors = _vertices(path, text)
    _check_indices(path, text, vertices)
    triangles, polygon = triangulate(vertices, text.corners[:, 0], text.lengths)
    corners = text.corners[triangles]  # (m, 3 corners, 3 indices)

    library = _library(path, text)
    groups = _by_material(path, text, text.materials[polygon], several=len(library) > 1)
    _say_of_materials(path, library, [name for name, _ in groups], colors)
    textures = _Textures(path)
    parts = []
    for name, of_material in groups:
        entry = _entry(library, name)
        material = Material(None) if entry is None else material_of(entry)
        for drawn, chosen in _by_texture(path, text, corners[of_material], material):
            part = _part(text, vertices, colors, chosen, drawn)
            if entry is not None and drawn.texture is not None:
                part = textures.put_on(part, entry, drawn)
            parts.append(part)
    return parts


def _vertices(path: Path, text: ObjText) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) positions, and (n, 3) colours as 0..1, NaN where a vertex has none.

    "v" holds x y z, then a weight w that only curves use, then r g b, which is no part of the
    format but written by MeshLab and others, then an opacity.
    """
    starts = np.cumsum(text.counts) - text.counts
    vertices = text.vertices[starts[:, None] + np.arange(3)]
    weighted = starts[text.counts == 4]
    if not _ones(text.vertices[weighted + 3]):
        log.info("%s: the fourth number of its vertices, a weight for curves, is left out", path)

    colors = np.full((len(starts), 3), np.nan)
    for count in (6, 7, 8):
        rows = np.flatnonzero(text.counts == count)
        numbers = text.vertices[starts[rows, None] + np.arange(count)]
        colors[rows] = _colors(path, numbers) if len(rows) else numbers[:, 3:6]
    given = text.counts >= 6
    if given.any():
        if not np.isfinite(colors[given]).all():
            raise ValueError("colours of vertices that are NaN or infinite")
        colors[given] = fractions(colors[given], str(path))
    elif len(text.painted) == len(vertices):
        colors = text.painted / 255
    elif len(text.painted):
        log.info("%s: its #MRGB colours are left out: not as many as vertices", path)
    return vertices, colors


def _colors(path: Path, numbers: np.ndarray) -> np.ndarray:
    """(n, 3) colours from (n, 6 to 8) numbers of vertices."""
    count = numbers.shape[1]
    if count == 6:
        return numbers[:, 3:]
    weighted, opaque = _ones(numbers[:, 3]), _ones(numbers[:, -1]) or _ones(numbers[:, -1] / 255)
    if count == 7 and weighted:
        if opaque:
            log.info("%s: seven numbers a vertex are taken for x y z w r g b", path)
        return numbers[:, 4:]
    if count == 7 and opaque:
        return numbers[:, 3:6]
    if count == 8 and weighted:
        if not opaque:
            log.info("%s: the transparency of its vertices is left out", path)
        return numbers[:, 4:7]
    raise ValueError(f"vertices of {count} numbers, neither x y z w r g b nor x y z r g b a")


def _ones(numbers: np.ndarray) -> bool:
    return bool((numbers == 1).all())


def _check_indices(path: Path, text: ObjText, vertices: np.ndarray) -> None:
    """Refuse faces of what there is not, and of vertices that are not finite."""
    counts = {"vertices": len(vertices), "texture coordinates": len(text.uv)}
    counts["normals"] = len(text.normals)
    for (what, count), highest in zip(counts.items(), text.corners.max(axis=0), strict=True):
        if count and highest >= count:
            raise ValueError(f"faces name {what} up to {highest + 1}, there are {count}")
        if not count and highest >= 0:  # a program's habit
            log.info("%s: its faces name %s, and there are none", path, what)
    used = np.zeros(len(vertices), bool)
    used[text.corners[:, 0]] = True
    check(vertices[used], text.corners[:0])


def _library(path: Path, text: ObjText) -> dict[str, Entry]:
    """The materials of all files that the mesh names; of two with one name the first file's."""
    library: dict[str, Entry] = {}
    for line in filter(None, text.libraries):
        for file in _named_files(path, line):
            library = read_mtl(file) | library
    return library


def _named_files(path: Path, line: str) -> list[Path]:
    """The files of an "mtllib" line: one whose name may have spaces, or several."""
    try:
        return [companion(path, line)]
    except InputError as error:
        found, missing = [], [error]
        for word in line.partition(" #")[0].split():
            try:
                found.append(companion(path, word))
            except InputError as error_of_word:
                missing.append(error_of_word)
        if not found or len(missing) > 1:
            raise (missing[1] if found else error) from None
        return found


def _entry(library: dict[str, Entry], name: str | None) -> Entry | None:
    """The material of that name, which may end in a comment, but also hold a # itself."""
    return library.get(name or "") or library.get((name or "").partition(" #")[0])


def _say_of_materials(
    path: Path, library: dict[str, Entry], used: list[str | None], colors: np.ndarray
) -> None:
    unknown = [name for name in used if name is not None and _entry(library, name) is None]
    if unknown:
        listed = ", ".join(unknown[:3]) + f" and {len(unknown) - 3} more" * (len(unknown) > 3)
        log.warning("%s: no file that it names has %s: drawn plain grey", path, listed)
    if len(unknown) < len(used) and not np.isnan(colors).all() and library:
        log.info("%s: its vertices' colours are drawn in place of its materials'", path)


def _by_material(
    path: Path, text: ObjText, materials: np.ndarray, several: bool
) -> list[tuple[str | None, np.ndarray]]:
    """Each material's name and its triangles.

    They are in the order of names, or the last first where a file knows one material at most: that
    of the vertices in datasets which were made when trimesh read these files.
    """
    used, first = np.unique(materials, return_index=True)
    if len(used) > MAX_MATERIALS:
        raise ValueError(f"{len(used)} materials; at most {MAX_MATERIALS} are read")
    order = np.argsort(materials, kind="stable")
    triangles = np.split(order, np.searchsorted(materials[order], used[1:]))
    base = text.first_object or path.name
    groups = {}
    for place, i in enumerate(np.argsort(-first)):
        name = text.names[used[i]]
        named = several and name is not None
        groups[name if named else f"{base}_{place}" if place else base] = (name, triangles[i])
    return [groups[key] for key in sorted(groups)]


def _by_texture(
    path: Path, text: ObjText, corners: np.ndarray, material: Material
) -> Iterator[tuple[Material, np.ndarray]]:
    """A material's triangles, those without texture coordinates apart where it has a texture."""
    if material.texture is None:
        yield material, corners
        return
    has = (corners[:, :, 1] >= 0).all(axis=1) & (len(text.uv) > 0)
    if has.any():
        yield material, corners[has]
    if not has.all():
        log.info("%s: %d faces have no coordinates for their texture", path, (~has).sum())
        yield replace(material, texture=None, color=material.color or WHITE), corners[~has]


def _part(
    text: ObjText, vertices: np.ndarray, colors: np.ndarray, corners: np.ndarray, drawn: Material
) -> Part:
    """Triangles of one material; corners that differ in any index are vertices of their own."""
    flat = corners.reshape(-1, 3)
    has_uv, has_normals = (flat[:, 1] >= 0).all(), (flat[:, 2] >= 0).any()
    shared, faces = _share(flat[:, np.array([True, has_uv, has_normals])])
    v = shared[:, 0]
    part = Part(vertices[v] + 0.0, faces.reshape(-1, 3), np.zeros((len(v), 3)), uniform(PLAIN, v))

    if has_normals and len(text.normals):
        own = shared[:, -1:]  # -1 where a corner has none
        part = replace(part, normals=np.where(own < 0, 0.0, text.normals[own[:, 0]]) + 0.0)
    if drawn.texture is not None:
        return replace(part, colors=uniform(WHITE, v), uv=text.uv[shared[:, 1]])
    part = replace(part, colors=uniform(drawn.color or PLAIN, v))
    given = ~np.isnan(colors[v, 0])
    if given.any():
        of_vertices = to_uint8(np.nan_to_num(colors[v]), np.dtype(np.float64))
        part = replace(part, colors=np.where(given[:, None], of_vertices, part.colors))
    return part


def _share(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of (n, w) indices that differ, by the first index, and for each row which it is."""
    key, size = corners[:, 0] + 1, int(corners[:, 0].max()) + 2
    for column in corners.T[1:]:
        count = int(column.max()) + 2
        if size * count >= 2**63:
            ranks, key = np.unique(key, return_inverse=True)
            size = len(ranks)
        key, size = (column + 1) * size + key, size * count
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    order = corners[first, 0].argsort()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return corners[first][order], place[index]


class _Textures:
    """The images that a mesh's materials name, each read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images: dict[Path, np.ndarray] = {}
        self.laid_out = 0  # bytes

    def put_on(self, part: Part, entry: Entry, drawn: Material) -> Part:
        assert part.uv is not None and drawn.texture is not None
        file = self._find(entry, drawn.texture)
        if file not in self.images:
            self.images[file] = self._read(file)
        uv = part.uv
        if (drawn.scale, drawn.offset) != ((1, 1), (0, 0)):
            uv = uv * drawn.scale + drawn.offset
        wrap = "clamp" if drawn.clamp else "repeat"
        texture, uv = lay_out(self.images[file], uv, (wrap, wrap))
        if texture is not self.images[file]:
            self.laid_out += texture.nbytes
        if self.laid_out > MOST_LAID_OUT:
            raise ValueError(
                "clamped textures that would take more than half a GB; do not clamp them"
            )
        return replace(part, uv=uv, texture=texture)

    def _find(self, entry: Entry, name: str) -> Path:
        """The file of that name, from the folder of the mesh or of the material's file."""
        missing = []
        for beside in (self.path, entry.file):
            for candidate in (name, name.partition(" #")[0]):
                try:
                    return companion(beside, candidate)
                except InputError as error:
                    missing.append(error)
        raise missing[0]

    def _read(self, file: Path) -> np.ndarray:
        try:
            return decode_texture(read_bytes(file), file)
        except InputError as error:
            raise InputError(
                f"{self.path}: names a texture which is not a readable image ({error})"
            ) from None
