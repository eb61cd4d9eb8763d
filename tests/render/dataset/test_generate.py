import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import assets
from benchmarks.kill import same_files
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig, make_renderer, see
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.webdataset import pack_scene
from render.image_file import write_png
from render.mesh.mesh import load_models
from render.scene.props import props
from render.scene.randomize import SceneConfig
from render.scene.spec import SceneSpec
from render.sensor.color import apply_color_sensor
from render.sensor.config import SensorConfig
from render.sensor.depth import apply_depth_sensor

RENDER = RenderConfig(frames=5, size=(160, 120), frames_per_scene=2)
SCENE = SceneConfig(objects_per_frame=(2, 3))
CROPS = replace(RENDER, frames=18, size=(32, 32), obj_ids=(2,), frames_per_scene=20)
CROP_SCENE = SceneConfig(layout="crop", occluder_chance=1.0, distractor_chance=0.0)


def pixels(root: Path, split="train") -> list[dict[str, np.ndarray]]:
    """Everything drawn of each frame, in order."""
    frames = []
    for image in read_split(root, split):
        planes = {"rgb": image.read_rgb(), "depth": image.read_depth()}
        for gt_id in range(len(image.annotations)):
            planes[f"mask_{gt_id}"] = image.read_mask(gt_id, visible=False)
            planes[f"mask_visib_{gt_id}"] = image.read_mask(gt_id, visible=True)
        frames.append(planes)
    return frames


