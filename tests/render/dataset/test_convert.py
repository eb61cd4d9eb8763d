"""Whole datasets in other formats: what is labelled, split and copied, and what is refused."""

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline import main
from render.dataset.convert import FORMATS, ConvertConfig, convert
from render.dataset.see_poses import PoseView
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import measure, write_scene
from render.frame import Annotation, Frame
from render.hand.guest import HAND_ID
from render.mesh.box import box_corners
from render.mesh.mesh import write_models
from render.scene.spec import Placed, SceneSpec, rows
from render.transforms import apply, random_rotation, rigid
from tests.render.formats.coco_reader import KEYS, precision_of_itself, read_coco
from tests.render.formats.labelled import silhouette
from tests.small_dataset import CAMERA, cuboids, smooth_picture

MODELS = cuboids()


def make_frame(rng, hidden=0.0):
    """Objects 1 and 2 side by side; of object 1 a share is hidden by what is not annotated."""
    poses = {j: rigid(random_rotation(rng), [x, 0, 0.6]) for j, x in ((1, -0.1), (2, 0.12))}
    annotations = tuple(Annotation(j, pose) for j, pose in poses.items())
    whole = [
        silhouette(CAMERA.project(apply(a.cam_from_obj, box_corners(MODELS[a.obj_id].box))))
        for a in annotations
    ]
    instance = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    instance[whole[0]], instance[whole[1]] = 1, 2
    rows, columns = np.nonzero(instance == 1)
    covered = slice(0, round(hidden * len(rows)))
    instance[rows[covered], columns[covered]] = 0
    canvas = np.zeros((2, 3 * CAMERA.height, 3 * CAMERA.width), bool)
    canvas[:, CAMERA.height : 2 * CAMERA.height, CAMERA.width : 2 * CAMERA.width] = whole
    frame = Frame(CAMERA, annotations, rgb=smooth_picture(rng), instance=instance)
    return measure(frame, canvas), canvas


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Scenes 1 and 2 of split test, images 0, 3, 6, ...; in image 3 of scene 1 object 1 is hidden
    but for a twentieth."""
    root, rng = tmp_path_factory.mktemp("data") / "own", np.random.default_rng(4)
    write_models(root / "models", MODELS.values())
    for scene in (1, 2):
        images = [(3 * i, *make_frame(rng, 0.95 * (scene == 1 and i == 1))) for i in range(5)]
        write_scene(root / "test" / f"{scene:06d}", images, None)
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy to change."""
    return shutil.copytree(made, tmp_path / "own")


def names(out, folder):
    return sorted(path.name for path in (out / folder).iterdir())


def edit(file, **changes):
    """Change one record of a JSON file."""
    content = json.loads(file.read_text())
    content["1"] |= changes
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_has_every_image_once_to_the_byte_and_is_told_of(to, made, tmp_path):
    out = tmp_path / "out"
    said = convert(made, to, out, ConvertConfig(val="0.2"))
    assert said.splitlines()[0] == (
        f"{out}: {to}, train 8 images, 15 objects; val 2 images, 4 objects"
    )
    assert said.splitlines()[1:] == [
        "left out: 1 objects of which less than 0.1 is visible",
    ]
    for part, last in (("train", ("000", "003", "006", "009")), ("val", ("012",))):
        keys = [(s, int(i)) for s in (1, 2) for i in last]
        for scene, image in keys:
            file = out / f"{FORMATS[to]([]).image_file(part, scene, image)}.png"
            source = made / "test" / f"{scene:06d}" / "rgb" / f"{image:06d}.png"
            assert file.read_bytes() == source.read_bytes()
    about = json.loads((out / "conversion.json").read_text())
    assert about["dataset"] == "own" and about["val"] == "0.2" and about["format"] == to
    objects = [(o["class"], o["obj_id"], o["name"]) for o in about["objects"]]
    assert objects == [(0, 1, "obj_000001"), (1, 2, "obj_000002")]
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


