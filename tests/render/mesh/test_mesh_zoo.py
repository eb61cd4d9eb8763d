"""Mesh files of every kind that users have: drawn right, or refused by name."""

import json
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trimesh
from trimesh.visual import ColorVisuals

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.mesh import mesh as reading
from render.mesh.mesh import Mesh
from render.scene.spec import Light
from render.transforms import apply, random_rotation, rigid
from tests.mesh_samples import make_lump, refusal
from tests.scenes import FULL_AMBIENT, at, scene

load_mesh = partial(reading.load_mesh, up="z")  # with the axes of the file
CAMERA = Camera(np.array([[150.0, 0, 63.5], [0, 150, 47.5], [0, 0, 1]]), 128, 96)
SUFFIXES = ("ply", "obj", "stl", "glb", "gltf", "off")
CUBE = trimesh.creation.box((0.06, 0.08, 0.1))
GRAY = (178, 178, 178)  # what has no colour


def plain(triangles: np.ndarray, colors=GRAY) -> Mesh:
    """A mesh of (m, 3, 3) triangles in metres, each with corners and (m, 3) colours of its own."""
    triangles = np.asarray(triangles, np.float64)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colors = np.broadcast_to(np.asarray(colors, np.uint8), (len(triangles), 3))
    return Mesh(
        vertices=triangles.reshape(-1, 3).astype(np.float32),
        faces=np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3),
        normals=np.repeat(normals, 3, axis=0).astype(np.float32),
        colors=np.repeat(colors, 3, axis=0),
    )


def assert_drawn_alike(mesh: Mesh, expected: Mesh, shading: bool = False) -> None:
    """Compare drawings from all around: ids, depth to a micrometre, colour without or with light.

    A pixel or two whose centre an edge passes may go to either side: vertices are rounded.
    """
    lights = (Light("directional", (0.0, 0.6, -0.8)),) if shading else ()
    ambient = (0.3, 0.3, 0.3) if shading else FULL_AMBIENT
    specs = [
        scene(
            CAMERA,
            at([0, 0, 0.35], random_rotation(rng), obj_id=obj_id),
            ambient=ambient,
            lights=lights,
        )
        for obj_id in (1, 2)
        for rng in map(np.random.default_rng, range(8))
    ]
    with Rasterizer({1: mesh, 2: expected}) as rasterizer:
        frames = rasterizer.render(specs)
    for ours, right in zip(frames[:8], frames[8:], strict=True):
        assert np.count_nonzero(right.instance) > 200
        both = (ours.instance > 0) & (right.instance > 0)
        assert np.count_nonzero(ours.instance != right.instance) <= 2
        off = np.abs(ours.depth - right.depth)[both] > 1e-6
        color_off = np.abs(ours.rgb.astype(int) - right.rgb)[both].max(axis=1) > 1
        assert np.count_nonzero(off) <= 2 and np.count_nonzero(color_off) <= 2


def write(mesh: trimesh.Trimesh, path: Path) -> Path:
    """Export a mesh; of glTF its buffers too."""
    if path.suffix == ".gltf":
        for name, content in mesh.export(file_type="gltf").items():
            (path.parent / (path.name if name.endswith(".gltf") else name)).write_bytes(content)
    else:
        mesh.export(path)
    return path


def bare(vertices, faces) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, process=False, validate=False)


def non_manifold() -> trimesh.Trimesh:
    """Two cubes with one edge in common, and a fin of three faces on another edge."""
    low, high = CUBE.bounds
    other = CUBE.copy()
    other.apply_translation([(high - low)[0], (high - low)[1], 0])
    vertices = np.concatenate([CUBE.vertices, other.vertices, [[-0.06, 0, 0], [0, -0.07, 0.02]]])
    faces = [*CUBE.faces, *(other.faces + 8), [0, 1, 16], [0, 1, 17], [1, 0, 17]]
    joint = bare(vertices, np.array(faces))
    joint.merge_vertices()
    return joint


def degenerate() -> trimesh.Trimesh:
    """A cube with faces of no area: a corner twice, all corners in one, three on a line."""
    vertices = np.concatenate([CUBE.vertices, CUBE.vertices[[0, 1]].mean(axis=0)[None]])
    return bare(vertices, np.concatenate([CUBE.faces, [[0, 0, 1], [2, 2, 2], [0, 8, 1]]]))


