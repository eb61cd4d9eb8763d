"""What a window would show, drawn without one; and what is said where none can be opened."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.dataset.generate import generate
from render.draw.reference import PyrenderRenderer, import_pyrender
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.show.window import find_image, frame_spec, window_scene


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("viewer") / "tables"
    render = RenderConfig(frames=4, size=(160, 120), frames_per_scene=2, exact=True)
    generate(render, SceneConfig(), out, seed=1, workers=1)
    return out


def fail(*args: object) -> str:
    result = CliRunner().invoke(main, ["view", *map(str, args)])
    assert result.exit_code in (1, 2)
    return result.output


def first_look(dataset: Path, frame: str) -> np.ndarray:
    """(H, W) depth of the scene that a window begins with; pyrender needs its own process."""
    pyrender = import_pyrender(windows=False)
    spec = frame_spec(find_image(dataset, None, frame))
    models = load_models([dataset / "models"], "mm", sorted({p.obj_id for p in spec.objects}))
    meshes = {obj_id: model.mesh for obj_id, model in models.items()}
    renderer = pyrender.OffscreenRenderer(*spec.size)
    scene = window_scene(pyrender, meshes, spec)
    # The pass for segmentation is the one without multisampling.
    ids = dict.fromkeys(scene.mesh_nodes, 1)
    return renderer.render(scene, flags=pyrender.RenderFlags.SEG, seg_node_map=ids)[1].copy()


def test_a_window_begins_with_the_frame_as_its_camera_saw_it(tables):
    """Objects lie on their masks, at the depths of their parts that the frame shows."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for frame in ("0/1", "000001/000000"):
            depth = pool.submit(first_look, tables, frame).result()
            image = find_image(tables, "train", frame)
            ids = range(len(image.annotations))
            full = np.any([image.read_mask(i, visible=False) for i in ids], axis=0)
            seen = np.any([image.read_mask(i, visible=True) for i in ids], axis=0)
            assert full.sum() > 300
            np.testing.assert_array_equal(depth > 0, full)
            # Files hold depth in tenths of a millimetre.
            np.testing.assert_allclose(depth[seen], image.read_depth()[seen], atol=1e-4)


def test_a_frame_is_found_by_its_numbers_or_named_as_it_should_be(tables):
    assert find_image(tables, None, None).im_id == 0
    found = find_image(tables, "train", "1/1")
    assert (found.scene_id, found.im_id) == (1, 1)
    with pytest.raises(InputError, match="--frame x: must be SCENE/IMAGE, such as 000000/000000"):
        find_image(tables, None, "x")
    with pytest.raises(InputError, match=r"--frame 7/1: no such image in .*tables; its first is"):
        find_image(tables, None, "7/1")


def test_what_has_no_scenes_is_refused_by_what_it_is(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "shard-000000.tar").touch()
    message = r"the window shows BOP's scenes, not train \(bop-webdataset\); --out SHEET.png draws"
    with pytest.raises(InputError, match=message):
        find_image(tmp_path, None, None)


def test_without_a_display_one_line_says_what_to_do(tables, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    line = "Error: no display to open a window on; --out SHEET.png draws a contact sheet instead\n"
    assert fail(tables) == line


def test_without_pyrender_one_line_says_what_to_install(tables, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setitem(sys.modules, "pyrender", None)
    line = "Error: pyrender is not installed; run: python -m pip install pyrender==0.1.45\n"
    assert fail(tables) == line
    with pytest.raises(InputError, match=r"^pyrender is not installed; run: python -m pip install"):
        PyrenderRenderer({})


def test_options_of_the_other_way_of_looking_are_refused(tables, tmp_path):
    assert fail(tables, "--frames", 3) == "Error: --frames belongs to --out SHEET.png\n"
    line = fail(tables, "--frame", "0/0", "--out", tmp_path / "a.png")
    assert line == "Error: --frame is of the window, which opens without --out\n"
