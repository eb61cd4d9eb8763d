import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.kill import same_files
from render.dataset.cluster import make_on_cluster
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.scene.randomize import SceneConfig
from tests.shard_makers import Task, TaskMaker

RENDER = RenderConfig(frames=48, size=(96, 72), frames_per_scene=4)
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A Ray cluster on this machine, of one node."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (the extra [ray])")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("cluster") / "whole"
    generate(RENDER, SceneConfig(), out, seed=0, workers=1)
    return out


@pytest.mark.slow
def test_a_node_that_is_killed_half_way_changes_no_byte(cluster, whole, tmp_path):
    node, out = cluster.add_node(**NODE), tmp_path / "out"

    def kill() -> None:
        while len(list(out.glob("train/0*"))) < 4:
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    generate(RENDER, SceneConfig(), out, seed=0, workers=1, cluster=cluster.address)
    killer.join()
    assert same_files(out, whole)


@pytest.mark.slow
def test_a_node_with_another_opengl_is_refused_by_name(cluster, tmp_path):
    """llvmpipe with narrower vectors is another renderer, by its own account."""
    out = tmp_path / "out"
    generate(RENDER, SceneConfig(), out, seed=0, workers=1, part=(1, 12))
    node = cluster.add_node(**NODE, env_vars={"LP_NATIVE_VECTOR_WIDTH": "128"})
    try:
        with pytest.raises(InputError, match=r"renderer = .*, but on .* it is .*128 bits"):
            generate(RENDER, SceneConfig(), out, seed=0, workers=1, cluster=cluster.address)
    finally:
        cluster.remove_node(node)


@pytest.mark.slow
def test_a_shard_that_kills_every_process_is_named_when_the_rest_is_done(cluster, tmp_path):
    shards = [Task(name, tmp_path) for name in ("kills", "a", "b")]
    with pytest.raises(InputError, match=r"^kills \(WorkerCrashedError\): given up after 3"):
        list(make_on_cluster(TaskMaker, shards, cluster.address))
    assert len((tmp_path / "kills").read_text().split()) == 3
    assert all(len((tmp_path / name).read_text().split()) == 1 for name in "ab")


@pytest.mark.slow
def test_what_a_shard_raises_arrives_in_one_line(cluster, tmp_path):
    with pytest.raises(InputError) as caught:
        list(make_on_cluster(TaskMaker, [Task("bad input", tmp_path)], cluster.address))
    assert str(caught.value) == "cut.png: the image is truncated"


def test_no_ray_and_no_cluster_are_each_one_line(tmp_path, monkeypatch):
    task = Task("a", tmp_path)
    if importlib.util.find_spec("ray") is not None:
        for address in ("127.0.0.1:1", "nowhere", ":"):
            with pytest.raises(InputError, match=f"^--ray {address}: no cluster can be reached"):
                list(make_on_cluster(TaskMaker, [task], address))
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'ray>="):
        list(make_on_cluster(TaskMaker, [task], "auto"))
    with pytest.raises(InputError, match="needs Ray"):
        scenes = replace(RENDER, frames=1)
        generate(scenes, SceneConfig(), tmp_path / "out", seed=0, workers=1, cluster="auto")
    assert not (tmp_path / "out").exists()