def unreferenced() -> trimesh.Trimesh:
    """A cube, and a vertex a kilometre away that belongs to no face."""
    return bare(np.concatenate([[[1000.0, 0, 0]], CUBE.vertices]), CUBE.faces + 1)


def mirrored() -> trimesh.Trimesh:
    return bare(CUBE.vertices * [-1, 1, 1], CUBE.faces[:, ::-1])


ZOO = {f.__name__: f for f in (non_manifold, degenerate, unreferenced, mirrored)}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("animal", ZOO)
def test_odd_geometry_is_drawn_as_its_plain_triangles(animal, suffix, tmp_path):
    mesh = ZOO[animal]()
    loaded = load_mesh(write(mesh, tmp_path / f"odd.{suffix}"))
    areas = np.linalg.norm(np.cross(*np.moveaxis(np.diff(mesh.triangles, axis=1), 1, 0)), axis=1)
    assert_drawn_alike(loaded, plain(mesh.triangles[areas > 1e-12]))
    assert np.ptp(loaded.vertices, axis=0).max() < 0.2
    assert np.isfinite(loaded.normals).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("cm", 100.0), ("mm", 1000.0)])
def test_a_unit_changes_nothing_and_the_wrong_one_is_refused(unit, scale, suffix, tmp_path, rng):
    lump = make_lump(rng)
    path = write(bare(scale * lump.vertices, lump.faces), tmp_path / f"a.{suffix}")
    assert_drawn_alike(load_mesh(path, unit), plain(lump.triangles))
    path = write(bare(1e-5 * lump.vertices, lump.faces), tmp_path / f"tiny.{suffix}")
    assert refusal(load_mesh, path).startswith(f"{path}: ")
    path = write(bare(1e6 * lump.vertices, lump.faces), tmp_path / f"huge.{suffix}")
    assert "no unit of m, cm, mm" in refusal(load_mesh, path, "mm")


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_mirrored_and_nested_nodes_are_not_inside_out(suffix, tmp_path, rng):
    """Shading tells: the normals of an object turned inside out point away from the light."""
    lump = make_lump(rng)
    lump.visual = ColorVisuals(lump, vertex_colors=np.full((len(lump.vertices), 4), 178, np.uint8))
    mirror, turn = np.diag([-0.5, 0.5, 0.5, 1.0]), rigid(random_rotation(rng), [0.05, 0.0, 0.0])
    group = trimesh.Scene()
    group.graph.update(frame_to="group", matrix=mirror)
    group.add_geometry(lump, node_name="once", parent_node_name="group", transform=turn)
    twice = np.diag([1.0, -1.0, 1.0, 1.0])
    group.add_geometry(lump, node_name="twice", parent_node_name="group", transform=twice)
    path = tmp_path / f"nested.{suffix}"
    loaded = load_mesh(write(group, path))

    parts = [lump.copy().apply_transform(mirror @ t) for t in (turn, twice)]
    joint = trimesh.util.concatenate([bare(p.vertices, p.faces) for p in parts])
    assert joint.volume == pytest.approx(2 * lump.volume / 8)
    vertices, faces = joint.vertices.astype(np.float32), joint.faces.astype(np.int32)
    colors = np.full(vertices.shape, 178, np.uint8)
    normals = joint.vertex_normals.astype(np.float32)
    assert_drawn_alike(loaded, Mesh(vertices, faces, normals, colors), shading=True)


# An L with the corner that the fan must not begin at first, and one that is folded along an edge.
L_SHAPE = np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]) * 0.05 - 0.05
L_TRIANGLES = [[0, 1, 2], [0, 2, 3], [0, 3, 5], [3, 4, 5]]


