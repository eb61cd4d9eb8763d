import numpy as np
import pytest

from render.camera import Camera
from render.formats.nyu import BONES, JOINTS
from render.mesh.box import box_corners
from render.show.overlay import BOX_EDGES, draw_box, draw_skeleton, label, sheet
from render.transforms import apply, random_rotation, rigid

RED = (255, 0, 0)


@pytest.fixture
def corners(rng) -> np.ndarray:
    camera = Camera(np.array([[300.0, 0, 100], [0, 300, 80], [0, 0, 1]]), 200, 160)
    box = box_corners(np.array([[-0.06, -0.04, -0.03], [0.06, 0.04, 0.03]]))
    return camera.project(apply(rigid(random_rotation(rng), [0, 0, 0.5]), box))


def distance_to_edges(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(n, 2) points -> their distance to the nearest edge of the box."""
    nearest = np.full(len(points), np.inf)
    for a, b in BOX_EDGES:
        along = corners[b] - corners[a]
        part = np.clip((points - corners[a]) @ along / (along @ along), 0, 1)
        gap = np.linalg.norm(points - corners[a] - part[:, None] * along, axis=1)
        nearest = np.minimum(nearest, gap)
    return nearest


def test_an_edge_joins_the_corners_that_differ_along_one_axis():
    corners = box_corners(np.array([[0, 0, 0], [1, 1, 1]]))
    differing = [(corners[a] != corners[b]).sum() for a, b in BOX_EDGES]
    assert differing == [1] * 12 and len(set(BOX_EDGES)) == 12
    assert np.bincount(np.ravel(BOX_EDGES)).tolist() == [3] * 8


def test_the_box_is_drawn_along_its_edges_and_nowhere_else(corners):
    black = np.zeros((160, 200, 3), np.uint8)
    drawn = draw_box(black, corners, RED)
    v, u = np.mgrid[:160, :200]
    gap = distance_to_edges(np.stack([u.ravel(), v.ravel()], axis=1), corners).reshape(160, 200)
    assert (drawn[gap > 1.6] == 0).all()
    assert (drawn[gap < 0.3, 0] > 120).all() and (drawn[..., 1:] == 0).all()
    assert (black == 0).all()


@pytest.mark.parametrize("corner", [np.nan, np.inf, 1e9])
def test_a_box_beyond_all_bounds_is_left_out(corner, corners, rng):
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    corners[3, 1] = corner
    drawn = draw_box(image, corners, RED)
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_corners_of_another_shape_are_a_value_error():
    with pytest.raises(ValueError, match=r"\(8, 2\), got \(8, 3\)"):
        draw_box(np.zeros((4, 4, 3), np.uint8), np.zeros((8, 3)), RED)


def test_a_label_stands_above_the_untouched_image(rng):
    image = rng.integers(0, 256, (20, 90, 3)).astype(np.uint8)
    labelled = label(image, "twin")
    np.testing.assert_array_equal(labelled[16:], image)
    assert labelled[:16].max() > 150 and not np.array_equal(labelled[:16], label(image, "")[:16])


def test_a_sheet_holds_every_image_in_its_place_over_white(rng):
    sizes = [[(5, 8), (7, 3)], [(4, 20)]]
    rows = [[rng.integers(0, 250, (*s, 3)).astype(np.uint8) for s in row] for row in sizes]
    whole = sheet(rows, gap=2)
    assert whole.shape == (2 + 7 + 2 + 4 + 2, 2 + 20 + 2, 3)
    rest = np.ones(whole.shape[:2], bool)
    for image, (y, x) in zip([*rows[0], *rows[1]], [(2, 2), (2, 12), (11, 2)], strict=True):
        place = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
        np.testing.assert_array_equal(whole[place], image)
        rest[place] = False
    assert (whole[rest] == 255).all()


@pytest.mark.parametrize("rows", [[], [[], []]])
def test_a_sheet_of_nothing_is_a_value_error(rows):
    with pytest.raises(ValueError, match="at least one image"):
        sheet(rows)


def test_a_skeleton_is_drawn_along_its_bones_and_nowhere_else(rng):
    joints, bones = rng.uniform(10, 70, (5, 2)), [(0, 1), (1, 2), (3, 4)]
    black = np.zeros((80, 80, 3), np.uint8)
    drawn = draw_skeleton(black, joints, bones, RED)
    v, u = np.mgrid[:80, :80]
    points, gap = np.stack([u.ravel(), v.ravel()], axis=1), np.full(80 * 80, np.inf)
    for a, b in bones:
        along = joints[b] - joints[a]
        part = np.clip((points - joints[a]) @ along / (along @ along), 0, 1)
        distance = np.linalg.norm(points - joints[a] - part[:, None] * along, axis=1)
        gap = np.minimum(gap, distance)
    gap = gap.reshape(80, 80)
    assert (drawn[gap > 4.2] == 0).all()
    assert (drawn[gap < 0.3, 0] > 120).all() and (drawn[..., 1:] == 0).all()
    assert (black == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_skeleton_beyond_all_bounds_is_left_out(value, rng):
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    joints = rng.uniform(0, 20, (14, 2))
    joints[2, 1] = value
    np.testing.assert_array_equal(draw_skeleton(image, joints, BONES, RED), image)
    with pytest.raises(ValueError, match=r"\(n, 2\), got \(14, 3\)"):
        draw_skeleton(image, np.zeros((14, 3)), BONES, RED)


def test_nyus_skeleton_is_a_tree_from_the_palm_over_all_joints():
    reached = {JOINTS.index("palm")}
    left = list(BONES)
    while left:
        (a, b), *_ = [bone for bone in left if len(reached & set(bone)) == 1]
        left.remove((a, b))
        reached |= {a, b}
    assert reached == set(range(len(JOINTS))) and len(BONES) == len(JOINTS) - 1
    named = {(JOINTS[a].split()[0], JOINTS[b].split()[0]) for a, b in BONES[:6]}
    assert named == {(f, f) for f in ("pinky", "ring", "middle", "index", "thumb")}
