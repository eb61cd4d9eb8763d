"""Hands from files: glTF's skins, MANO's pickles, and pickles that are none."""

import base64
import json
import os
import pickle
import struct
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from render.errors import InputError
from render.formats.plain_pickle import read_plain_pickle
from render.hand.file import load_hand
from render.hand.gltf import webxr_joints
from render.hand.model import FINGERS, PARENTS, HandModel, shaped
from render.transforms import rigid, rodrigues
from tests.hand_samples import stick_hand


class Ch:
    """Pickles as chumpy.ch.Ch does: its attributes but the caches."""

    def __init__(self, x):
        self.x, self._dirty_vars, self._itr = x, {"x"}, None


class Select:
    """As chumpy.reordering.Select: elements of another array."""

    def __init__(self, a, idxs, preferred_shape):
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape
        self._depends_on_deps = True


@pytest.fixture
def webxr() -> Path:
    """The hands of the WebXR input profiles."""
    folder = Path(os.environ.get("BOP_PATH", "")) / "hands"
    if not (folder / "webxr_right.glb").is_file():
        pytest.skip("BOP_PATH is not set to a folder that holds hands/webxr_right.glb")
    return folder


@pytest.fixture
def chumpy(monkeypatch):
    """Ch and Select under the names by which a pickle knows chumpy's."""
    for name, cls in (("chumpy.ch", Ch), ("chumpy.reordering", Select)):
        module = types.ModuleType(name)
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(cls, "__module__", name)
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))


def mano_arrays(rng) -> dict:
    """A hand in MANO's layout: the stick hand's, and a regressor that finds its joints."""
    hand = stick_hand()
    count = len(hand.vertices)
    regressor = np.zeros((16, count))
    for joint in range(16):
        regressor[joint, 6 * joint : 6 * joint + 6] = 1 / 6
    tree = np.array([PARENTS, range(16)], np.int64)
    return {
        "v_template": hand.vertices,
        "f": hand.faces.astype(np.uint32),
        "J_regressor": csc_matrix(regressor),
        "kintree_table": np.where(tree < 0, 4294967295, tree),
        "weights": hand.weights,
        "shapedirs": 1e-3 * rng.normal(size=(count, 3, 10)),
        "posedirs": 1e-3 * rng.normal(size=(count, 3, 135)),
        "hands_mean": np.zeros(45),
        "bs_type": "lrotmin",
    }


def check_mano(hand: HandModel, arrays: dict, rng) -> None:
    """The model is the arrays', and its joints are those regressed from any shaped vertices."""
    np.testing.assert_allclose(hand.vertices, arrays["v_template"], atol=1e-15)
    np.testing.assert_array_equal(hand.faces, arrays["f"])
    np.testing.assert_array_equal(hand.pose_directions, arrays["posedirs"])
    assert tuple(hand.parents) == PARENTS and hand.side == "right"
    vertices, joints = shaped(hand, rng.normal(size=(3, 10)))
    np.testing.assert_allclose(joints, arrays["J_regressor"].toarray() @ vertices, atol=1e-15)
    np.testing.assert_array_equal(hand.tips // 6, range(16, 21))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_mano_pickle_gives_its_arrays_through_chumpy_and_scipy(tmp_path, rng, chumpy, protocol):
    arrays = mano_arrays(rng)
    shapedirs = arrays["shapedirs"]
    order = rng.permutation(shapedirs.size)
    content = dict(arrays)
    content["v_template"] = Ch(np.asfortranarray(arrays["v_template"]))
    content["shapedirs"] = Select(
        Ch(shapedirs.reshape(-1)[np.argsort(order)]), order, shapedirs.shape
    )
    content["posedirs"] = arrays["posedirs"].astype(">f8")
    path = tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    check_mano(load_hand(path), arrays, rng)


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Written by hand: there, arrays are kept in byte strings, and modules have other names."""
    values = np.array([[1.5, -2.0], [3.0, 4.25]])
    raw = values.tobytes()
    content = (
        b"\x80\x02}q\x00U\x01aq\x01cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        b"U\x01b\x87R(K\x01K\x02K\x02\x86cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbs."
    )
    path = tmp_path / "old.pkl"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_plain_pickle(path)["a"], values)
    np.testing.assert_array_equal(pickle.loads(content, encoding="latin-1")["a"], values)


def test_an_npz_of_mano_arrays_is_read(tmp_path, rng):
    arrays = mano_arrays(rng)
    dense = {**arrays, "J_regressor": arrays["J_regressor"].toarray()}
    np.savez(tmp_path / "mine.npz", **dense)
    check_mano(load_hand(tmp_path / "mine.npz"), arrays, rng)


class Payload:
    """Unpickled carelessly, it calls what it was made with."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (lambda mark: Payload(open, str(mark), "w"), "io.open"),
        (lambda mark: Payload(eval, f"open({str(mark)!r}, 'w')"), "builtins.eval"),
        (lambda mark: Payload(getattr, mark, "touch"), "builtins.getattr"),
        (lambda mark: Payload(os.system, f"touch {mark}"), "posix.system"),
    ],
)
def test_a_pickle_that_would_run_something_is_refused_by_name(tmp_path, rng, payload, named):
    mark = tmp_path / "executed"
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({**mano_arrays(rng), "extra": payload(mark)}))
    with pytest.raises(InputError, match=f"{path}: holds {named}; only plain arrays are read"):
        load_hand(path)
    assert not mark.exists()