def polygon_file(kind: str, corners: np.ndarray) -> str:
    """A file with one face of all these corners, and one triangle."""
    rows, count = [" ".join(f"{x:.9g}" for x in corner) for corner in corners], len(corners)
    if kind == "obj":
        face = "f " + " ".join(f"{i + 1}/{i + 1}" for i in range(count))
        lines = [*(f"v {row}" for row in rows), *(["vt 0 0"] * count), face, "f -1 -2 -3"]
        return "\n".join(lines)
    faces = [
        f"{count} " + " ".join(map(str, range(count))),
        f"3 {count - 1} {count - 2} {count - 3}",
    ]
    if kind == "off":
        return "\n".join(["OFF", f"{count} 2 0", *rows, *faces])
    header = ["ply", "format ascii 1.0", f"element vertex {count}"]
    header += [f"property double {axis}" for axis in "xyz"]
    header += ["element face 2", "property list uchar int vertex_indices", "end_header"]
    return "\n".join([*header, *rows, *faces])


@pytest.mark.parametrize("kind", ["ply", "obj", "off"])
@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("turned", [False, True], ids=["ccw", "cw"])
def test_a_concave_polygon_covers_itself_and_no_more(kind, first, turned, tmp_path, rng):
    upright = rigid(random_rotation(rng), [0.0, 0.0, 0.0])
    corners = apply(upright, np.column_stack([L_SHAPE, np.zeros(6)]))
    right = corners[L_TRIANGLES]
    order = np.roll(np.arange(6), -first)
    order = order[::-1] if turned else order
    path = tmp_path / f"a.{kind}"
    path.write_text(polygon_file(kind, corners[order]))
    mesh = load_mesh(path)
    assert len(mesh.faces) == 5
    last = corners[order][[5, 4, 3]]
    assert_drawn_alike(mesh, plain([*right, last]))
    whole = np.cross(*np.moveaxis(np.diff(mesh.vertices[mesh.faces[:4]], axis=1), 1, 0))
    assert np.linalg.norm(whole, axis=1).sum() / 2 == pytest.approx(0.0075, rel=1e-5)
    normal = upright[:3, 2] * (-1 if turned else 1)
    assert (whole @ normal > 0).all()


@pytest.mark.parametrize("suffix", ["obj", "glb", "gltf"])
def test_several_materials_color_their_own_faces(suffix, tmp_path):
    colors = np.array([[250, 10, 20], [30, 240, 40], [50, 60, 230]], np.uint8)
    of_face = np.arange(12) % 3
    if suffix == "obj":
        kd = [f"newmtl m{i}\nKd " + " ".join(f"{c / 255:.6f}" for c in colors[i]) for i in range(3)]
        (tmp_path / "a.mtl").write_text("\n".join(kd))
        lines = ["mtllib a.mtl", *("v {} {} {}".format(*v) for v in CUBE.vertices)]
        for i, face in zip(of_face, CUBE.faces, strict=True):
            lines += [f"usemtl m{i}", "f {} {} {}".format(*(face + 1))]
        path = tmp_path / "a.obj"
        path.write_text("\n".join(lines))
    else:
        parts = trimesh.Scene()
        for i in range(3):
            part = bare(CUBE.vertices, CUBE.faces[of_face == i])
            material = trimesh.visual.material.PBRMaterial(baseColorFactor=[*colors[i], 255])
            part.visual = trimesh.visual.TextureVisuals(material=material)
            parts.add_geometry(part)
        path = write(parts, tmp_path / f"a.{suffix}")
        # trimesh writes the bytes it was given as they are; what a file holds is linear light.
        light = colors / 255
        colors = np.round(255 * (1.055 * light ** (1 / 2.4) - 0.055)).astype(np.uint8)
    assert_drawn_alike(load_mesh(path), plain(CUBE.triangles, colors[of_face]))


