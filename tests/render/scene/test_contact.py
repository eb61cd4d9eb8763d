from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from pipeline import main
from render.dataset.generate import generate
from render.draw.renderer import RenderConfig
from render.mesh.mesh import load_models
from render.scene.contact import Contact, scene_contact
from render.scene.props import TABLES, props
from render.scene.randomize import Randomizer, SceneConfig
from render.scene.spec import Placed
from render.transforms import random_rotation, rigid
from tests.mesh_samples import mesh_of
from tests.scenes import CAMERA, at, scene

CROWD = SceneConfig(objects_per_frame=(8, 12), clutter_per_frame=(4, 8), spread=(0.0, 0.2))


def contact(*placed: Placed, **meshes: trimesh.Trimesh) -> Contact:
    """Of meshes a (object 1) and b (object 2), and of props."""
    given = {i + 1: mesh_of(meshes[name]) for i, name in enumerate(sorted(meshes))}
    given |= {obj_id: prop.mesh for obj_id, prop in props().items()}
    return scene_contact(scene(CAMERA, *placed), given)


def table(cam_from_table: np.ndarray) -> Placed:
    return Placed(TABLES[0], tuple(map(tuple, cam_from_table.tolist())), stretch=(1, 1, 0.04))


def turned_together(rng, *poses: np.ndarray) -> list[np.ndarray]:
    cam_from_table = rigid(random_rotation(rng), [0.1, 0.2, 1.0])
    return [cam_from_table @ pose for pose in poses]


def placed_at(pose: np.ndarray, obj_id: int, **changes) -> Placed:
    return at(pose[:3, 3], pose[:3, :3], obj_id, **changes)


@pytest.mark.parametrize("depth_mm", [0.5, 8.0])
def test_the_depth_of_a_small_cube_in_a_large_one_is_how_far_it_was_pushed_in(depth_mm, rng):
    cubes = {"a": trimesh.creation.box([0.1] * 3), "b": trimesh.creation.box([0.04] * 3)}
    pushed = rigid(np.eye(3), [0.07 - depth_mm / 1000, 0.004, 0.007])
    one, other = turned_together(rng, np.eye(4), pushed)
    found = contact(placed_at(one, 1), placed_at(other, 2), **cubes)
    assert found.depth == pytest.approx(depth_mm / 1000, abs=1e-6) and found.gap == 0


def test_meshes_that_cross_without_a_vertex_in_each_other_are_found(rng):
    bars = {
        "a": trimesh.creation.box([0.2, 0.02, 0.02]),
        "b": trimesh.creation.box([0.02, 0.2, 0.02]),
    }
    one, other = turned_together(rng, np.eye(4), rigid(np.eye(3), [0, 0, 0.004]))
    found = contact(placed_at(one, 1), placed_at(other, 2), **bars)
    # The sides of each run through the axis of the other, 10 mm below its surface.
    assert found.depth == pytest.approx(0.01, abs=0.001)  # 1 % of their length


@pytest.mark.slow
def test_a_disc_in_a_ring_touches_nothing_though_its_hull_does(rng):
    ring = trimesh.creation.annulus(r_min=0.06, r_max=0.08, height=0.04, sections=24)
    disc = trimesh.creation.cylinder(radius=0.05, height=0.03, sections=24)
    one, other, aside = turned_together(
        rng, np.eye(4), np.eye(4), rigid(np.eye(3), [0.012, 0.0, 0.0])
    )
    inside = contact(placed_at(one, 1), placed_at(other, 2), a=ring, b=disc)
    assert inside.depth == 0
    pushed = contact(placed_at(one, 1), placed_at(aside, 2), a=ring, b=disc)
    assert pushed.depth == pytest.approx(0.002, abs=0.0003)


def test_stretch_counts(rng):
    cubes = {"a": trimesh.creation.box([0.1] * 3), "b": trimesh.creation.box([0.04] * 3)}
    one, other = turned_together(rng, np.eye(4), rigid(np.eye(3), [0.071, 0.0, 0.0]))
    assert contact(placed_at(one, 1), placed_at(other, 2), **cubes).depth == 0
    longer = contact(placed_at(one, 1, stretch=(1.06, 1, 1)), placed_at(other, 2), **cubes)
    assert longer.depth == pytest.approx(0.002, abs=1e-6)


@pytest.mark.parametrize(("height_mm", "depth_mm", "gap_mm"), [(-2, 2, 0), (0, 0, 0), (5, 0, 5)])
def test_what_sinks_into_the_table_or_floats_above_it_is_measured(height_mm, depth_mm, gap_mm, rng):
    on_table = rigid(np.eye(3), [0.1, -0.2, 0.05 + height_mm / 1000])
    ground, pose = turned_together(rng, np.eye(4), on_table)
    found = contact(placed_at(pose, 1), table(ground), a=trimesh.creation.box([0.1] * 3))
    assert found.depth == pytest.approx(depth_mm / 1000, abs=1e-7)
    assert found.gap == pytest.approx(gap_mm / 1000, abs=1e-7)


def test_crowded_tables_have_no_contact_and_no_gap():
    models = load_models(["assets"])
    meshes = {obj_id: model.mesh for obj_id, model in (models | props()).items()}
    draw = Randomizer(CROWD, models, (640, 480), 0)
    for frame_id in range(6):
        found = scene_contact(draw.scene(frame_id), meshes)
        assert found.depth < 1e-9 and found.gap < 1e-9


def test_lmo_objects_have_no_contact_and_no_gap_on_a_table(lmo):
    models = load_models([lmo / "models"])
    meshes = {obj_id: model.mesh for obj_id, model in (models | props()).items()}
    draw = Randomizer(CROWD, models, (640, 480), 0)
    for frame_id in range(2):
        found = scene_contact(draw.scene(frame_id), meshes)
        assert found.depth < 1e-9 and found.gap < 1e-9


@pytest.mark.slow
def test_validate_finds_no_fault_on_tables_and_prints_the_deepest_contact(tmp_path: Path):
    render = RenderConfig(frames=3, size=(320, 240), frames_per_scene=2)
    generate(render, SceneConfig(), tmp_path / "tables", seed=1, workers=1)
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "tables")])
    assert result.exit_code == 0, result.output
    *_, survey, line = result.output.splitlines()
    assert survey.endswith("no fault")
    assert line == (
        "on tables, in 3 frames: objects reach at most 0.00 mm into one another or the table,"
        " and end at most 0.00 mm above it"
    )
    (tmp_path / "tables" / "models").rename(tmp_path / "elsewhere")
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "tables")])
    assert result.exit_code == 0 and "on tables" not in result.output  # nothing to measure by
    crops = SceneConfig(layout="crop")
    generate(render, crops, tmp_path / "crops", seed=1, workers=1)
    result = CliRunner().invoke(main, ["validate", str(tmp_path / "crops")])
    assert result.exit_code == 0 and "on tables" not in result.output
