import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig, make_renderer
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import measure
from render.mesh.mesh import load_models
from render.scene.randomize import SceneConfig
from render.sensor.config import SensorConfig
from train.objects.data import DataConfig
from train.objects.twins.pair import PairConfig, _TwinMaker, pair, twin_splits

# Dark and red, unlike any light the frames were drawn in: hardly a pixel is the same by chance.
TWINS = SceneConfig(ambient=(0.06, 0.06), light=(0.0, 0.0), tint=(1.0, 0.4, 0.4))
CONFIG = PairConfig(variants=2)
REACH_PX = 5


def data_of(root: Path, **changes) -> DataConfig:
    config = DataConfig(dataset=str(root), split="train", train_fraction=1.0, objects=(1,))
    return replace(config, **changes)


def render(folder: Path, scene: SceneConfig, **changes) -> Path:
    config = RenderConfig(frames=4, size=(160, 120), frames_per_scene=2, exact=True)
    generate(replace(config, **changes), scene, folder, seed=0, workers=1)
    return folder


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Two scenes of two frames, three annotated objects in each."""
    scene = SceneConfig(
        layout="upright", objects_per_frame=(3, 3), distance=(0.4, 0.5), elevation_deg=(10, 40)
    )
    return render(tmp_path_factory.mktemp("pairs") / "tables", scene)


@pytest.fixture(scope="module")
def twins(tables, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pairs") / "twins"
    text = pair(CONFIG, TWINS, data_of(tables), out, seed=0)
    assert text == f"{out}: 4 frames, 2 twins each"
    return out


def frames_of(root: Path, split: str):
    return {(image.scene_id, image.im_id): image for image in read_split(root, split)}


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("split", ["twin0", "twin1"])
def test_a_twin_has_its_real_frames_ids_camera_and_poses(tables, twins, split):
    real, twin = frames_of(tables, "train"), frames_of(twins, split)
    assert list(twin) == list(real) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for key, image in real.items():
        np.testing.assert_array_equal(twin[key].camera.K, image.camera.K)
        assert twin[key].camera.size == image.camera.size
        for one, other in zip(twin[key].annotations, image.annotations, strict=True):
            np.testing.assert_array_equal(one.cam_from_obj, other.cam_from_obj)
            ours, theirs = ({**vars(a), "cam_from_obj": None} for a in (one, other))
            assert ours == theirs


def far_from(seen: np.ndarray) -> np.ndarray:
    """What neither the halo nor a blurred rim reaches, nor parts too thin for a mask."""
    return distance_transform_edt(~seen) > REACH_PX


@pytest.mark.parametrize("split", ["twin0", "twin1"])
def test_the_object_is_drawn_in_its_visible_mask_and_all_else_stays_real(tables, twins, split):
    """What stands before it, too: other annotated objects keep every pixel there."""
    twin, drawn, occluded = frames_of(twins, split), 0, 0
    for key, image in frames_of(tables, "train").items():
        visible, hidden = np.zeros((2, 120, 160), bool)
        for gt_id, annotation in enumerate(image.annotations):
            mask = twin[key].read_mask(gt_id, visible=True)
            # The same meshes were drawn by the same means: the masks agree to the pixel.
            np.testing.assert_array_equal(mask, image.read_mask(gt_id, visible=True))
            if annotation.obj_id == 1:
                visible |= mask
                hidden |= image.read_mask(gt_id, visible=False) & ~mask
        differs = (twin[key].read_rgb() != image.read_rgb()).any(axis=2)
        assert not (differs & hidden).any()
        assert not (differs & far_from(visible | hidden)).any()
        assert differs[visible].mean() > 0.95
        drawn, occluded = drawn + visible.sum(), occluded + hidden.sum()
    assert drawn > 2000 and occluded > 100


def test_variants_differ_in_light_alone(twins):
    one, two = frames_of(twins, "twin0"), frames_of(twins, "twin1")
    for key in one:
        assert not np.array_equal(one[key].read_rgb(), two[key].read_rgb())
        for gt_id in range(3):
            masks = [variant[key].read_mask(gt_id, visible=True) for variant in (one, two)]
            np.testing.assert_array_equal(*masks)


def test_twins_are_lit_by_environments_where_these_are_asked_for(tables, tmp_path):
    """Only the object's colours change, and the same seed is the same light."""
    made = {}
    for name, kind in (("none", "none"), ("sky", "sky"), ("again", "sky")):
        config = PairConfig(variants=1, lit=0.0, halo_px=0.0)
        pair(config, replace(TWINS, environment=kind), data_of(tables), tmp_path / name, seed=0)
        made[name] = frames_of(tmp_path / name, "twin0")
    for key, image in made["sky"].items():
        rgb, unlit = image.read_rgb(), made["none"][key].read_rgb()
        np.testing.assert_array_equal(rgb, made["again"][key].read_rgb())
        (gt_id,) = [i for i, a in enumerate(image.annotations) if a.obj_id == 1]
        whole = frames_of(tables, "train")[key].read_mask(gt_id, visible=False)
        far = far_from(whole)
        np.testing.assert_array_equal(rgb[far], unlit[far])
        differs = (rgb != unlit).any(axis=2)
        assert differs[image.read_mask(gt_id, visible=True)].mean() > 0.9


