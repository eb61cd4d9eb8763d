"""Valid files of hands to be damaged, small: NYU's folders, hand models, fits."""

import json
import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix

from benchmarks.fuzz_containers import join_glb
from render.dataset.hands import generate_hands
from render.draw.renderer import RenderConfig
from render.formats.nyu import CAMERA, uvd_from_joints, write_depth, write_joints
from render.formats.nyu_dataset import NyuFrame, finish_split, write_joint_data, write_shard
from render.hand.file import load_hand
from render.hand.fit import HandFit
from render.hand.fits import write_fits
from render.hand.gltf import webxr_joints
from render.hand.model import PARENTS, HandModel
from render.hand.pose import hand_angles
from render.hand.scene import HandSceneConfig
from render.transforms import rigid


def depth_ramp() -> np.ndarray:
    """(480, 640) metres."""
    width, height = CAMERA.size
    return np.tile(np.linspace(0.5, 2, width, dtype=np.float32), (height, 1))


def joints_uvd() -> np.ndarray:
    """(36, 3) of some hand."""
    rng = np.random.default_rng(0)
    return uvd_from_joints(rng.normal(size=(36, 3)) * 0.05 + [0, 0, 0.8])


def make_nyu_depth(folder: Path) -> None:
    write_depth(folder / "depth.png", depth_ramp())


def make_joint_data(folder: Path) -> None:
    write_joint_data(folder / "joint_data.mat", np.tile(joints_uvd(), (1, 2, 1, 1)))
    arrays = {name: np.tile(joints_uvd(), (1, 2, 1, 1)) for name in ("joint_uvd", "joint_xyz")}
    savemat(folder / "packed.mat", arrays, do_compression=True)


def make_joints(folder: Path) -> None:
    write_joints(folder / "joints.txt", np.tile(joints_uvd()[:14], (3, 1, 1)))


def make_nyu_split(folder: Path) -> None:
    frame = NyuFrame(joints_uvd(), depth_ramp(), depth_ramp())
    write_shard(folder / "train", 1, [frame, frame])
    finish_split(folder / "train", 2)


def make_rendered(folder: Path) -> None:
    """As `render --format nyu` makes them."""
    render = RenderConfig(hand="bundled", frames=2, format="nyu")
    generate_hands(render, HandSceneConfig(), folder / "ds", seed=0, workers=1)


def make_nyu_shards(folder: Path) -> None:
    write_shard(folder / "train", 1, [NyuFrame(joints_uvd())])
    write_shard(folder / "train", 2, [NyuFrame(joints_uvd())])


@cache
def bundled() -> HandModel:
    return load_hand("bundled")


def mano_arrays() -> dict:
    """The bundled hand with few vertices, in MANO's layout."""
    hand = bundled()
    kept = np.unique(np.concatenate([np.arange(0, len(hand.vertices), 20), hand.tips]))
    rng = np.random.default_rng(0)
    regressor = np.linalg.lstsq(
        np.column_stack([hand.vertices[kept], np.ones(len(kept))]).T,
        np.column_stack([hand.joints, np.ones(len(hand.joints))]).T,
        rcond=None,
    )[0].T
    tree = np.array([PARENTS, range(16)], np.int64)
    count = len(kept)
    return {
        "v_template": hand.vertices[kept],
        "f": rng.integers(0, count, (30, 3)).astype(np.uint32),
        "J_regressor": csc_matrix(regressor),
        "kintree_table": np.where(tree < 0, 4294967295, tree),
        "weights": hand.weights[kept],
        "shapedirs": 1e-3 * rng.normal(size=(count, 3, 2)),
        "posedirs": 1e-3 * rng.normal(size=(count, 3, 135)),
        "bs_type": "lrotmin",
    }


def make_pickle(folder: Path) -> None:
    for protocol in (0, 2, 4, 5):
        content = {"a": np.arange(6.0).reshape(2, 3), "b": csc_matrix(np.eye(3)), "c": ["x", 1]}
        (folder / f"{protocol}.pkl").write_bytes(pickle.dumps(content, protocol))


def make_mano(folder: Path) -> None:
    for protocol in (2, 5):
        content = pickle.dumps(mano_arrays(), protocol)
        (folder / f"MANO_RIGHT_{protocol}.pkl").write_bytes(content)


def make_hand_npz(folder: Path) -> None:
    arrays = mano_arrays()
    np.savez(folder / "hand.npz", **{**arrays, "J_regressor": arrays["J_regressor"].toarray()})


def make_hand_glb(folder: Path) -> None:
    """The bundled hand, rigged as WebXR's, with a fifth of its vertices."""
    hand, names = bundled(), webxr_joints()
    kept = np.unique(np.concatenate([np.arange(0, len(hand.vertices), 5), hand.tips]))
    top = np.argsort(-hand.weights[kept], axis=1)[:, :4]
    first = {joint: i for i, joint in reversed(list(enumerate(names.values())))}
    places = hand.joints[list(names.values())]
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(names), 1, 1))
    inverse[:, 3, :3] = -places
    faces = np.random.default_rng(0).integers(0, len(kept), (60, 3))
    arrays = [
        (hand.vertices[kept].astype(np.float32), "VEC3", 5126),
        (np.vectorize(first.get)(top).astype(np.uint8), "VEC4", 5121),
        (np.take_along_axis(hand.weights[kept], top, 1).astype(np.float32), "VEC4", 5126),
        (inverse, "MAT4", 5126),
        (faces.astype(np.uint16).reshape(-1, 1), "SCALAR", 5123),
    ]
    body, record = _accessors(arrays)
    count = len(names)
    joints = [{"name": n, "translation": p} for n, p in zip(names, places.tolist(), strict=True)]
    attributes = {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}
    record |= {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [count, count + 1]}],
        "nodes": [*joints, {"mesh": 0, "skin": 0}, {"children": list(range(count))}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 4}]}],
        "skins": [{"joints": list(range(count)), "inverseBindMatrices": 3}],
    }
    text = json.dumps(record).encode()
    (folder / "hand.glb").write_bytes(join_glb([("JSON", text), ("BIN\0", body)]))


def _accessors(arrays: Sequence[tuple[np.ndarray, str, int]]) -> tuple[bytes, dict[str, Any]]:
    """A buffer of arrays, each with glTF's names of its shape and type, and what says so."""
    views, accessors, body = [], [], b""
    for i, (array, shape, kind) in enumerate(arrays):
        content = np.ascontiguousarray(array).tobytes()
        views.append({"buffer": 0, "byteOffset": len(body), "byteLength": len(content)})
        count = len(array)
        accessors.append({"bufferView": i, "componentType": kind, "count": count, "type": shape})
        body += content + b"\0" * (-len(content) % 4)
    buffers = [{"byteLength": len(body)}]
    return body, {"buffers": buffers, "bufferViews": views, "accessors": accessors}


def make_fits(folder: Path) -> None:
    hand, count = bundled(), 3
    at = np.tile(rigid(np.eye(3), [0, 0, 0.8]), (count, 1, 1))
    fit = HandFit(
        np.zeros((count, 16, 3)),
        np.zeros((count, len(hand_angles(hand).joints))),
        np.zeros(hand.shape_size),
        at,
        np.ones((count, 14)),
    )
    (folder / "fits").mkdir()
    write_fits(folder / "fits" / "00001.npz", tuple(range(1, count + 1)), fit, hand)
