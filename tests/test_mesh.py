import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.distance import pdist
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from render.errors import InputError
from render.mesh import (
    Mesh,
    diameter,
    load_mesh,
    load_models,
    models_info_record,
    write_models,
    write_ply,
)
from render.symmetry import symmetry_transforms
from render.transforms import apply, random_rotation, rigid, rodrigues

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
QUARTERS = np.array([[[250, 0, 0], [0, 250, 0]], [[0, 0, 250], [250, 250, 0]]], np.uint8)


@pytest.fixture
def lump(rng) -> trimesh.Trimesh:
    """A closed lump about 14 cm large without any symmetry, a random colour at each vertex."""
    sphere = trimesh.creation.icosphere(subdivisions=2)
    stretched = sphere.vertices * [0.05, 0.07, 0.04] + 0.01 * rng.random((1, 3))
    vertices = stretched * (1 + 0.2 * rng.random((len(sphere.vertices), 1)))
    lump = trimesh.Trimesh(vertices, sphere.faces, process=False)
    lump.visual = ColorVisuals(lump, vertex_colors=rng.integers(0, 256, (len(vertices), 3)))
    return lump


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


# ---------------------------------------------------------------- files


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


def test_written_ply_is_read_back(lump, tmp_path, rng):
    n = len(lump.vertices)
    normals = np.asarray(lump.vertex_normals, np.float32)
    colors = rng.integers(0, 256, (n, 3), dtype=np.uint8)
    white = np.full((n, 3), 255, np.uint8)
    uv = rng.random((n, 2), dtype=np.float32)
    texture = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    geometry = (lump.vertices.astype(np.float32), lump.faces.astype(np.int32), normals)
    for mesh in (
        Mesh(*geometry, colors),
        Mesh(*geometry, white, uv, texture),
        Mesh(*geometry, colors, uv, texture),
    ):
        write_ply(tmp_path / "a.ply", mesh)
        back = load_mesh(tmp_path / "a.ply", unit="mm")
        np.testing.assert_allclose(back.vertices, mesh.vertices, rtol=2e-7)
        np.testing.assert_allclose(back.normals, mesh.normals, atol=1e-6)
        for name in ("faces", "colors", "uv", "texture"):
            np.testing.assert_array_equal(getattr(back, name), getattr(mesh, name))


def test_written_ply_means_the_same_to_trimesh(lump, tmp_path):
    colors = lump.visual.vertex_colors[:, :3]
    normals = np.asarray(lump.vertex_normals, np.float32)
    vertices = lump.vertices.astype(np.float32)
    write_ply(tmp_path / "a.ply", Mesh(vertices, lump.faces, normals, colors))
    other = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    np.testing.assert_allclose(other.vertices, 1000 * lump.vertices, rtol=1e-6)
    np.testing.assert_allclose(other.vertex_normals, normals, atol=1e-6)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3], colors)


def test_lmo_meshes_are_what_trimesh_reads(lmo):
    path = lmo / "models" / "obj_000005.ply"
    mesh, other = load_mesh(path), trimesh.load(path, process=False)
    np.testing.assert_array_equal(mesh.faces, other.faces)
    np.testing.assert_allclose(mesh.vertices, other.vertices / 1000, rtol=1e-6)
    np.testing.assert_allclose(mesh.normals, other.vertex_normals, atol=1e-6)
    np.testing.assert_array_equal(mesh.colors, other.visual.vertex_colors[:, :3])


# ---------------------------------------------------------------- what is refused


def refusal(call, *args, **kwargs) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


def test_the_unit_is_metres_but_millimetres_beside_a_models_info(lump, tmp_path):
    lump.apply_scale(10)
    lump.export(tmp_path / "a.ply")
    sizes = {
        unit: np.ptp(load_mesh(tmp_path / "a.ply", unit).vertices) for unit in ("m", "cm", "mm")
    }
    assert sizes["m"] == pytest.approx(100 * sizes["cm"], rel=1e-6)
    assert sizes["m"] == pytest.approx(1000 * sizes["mm"], rel=1e-6)
    assert np.ptp(load_mesh(tmp_path / "a.ply").vertices) == sizes["m"]
    (tmp_path / "models_info.json").write_text("{}")
    assert np.ptp(load_mesh(tmp_path / "a.ply").vertices) == sizes["mm"]
    assert "m, cm, mm" in refusal(load_mesh, tmp_path / "a.ply", "inch")


# ---------------------------------------------------------------- models


def test_ids_come_from_names_and_the_others_get_what_is_left(lump, tmp_path):
    for name in ("b.stl", "obj_000002.ply", "a.off", "notes.txt"):
        if name.endswith("txt"):
            (tmp_path / name).write_text("not a mesh")
        else:
            lump.export(tmp_path / name)
    models = load_models([tmp_path])
    named = {obj_id: model.source.rsplit("/", 1)[1] for obj_id, model in models.items()}
    assert named == {1: "a.off", 2: "obj_000002.ply", 3: "b.stl"}
    assert list(load_models([tmp_path / "b.stl"])) == [1]
    assert list(load_models([tmp_path], obj_ids=[3, 2])) == [2, 3]


def test_a_model_without_a_record_gets_it_from_its_mesh(lump, tmp_path):
    lump.export(tmp_path / "a.ply")
    (model,) = load_models([tmp_path]).values()
    assert model.diameter == pytest.approx(pdist(lump.vertices).max(), abs=1e-7)
    np.testing.assert_allclose(model.box, lump.bounds, atol=2e-7)
    np.testing.assert_array_equal(model.symmetries, [np.eye(4)])
    assert model.info == models_info_record(model.mesh)