@pytest.mark.parametrize("header", ["COFF", "CNOFF", "OFF"])
def test_colors_of_off_files_are_drawn(header, tmp_path):
    """Of vertices, as fractions and as whole numbers, and of faces."""
    colors = np.array([[250, 10, 20], [30, 240, 40]], np.uint8)[np.arange(12) % 2]
    vertices = CUBE.triangles.reshape(-1, 3)
    extra = ["" for _ in vertices]
    if header == "COFF":
        extra = [" {:.6f} {:.6f} {:.6f} 1.0".format(*c) for c in colors.repeat(3, 0) / 255]
    if header == "CNOFF":
        normals = CUBE.face_normals.repeat(3, 0)
        both = np.column_stack([normals, colors.repeat(3, 0)])
        extra = [" {} {} {} {:.0f} {:.0f} {:.0f} 255".format(*row) for row in both]
    faces = [f"3 {3 * i} {3 * i + 1} {3 * i + 2}" for i in range(12)]
    if header == "OFF":
        faces = [f"{face} {c[0]} {c[1]} {c[2]}" for face, c in zip(faces, colors, strict=True)]
    rows = ["{} {} {}".format(*v) + e for v, e in zip(vertices, extra, strict=True)]
    (tmp_path / "a.off").write_text("\n".join([f"{header} # x", "36 12 0", *rows, *faces]))
    assert_drawn_alike(load_mesh(tmp_path / "a.off"), plain(CUBE.triangles, colors))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vertices_that_are_no_numbers_are_refused(suffix, value, tmp_path):
    vertices = CUBE.vertices.copy()
    vertices[CUBE.faces[0, 0], 1] = value
    with np.errstate(invalid="ignore"):  # of trimesh, which writes normals too
        path = write(bare(vertices, CUBE.faces), tmp_path / f"a.{suffix}")
    line = refusal(load_mesh, path)
    assert line.startswith(f"{path}: ") and "NaN or infinite" in line


NO_FACES = {
    "a.ply": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n0 0 0\n",
    "a.obj": b"v 0 0 0\nv 1 0 0\nl 1 2\n",
    "a.stl": bytes(80) + struct.pack("<I", 0),
    "a.gltf": b'{"asset": {"version": "2.0"}}',
    "a.glb": trimesh.Scene([trimesh.PointCloud(CUBE.vertices)]).export(file_type="glb"),
    "a.off": b"OFF\n3 0 0\n0 0 0\n1 0 0\n0 1 0\n",
}


@pytest.mark.parametrize("name", NO_FACES)
def test_a_file_without_faces_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes(NO_FACES[name])
    assert refusal(load_mesh, tmp_path / name).startswith(f"{tmp_path / name}: no faces")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "KHR_draco_mesh_compression"),
        ({"buffers": [{"byteLength": 9999, "uri": "gone.bin"}] * 9}, "gone.bin"),
        ({"nodes": [{"mesh": 0, "scale": [1, 1, 0]}]}, "flattens"),
    ],
    ids=["compressed", "missing buffer", "flattened"],
)
@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_a_gltf_file_that_would_lose_something_is_refused(suffix, change, reason, tmp_path):
    files = CUBE.export(file_type="gltf")
    text = json.dumps(json.loads(files.pop("model.gltf")) | change).encode()
    path = tmp_path / f"a.{suffix}"
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    if suffix == "gltf":
        path.write_bytes(text)
    else:
        text += b" " * (-len(text) % 4)
        chunk = struct.pack("<II", len(text), 0x4E4F534A) + text
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunk)) + chunk)
    line = refusal(load_mesh, path)
    assert line.startswith(f"{path}: ") and reason in line


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["ply", "glb"])
def test_a_million_faces_are_drawn(suffix, tmp_path):
    """A sphere so fine that it is one: its depth is known."""
    radius, distance = 0.08, 0.35
    sphere = trimesh.creation.icosphere(subdivisions=8, radius=radius)
    assert len(sphere.faces) > 1e6
    mesh = load_mesh(write(sphere, tmp_path / f"sphere.{suffix}"))
    with Rasterizer({1: mesh}) as rasterizer:
        (frame,) = rasterizer.render([scene(CAMERA, at([0, 0, distance]))])
    rays = CAMERA.unproject(np.ones((CAMERA.height, CAMERA.width)))
    along, squared = distance * rays[..., 2], (rays**2).sum(axis=-1)
    root = along**2 - squared * (distance**2 - radius**2)
    assert np.count_nonzero((frame.instance > 0) != (root > 0)) <= 8
    hit = (frame.instance > 0) & (root > 1e-5)
    depth = (along - np.sqrt(np.maximum(root, 0))) / squared
    np.testing.assert_allclose(frame.depth[hit], depth[hit], atol=2e-5)