@pytest.mark.parametrize(
    ("to", "kinds"), {"coco": ["bbox", "segm"], "coco-keypoints": KEYS}.items()
)
def test_cocos_own_reader_has_the_masks_of_the_dataset_each_once(to, kinds, made, tmp_path):
    convert(made, to, tmp_path / "out", ConvertConfig(val="0.2"))
    sources = {(image.scene_id, image.im_id): image for image in read_split(made, "test")}
    shown = []
    for part in ("train", "val"):
        (file,) = (tmp_path / "out" / "annotations").glob(f"*_{part}.json")
        coco = read_coco(file)
        for i, about in coco.imgs.items():
            shown.append((about["scene_id"], about["im_id"]))
            source = sources[shown[-1]]
            seen = [g for g, a in enumerate(source.annotations) if a.visib_fract >= 0.1]
            for g, record in zip(seen, coco.imgToAnns[i], strict=True):
                assert record["category_id"] == source.annotations[g].obj_id
                mask = source.read_mask(g, visible=True)
                np.testing.assert_array_equal(coco.annToMask(record), mask)
        for kind in kinds:
            assert precision_of_itself(coco, kind) == pytest.approx(1, abs=1e-9)
    assert sorted(shown) == sorted(sources)


def test_a_hidden_object_is_not_labelled_unless_it_is_wanted(made, tmp_path):
    lines = {}
    for share in (0.1, 0.0):
        out = tmp_path / str(share)
        convert(made, "yolo", out, ConvertConfig(val="0", min_visib=share))
        text = (out / "labels" / "train" / "000001_000003.txt").read_text()
        lines[share] = [line.split()[0] for line in text.splitlines()]
        assert names(out, "images") == ["train"]
    assert lines == {0.1: ["1"], 0.0: ["0", "1"]}


def test_an_image_whose_only_object_is_hidden_is_no_example_of_its_absence(made, tmp_path):
    out = tmp_path / "out"
    said = convert(made, "yolo", out, ConvertConfig(val="0", objects=(1,)))
    assert said.endswith("visible, and 1 images that show nothing else")
    assert "000001_000003.png" not in names(out, "images/train")
    assert len(names(out, "images/train")) == len(names(out, "labels/train")) == 9


def test_whole_scenes_are_held_out_where_there_are_enough(made, tmp_path):
    convert(made, "yolo", tmp_path / "out", ConvertConfig(val="0.5"))
    assert {name[:6] for name in names(tmp_path / "out", "images/train")} == {"000001"}
    assert {name[:6] for name in names(tmp_path / "out", "images/val")} == {"000002"}


def test_another_split_may_be_validated_on(root, tmp_path):
    shutil.move(root / "test" / "000002", root / "other" / "000002")
    with pytest.raises(InputError, match="own: has other, test; name one with --split"):
        convert(root, "yolo", tmp_path / "out", ConvertConfig())
    convert(root, "yolo", tmp_path / "out", ConvertConfig("test", val="other"))
    assert {name[:6] for name in names(tmp_path / "out", "images/val")} == {"000002"}
    with pytest.raises(InputError, match="--val test: is what is trained on; name another"):
        convert(root, "yolo", tmp_path / "2", ConvertConfig("test", val="test"))
    with pytest.raises(InputError, match=r"--val x: must be a share such as 0\.1, .* are other"):
        convert(root, "yolo", tmp_path / "2", ConvertConfig("test", val="x"))


def test_objects_are_called_what_the_dataset_calls_them(root, tmp_path):
    info = root / "models" / "models_info.json"
    edit(info, name="a mug: blue")
    convert(root, "yolo", tmp_path / "out", ConvertConfig())
    assert '  0: "a mug: blue"\n' in (tmp_path / "out" / "data.yaml").read_text()
    wrong = {"obj_000002": "objects 1 and 2 are both called", 7: "must be a text"}
    wrong |= {"a\nb": "must be a text of one line", "a" * 300: "longer than"}
    for name, why in wrong.items():
        edit(info, name=name)
        with pytest.raises(InputError, match=f"models_info.json: .*{why}"):
            convert(root, "yolo", tmp_path / "2", ConvertConfig())
    edit(info, name=None)
    for names in ('{"1": "obj_000002"}', '{"2": "obj_000001"}', '{"1": "a", "2": "A"}'):
        (root / "models" / "names.json").write_text(names)
        with pytest.raises(InputError, match=r"models/names\.json: objects 1 and 2 are both"):
            convert(root, "yolo", tmp_path / "2", ConvertConfig())


