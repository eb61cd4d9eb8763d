"""Maps of normalised object coordinates, read as NOCS's own reader does."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from render.dataset.convert import ConvertConfig, convert
from render.errors import InputError
from render.formats.bop import read_split
from render.formats.bop_writer import measure, write_scene
from render.formats.labels import LabelledImage, ObjectClass
from render.formats.nocs import MOST, NocsWriter
from render.mesh.mesh import write_models
from render.scene.spec import Placed, SceneSpec, rows
from render.transforms import apply, random_rotation, rigid
from tests.small_dataset import CAMERA, cuboids

MODELS = cuboids()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two images of two objects, the nearer one before the other, with depth."""
    from render.draw.rasterizer import Rasterizer

    root, rng = tmp_path_factory.mktemp("data") / "own", np.random.default_rng(4)
    write_models(root / "models", MODELS.values())
    (root / "models" / "names.json").write_text('{"1": "red mug"}')
    rasterizer = Rasterizer({j: model.mesh for j, model in MODELS.items()})
    images = []
    for i in range(2):
        poses = {
            j: rigid(random_rotation(rng), [x, 0, z])
            for j, x, z in ((1, -0.02, 0.5), (2, 0.02, 0.65))
        }
        placed = tuple(Placed(j, rows(pose)) for j, pose in poses.items())
        spec = SceneSpec(rows(CAMERA.K), CAMERA.size, placed)
        (frame,) = rasterizer.render([spec])
        canvas = rasterizer.full_masks(spec, 3, frame.instance)
        images.append((i, measure(frame, canvas), canvas))
    rasterizer.close()
    write_scene(root / "test" / "000003", images)
    return root


@pytest.fixture(scope="module")
def written(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("nocs") / "out"
    convert(root, "nocs", out, ConvertConfig(val="0.5"))
    return out


def read(stem):
    """Mask, coordinates in 0..1, depth and the lines of the meta file, as its reader has them."""
    mask = cv2.imread(f"{stem}_mask.png")[:, :, 2]
    coord = cv2.imread(f"{stem}_coord.png")[:, :, (2, 1, 0)].astype(np.float32) / 255
    coord[:, :, 2] = 1 - coord[:, :, 2]
    lines = [line.split() for line in Path(f"{stem}_meta.txt").read_text().splitlines()]
    return mask, coord, cv2.imread(f"{stem}_depth.png", -1), lines


@pytest.mark.parametrize(("part", "im_id"), [("train", 0), ("test", 1)])
def test_each_pixel_has_the_point_of_the_object_that_is_seen_there(root, written, part, im_id):
    mask, coord, depth_mm, lines = read(written / "real" / part / "scene_000003" / f"{im_id:06d}")
    assert [line[1:] for line in lines] == [["1", "red_mug"], ["2", "obj_000002"]]
    assert set(np.unique(mask)) == {1, 2, 255}
    (image,) = read_split(root, "test", [(3, im_id)])
    np.testing.assert_allclose(depth_mm / 1000, image.read_depth(), atol=0.0006)
    for number, annotation in enumerate(image.annotations, start=1):
        seen = mask == number
        np.testing.assert_array_equal(seen, image.read_mask(number - 1, visible=True))
        sides = np.loadtxt(written / "obj_models" / f"real_{part}" / f"{lines[number - 1][2]}.txt")
        box = MODELS[annotation.obj_id].box
        np.testing.assert_allclose(sides, box[1] - box[0], atol=1e-6)
        points = (coord[seen] - 0.5) * np.linalg.norm(sides) + box.mean(axis=0)
        v, u = np.nonzero(seen)
        at = CAMERA.project(apply(annotation.cam_from_obj, points))
        # A step of a byte is 0.4 mm of these objects, a tenth of a pixel.
        assert np.abs(at - np.stack([u, v], axis=1)).max() < 0.25
        away = apply(annotation.cam_from_obj, points)[:, 2]
        np.testing.assert_allclose(away, depth_mm[seen] / 1000, atol=0.0012)


def test_more_objects_than_a_mask_tells_are_refused():
    crowd = LabelledImage("a_color.png", 1, 1, CAMERA, (None,) * (MOST + 1))
    with pytest.raises(InputError, match="19 objects; NOCS's reader takes 18"):
        NocsWriter([]).add(None, "train", crowd)


def test_a_name_that_is_no_files_is_refused():
    with pytest.raises(InputError, match="a/b: NOCS has a file of an object's name"):
        NocsWriter([ObjectClass(0, 1, "a/b")])


@pytest.mark.parametrize("names", [("a b", "a_b"), ("a b", "a  b"), ("A b", "a_B")])
def test_names_that_become_alike_are_refused(names):
    classes = [ObjectClass(i, i + 1, name) for i, name in enumerate(("c", *names))]
    line = f"objects 2 and 3, {names[0]} and {names[1]}, are both {'_'.join(names[1].split())} in"
    with pytest.raises(InputError, match=line):
        NocsWriter(classes)
