"""Hands among the meshes of the rasteriser: where they are, in any batch, with their joints."""

import dataclasses

import numpy as np
import pytest

from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.hand import skin as hand_skin
from render.hand.file import load_hand
from render.hand.model import HandModel, mirrored, pose_hand
from render.hand.skin import HandSkin
from render.scene.spec import Placed, Posture, rows
from render.transforms import apply, random_rotation, rigid, rodrigues
from tests.hand_samples import stick_hand
from tests.scenes import assert_same_frame, at, draw, scene, square

CAMERA = Camera(np.array([[140.0, 0, 47.5], [0, 140, 47.5], [0, 0, 1]]), 96, 96)
SMALL = Camera(np.array([[70.0, 0, 23.5], [0, 70, 23.5], [0, 0, 1]]), 48, 48)


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand("bundled")


def bent(rng, model: HandModel):
    """A random posture, within what fingers do."""
    pose = rng.normal(scale=0.25, size=(len(model.joints), 3))
    return Posture.of(pose, rng.normal(size=model.shape_size))


def placed_hand(rng, model: HandModel, obj_id=1, **changes) -> Placed:
    R = random_rotation(rng)
    middle = model.vertices.mean(axis=0)
    place = [*rng.uniform(-0.03, 0.03, 2), rng.uniform(0.4, 0.6)]
    return at(place - R @ middle, R, obj_id=obj_id, posture=bent(rng, model), **changes)


