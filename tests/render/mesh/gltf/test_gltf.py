"""Shapes of glTF scenes: nodes, skins, morph targets, strips and fans."""

import logging

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from render.transforms import apply
from tests.gltf_samples import CORNER, FACES, GltfSample, corner_in_scene
from tests.mesh_samples import refusal

# The box corner's own volume: what a mirrored one would have with the other sign.
VOLUME = 0.1**3 / 6


def volume(part) -> float:
    """Signed volume: positive where faces are wound outwards."""
    a, b, c = np.moveaxis(part.vertices[part.faces], 1, 0)
    middle = part.vertices.mean(axis=0)
    inner = np.einsum("ni,ni->n", a - middle, np.cross(b - middle, c - middle)).sum() / 6
    return float(inner)


CLOSED = np.concatenate([FACES, [[1, 2, 3]]]).astype("u2")


def closed_corner(sample: GltfSample, **more) -> int:
    """A mesh of CORNER with the fourth face, so that it has a volume."""
    primitive = {"indices": sample.array(CLOSED.reshape(-1)), **more.pop("primitive", {})}
    return sample.corner(primitive, **more)


@pytest.mark.parametrize("given", ["matrix", "parts"])
def test_nodes_move_what_is_below_them(given, rng, tmp_path):
    """The wanted places are worked out point by point: scaled, turned, moved, parent last."""
    sample, turns = GltfSample(), Rotation.random(2, rng=rng)
    moves, scales = rng.random((2, 3)), [np.array([1.0, 2, 3]), np.array([-2.0, 1, 1])]
    nodes = [
        {"translation": t.tolist(), "rotation": turn.as_quat().tolist(), "scale": scale.tolist()}
        for t, turn, scale in zip(moves, turns, scales, strict=True)
    ]
    if given == "matrix":
        nodes = []
        for t, turn, scale in zip(moves, turns, scales, strict=True):
            columns = [*(turn.as_matrix() * scale).T, t]
            rows = [[*column, float(i == 3)] for i, column in enumerate(columns)]
            nodes.append({"matrix": np.ravel(rows).tolist()})
    sample.put("nodes", **nodes[0], children=[1])
    sample.put("nodes", **nodes[1], mesh=closed_corner(sample))
    part = sample.read(tmp_path)
    expected = turns[1].apply(CORNER * scales[1]) + moves[1]
    expected = turns[0].apply(expected * scales[0]) + moves[0]
    np.testing.assert_allclose(part.vertices, expected, atol=1e-6)
    assert volume(part) == pytest.approx(VOLUME * 12, rel=1e-5)  # mirrored, yet not inside out
    outward = np.einsum("ni,ni->n", part.normals, part.vertices - part.vertices.mean(axis=0))
    assert (outward > 0).all()


def test_a_matrix_may_be_rounded(tmp_path):
    sample = GltfSample()
    matrix = [1, 0, 0, 1e-6, 0, 1, 0, -1e-6, 0, 0, 1, 0, 0.5, 0, 0, 0.99999]
    sample.put("nodes", matrix=matrix, mesh=closed_corner(sample))
    expected = CORNER + [0.5, 0, 0]
    np.testing.assert_allclose(sample.read(tmp_path).vertices, expected, atol=1e-12)


def two_scenes(**extra) -> GltfSample:
    sample = GltfSample(**extra)
    mesh = sample.corner()
    for x in (1.0, 2.0, 3.0):
        sample.put("nodes", mesh=mesh, translation=[x, 0, 0])
    sample.put("scenes", nodes=[1])
    sample.put("scenes", nodes=[2])
    return sample


@pytest.mark.parametrize(
    ("extra", "places"), [({}, [2.0]), ({"scene": 1}, [3.0]), ({"scene": 0}, [2.0])]
)
def test_the_scene_that_is_shown_is_read(extra, places, tmp_path):
    part = two_scenes(**extra).read(tmp_path)
    np.testing.assert_array_equal(
        part.vertices, np.concatenate([CORNER + [x, 0, 0] for x in places])
    )


def test_without_scenes_all_nodes_are_read_each_once(tmp_path):
    sample = two_scenes()
    del sample.json["scenes"]
    sample.json["nodes"][0]["children"] = [1]
    expected = np.concatenate([CORNER + [x, 0, 0] for x in (1, 3, 3)])
    np.testing.assert_allclose(sample.read(tmp_path).vertices, expected, atol=1e-6)


