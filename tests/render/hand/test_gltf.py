"""Damaged and hostile glTF hands; test_file.py reads good ones."""

import json

import numpy as np
import pytest

from render.errors import InputError
from render.hand.file import load_hand
from tests.hand_samples import stick_hand
from tests.render.hand.test_file import gltf, write_gltf

HUGE = 10**400


def at(*place):
    """Sets a value at a place within the JSON of a file."""

    def change(file: dict, value) -> None:
        for part in place[:-1]:
            file = file[part]
        file[place[-1]] = value

    return change


ACCESSOR, VIEW, NODE = ("accessors", 0), ("bufferViews", 0), ("nodes", 0)
PRIMITIVE = ("meshes", 0, "primitives", 0)
PLACES = {
    **{
        f"accessor {key}": at(*ACCESSOR, key)
        for key in ("count", "byteOffset", "bufferView", "type")
    },
    "accessor component": at(*ACCESSOR, "componentType"),
    "joints component": at("accessors", 1, "componentType"),
    **{f"view {key}": at(*VIEW, key) for key in ("byteOffset", "byteStride", "buffer")},
    "node matrix": at(*NODE, "matrix"),
    "node children": at(*NODE, "children"),
    "node": at(*NODE),
    **{f"primitive {key}": at(*PRIMITIVE, key) for key in ("attributes", "indices", "mode")},
    **{f"attribute {k}": at(*PRIMITIVE, "attributes", k) for k in ("POSITION", "WEIGHTS_0")},
    "skin joints": at("skins", 0, "joints"),
    "skin matrices": at("skins", 0, "inverseBindMatrices"),
    "skin": at("nodes", 25, "skin"),
    "mesh": at("nodes", 25, "mesh"),
    "skins": at("skins"),
    "meshes": at("meshes"),
    "accessors": at("accessors"),
}
VALUES = (
    None,
    -1,
    2**31,
    2**63,
    HUGE,
    1e300,
    float("nan"),
    True,
    "x",
    [],
    [-1],
    [0],
    {},
    [[]],
    0.5,
)


@pytest.fixture
def hand_file() -> dict:
    return gltf(stick_hand(), np.eye(4))


def refuse(path, *words) -> None:
    with pytest.raises(InputError) as caught:
        load_hand(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and all(word in message for word in words), message
    assert "\n" not in message and len(message) < 500


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_whatever_stands_in_the_place_of_a_value_the_file_is_read_or_refused(
    place, hand_file, tmp_path
):
    path, refused = tmp_path / "hand.glb", 0
    for value in VALUES:
        file = {**json.loads(json.dumps({**hand_file, "buffers": [{}]}))}
        file["buffers"] = [dict(hand_file["buffers"][0])]
        place(file, value)
        write_gltf(path, file)
        try:
            hand = load_hand(path)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and len(str(error)) < 500
        else:
            assert np.isfinite(hand.vertices).all() and hand.faces.max() < len(hand.vertices)
    assert refused >= 7


def test_nodes_within_themselves_are_refused(hand_file, tmp_path):
    wrist = hand_file["skins"][0]["joints"][0]
    hand_file["nodes"][wrist]["children"] = [25]
    hand_file["nodes"][25]["children"] = [wrist]
    write_gltf(tmp_path / "hand.glb", hand_file)
    refuse(tmp_path / "hand.glb", "is a child of itself")


def test_a_long_chain_of_nodes_is_followed(hand_file, tmp_path):
    count = len(hand_file["nodes"])
    hand_file["nodes"] += [{"children": [count + i + 1]} for i in range(3000)] + [{"children": [0]}]
    write_gltf(tmp_path / "hand.glb", hand_file)
    np.testing.assert_allclose(
        load_hand(tmp_path / "hand.glb").joints, stick_hand().joints, atol=1e-6
    )


@pytest.mark.parametrize(
    "accessor, name, values, word",
    [
        (0, "POSITION", "<f4 nan", "not finite"),
        (0, "POSITION", "<f4 1e38", "nothing can be"),
        (1, "JOINTS_0", "u1 25", "names a joint 25; they are 0 to 24"),
        (2, "WEIGHTS_0", "u1 0", "all 0 of a vertex"),
        (3, "indices", "<u2 65518", "names a vertex 65518; they are 0 to 125"),
        (4, "matrices", "<f4 0", "last row is 0 0 0 0, not 0 0 0 1"),
    ],
)
def test_numbers_that_are_none_of_a_hand_are_refused(
    accessor, name, values, word, hand_file, tmp_path
):
    kind, value = values.split()
    view, buffer = hand_file["bufferViews"][accessor], hand_file["buffers"][0]
    content = bytearray(buffer["content"])
    array = np.full(view["byteLength"] // np.dtype(kind).itemsize, float(value)).astype(kind)
    content[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] = array.tobytes()
    hand_file["buffers"] = [{**buffer, "content": bytes(content)}]
    write_gltf(tmp_path / "hand.glb", hand_file)
    refuse(tmp_path / "hand.glb", word)


def test_a_buffer_outside_the_folder_is_not_opened(hand_file, tmp_path):
    write_gltf(tmp_path / "hand.gltf", hand_file)
    file = json.loads((tmp_path / "hand.gltf").read_text())
    for uri in ("/dev/zero", "../secret.bin", "absent.bin", "", "data:", "data:;base64,%%%"):
        file["buffers"][0]["uri"] = uri
        (tmp_path / "hand.gltf").write_text(json.dumps(file))
        refuse(tmp_path / "hand.gltf")


def test_a_damaged_file_is_read_or_refused(hand_file, tmp_path, rng):
    path = tmp_path / "hand.glb"
    write_gltf(path, hand_file)
    content, refused = path.read_bytes(), 0
    for _ in range(500):
        damaged = bytearray(content)
        for place in rng.integers(8000, size=rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        if rng.random() < 0.2:
            del damaged[rng.integers(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            assert np.isfinite(load_hand(path).vertices).all()
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
    assert refused > 100
