from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.dataset.generate import generate
from render.dataset.hands import generate_hands
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.nyu import EVALUATED
from render.formats.nyu_dataset import read_joint_data
from render.hand.scene import HandSceneConfig
from render.image_file import read_rgb
from render.scene.randomize import SceneConfig
from render.show.contact_sheet import contact_sheet
from render.show.overlay import draw_contour, draw_depth
from tests.small_dataset import cuboids, random_frames, write_dataset
from tests.tar_files import edit_tar


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("view") / "tables"
    render = RenderConfig(frames=5, size=(160, 120), frames_per_scene=3)
    generate(render, SceneConfig(), out, seed=0, workers=1)
    return out


def test_a_contour_is_the_part_of_a_mask_that_borders_on_other_pixels(rng):
    rgb = np.zeros((60, 80, 3), np.uint8)
    mask = cv2.GaussianBlur(rng.normal(size=(60, 80)), (0, 0), 5) > 0
    drawn = (draw_contour(rgb, mask, (255, 0, 0)) == (255, 0, 0)).all(axis=2)
    for v, u in np.ndindex(mask.shape):
        around = np.pad(mask, 1)[v : v + 3, u : u + 3]
        assert drawn[v, u] == (mask[v, u] and not around.all())
    assert not rgb.any()


def test_depth_is_drawn_from_red_to_blue_and_black_where_nothing_was_seen():
    depth = np.linspace(0.5, 2.0, 100)[None].repeat(3, axis=0)
    depth[1] = 0
    colors = draw_depth(depth).astype(int)
    assert not colors[1].any() and not draw_depth(np.zeros((4, 5))).any()
    assert colors[0, 2, 0] > colors[0, 2, 2] and colors[0, -3, 2] > colors[0, -3, 0]
    np.testing.assert_array_equal(colors[0], draw_depth(2 * depth)[0])  # whatever the scale


def test_a_sheet_shows_the_frames_with_their_overlays_and_depth(tables, tmp_path):
    out = tmp_path / "sheet.png"
    result = CliRunner().invoke(main, ["view", str(tables), "--frames", "3", "--out", str(out)])
    assert result.exit_code == 0 and result.output == f"{out}\n"
    sheet = read_rgb(out)
    # Three frames side by side, each under its title, and their depth below; gaps of 4 px.
    assert sheet.shape == (4 + 136 + 4 + 120 + 4, 4 + 3 * 164, 3)
    for i, name in enumerate(("000000/rgb/000000", "000000/rgb/000002", "000001/rgb/000001")):
        rgb = read_rgb(tables / "train" / f"{name}.png")
        tile = sheet[20:140, 4 + 164 * i : 164 + 164 * i]
        unchanged = (tile == rgb).all(axis=2)
        assert 0.5 < unchanged.mean() < 0.99  # but for the lines


def test_a_sheet_or_a_redrawn_frame_is_a_png_by_its_name_too(tables, tmp_path):
    frame, out = tables / "train" / "000000" / "rgb" / "000000.png", tmp_path / "a.jpg"
    for args in (["view", tables], ["render", "--replay", frame]):
        result = CliRunner().invoke(main, [*map(str, args), "--out", str(out)])
        assert result.exit_code == 1
        assert result.output == f"Error: {out}: pictures are written as .png\n"
    assert not out.exists()


def test_what_a_dataset_lacks_is_left_out(tmp_path, rng):
    models = cuboids()
    root = write_dataset(tmp_path / "bare", models, random_frames(rng, models, 4))
    assert contact_sheet(root, "test", 2).shape == (4 + 136 + 4, 4 + 2 * 164, 3)
    (root / "models" / "models_info.json").unlink()
    without_boxes = contact_sheet(root, None, 4)
    assert without_boxes.shape == (144, 4 + 4 * 164, 3)


@pytest.mark.slow
def test_shards_look_as_their_scenes_do(tables, tmp_path):
    render = RenderConfig(frames=5, size=(160, 120), frames_per_scene=3, format="bop-webdataset")
    generate(render, SceneConfig(), tmp_path / "shards", seed=0, workers=1)
    as_shards, as_scenes = (contact_sheet(d, None, 3) for d in (tmp_path / "shards", tables))
    np.testing.assert_array_equal(as_shards, as_scenes)


def test_a_damaged_shard_is_named(tmp_path):
    generate(RenderConfig(frames=1, format="bop-webdataset"), SceneConfig(), tmp_path, 0, 1)
    shard = edit_tar(
        tmp_path / "train/shard-000000.tar", lambda m: m.update({"000000_000000.rgb.png": b"x"})
    )
    with pytest.raises(InputError, match=f"^{shard}: 000000/rgb/000000.png: not an image"):
        contact_sheet(tmp_path, None, 1)


def test_hands_are_shown_with_their_joints_and_the_drawn_hand_below(tmp_path):
    render = RenderConfig(hand="bundled", format="nyu", frames=3)
    generate_hands(render, HandSceneConfig(), tmp_path, 0, 1)
    sheet = contact_sheet(tmp_path, "train", 2)
    assert sheet.shape == (4 + 256 + 4 + 240 + 4, 4 + 2 * 324, 3)
    uvd = read_joint_data(tmp_path / "train/joint_data.mat")[0][0, 0, EVALUATED]
    for u, v, _ in uvd / 2:  # the first tile's joints are white, half as large as the image
        patch = sheet[20 + round(v) - 2 : 20 + round(v) + 3, 4 + round(u) - 2 : 4 + round(u) + 3]
        assert patch.min(axis=2).max() > 150
    for path in (tmp_path / "train").glob("depth_1_*.png"):
        path.unlink()
    assert contact_sheet(tmp_path, None, 2).shape == (4 + 256 + 4, 4 + 2 * 324, 3)


@pytest.mark.parametrize(("split", "what"), [(None, "an empty folder"), ("val", "no split 'val'")])
def test_what_is_no_dataset_is_refused(split, what, tables, tmp_path):
    with pytest.raises(InputError, match=what):
        contact_sheet(tables if split else tmp_path, split, 4)


def test_real_frames_can_be_looked_at(lmo):
    sheet = contact_sheet(lmo, "test", 2)
    assert sheet.shape == (4 + 256 + 4, 4 + 2 * 324, 3)
