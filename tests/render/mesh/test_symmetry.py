import numpy as np
import pytest

from render.mesh.symmetry import symmetry_transforms
from render.transforms import apply, random_rotation, rigid, rodrigues


def test_no_symmetry_is_the_identity():
    np.testing.assert_array_equal(symmetry_transforms({}), [np.eye(4)])


def test_discrete_symmetries_stay_exact_but_for_their_unit(rng):
    R = random_rotation(rng)
    numbers = rigid(R, np.array([1.0, -2.0, 3.5])).reshape(-1).tolist()
    transforms = symmetry_transforms({"symmetries_discrete": [numbers]})
    np.testing.assert_array_equal(transforms[0], np.eye(4))
    np.testing.assert_array_equal(transforms[1, :3, :3], R)
    np.testing.assert_array_equal(transforms[1, :3, 3], np.array([1.0, -2.0, 3.5]) / 1000)


def test_continuous_symmetries_turn_about_their_axis(rng):
    axis, offset = rng.normal(size=3), rng.normal(size=3)
    info = {"symmetries_continuous": [{"axis": axis.tolist(), "offset": (1000 * offset).tolist()}]}
    transforms = symmetry_transforms(info, steps=8)
    assert transforms.shape == (8, 4, 4)
    np.testing.assert_array_equal(transforms[0], np.eye(4))
    on_axis = offset + np.linspace(-1, 1, 5)[:, None] * axis
    np.testing.assert_allclose(apply(transforms, on_axis), np.stack([on_axis] * 8), atol=1e-12)
    step = transforms[1]
    np.testing.assert_allclose(
        transforms, [np.linalg.matrix_power(step, k) for k in range(8)], atol=1e-12
    )
    quarter = rodrigues(np.pi / 2 * axis / np.linalg.norm(axis))
    np.testing.assert_allclose(transforms[2, :3, :3], quarter, atol=1e-12)


def test_discrete_symmetries_are_followed_by_each_continuous_step(rng):
    """As bop_toolkit composes them: R = R_cont R_disc, t = R_cont t_disc + t_cont."""
    flip = rigid(np.diag([1.0, -1.0, -1.0]), np.array([0, 0, 4.0]))
    info = {
        "symmetries_discrete": [flip.reshape(-1).tolist()],
        "symmetries_continuous": [{"axis": [0, 0, 1], "offset": [1, 2, 3]}],
    }
    turns = symmetry_transforms({"symmetries_continuous": info["symmetries_continuous"]}, steps=6)
    flip[:3, 3] /= 1000
    expected = np.concatenate([turns, turns @ flip])
    np.testing.assert_allclose(symmetry_transforms(info, steps=6), expected, atol=1e-15)


def test_a_mirror_is_no_symmetry_of_a_rigid_object():
    mirror = np.diag([-1.0, 1, 1, 1]).reshape(-1).tolist()
    with pytest.raises(ValueError, match="not a rigid transform"):
        symmetry_transforms({"symmetries_discrete": [mirror]})
