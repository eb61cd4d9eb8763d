import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.errors import InputError
from render.formats.bop import read_split
from render.image_file import read_gray16, write_png
from render.mesh.mesh import load_mesh, write_ply
from render.scene.randomize import SceneConfig
from render.validate.validate import validate
from tests.mesh_samples import make_lump

SCENE = SceneConfig(shadow_chance=1.0, light_kinds=("point", "spot"))
RENDER = RenderConfig(frames=2, size=(160, 120), unit="mm", exact=True)


def object_of(folder: Path, size_m: float, away_m: float = 0.0) -> str:
    """The folder of a lump whose largest side is so long, so far from its origin."""
    folder.mkdir()
    lump = make_lump(np.random.default_rng(0))
    lump.apply_scale(size_m / lump.extents.max())
    lump.apply_translation([away_m, 0, 0])
    lump.export(folder / "a.ply")
    return str(folder)


def visib_fracts(root: Path) -> list[float]:
    return [a.visib_fract for image in read_split(root, "train") for a in image.annotations]


@pytest.mark.parametrize("size_m", [0.0005, 0.002, 0.1, 10.0])
def test_objects_of_any_size_are_drawn_alike_and_read_again(tmp_path, size_m):
    render = replace(RENDER, unit="m")
    for name, size in (("usual", 0.1), ("out", size_m)):
        meshes = object_of(tmp_path / f"{name}_mesh", size)
        generate(replace(render, objects=(meshes,)), SCENE, tmp_path / name, seed=0, workers=1)
    assert validate(tmp_path / "out", None) == []
    np.testing.assert_allclose(
        visib_fracts(tmp_path / "out"), visib_fracts(tmp_path / "usual"), atol=0.03
    )
    steps = [image.depth_scale / 1000 for image in read_split(tmp_path / "out", "train")]
    assert (np.array(steps) < 0.01 * size_m).all()


def test_a_small_object_is_seen_from_as_near_again(tmp_path):
    meshes = object_of(tmp_path / "mesh", 0.001)
    render = replace(RENDER, unit="m", objects=(meshes,))
    generate(render, SCENE, tmp_path / "out", seed=0, workers=1)
    specs = json.loads((tmp_path / "out/train/000000/scene_spec.json").read_text())
    assert all(0 < spec["near"] < 0.001 for spec in specs.values())
    assert "by_size" in json.loads((tmp_path / "out/generation.json").read_text())["settings"]


def test_distances_from_which_nothing_of_an_object_is_seen_are_refused(tmp_path):
    render = replace(RENDER, unit="m", objects=(object_of(tmp_path / "mesh", 0.001),))
    scene = replace(SCENE, distance=(0.5, 1.0))
    with pytest.raises(InputError, match=r"scene\.distance: 1\.0 m .* is 0\.\d px large"):
        generate(render, scene, tmp_path / "out", seed=0, workers=1)
    generate(render, replace(scene, layout="crop"), tmp_path / "crops", seed=0, workers=1)
    assert validate(tmp_path / "crops", None) == []


def test_an_origin_far_from_the_object_is_refused_and_a_distant_one_told(tmp_path, caplog):
    far = Path(object_of(tmp_path / "far", 0.1, away_m=5000.0)) / "a.ply"
    with pytest.raises(InputError, match=r"a\.ply: .* lies 5000 m from its origin.*subtract 5000"):
        load_mesh(far, "m")
    load_mesh(Path(object_of(tmp_path / "near", 0.1, away_m=0.9)) / "a.ply", "m")
    assert not caplog.records
    load_mesh(Path(object_of(tmp_path / "off", 0.1, away_m=5.0)) / "a.ply", "m")
    assert "m from its origin, to which all poses belong" in caplog.text


@pytest.mark.parametrize("size_m", [0.0004, 10.1])
def test_other_sizes_are_refused_with_those_that_are_read(tmp_path, size_m):
    path = Path(object_of(tmp_path / "mesh", size_m)) / "a.ply"
    with pytest.raises(InputError, match="most likely the wrong unit"):
        load_mesh(path, "m")


def test_poses_of_a_small_object_in_metres_are_still_refused(tmp_path):
    meshes = object_of(tmp_path / "mesh", 0.001)
    out = tmp_path / "out"
    generate(replace(RENDER, unit="m", objects=(meshes,)), SCENE, out, seed=0, workers=1)
    file = out / "train/000000/scene_gt.json"
    gts = json.loads(file.read_text())
    for record in (record for image in gts.values() for record in image):
        record["cam_t_m2c"] = [t / 1000 for t in record["cam_t_m2c"]]
    file.write_text(json.dumps(gts))
    with pytest.raises(InputError, match="these look like metres"):
        read_split(out, "train")


def test_a_mesh_is_written_to_a_thousandth_of_its_size(tmp_path):
    mesh = load_mesh(Path(object_of(tmp_path / "mesh", 0.0005)) / "a.ply", "m")
    write_ply(tmp_path / "b.ply", mesh)
    again = load_mesh(tmp_path / "b.ply", "mm")
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=5e-7)


def test_a_group_that_would_reach_the_camera_is_seen_from_farther(tmp_path):
    render = replace(RENDER, frames=6, unit="m", objects=(object_of(tmp_path / "mesh", 0.9),))
    scene = SceneConfig(layout="upright", distance=(0.55, 1.0), elevation_deg=(10, 80))
    generate(render, scene, tmp_path / "out", seed=0, workers=1)
    assert validate(tmp_path / "out", None) == []
    found = [a for image in read_split(tmp_path / "out", "train") for a in image.annotations]
    assert min(a.cam_from_obj[2, 3] for a in found) > 0.45
    assert min(a.px_count_all for a in found) > 100


def test_validate_sees_a_wrong_depth_of_a_small_object(tmp_path):
    meshes = object_of(tmp_path / "mesh", 0.001)
    out = tmp_path / "out"
    generate(replace(RENDER, unit="m", objects=(meshes,)), SCENE, out, seed=0, workers=1)
    path = out / "train" / "000000" / "depth" / "000001.png"
    depth = read_gray16(path)
    write_png(path, np.where(depth > 0, depth + 2000, 0).astype(np.uint16))  # by 2 mm
    (fault,) = validate(out, None)
    assert "000001" in str(fault) and "as far as" in str(fault)