def test_without_masks_the_drawing_says_what_is_in_front(tables, twins, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(tables, bare)
    for scene in (bare / "train").iterdir():
        shutil.rmtree(scene / "mask_visib")
    pair(CONFIG, TWINS, data_of(bare), tmp_path / "twins", seed=0)
    for split in ("twin0", "twin1"):
        assert files_of(tmp_path / "twins" / split) == files_of(twins / split)


def test_an_occluder_without_annotation_stays_in_front_by_the_datasets_mask(tmp_path):
    scene = SceneConfig(layout="crop", occluder_chance=1.0, distractor_chance=0.0)
    root = render(tmp_path / "crops", scene, size=(64, 64), obj_ids=(1,))
    pair(CONFIG, TWINS, data_of(root), tmp_path / "twins", seed=0)
    twin, hidden = frames_of(tmp_path / "twins", "twin0"), 0
    for key, image in frames_of(root, "train").items():
        visible, whole = (image.read_mask(0, visible=part) for part in (True, False))
        differs = (twin[key].read_rgb() != image.read_rgb()).any(axis=2)
        assert not (differs & whole & ~visible).any()
        assert not (differs & far_from(visible)).any()
        hidden += int((whole & ~visible).sum())
    assert hidden > 100


def test_a_frame_in_which_the_object_is_hidden_is_its_own_twin(tables, tmp_path):
    root = tmp_path / "hidden"
    shutil.copytree(tables, root)
    for mask in root.glob("train/*/mask_visib/*.png"):
        cv2.imwrite(str(mask), np.zeros((120, 160), np.uint8))
    pair(replace(CONFIG, lit=1.0), TWINS, data_of(root), tmp_path / "twins", seed=0)
    for key, image in frames_of(root, "train").items():
        for split in ("twin0", "twin1"):
            twin = frames_of(tmp_path / "twins", split)[key]
            np.testing.assert_array_equal(twin.read_rgb(), image.read_rgb())


def test_the_object_is_seen_through_the_colour_camera_and_nothing_else_is(tables, tmp_path):
    blind = SensorConfig(gain=(0.0, 0.0), blur_px=(0.0, 0.0), noise=(0.0, 0.0))
    config = PairConfig(variants=1, lit=0.0, halo_px=0.0)
    pair(config, TWINS, data_of(tables), tmp_path / "twins", 0, blind)
    for key, twin in frames_of(tmp_path / "twins", "twin0").items():
        image = frames_of(tables, "train")[key]
        (gt_id,) = [i for i, a in enumerate(image.annotations) if a.obj_id == 1]
        visible, whole = (image.read_mask(gt_id, visible=part) for part in (True, False))
        inner, far = binary_erosion(visible, iterations=2), far_from(whole)
        rgb, real = twin.read_rgb(), image.read_rgb()
        # But for what is in front and thinner than a pixel.
        assert np.count_nonzero(rgb[inner]) <= 0.01 * rgb[inner].size
        np.testing.assert_array_equal(rgb[far], real[far])
        assert (rgb <= real).all()  # its rim hides a share of what is behind


def test_in_its_frames_light_an_object_looks_as_it_does_there(tmp_path):
    """Frames drawn matt, by one light: their twins are hardly another picture."""
    light = SceneConfig(
        layout="crop", lights=(1, 1), light=(0.4, 0.6), ambient=(0.2, 0.4), gloss=(0.0, 0.0),
        tint_spread=0.0, occluder_chance=0.0, distractor_chance=0.0,
    )  # fmt: skip
    sharp = SensorConfig(color="perfect")
    root = tmp_path / "frames"
    config = RenderConfig(frames=4, size=(64, 64), obj_ids=(1,), exact=True)
    generate(config, light, root, seed=0, workers=1, sensor=sharp)
    off = {}
    for lit in (0.0, 1.0):
        out, config = tmp_path / f"lit{lit}", PairConfig(variants=1, lit=lit)
        pair(config, light, data_of(root), out, 0, sharp)
        off[lit] = []
        for key, image in frames_of(root, "train").items():
            inner = binary_erosion(image.read_mask(0, visible=True), iterations=2)
            images = (frames_of(out, "twin0")[key], image)
            # Without the pattern on it, of which a frame's pixels show one point each.
            one, other = (cv2.GaussianBlur(i.read_rgb().astype(float), (0, 0), 3) for i in images)
            off[lit].append(np.abs(one - other)[inner].mean())
    assert max(off[1.0]) < 3 < 10 < max(off[0.0])


@pytest.mark.slow
def test_a_share_of_the_twins_is_lit_as_their_frames_are(tables, tmp_path):
    out = {}
    for lit in (0.0, 0.6, 1.0):
        pair(replace(CONFIG, lit=lit), TWINS, data_of(tables), tmp_path / str(lit), seed=0)
        out[lit] = {k: v for k, v in files_of(tmp_path / str(lit)).items() if "/rgb/" in k}
    told = [name for name in out[0.6] if out[0.0][name] != out[1.0][name]]
    as_real = [out[0.6][name] == out[1.0][name] for name in told]
    assert as_real == [out[0.6][name] != out[0.0][name] for name in told]
    assert 0 < sum(as_real) < len(as_real)


def test_twins_of_before_their_rims_were_mixed_are_not_gone_on_with(tables, twins, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(twins, old)
    record = json.loads((old / "generation.json").read_text())
    del record["settings"]["pair"]["lit"], record["settings"]["pair"]["halo_px"]
    (old / "generation.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"made before pair\.lit counted"):
        pair(CONFIG, TWINS, data_of(tables), old, seed=0)


def test_no_named_object_means_all_of_them(tables, tmp_path):
    pair(PairConfig(variants=1), TWINS, data_of(tables, objects=()), tmp_path / "twins", seed=0)
    for key, twin in frames_of(tmp_path / "twins", "twin0").items():
        image = frames_of(tables, "train")[key]
        for gt_id in range(3):
            masks = [one.read_mask(gt_id, visible=True) for one in (twin, image)]
            np.testing.assert_array_equal(*masks)


def test_a_stopped_pairing_keeps_what_is_there_and_makes_the_rest_alike(tables, twins, tmp_path):
    copy = tmp_path / "twins"
    shutil.copytree(twins, copy)
    shutil.rmtree(copy / "twin1" / "000000")
    (copy / "twin1" / ".000000.partial").mkdir()
    kept = copy / "twin0" / "000000" / "rgb" / "000000.png"
    before = kept.stat().st_mtime_ns
    pair(CONFIG, TWINS, data_of(tables), copy, seed=0)
    assert files_of(copy) == files_of(twins)
    assert kept.stat().st_mtime_ns == before


def test_only_training_frames_get_twins(tables, tmp_path):
    (tmp_path / "split.json").write_text(json.dumps({"train": [[1, 1]], "test": [[0, 0]]}))
    config = data_of(tables, split_file=str(tmp_path / "split.json"))
    pair(CONFIG, TWINS, config, tmp_path / "twins", seed=0)
    assert [list(frames_of(tmp_path / "twins", s)) for s in ("twin0", "twin1")] == [[(1, 1)]] * 2


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"seed": 1}, "seed = 0, not 1"), ({"config": PairConfig(3)}, r"pair\.variants = 2, not 3")],
)
def test_twins_made_with_other_settings_are_not_touched(tables, twins, changes, what):
    before = files_of(twins)
    arguments = {"config": CONFIG, "seed": 0} | changes
    with pytest.raises(InputError, match=what):
        pair(arguments["config"], TWINS, data_of(tables), twins, arguments["seed"])
    assert files_of(twins) == before