def test_a_camera_or_light_at_a_node_takes_nothing_from_it(tmp_path):
    lights = {"KHR_lights_punctual": {"light": 0}}
    sample = corner_in_scene(camera=0, extensions=lights)
    sample.json["cameras"] = [{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}]
    sample.json["animations"] = [{"channels": [], "samplers": []}]
    np.testing.assert_array_equal(sample.read(tmp_path).vertices, CORNER)


def test_nodes_that_are_hidden_are_left_out(tmp_path):
    sample = corner_in_scene()
    hidden = {"KHR_node_visibility": {"visible": False}}
    sample.put("nodes", extensions=hidden, children=[2])
    sample.put("nodes", mesh=0, translation=[1, 0, 0])
    np.testing.assert_array_equal(sample.read(tmp_path).vertices, CORNER)


def test_instances_are_drawn_each(rng, tmp_path):
    sample = GltfSample(extensionsRequired=["EXT_mesh_gpu_instancing"])
    moves = rng.random((3, 3), np.float32)
    turns = Rotation.random(3, rng=rng)
    attributes = {
        "TRANSLATION": sample.array(moves),
        "ROTATION": sample.array(turns.as_quat().astype("f4")),
        "SCALE": sample.array(np.full((3, 3), 2, "f4")),
    }
    extension = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    sample.put("nodes", mesh=sample.corner(), translation=[0, 5, 0], extensions=extension)
    expected = [
        turn.apply(2.0 * CORNER) + t + [0, 5, 0] for turn, t in zip(turns, moves, strict=True)
    ]
    np.testing.assert_allclose(sample.read(tmp_path).vertices, np.concatenate(expected), atol=1e-6)


def skinned(sample: GltfSample, weights: list, joints: list, **node) -> None:
    """CORNER at two joints: one is 1 m up, one is turned by 90 degrees about z and twice as large.

    Both are bound 1 m to the right.
    """
    bound = np.tile(np.eye(4, dtype="f4"), (2, 1, 1))
    bound[:, 3, 0] = -1  # columns first
    mesh = closed_corner(
        sample,
        JOINTS_0=sample.array(np.array(joints, "u1")),
        WEIGHTS_0=sample.array(np.array(weights, "f4")),
    )
    sample.put("nodes", mesh=mesh, skin=0, **node)
    sample.put("nodes", translation=[0, 0, 1])
    half = np.sqrt(0.5)
    sample.put("nodes", rotation=[0, 0, half, half], scale=[2, 2, 2])
    sample.put("skins", joints=[1, 2], inverseBindMatrices=sample.array(bound))


SKIN = np.array([CORNER[i] - [1, 0, 0] for i in range(4)])
AT_FIRST = SKIN + [0, 0, 1]
AT_SECOND = 2 * np.column_stack([-SKIN[:, 1], SKIN[:, 0], SKIN[:, 2]])


def test_skins_pose_their_mesh_whatever_its_node_says(tmp_path):
    weights = [[1, 0, 0, 0], [0, 1, 0, 0], [0.25, 0.75, 0, 0], [0.5, 0.5, 0, 0]]
    sample = GltfSample()
    skinned(sample, weights, [[0, 1, 0, 0]] * 4, scale=[0.01, 0.01, 0.01], translation=[7, 0, 0])
    share = np.array([[0], [1], [0.75], [0.5]])
    expected = (1 - share) * AT_FIRST + share * AT_SECOND
    np.testing.assert_allclose(sample.read(tmp_path).vertices, expected, atol=1e-6)


def test_normals_of_a_skin_turn_with_it_and_a_mirrored_one_is_not_inside_out(tmp_path):
    sample = GltfSample()
    skinned(sample, [[1, 0, 0, 0]] * 4, [[1, 0, 0, 0]] * 4)
    sample.json["nodes"][2]["scale"] = [-2, 2, 2]
    part = sample.read(tmp_path)
    assert volume(part) == pytest.approx(8 * VOLUME, rel=1e-5)
    outward = np.einsum("ni,ni->n", part.normals, part.vertices - part.vertices.mean(axis=0))
    assert (outward > 0).all()


def test_a_second_set_of_joints_counts_too(tmp_path):
    sample = GltfSample()
    skinned(sample, [[0.5, 0, 0, 0]] * 4, [[0, 200, 0, 0]] * 4)
    attributes = sample.json["meshes"][0]["primitives"][0]["attributes"]
    attributes["JOINTS_1"] = sample.array(np.array([[1, 0, 0, 0]] * 4, "u2"))
    halves = np.array([[32768, 0, 0, 0]] * 4, "u2")
    attributes["WEIGHTS_1"] = sample.array(halves, normalized=True)
    expected = (AT_FIRST + AT_SECOND) / 2
    np.testing.assert_allclose(sample.read(tmp_path).vertices, expected, atol=1e-4)