def posed(model: HandModel, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and points in the camera frame."""
    bend = placed.posture
    vertices, points = pose_hand(
        model, np.array([bend.pose]), np.array([bend.shape]), placed.matrix[None]
    )
    return vertices[0], points[0]


def cast(vertices: np.ndarray, faces: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(N,) depth where rays (N, 3) with z = 1 from the origin first meet a triangle, inf if none.

    Each ray against each triangle: the solution of ray = a + u (b - a) + v (c - a), up to scale.
    """
    a, b, c = vertices[faces].swapaxes(0, 1)
    volume = np.einsum("fi,fi->f", a, np.cross(b, c))
    sides = [np.cross(b, c), np.cross(c, a), np.cross(a, b)]
    weights = np.stack([rays @ side.T for side in sides]) / volume  # (3, N, F)
    hit = (weights > 0).all(axis=0)
    return np.where(hit, 1 / weights.sum(axis=0), np.inf).min(axis=1)


@pytest.mark.slow
def test_the_drawn_depth_is_where_rays_meet_the_posed_skin(hand, rng):
    """Within 2 um of rays cast against every triangle; masks differ where a ray grazes an edge."""
    rays = SMALL.unproject(np.ones((48, 48))).reshape(-1, 3)
    for _ in range(2):
        placed = placed_hand(rng, hand)
        (frame,) = draw({1: hand}, scene(SMALL, placed))
        vertices, _ = posed(hand, placed)
        expected = np.concatenate([cast(vertices, hand.faces, part) for part in np.split(rays, 48)])
        expected = expected.reshape(48, 48)
        drawn, met = frame.depth > 0, np.isfinite(expected)
        assert (drawn != met).sum() <= 1
        assert drawn.sum() > 150
        both = drawn & met
        difference = np.abs(frame.depth - expected)[both]
        assert np.median(difference) < 1e-7 and (difference > 2e-6).sum() <= 1
        np.testing.assert_array_equal(frame.instance > 0, drawn)


def test_a_hand_without_articulation_is_its_template_drawn_as_a_mesh(hand, rng):
    mesh = HandSkin(hand).mesh(None)
    placed = dataclasses.replace(placed_hand(rng, hand), posture=None)
    for antialias in (False, True):
        as_hand = draw({1: hand}, scene(CAMERA, placed), antialias=antialias)[0]
        as_mesh = draw({1: mesh}, scene(CAMERA, placed), antialias=antialias)[0]
        assert_same_frame(as_hand, as_mesh)


def test_hands_are_drawn_alone_as_in_any_batch(hand, rng, monkeypatch):
    """Several postures of a model in one view, several views, and few of them remembered."""
    meshes = {1: hand, 2: square(0.05), 3: mirrored(hand)}
    specs = [
        scene(
            CAMERA,
            placed_hand(rng, hand),
            at([0, 0, 0.6], obj_id=2),
            placed_hand(rng, hand),
            placed_hand(rng, hand, obj_id=3),
        )
        for _ in range(5)
    ]
    with Rasterizer(meshes, antialias=True) as rasterizer:
        together = rasterizer.render(specs)
        again = rasterizer.render(specs[::-1])[::-1]
        monkeypatch.setattr(hand_skin, "KEPT", 1)
        for spec, *frames in zip(specs, together, again, strict=True):
            (alone,) = rasterizer.render([spec])
            for frame in frames:
                assert_same_frame(frame, alone)
                for a, b in zip(frame.annotations, alone.annotations, strict=True):
                    np.testing.assert_array_equal(a.joints, b.joints)


def test_annotations_of_hands_hold_joints_and_fingertips_in_the_camera_frame(hand, rng):
    hands = [placed_hand(rng, hand), placed_hand(rng, hand, annotated=False)]
    stretched = dataclasses.replace(placed_hand(rng, hand), stretch=(1.1, 1.0, 0.9))
    (frame,) = draw(
        {1: hand, 2: square(0.05)}, scene(CAMERA, *hands, at([0, 0, 1], obj_id=2), stretched)
    )
    assert len(frame.annotations) == 3
    np.testing.assert_allclose(frame.annotations[0].joints, posed(hand, hands[0])[1], atol=1e-12)
    assert frame.annotations[1].joints is None
    own = dataclasses.replace(stretched, cam_from_obj=rows(np.eye(4)))
    expected = apply(stretched.matrix, posed(hand, own)[1] * stretched.stretch)
    np.testing.assert_allclose(frame.annotations[2].joints, expected, atol=1e-12)


def test_full_masks_hold_each_hand_as_it_is_bent(hand, rng):
    placed = [placed_hand(rng, hand), placed_hand(rng, hand)]
    with Rasterizer({1: hand}) as rasterizer:
        masks = rasterizer.full_masks(scene(CAMERA, *placed))
        for mask, one in zip(masks, placed, strict=True):
            (frame,) = rasterizer.render([scene(CAMERA, one)])
            np.testing.assert_array_equal(mask, frame.instance == 1)
            assert mask.sum() > 500


def test_normals_are_the_surface_s_and_vertices_at_a_seam_share_them(hand, rng):
    """Cut along its faces, so that each has corners of its own, the hand is shaded as before."""
    corners = hand.faces.reshape(-1)
    cut = dataclasses.replace(
        hand,
        **{
            name: getattr(hand, name)[corners]
            for name in ("vertices", "weights", "shape_directions", "pose_directions", "colors")
        },
        faces=np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
    )
    bend = bent(rng, hand)
    whole, pieces = HandSkin(hand).mesh(bend), HandSkin(cut).mesh(bend)
    np.testing.assert_allclose(pieces.normals, whole.normals[corners], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(whole.normals, axis=1), 1, atol=1e-6)
    a, b, c = whole.vertices[whole.faces].swapaxes(0, 1)
    outward = np.einsum("fi,fi->f", np.cross(b - a, c - a), whole.normals[whole.faces].sum(axis=1))
    assert (outward > 0).mean() > 0.99


def test_what_cannot_be_bent_so_says_why(rng):
    model, bend = stick_hand(), Posture.of(np.zeros((16, 3)), np.zeros(2))
    with Rasterizer({1: model, 2: square(0.1)}) as rasterizer:
        with pytest.raises(ValueError, match="object 2 is no hand: it takes no posture"):
            rasterizer.render([scene(CAMERA, at([0, 0, 1], obj_id=2, posture=bend))])
        wrong = Posture.of(np.zeros((15, 3)), np.zeros(2))
        with pytest.raises(ValueError, match="pose, shape and cam_from_hand must be"):
            rasterizer.render([scene(CAMERA, at([0, 0, 1], posture=wrong))])


def test_turning_the_wrist_is_turning_the_hand(hand, rng):
    """Drawn alike, up to rounding: the pose of the wrist and cam_from_obj say the same."""
    turn = np.array([0.3, -0.5, 0.2])
    pose = np.zeros((16, 3))
    pose[0] = turn
    shape = np.zeros(hand.shape_size)
    by_wrist = at([0, -0.08, 0.5], posture=Posture.of(pose, shape))
    R, wrist = rodrigues(turn), hand.joints[0]
    cam_from_hand = rigid(np.eye(3), [0, -0.08, 0.5]) @ rigid(R, wrist - R @ wrist)
    by_place = Placed(1, rows(cam_from_hand))
    a, b = draw({1: hand}, scene(CAMERA, by_wrist), scene(CAMERA, by_place))
    both = (a.depth > 0) & (b.depth > 0)
    assert ((a.depth > 0) != (b.depth > 0)).sum() <= 3 and both.sum() > 500
    assert np.quantile(np.abs(a.depth - b.depth)[both], 0.99) < 1e-6