def test_images_that_a_reader_would_not_take_or_not_turn_become_png(root, tmp_path):
    rgb = root / "test" / "000001" / "rgb"
    pixels = np.array(Image.open(rgb / "000000.png"))
    (rgb / "000000.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(rgb / "000000.JPG", quality=95, exif=exif)
    (rgb / "000003.png").unlink()
    Image.fromarray(pixels).save(rgb / "000003.JPG")
    convert(root, "yolo", tmp_path / "yolo", ConvertConfig(val="0"))
    assert names(tmp_path / "yolo", "images/train")[:2] == ["000001_000000.png",
                                                            "000001_000003.jpg"]  # fmt: skip
    turned = np.array(Image.open(tmp_path / "yolo" / "images" / "train" / "000001_000000.png"))
    assert np.abs(turned.astype(int) - pixels).mean() < 8
    convert(root, "dope", tmp_path / "dope", ConvertConfig(val="0"))
    assert "000001_000003.png" in names(tmp_path / "dope", "train")


def test_what_is_visible_is_drawn_where_the_dataset_does_not_say(root, tmp_path, caplog):
    """To the pixel and the digit as `render` writes it."""
    scene = root / "test" / "000003"
    rng = np.random.default_rng(2)
    objects = [Placed(j, rows(rigid(random_rotation(rng), [x, 0, 0.5])))
               for j, x in ((1, -0.17), (2, 0.04), (1, 0.06))]  # fmt: skip
    spec = SceneSpec(rows(CAMERA.K), CAMERA.size, tuple(objects))
    with Rasterizer({j: model.mesh for j, model in MODELS.items()}) as rasterizer:
        (frame,), canvas = rasterizer.render([spec]), rasterizer.full_masks(spec, canvas=3)
    write_scene(scene, [(0, measure(frame, canvas), canvas)])
    known = read_split(root, "test")[-1]
    masks = [known.read_mask(i, visible=True) for i in range(3)]
    assert 0.1 < known.annotations[1].visib_fract < 0.9 or known.annotations[2].visib_fract < 0.9

    for folder in (root / "test").iterdir():
        (folder / "scene_gt_info.json").unlink()
        shutil.rmtree(folder / "mask_visib")
    image = read_split(root, "test")[-1]
    with PoseView(root / "models") as view:
        for i, found in enumerate(view.measured(image)):
            np.testing.assert_array_equal(view.visible(image, i), masks[i])
            expected = known.annotations[i]
            assert found.bbox_visib == expected.bbox_visib
            assert found.bbox_obj == expected.bbox_obj
            assert found.visib_fract == pytest.approx(expected.visib_fract, abs=1e-12)
    said = convert(root, "coco", tmp_path / "out", ConvertConfig())
    assert "train 10 images, 20 objects; val 1 images, 3 objects" in said
    assert sum("drawn from the poses" in message for message in caplog.messages) == 2


@pytest.mark.slow
def test_drawn_boxes_are_those_of_occlusion_linemod(lmo):
    """Whose own come from depth within 15 mm, of poses that are a pixel off."""
    image = read_split(lmo, "test")[5]
    with PoseView(lmo / "models") as view:
        drawn = view.measured(image)
    pairs = list(zip(drawn, image.annotations, strict=True))
    off = [np.abs(np.subtract(a.bbox_obj, b.bbox_obj)).max() for a, b in pairs]
    assert max(off) <= 2
    shares = [abs(a.visib_fract - b.visib_fract) for a, b in pairs]
    assert np.median(shares) < 0.1


REFUSALS = {
    "no dataset": (lambda r: r / "nowhere", {}, "nowhere: no such folder"),
    "a file": (lambda r: r / "models" / "models_info.json", {}, "a file; the folder of a dataset"),
    "no such split": (lambda r: r, {"split": "train"}, "no split 'train'; there are test"),
    "no such object": (lambda r: r, {"objects": (7,)}, "no image shows object 7; there are [1, 2]"),
    "nothing to validate on": (lambda r: r, {"val": "0.01"}, "leaves none to validate on"),
    "all to validate on": (lambda r: r, {"val": "1"}, "--val 1: must be at least 0 and below 1"),
    "not a number": (lambda r: r, {"val": "nan"}, "--val nan: must be at least 0 and below 1"),
    "too strict": (lambda r: r, {"objects": (1,), "min_visib": 1.0, "split": "test", "val": "0.01"},
                   "leaves none"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_wrong_inputs_are_named_and_nothing_is_left(case, made, tmp_path):
    of, options, why = REFUSALS[case]
    with pytest.raises(InputError, match=re.escape(why)):
        convert(of(made), "yolo", tmp_path / "out", ConvertConfig(**options))
    assert not list(tmp_path.iterdir())


def test_damage_on_the_way_leaves_nothing(root, tmp_path):
    image = root / "test" / "000002" / "rgb" / "000012.png"
    image.write_bytes(image.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"000012\.png"):
        convert(root, "coco", tmp_path / "out", ConvertConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_what_is_there_already_stays(made, tmp_path):
    (tmp_path / "out").mkdir()
    convert(made, "yolo", tmp_path / "out", ConvertConfig())  # it was empty
    with pytest.raises(InputError, match="out: is there already; remove it, or give another"):
        convert(made, "coco", tmp_path / "out", ConvertConfig())
    assert "data.yaml" in names(tmp_path, "out")


def test_keypoints_of_an_object_without_a_mesh_are_refused(root, tmp_path):
    (root / "models" / "obj_000002.ply").unlink()
    for to in ("yolo-pose", "coco-keypoints", "dope"):
        with pytest.raises(InputError, match=r"no object 2 in .*models; present are 1"):
            convert(root, to, tmp_path / "out", ConvertConfig())
    convert(root, "yolo-pose", tmp_path / "out", ConvertConfig(objects=(1,)))


def test_a_hand_has_a_name_but_no_box_and_is_not_drawn(root, tmp_path):
    for file in root.glob("test/*/scene_gt.json"):
        file.write_text(file.read_text().replace('"obj_id": 2', f'"obj_id": {HAND_ID}'))
    convert(root, "yolo", tmp_path / "out", ConvertConfig())
    assert '  1: "hand"\n' in (tmp_path / "out" / "data.yaml").read_text()
    with pytest.raises(InputError, match=r"object 999999 is a hand, which bends .* --objects"):
        convert(root, "dope", tmp_path / "2", ConvertConfig())
    for folder in root.glob("test/*/mask_visib"):
        shutil.rmtree(folder)
    with pytest.raises(InputError, match="000001, image 0: shows a hand, whose masks cannot"):
        convert(root, "coco", tmp_path / "2", ConvertConfig())
    assert not (tmp_path / "2").exists()


def test_on_the_command_line(made, tmp_path):
    arguments = ["convert", str(made), "--to", "yolo", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*arguments, "--objects", "2", "--min-visib", "0.5"])
    assert done.exit_code == 0 and "train 9 images, 9 objects" in done.output
    for wrong in (["--min-visib", "2"], ["--to", "voc"]):
        done = CliRunner().invoke(main, [*arguments, *wrong])
        assert done.exit_code == 2 and done.output.startswith("Error: ")
        assert wrong[0] in done.output and len(done.output.splitlines()) == 1


def test_objects_are_asked_for_by_the_names_that_the_dataset_has(root, tmp_path):
    (root / "models" / "names.json").write_text('{"2": "boat"}')
    arguments = ["convert", str(root), "--to", "yolo", "--objects"]
    done = CliRunner().invoke(main, [*arguments, "boat", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert '  0: "boat"\n' in (tmp_path / "out" / "data.yaml").read_text()
    (one,) = json.loads((tmp_path / "out" / "conversion.json").read_text())["objects"]
    assert (one["obj_id"], one["name"]) == (2, "boat")
    done = CliRunner().invoke(main, [*arguments, "boot", "--out", str(tmp_path / "2")])
    assert done.exit_code == 1 and not (tmp_path / "2").exists()
    assert done.output == "Error: --objects: there is no object boot; did you mean boat?\n"


def test_a_dataset_with_a_split_file_is_parted_by_it(root, tmp_path):
    (root / "split.json").write_text('{"train": [[1, 0], [2, 3]], "test": [[1, 6]]}')
    convert(root, "yolo", tmp_path / "out", ConvertConfig())
    train = ["000001_000000.png", "000002_000003.png"]
    assert names(tmp_path / "out", "images/train") == train
    assert names(tmp_path / "out", "images/val") == ["000001_000006.png"]
    convert(root, "yolo", tmp_path / "all", ConvertConfig(val="0"))
    assert len(names(tmp_path / "all", "images/train")) == 10