def test_what_cannot_be_paired_is_refused_before_anything_is_written(tables, tmp_path):
    out = tmp_path / "twins"
    for objects in ((99,), (1, 99)):
        with pytest.raises(InputError, match="object 99"):
            pair(CONFIG, TWINS, data_of(tables, objects=objects), out, seed=0)
    shutil.copytree(tables, tmp_path / "data")
    (tmp_path / "data" / "models" / "obj_000003.ply").unlink()
    with pytest.raises(InputError, match="models has no mesh of object 3"):
        pair(CONFIG, TWINS, data_of(tmp_path / "data"), out, seed=0)
    assert not out.exists()


def test_splits_of_twins_are_listed_in_order(twins, tmp_path):
    assert twin_splits(twins) == ["twin0", "twin1"]
    with pytest.raises(InputError, match="holds no twins"):
        twin_splits(tmp_path)


def test_on_real_frames_the_meshes_land_where_the_dataset_says(lmo):
    """Boxes of LM-O's whole silhouettes, which the benchmark drew with its own renderer."""
    images = read_split(lmo, "test", [(2, 27), (2, 691), (2, 1144)])
    models = load_models([lmo / "models"])
    with closing(make_renderer(models, RenderConfig(exact=True))) as renderer:
        maker = _TwinMaker(renderer, replace(CONFIG, lit=0.0), TWINS, {5}, seed=0)
        for image in images:
            spec = maker.spec(image, 0)
            (drawn,) = renderer.render([spec])
            measured = measure(drawn, renderer.full_masks(spec, canvas=3))
            for ours, theirs in zip(measured.annotations, image.annotations, strict=True):
                if theirs.visib_fract > 0.1:
                    np.testing.assert_allclose(ours.bbox_obj, theirs.bbox_obj, atol=1)
                    assert ours.px_count_all == pytest.approx(theirs.px_count_all, rel=0.01)
                # What nobody annotated may hide more of it. The benchmark sees 15 mm deep into what
                # is in front, and so a little more of the object.
                assert ours.visib_fract > theirs.visib_fract - 0.1

            twin = maker.twin(image, spec)
            index = [a.obj_id for a in image.annotations].index(5)
            np.testing.assert_array_equal(twin.instance, drawn.instance)
            kept = far_from(twin.instance == index + 1)
            np.testing.assert_array_equal(twin.rgb[kept], image.read_rgb()[kept])