def test_a_pickle_cannot_change_what_stands_in_for_its_classes(tmp_path, rng):
    """BUILD on a class, with a state of slots, would set the class's attributes."""
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"\x80\x02cnumpy\nndarray\nN}U\x05plainK\x01s\x86b.")
    with pytest.raises(InputError, match="a damaged pickle"):
        read_plain_pickle(path)
    good = tmp_path / "good.pkl"
    good.write_bytes(pickle.dumps({"a": np.arange(3)}))
    np.testing.assert_array_equal(read_plain_pickle(good)["a"], np.arange(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posedirs": None}, r"has no posedirs; a MANO model was expected"),
        (
            {"weights": np.ones((126, 15))},
            r"weights has shape \(126, 15\) of float64; \(126, 16\) of numbers was expected",
        ),
        ({"f": np.array([[0, 1, 126]])}, "f names vertices that are not there"),
        ({"v_template": np.full((126, 3), np.nan)}, "v_template holds values that are not finite"),
        ({"kintree_table": np.zeros((2, 16))}, "its joints are not MANO's 16"),
        ({"weights": np.full((126, 16), "x")}, "an array of type U1; numbers were expected"),
    ],
)
def test_a_damaged_mano_file_is_refused(tmp_path, rng, change, message):
    content = {k: v for k, v in {**mano_arrays(rng), **change}.items() if v is not None}
    path = tmp_path / "mano.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=message):
        load_hand(path)


def test_a_cut_off_pickle_and_an_unknown_name_are_refused(tmp_path, rng):
    path = tmp_path / "cut.pkl"
    path.write_bytes(pickle.dumps(mano_arrays(rng))[:-100])
    with pytest.raises(InputError, match="a damaged pickle"):
        load_hand(path)
    with pytest.raises(
        InputError, match=r"use one of bundled, bundled-left, \.glb, \.gltf, \.pkl, \.npz"
    ):
        load_hand("boundled")
    with pytest.raises(InputError, match="no such file; a hand model was expected"):
        load_hand(tmp_path / "none.glb")


def gltf(hand: HandModel, scene_from_mesh: np.ndarray, missing: str = "") -> dict:
    """A glTF file of a hand whose mesh lies elsewhere than its scene; 25 joints, WebXR's."""
    moved_by = webxr_joints()
    names = [name for name in moved_by if name != missing]
    first = [list(moved_by.values()).index(j) for j in range(16)]
    scene_from_joint = [
        rigid(rodrigues(np.array([0.3, j, -j])), p) for j, p in enumerate(hand.joints)
    ]
    bound = [np.linalg.inv(scene_from_joint[moved_by[name]]) @ scene_from_mesh for name in names]
    mesh = (hand.vertices - scene_from_mesh[:3, 3]) @ np.linalg.inv(scene_from_mesh[:3, :3]).T
    owner = np.array(first)[hand.weights.argmax(axis=1)]
    joints = np.zeros((len(mesh), 4), np.uint8)
    joints[:, 0] = owner
    weights = np.zeros((len(mesh), 4), np.uint8)
    weights[:, 0] = 255

    content, views, accessors = b"", [], []
    matrices = np.array(bound).swapaxes(1, 2).reshape(-1, 16)
    for array, component, kind in (
        (mesh.astype("<f4"), 5126, "VEC3"),
        (joints, 5121, "VEC4"),
        (weights, 5121, "VEC4"),
        (hand.faces.reshape(-1).astype("<u2"), 5123, "SCALAR"),
        (matrices.astype("<f4"), 5126, "MAT4"),
    ):
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": array.nbytes})
        accessor = {"bufferView": len(accessors), "componentType": component, "count": len(array)}
        accessors.append({**accessor, "type": kind, "normalized": array is weights})
        content += array.tobytes()
    nodes = [
        {"name": n, "matrix": scene_from_joint[moved_by[n]].T.reshape(-1).tolist()} for n in names
    ]
    nodes += [{"mesh": 0, "skin": 0, "name": "hand"}]
    attributes = {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}
    return {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(content), "content": content}],
        "bufferViews": views,
        "accessors": accessors,
        "nodes": nodes,
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3}]}],
        "skins": [{"joints": list(range(len(names))), "inverseBindMatrices": 4}],
    }


