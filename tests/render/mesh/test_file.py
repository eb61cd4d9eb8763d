import struct
from functools import partial

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from render.mesh import mesh as reading
from render.mesh.mesh import Mesh
from render.transforms import apply, random_rotation, rigid
from tests.mesh_samples import make_lump, refusal

load_mesh = partial(reading.load_mesh, up="z")  # with the axes of the file
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
QUARTERS = np.array([[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 250, 0]]], np.uint8)


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    return make_lump(rng)


def textured_square(texture: np.ndarray, material: type) -> trimesh.Trimesh:
    """A square of 10 cm, red and green above, blue and yellow below with QUARTERS as texture."""
    image = Image.fromarray(np.kron(texture, np.ones((8, 8, 1), np.uint8)))
    made = (
        SimpleMaterial(image=image, name="painted")
        if material is SimpleMaterial
        else PBRMaterial(baseColorTexture=image)
    )
    square = trimesh.Trimesh(SQUARE / 10, [[0, 1, 2], [0, 2, 3]], process=False)
    square.visual = TextureVisuals(uv=SQUARE[:, :2], material=made)
    return square


def sampled(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Colour of a flat mesh at (n, 2) points in its xy plane, from texture and vertex colours."""
    assert mesh.uv is not None and mesh.texture is not None
    colors = []
    for point in points:
        for face in mesh.faces:
            corners = mesh.vertices[face][:, :2].astype(np.float64)
            weights = np.linalg.solve(np.vstack([corners.T, np.ones(3)]), [*point, 1.0])
            if (weights > -1e-6).all():
                u, v = weights @ mesh.uv[face]
                h, w = mesh.texture.shape[:2]
                texel = mesh.texture[int((1 - v % 1) * h), int(u % 1 * w)]
                colors.append(texel * (weights @ mesh.colors[face] / 255))
                break
    return np.array(colors)


def ply(vertices: str, faces: str, count: int, properties: str = "", comment: str = "") -> str:
    """An ASCII PLY file with x y z and more properties a vertex."""
    extra = "".join(f"property {p}\n" for p in properties.split(", ") if p)
    return (
        f"ply\nformat ascii 1.0\n{comment}element vertex {len(vertices.splitlines())}\n"
        f"property float x\nproperty float y\nproperty float z\n{extra}"
        f"element face {count}\nproperty list uchar int vertex_indices\nend_header\n"
        f"{vertices}\n{faces}\n"
    )


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb", "stl", "off"])
def test_every_format_gives_the_same_triangles(lump, tmp_path, suffix):
    path = tmp_path / f"lump.{suffix}"
    lump.export(path)
    mesh = load_mesh(path)
    np.testing.assert_allclose(mesh.vertices[mesh.faces], lump.triangles, atol=1e-7)
    assert mesh.vertices.dtype == mesh.normals.dtype == np.float32
    assert (mesh.faces.dtype, mesh.colors.dtype) == (np.int32, np.uint8)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-6)
    outward = (mesh.normals[mesh.faces] * lump.face_normals[:, None]).sum(axis=2)
    assert outward.min() > 0.5


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
def test_vertex_colors_survive(lump, tmp_path, suffix):
    path = tmp_path / f"lump.{suffix}"
    lump.export(path)
    np.testing.assert_array_equal(load_mesh(path).colors, lump.visual.vertex_colors[:, :3])


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_ascii_and_binary_ply_are_the_same_mesh(lump, tmp_path, encoding):
    (tmp_path / "a.ply").write_bytes(lump.export(file_type="ply", encoding=encoding))
    mesh = load_mesh(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.faces, lump.faces)
    np.testing.assert_allclose(mesh.vertices, lump.vertices, atol=1e-8)
    np.testing.assert_allclose(mesh.normals, lump.vertex_normals, atol=1e-6)


@pytest.mark.parametrize("name", ["square.obj", "square.glb", "square.ply", "square.gltf"])
def test_a_texture_lands_where_it_was_painted(tmp_path, name):
    path = tmp_path / name
    if name == "square.ply":
        corners = "0 0 0 0 0\n.1 0 0 1 0\n.1 .1 0 1 1\n0 .1 0 0 1"
        comment = "comment TextureFile quarters.png\n"
        properties = "float texture_u, float texture_v"
        path.write_text(ply(corners, "4 0 1 2 3", 1, properties, comment))
        Image.fromarray(np.kron(QUARTERS, np.ones((8, 8, 1), np.uint8))).save(
            tmp_path / "quarters.png"
        )
    elif name == "square.gltf":
        files = textured_square(QUARTERS, PBRMaterial).export(file_type="gltf")
        for part, content in files.items():
            (tmp_path / part.replace("model", "square")).write_bytes(content)
    else:
        material = SimpleMaterial if name == "square.obj" else PBRMaterial
        textured_square(QUARTERS, material).export(path)
    centers = np.array([[0.025, 0.075], [0.075, 0.075], [0.025, 0.025], [0.075, 0.025]])
    np.testing.assert_array_equal(sampled(load_mesh(path), centers), QUARTERS.reshape(4, 3))


def test_textures_of_several_parts_share_one_image(tmp_path):
    """A second part with another texture, repeated 2 x 2, and a third one without any."""
    scene = trimesh.Scene()
    scene.add_geometry(textured_square(QUARTERS, PBRMaterial))
    tiled = textured_square(QUARTERS[::-1], PBRMaterial)
    tiled.visual.uv = tiled.visual.uv * 2 + 3
    scene.add_geometry(tiled, transform=rigid(np.eye(3), np.array([0.2, 0, 0])))
    bare = trimesh.Trimesh(SQUARE / 10, [[0, 1, 2], [0, 2, 3]], process=False)
    bare.visual = ColorVisuals(bare, vertex_colors=np.full((4, 4), (10, 20, 30, 255), np.uint8))
    scene.add_geometry(bare, transform=rigid(np.eye(3), np.array([0.4, 0, 0])))
    scene.export(tmp_path / "scene.glb")

    mesh = load_mesh(tmp_path / "scene.glb")
    first = [[0.025, 0.075], [0.075, 0.075], [0.025, 0.025], [0.075, 0.025]]
    np.testing.assert_array_equal(sampled(mesh, np.array(first)), QUARTERS.reshape(4, 3))
    eighths = np.array(
        [[0.2 + x, y] for y in (0.0875, 0.0625, 0.0375, 0.0125) for x in (0.0125, 0.0375, 0.0875)]
    )
    row = [QUARTERS[1, [0, 1, 1]], QUARTERS[0, [0, 1, 1]]]
    np.testing.assert_array_equal(sampled(mesh, eighths), np.concatenate(row * 2))
    np.testing.assert_allclose(sampled(mesh, np.array([[0.45, 0.05]])), [[10, 20, 30]])


def test_scene_transforms_are_applied_and_a_mirrored_part_is_not_inside_out(lump, tmp_path, rng):
    mirrored = rigid(random_rotation(rng), rng.random(3)) @ np.diag([-1.0, 2.0, 1.0, 1.0])
    scene = trimesh.Scene()
    scene.add_geometry(lump)
    scene.add_geometry(lump, transform=mirrored)
    scene.export(tmp_path / "two.glb")

    mesh = load_mesh(tmp_path / "two.glb")
    both = np.stack([lump.vertices, apply(mirrored, lump.vertices)])
    np.testing.assert_allclose(mesh.vertices.reshape(both.shape), both, atol=1e-6)
    joint = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert joint.volume == pytest.approx(3 * lump.volume, rel=1e-5)
    moved = lump.vertex_normals @ np.linalg.inv(mirrored[:3, :3])
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    both = np.stack([lump.vertex_normals, moved])
    np.testing.assert_allclose(mesh.normals.reshape(both.shape), both, atol=1e-5)


def test_quads_and_polygons_become_triangles(tmp_path):
    vertices = "0 0 0\n.1 0 0\n.1 .1 0\n0 .1 0\n.2 0 0\n.3 .05 0\n.2 .1 0"
    text = ply(vertices, "4 0 1 2 3\n5 1 4 5 6 2\n3 0 3 2", 3)
    (tmp_path / "mixed.ply").write_text(text)
    mesh = load_mesh(tmp_path / "mixed.ply")
    expected = [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 6], [1, 6, 2], [0, 3, 2]]
    np.testing.assert_array_equal(mesh.faces, expected)


def test_a_big_endian_ply_with_mixed_polygons_is_read(tmp_path):
    header = ply("\n" * 3, "", 2).split("end_header")[0].replace("ascii", "binary_big_endian")
    header = header.replace("vertex 3", "vertex 4")
    body = struct.pack(">12f", *(SQUARE / 10).reshape(-1))
    body += struct.pack(">B4i", 4, 0, 1, 2, 3) + struct.pack(">B3i", 3, 0, 2, 1)
    (tmp_path / "big.ply").write_bytes(header.encode() + b"end_header\n" + body)
    mesh = load_mesh(tmp_path / "big.ply")
    np.testing.assert_allclose(mesh.vertices, SQUARE / 10, atol=1e-8)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3], [0, 2, 1]])


def test_face_colors_stay_on_their_faces(tmp_path):
    text = ply("0 0 0\n.1 0 0\n.1 .1 0\n0 .1 0", "3 0 1 2 250 0 0\n3 0 2 3 0 0 250", 2)
    colors = "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header"
    (tmp_path / "faces.ply").write_text(text.replace("end_header", colors))
    mesh = load_mesh(tmp_path / "faces.ply")
    np.testing.assert_array_equal(mesh.colors[mesh.faces[0]], [[250, 0, 0]] * 3)
    np.testing.assert_array_equal(mesh.colors[mesh.faces[1]], [[0, 0, 250]] * 3)
    np.testing.assert_allclose(mesh.normals, [[0, 0, 1]] * 6)


def test_texture_coordinates_per_corner_are_kept_apart(tmp_path):
    faces = "3 0 1 2 6 0 0 1 0 1 1\n3 0 2 3 6 .5 .5 .6 .6 .7 .7"
    text = ply("0 0 0\n.1 0 0\n.1 .1 0\n0 .1 0", faces, 2, "", "comment TextureFile t.png\n")
    text = text.replace("end_header", "property list uchar float texcoord\nend_header")
    (tmp_path / "wedges.ply").write_text(text)
    Image.fromarray(QUARTERS).save(tmp_path / "t.png")
    mesh = load_mesh(tmp_path / "wedges.ply")
    expected = [[[0, 0], [1, 0], [1, 1]], [[0.5, 0.5], [0.6, 0.6], [0.7, 0.7]]]
    np.testing.assert_allclose(mesh.uv[mesh.faces], expected, atol=1e-7)


def test_normals_are_the_files_own(tmp_path):
    text = ply(
        "0 0 0 0 0 2\n.1 0 0 0 0 0\n0 .1 0 1 0 0", "3 0 1 2", 1, "float nx, float ny, float nz"
    )
    (tmp_path / "normals.ply").write_text(text)
    expected = [[0, 0, 1], [0, 0, 1], [1, 0, 0]]  # one is missing, one is not of unit length
    np.testing.assert_allclose(load_mesh(tmp_path / "normals.ply").normals, expected)


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
def test_normals_of_every_format_are_the_files_own(lump, tmp_path, rng, suffix):
    normals = rng.normal(size=lump.vertices.shape)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lump.vertex_normals = normals
    option = "vertex_normal" if suffix == "ply" else "include_normals"
    lump.export(tmp_path / f"a.{suffix}", **{option: True})
    np.testing.assert_allclose(load_mesh(tmp_path / f"a.{suffix}").normals, normals, atol=1e-6)


def test_lmo_meshes_are_what_trimesh_reads(lmo):
    path = lmo / "models" / "obj_000005.ply"
    mesh, other = load_mesh(path), trimesh.load(path, process=False)
    np.testing.assert_array_equal(mesh.faces, other.faces)
    np.testing.assert_allclose(mesh.vertices, other.vertices / 1000, rtol=1e-6)
    np.testing.assert_allclose(mesh.normals, other.vertex_normals, atol=1e-6)
    np.testing.assert_array_equal(mesh.colors, other.visual.vertex_colors[:, :3])


TRIANGLE = "0 0 0\n.1 0 0\n0 .1 0"
BAD_FILES = {
    "no faces": ("a.ply", ply(TRIANGLE, "", 0), "no faces"),
    "only points": ("a.obj", "v 0 0 0\nv 1 0 0\n", "no faces"),
    "NaN": ("a.ply", ply("0 0 nan\n.1 0 0\n0 .1 0", "3 0 1 2", 1), "NaN"),
    "NaN in OFF": ("a.off", "OFF\n3 1 0\n0 0 nan\n.1 0 0\n0 .1 0\n3 0 1 2\n", "NaN"),
    "infinite": ("a.ply", ply("0 0 inf\n.1 0 0\n0 .1 0", "3 0 1 2", 1), "NaN or infinite"),
    "metres for mm": ("a.ply", ply("0 0 0\n150 0 0\n0 150 0", "3 0 1 2", 1), "--unit mm"),
    "too large": ("a.ply", ply("0 0 0\n1e9 0 0\n0 1 0", "3 0 1 2", 1), "no unit"),
    "too small": ("a.ply", ply("0 0 0\n1e-4 0 0\n0 1e-5 0", "3 0 1 2", 1), "no unit"),
    "vertex not there": ("a.ply", ply(TRIANGLE, "3 0 1 3", 1), "vertices 0 to 3"),
    "negative vertex": ("a.ply", ply(TRIANGLE, "3 0 1 -1", 1), "vertices -1 to 1"),
    "faces cut off": ("a.ply", ply(TRIANGLE, "3 0 1 2\n3 0", 2), "too early"),
    "vertices cut off": ("a.ply", ply(TRIANGLE, "3 0 1 2", 1)[:-20], "too early"),
    "no PLY": ("a.ply", "solid nonsense", "PLY"),
    "empty PLY": ("a.ply", "", "PLY"),
    "words in PLY": ("a.ply", ply("0 0 zero\n.1 0 0\n0 .1 0", "3 0 1 2", 1), "zero"),
    "unknown PLY type": ("a.ply", ply(TRIANGLE, "3 0 1 2", 1, "quad w"), "not understood"),
    "no OBJ": ("a.obj", "f a b c\n", "no faces"),
    "OBJ cut off": ("a.obj", "v 0 0 0\nv .1 0 0\nv 0 .1 0\nf 1 2 3\nf 1 2", "too early"),
    "OBJ vertex not there": ("a.obj", "v 0 0 0\nv .1 0 0\nv 0 .1 0\nf 1 2 9\n", "OBJ"),
    "no STL": ("a.stl", "solid thing\nfacet normal", "STL|no faces"),
    "no GLB": ("a.glb", "glTF but not quite", "GLB"),
    "no GLTF": ("a.gltf", "{", "GLTF"),
    "OFF cut off": ("a.off", "OFF\n3 2 0\n0 0 0\n.1 0 0\n0 .1 0\n3 0 1 2\n", "too early"),
    "no mesh format": ("a.txt", "hello", "not a mesh format"),
    "missing material": (
        "a.obj", "mtllib gone.mtl\nv 0 0 0\nv .1 0 0\nv 0 .1 0\nf 1 2 3", "gone.mtl"
    ),
    "missing texture": (
        "a.ply",
        ply("0 0 0 0 0\n.1 0 0 0 1\n0 .1 0 1 1", "3 0 1 2", 1, "float s, float t",
            "comment TextureFile gone.png\n"),
        "gone.png",
    ),
    "texture without coordinates": (
        "a.ply", ply(TRIANGLE, "3 0 1 2", 1, "", "comment TextureFile t.png\n"), "coordinates"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_mesh_is_refused_in_one_line(tmp_path, name, content, reason):
    (tmp_path / name).write_text(content)
    message = refusal(load_mesh, tmp_path / name)
    assert message.startswith(f"{tmp_path / name}: ")
    assert any(part in message for part in reason.split("|")), message


@pytest.mark.parametrize("suffix", ["ply", "stl", "glb"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_a_truncated_binary_file_is_refused_and_nothing_logged(
    lump, tmp_path, suffix, part, caplog
):
    whole = lump.export(file_type=suffix)
    (tmp_path / f"a.{suffix}").write_bytes(whole[: int(part * len(whole))])
    assert f"a.{suffix}: " in refusal(load_mesh, tmp_path / f"a.{suffix}")
    assert not caplog.records


def test_an_obj_with_latin_1_comments_is_read(lump, tmp_path):
    text = lump.export(file_type="obj").encode()
    (tmp_path / "a.obj").write_bytes(b"# gr\xfcn\n" + text)
    np.testing.assert_array_equal(load_mesh(tmp_path / "a.obj").faces, lump.faces)


def test_a_missing_or_damaged_texture_of_an_obj_is_refused(tmp_path):
    textured_square(QUARTERS, SimpleMaterial).export(tmp_path / "square.obj")
    (texture,) = tmp_path.glob("*.png")
    texture.write_bytes(texture.read_bytes()[:60])
    assert "not a readable image" in refusal(load_mesh, tmp_path / "square.obj")
    texture.unlink()
    assert texture.name in refusal(load_mesh, tmp_path / "square.obj")