def assert_same_frames(one, other):
    for a, b in zip(one, other, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("generate") / "tables"
    generate(RENDER, SCENE, out, seed=0, workers=1)
    return out


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("generate") / "crops"
    generate(CROPS, CROP_SCENE, out, seed=0, workers=1)
    return out


def specs_of(root: Path) -> list[SceneSpec]:
    texts = [json.loads(p.read_text()) for p in sorted(root.glob("*/*/scene_spec.json"))]
    return [SceneSpec.from_json(json.dumps(spec)) for scene in texts for spec in scene.values()]


@pytest.mark.parametrize("name", ["rendered", "crops"])
@pytest.mark.slow
def test_every_frame_can_be_drawn_again_from_its_spec(name, request):
    root = request.getfixturevalue(name)
    images, specs = read_split(root, "train"), specs_of(root)
    renderer = make_renderer(load_models(["assets"]) | props(), RENDER)
    for image, spec, frame in zip(images, specs, see(renderer, specs), strict=True):
        np.testing.assert_array_equal(image.read_rgb(), frame.rgb)
        # Depth is stored in steps of 0.1 mm.
        np.testing.assert_allclose(image.read_depth(), frame.depth, atol=0.51e-4)
        for gt_id, annotation in enumerate(image.annotations):
            mask = image.read_mask(gt_id, visible=True)
            np.testing.assert_array_equal(mask, frame.instance == gt_id + 1)
            drawn = [placed for placed in spec.objects if placed.annotated][gt_id]
            assert annotation.obj_id == drawn.obj_id
            np.testing.assert_allclose(annotation.cam_from_obj, drawn.matrix, rtol=1e-15)
        np.testing.assert_array_equal(image.camera.K, spec.camera.K)
    renderer.close()


@pytest.mark.slow
def test_with_the_sensors_off_the_same_seed_gives_the_perfect_twin_of_every_frame(tmp_path):
    seen = SensorConfig(depth="structured-light", bayer=True, full_well_e=(5e3, 5e3))
    perfect = SensorConfig(color="perfect")
    render = replace(RENDER, frames=3, frames_per_scene=3)
    for name, sensor in (("seen", seen), ("perfect", perfect)):
        generate(render, SCENE, tmp_path / name, seed=0, workers=1, sensor=sensor)

    folders = [tmp_path / name / "train" / "000000" for name in ("seen", "perfect")]
    for name in (
        "scene_gt.json",
        "scene_camera.json",
        *(f"{p.parent.name}/{p.name}" for p in sorted(folders[0].glob("mask*/*.png"))),
    ):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    infos = [json.loads((folder / "scene_gt_info.json").read_text()) for folder in folders]
    for record in (record for info in infos for image in info.values() for record in image):
        record.pop("px_count_valid")  # of what the depth image holds
    assert infos[0] == infos[1]

    images = zip(
        *(read_split(tmp_path / name, "train") for name in ("seen", "perfect")), strict=True
    )
    specs = specs_of(tmp_path / "seen")
    with closing(make_renderer(load_models(["assets"]) | props(), RENDER)) as renderer:
        for (image, twin), spec, frame in zip(images, specs, renderer.render(specs), strict=True):
            rgb = apply_color_sensor(twin.read_rgb(), spec.sensor)
            np.testing.assert_array_equal(image.read_rgb(), rgb)
            np.testing.assert_allclose(twin.read_depth(), frame.depth, atol=0.51e-4)
            depth = apply_depth_sensor(frame.depth, spec.camera.K, spec.depth_sensor)
            np.testing.assert_allclose(image.read_depth(), depth, atol=0.51e-4)
            assert (np.abs(depth - frame.depth) > 1e-3).any()


@pytest.mark.slow
def test_a_frame_does_not_depend_on_how_many_share_its_folder(rendered, tmp_path):
    other = replace(RENDER, frames_per_scene=3, frames=4)
    generate(other, SCENE, tmp_path / "other", seed=0, workers=1)
    assert [len(read_split(rendered, "train")), len(pixels(tmp_path / "other"))] == [5, 4]
    assert_same_frames(pixels(tmp_path / "other"), pixels(rendered)[:4])


def test_only_the_named_objects_are_annotated_and_the_others_stand_before_them(crops):
    for image, spec in zip(read_split(crops, "train"), specs_of(crops), strict=True):
        assert [a.obj_id for a in image.annotations] == [2]
        assert len(spec.objects) == 2 and spec.objects[1].obj_id != 2
    hidden = [a.visib_fract for image in read_split(crops, "train") for a in image.annotations]
    assert min(hidden) < 1


def test_boxes_and_counts_are_those_of_the_masks(rendered):
    for image in read_split(rendered, "train"):
        for gt_id, a in enumerate(image.annotations):
            visible = image.read_mask(gt_id, visible=True)
            v, u = np.nonzero(visible)
            assert a.bbox_visib == (u.min(), v.min(), np.ptp(u), np.ptp(v))
            assert a.px_count_visib == visible.sum()
            assert a.visib_fract == a.px_count_visib / a.px_count_all


def test_a_finished_dataset_is_left_as_it_is(rendered):
    before = {path: path.stat().st_mtime_ns for path in rendered.rglob("*") if path.is_file()}
    generate(RENDER, SCENE, rendered, seed=0, workers=1)
    after = {path: path.stat().st_mtime_ns for path in rendered.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("render", "scene", "what"),
    [
        (replace(RENDER, obj_ids=(1, 9)), SCENE, r"render\.obj_ids: no object 9"),
        (replace(RENDER, objects=("{tmp}/none",)), SCENE, "none"),
        (RENDER, replace(SCENE, background="{tmp}"), r"scene\.background"),
        (RENDER, replace(SCENE, distance=(0.05, 0.1)), r"scene\.distance"),
        (replace(RENDER, renderer="pyrender", normals=True), SCENE, r"^render\.normals: pyrender"),
        (
            replace(RENDER, renderer="pyrender"),
            replace(SCENE, shadow_chance=0.1),
            r"^scene\.shadow_chance: pyrender",
        ),
    ],
    ids=["ids", "meshes", "background", "distance", "pyrender's normals", "pyrender's shadows"],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_written(render, scene, what, tmp_path):
    render = replace(render, objects=tuple(o.format(tmp=tmp_path) for o in render.objects))
    scene = replace(scene, background=scene.background.format(tmp=tmp_path))
    with pytest.raises(InputError, match=what):
        generate(render, scene, tmp_path / "out", seed=0, workers=1)
    assert not (tmp_path / "out").exists()


def test_a_damaged_background_leaves_nothing_behind(tmp_path, rng):
    (tmp_path / "images").mkdir()
    write_png(tmp_path / "images" / "cut.png", rng.integers(0, 255, (90, 90, 3)).astype(np.uint8))
    whole = (tmp_path / "images" / "cut.png").read_bytes()
    (tmp_path / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
    scene = replace(SCENE, background=str(tmp_path / "images"))
    with pytest.raises(InputError, match=r"cut\.png"):
        generate(RENDER, scene, tmp_path / "out", seed=0, workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_parts_made_in_any_order_by_any_number_of_workers_are_the_whole(rendered, tmp_path):
    for part, workers in (((3, 3), 1), ((1, 3), 2), ((2, 3), 1)):
        generate(RENDER, SCENE, tmp_path / "out", seed=0, workers=workers, part=part)
    assert same_files(tmp_path / "out", rendered)


@pytest.mark.slow
def test_any_number_of_the_same_command_may_run_at_once(rendered, tmp_path):
    spawn, out = multiprocessing.get_context("spawn"), tmp_path / "out"
    with ProcessPoolExecutor(2, spawn) as pool:
        runs = [pool.submit(generate, RENDER, SCENE, out, 0, 1) for _ in range(2)]
        assert [run.result() for run in runs] == [None] * 2
    assert same_files(out, rendered)


@pytest.mark.slow
def test_a_mesh_that_has_changed_meanwhile_is_refused_by_name(tmp_path):
    shutil.copytree(assets.FOLDER, tmp_path / "meshes")
    render = replace(RENDER, objects=(str(tmp_path / "meshes"),))
    out = tmp_path / "out"
    generate(render, SCENE, out, seed=0, workers=1, part=(1, 3))
    mesh = tmp_path / "meshes" / "obj_000002.ply"
    content = mesh.read_bytes()
    mesh.write_bytes(content[:-13] + content[-26:-13])  # the last face is the one before it
    with pytest.raises(InputError, match=r"made with meshes\.2 = "):
        generate(render, SCENE, out, seed=0, workers=1)


@pytest.mark.slow
def test_other_opengl_goes_on_with_nothing_and_refuses_no_finished_dataset(rendered, tmp_path):
    out = Path(shutil.copytree(rendered, tmp_path / "out"))
    record = (out / "generation.json").read_text()
    (out / "generation.json").write_text(record.replace("OpenGL", "OpenGL of another machine"))
    generate(RENDER, SCENE, out, seed=0, workers=1)
    shutil.rmtree(out / "train" / "000001")
    for workers in (1, 2):
        with pytest.raises(InputError, match=r"renderer = .* of another machine.*, but on"):
            generate(RENDER, SCENE, out, seed=0, workers=workers)
    assert sorted(path.name for path in (out / "train").iterdir()) == ["000000", "000002"]


@pytest.mark.slow
def test_shards_hold_what_the_scene_folders_hold(rendered, tmp_path):
    out = tmp_path / "shards"
    generate(replace(RENDER, format="bop-webdataset"), SCENE, out, seed=0, workers=1)
    for scene_id in range(3):
        packed = tmp_path / f"{scene_id}.tar"
        pack_scene(rendered / "train" / f"{scene_id:06d}", scene_id, packed)
        shard = out / "train" / f"shard-{scene_id:06d}.tar"
        assert shard.read_bytes() == packed.read_bytes()
    keys = json.loads((out / "train" / "key_to_shard.json").read_text())
    assert len(keys) == RENDER.frames
    assert sorted(path.name for path in (out / "train").iterdir()) == [
        "key_to_shard.json",
        *(f"shard-{i:06d}.tar" for i in range(3)),
    ]


@pytest.mark.slow
def test_shards_that_are_there_are_not_made_again(tmp_path):
    config = replace(RENDER, format="bop-webdataset")
    generate(config, SCENE, tmp_path / "out", seed=0, workers=1)
    first, last = (tmp_path / "out" / "train" / f"shard-{i:06d}.tar" for i in (0, 2))
    before, content = first.stat().st_mtime_ns, last.read_bytes()
    last.unlink()
    generate(config, SCENE, tmp_path / "out", seed=0, workers=1)
    assert first.stat().st_mtime_ns == before
    assert last.read_bytes() == content