def write_gltf(path, file: dict) -> None:
    content = file["buffers"][0].pop("content")
    if path.suffix == ".glb":
        text = json.dumps(file).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(content), b"BIN\0") + content
        path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    else:
        encoded = base64.b64encode(content).decode()
        file["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{encoded}"
        path.write_text(json.dumps(file))


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_a_skinned_gltf_hand_is_read_in_its_place_in_the_scene(tmp_path, suffix):
    """Centimetres in the mesh, metres in the scene; four joints that ours have no place for."""
    hand = stick_hand()
    scene_from_mesh = rigid(rodrigues(np.array([1.0, 2, 3])), np.array([0.1, 0.2, 0.3]))
    scene_from_mesh[:3, :3] *= 0.01
    path = tmp_path / f"hand.{suffix}"
    write_gltf(path, gltf(hand, scene_from_mesh))
    read = load_hand(path)
    np.testing.assert_allclose(read.vertices, hand.vertices, atol=1e-7)
    np.testing.assert_allclose(read.joints, hand.joints, atol=1e-7)
    np.testing.assert_array_equal(read.weights, hand.weights)
    np.testing.assert_array_equal(read.faces, hand.faces)
    np.testing.assert_array_equal(read.tips // 6, range(16, 21))
    assert read.side == "right"
    wider = shaped(read, np.ones((1, 1)))[0][0] - read.joints[0]
    np.testing.assert_allclose(wider, 1.06 * (read.vertices - read.joints[0]), atol=1e-15)


@pytest.mark.parametrize("scale", [0.01, 100, 1000])
def test_a_gltf_in_another_unit_than_metres_is_refused(tmp_path, scale):
    scene_from_mesh = np.diag([scale, scale, scale, 1.0])
    hand = stick_hand()
    large = replace(hand, joints=scale * hand.joints, vertices=scale * hand.vertices)
    path = tmp_path / "hand.glb"
    write_gltf(path, gltf(large, scene_from_mesh))
    with pytest.raises(InputError, match=r"m from wrist to middle fingertip.*export it in metres"):
        load_hand(path)


def test_a_gltf_without_a_hand_in_it_is_refused(tmp_path):
    path = tmp_path / "hand.gltf"
    write_gltf(path, gltf(stick_hand(), np.eye(4), missing="ring-finger-phalanx-proximal"))
    with pytest.raises(InputError, match="no joint named ring-finger-phalanx-proximal"):
        load_hand(path)
    path.write_text('{"nodes": [{"mesh": 0}]}')
    with pytest.raises(InputError, match="no skinned mesh; a rigged hand was expected"):
        load_hand(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        load_hand(path)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_webxr_hands_are_read(webxr, side):
    """Finger bones about as long as ours, and fingertips where its own joints say."""
    hand, ours = load_hand(webxr / f"webxr_{side}.glb"), load_hand("bundled")
    assert hand.side == side
    for first in (1, 4, 7, 10):
        bones, expected = (
            np.linalg.norm(np.diff(m.joints[first : first + 3], axis=0), axis=1)
            for m in (hand, ours)
        )
        np.testing.assert_allclose(bones, expected, rtol=0.2)
    content = (webxr / f"webxr_{side}.glb").read_bytes()
    nodes = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])["nodes"]
    places = {node["name"]: node.get("translation") for node in nodes}
    names = [f"{finger}-finger-tip" for finger in FINGERS[:4]] + ["thumb-tip"]
    to_tips = hand.vertices[hand.tips] - [places[name] for name in names]
    assert np.linalg.norm(to_tips, axis=1).max() < 0.02