def test_morph_targets_are_added_by_their_weights(tmp_path):
    """The node's weights count before the mesh's; targets may be sparse, and of normals too."""
    sample = GltfSample()
    grown, turned = CORNER.copy(), np.tile(np.array([0, 0, 2], "f4"), (4, 1))
    where, what = sample.view(np.array([3], "u2").tobytes()), sample.view(grown[3:].tobytes())
    sparse = {
        "count": 1,
        "indices": {"bufferView": where, "componentType": 5123},
        "values": {"bufferView": what},
    }
    of_one = sample.put("accessors", componentType=5126, count=4, type="VEC3", sparse=sparse)
    of_all = sample.array(grown)
    normals = sample.array(np.tile(np.array([1, 0, 0], "f4"), (4, 1)))
    targets = [{"POSITION": of_all}, {"POSITION": of_one, "NORMAL": sample.array(turned)}]
    mesh = sample.corner({"targets": targets}, NORMAL=normals)
    sample.json["meshes"][mesh]["weights"] = [0.5, 0]
    sample.put("nodes", mesh=mesh)
    sample.put("nodes", mesh=mesh, weights=[0, 0.5])
    part = sample.read(tmp_path)
    last = CORNER * [[1], [1], [1], [1.5]]
    np.testing.assert_allclose(part.vertices, np.concatenate([1.5 * CORNER, last]), atol=1e-7)
    expected = [[1, 0, 0]] * 4 + [[1, 0, 1]] * 4
    np.testing.assert_array_equal(part.normals, expected)


@pytest.mark.parametrize("indexed", [False, True], ids=["in order", "indexed"])
@pytest.mark.parametrize(
    ("mode", "faces"),
    [
        (4, [[0, 1, 2], [3, 4, 5]]),
        (5, [[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]]),
        (6, [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]]),
    ],
)
def test_triangles_strips_and_fans_are_wound_alike(mode, faces, indexed, rng, tmp_path):
    sample, order = GltfSample(), rng.permutation(6) if indexed else np.arange(6)
    vertices = rng.random((6, 3), np.float32)
    primitive = {"attributes": {"POSITION": sample.array(vertices)}, "mode": mode}
    if indexed:
        primitive["indices"] = sample.array(order.astype("u2"))
    sample.put("nodes", mesh=sample.put("meshes", primitives=[primitive]))
    part = sample.read(tmp_path)
    found, right = part.vertices[part.faces], vertices[order][faces]
    # A triangle may begin at any of its corners.
    first = [
        int(np.argmin(np.abs(f - r[0]).sum(axis=1))) for f, r in zip(found, right, strict=True)
    ]
    turned = np.stack([np.roll(f, -k, axis=0) for f, k in zip(found, first, strict=True)])
    np.testing.assert_array_equal(turned, right)


def test_points_and_lines_are_passed_over_with_a_word(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    sample = corner_in_scene()
    for mode in (0, 1, 2, 3):
        primitive = {"attributes": {"POSITION": sample.array(CORNER)}, "mode": mode}
        sample.json["meshes"][0]["primitives"].append(primitive)
    np.testing.assert_array_equal(sample.read(tmp_path).faces, FACES)
    assert [r.message for r in caplog.records if "points and lines" in r.message] == [
        f"{tmp_path / 'sample.glb'}: has points and lines, which are not drawn"
    ]
    del sample.json["meshes"][0]["primitives"][0]
    assert "no faces" in refusal(sample.read, tmp_path)


def test_a_primitive_keeps_the_order_that_names_gave_it(tmp_path):
    """So that datasets of before are drawn again to the byte."""
    sample = GltfSample()
    for name, x in (("b", 1.0), ("c", 2.0), ("a", 3.0)):
        sample.put("nodes", mesh=0, name=name, translation=[x, 0, 0])
    sample.corner()
    found = sample.read(tmp_path).vertices[::4, 0]
    np.testing.assert_array_equal(found, [3, 1, 2])


def test_a_node_far_down_is_read(tmp_path):
    """Deeper than Python's calls can be nested."""
    sample = GltfSample()
    mesh = sample.corner()
    nodes = [{"children": [i + 1], "translation": [1e-3, 0, 0]} for i in range(5000)]
    sample.json["nodes"] = [*nodes, {"mesh": mesh}]
    far = np.eye(4)
    far[0, 3] = 5
    np.testing.assert_allclose(sample.read(tmp_path).vertices, apply(far, CORNER), atol=1e-6)