def test_written_models_are_read_back(lump, tmp_path):
    lump.export(tmp_path / "a.ply")
    (model,) = load_models([tmp_path]).values()
    write_models(tmp_path / "models", [model])
    (back,) = load_models([tmp_path / "models"]).values()
    assert back.info == model.info
    np.testing.assert_allclose(back.mesh.vertices, model.mesh.vertices, rtol=2e-7)
    np.testing.assert_array_equal(back.mesh.colors, model.mesh.colors)


def test_lmo_models_keep_their_records(lmo):
    models = load_models([lmo / "models"])
    records = json.loads((lmo / "models" / "models_info.json").read_text())
    assert {str(obj_id): model.info for obj_id, model in models.items()} == records
    for model in models.values():
        assert diameter(model.mesh.vertices) == pytest.approx(model.diameter, abs=2e-6)


def test_sources_that_cannot_be_used_are_named(lump, tmp_path):
    assert "nowhere" in refusal(load_models, [tmp_path / "nowhere"])
    assert "no mesh files" in refusal(load_models, [tmp_path])
    lump.export(tmp_path / "obj_000007.ply")
    assert "no object 3" in (message := refusal(load_models, [tmp_path], obj_ids=[3]))
    assert message.endswith("present are 7")
    lump.export(tmp_path / "obj_000007.stl")
    assert "object 7 stands for" in refusal(load_models, [tmp_path])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("{", "not a models_info.json"),
        ("[]", "not a models_info.json"),
        ('{"1": 3}', "not a JSON object"),
        ('{"1": {"diameter": "large"}}', "damaged"),
        ('{"1": {"diameter": 15}}', "wrong --unit"),
        ('{"1": {"min_x": 500}}', "wrong --unit"),
        ('{"1": {"symmetries_discrete": [[1, 2]]}}', "damaged"),
        (
            '{"1": {"symmetries_continuous": [{"axis": [0, 0, 0], "offset": [0, 0, 0]}]}}',
            "direction",
        ),
    ],
)
def test_a_record_that_does_not_fit_its_mesh_is_refused(lump, tmp_path, record, reason):
    lump.apply_scale(1000)
    lump.export(tmp_path / "obj_000001.ply")
    (tmp_path / "models_info.json").write_text(record)
    assert reason in refusal(load_models, [tmp_path])


def test_the_diameter_is_the_largest_distance(rng):
    for points in (
        rng.normal(size=(1500, 3)),
        rng.normal(size=(1500, 3)) * [1, 1, 0],  # flat
        rng.normal(size=(1500, 1)) * [1.0, 2.0, 3.0],  # on a line
        np.eye(3),
    ):
        assert diameter(points) == pytest.approx(pdist(points).max(), rel=1e-9)


# ---------------------------------------------------------------- symmetries


def test_no_symmetry_is_the_identity():
    np.testing.assert_array_equal(symmetry_transforms({}), [np.eye(4)])


def test_discrete_symmetries_stay_exact_but_for_their_unit(rng):
    R = random_rotation(rng)
    numbers = rigid(R, np.array([1.0, -2.0, 3.5])).reshape(-1).tolist()
    transforms = symmetry_transforms({"symmetries_discrete": [numbers]})
    np.testing.assert_array_equal(transforms[0], np.eye(4))
    np.testing.assert_array_equal(transforms[1, :3, :3], R)
    np.testing.assert_array_equal(transforms[1, :3, 3], np.array([1.0, -2.0, 3.5]) / 1000)


def test_continuous_symmetries_turn_about_their_axis(rng):
    axis, offset = rng.normal(size=3), rng.normal(size=3)
    info = {"symmetries_continuous": [{"axis": axis.tolist(), "offset": (1000 * offset).tolist()}]}
    transforms = symmetry_transforms(info, steps=8)
    assert transforms.shape == (8, 4, 4)
    np.testing.assert_array_equal(transforms[0], np.eye(4))
    on_axis = offset + np.linspace(-1, 1, 5)[:, None] * axis
    np.testing.assert_allclose(apply(transforms, on_axis), np.stack([on_axis] * 8), atol=1e-12)
    step = transforms[1]
    np.testing.assert_allclose(
        transforms, [np.linalg.matrix_power(step, k) for k in range(8)], atol=1e-12
    )
    quarter = rodrigues(np.pi / 2 * axis / np.linalg.norm(axis))
    np.testing.assert_allclose(transforms[2, :3, :3], quarter, atol=1e-12)


def test_discrete_symmetries_are_followed_by_each_continuous_step(rng):
    """As bop_toolkit composes them: R = R_cont R_disc, t = R_cont t_disc + t_cont."""
    flip = rigid(np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 4.0]))
    info = {
        "symmetries_discrete": [flip.reshape(-1).tolist()],
        "symmetries_continuous": [{"axis": [0, 0, 1], "offset": [1, 2, 3]}],
    }
    turns = symmetry_transforms({"symmetries_continuous": info["symmetries_continuous"]}, steps=6)
    flip[:3, 3] /= 1000
    expected = np.concatenate([turns, turns @ flip])
    np.testing.assert_allclose(symmetry_transforms(info, steps=6), expected, atol=1e-15)


def test_a_mirror_is_no_symmetry_of_a_rigid_object():
    mirror = np.diag([-1.0, 1, 1, 1]).reshape(-1).tolist()
    with pytest.raises(ValueError, match="not a rigid transform"):
        symmetry_transforms({"symmetries_discrete": [mirror]})
