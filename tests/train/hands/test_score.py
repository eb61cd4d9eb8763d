import json

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.formats.nyu import JOINTS, uvd_from_xyz, write_joints, xyz_from_uvd
from render.image_file import read_rgb
from train.hands.score import (
    THRESHOLDS_MM,
    format_table,
    joint_errors,
    plot_curves,
    score_files,
    success_curve,
    summarize,
)

MAPPING, DEEP_PRIOR = "CVPR18_NYU_DeepPrior++_FM.txt", "ICCVW17_NYU_DeepPrior++.txt"
LABELS = "nyu_test_groundtruth_label.txt"
PER_JOINT = [8.92, 6.86, 8.64, 6.40, 9.09, 6.64, 9.89, 7.33, 9.07, 7.02, 6.04, 6.45, 6.46, 5.35]


def frames_of(rng, count):
    return rng.uniform([50, 50, 400], [590, 430, 1200], (count, 14, 3))


def invoke(*args):
    return CliRunner().invoke(main, ["score", *map(str, args)])


@pytest.fixture
def files(tmp_path, rng):
    """Labels of five frames, and two predictions that are off by 3 mm and 6 mm in z."""
    uvd = np.round(frames_of(rng, 5), 3)
    write_joints(tmp_path / "labels.txt", uvd)
    for name, offset in (("near", 3), ("far", 6)):
        moved = uvd_from_xyz(xyz_from_uvd(uvd) + [0, 0, offset])
        write_joints(tmp_path / f"{name}.txt", moved)
    return tmp_path


def test_the_published_figures_of_feature_mapping_are_reproduced(nyu):
    scores = json.loads(score_files([nyu / MAPPING], nyu / LABELS, as_json=True))
    (metrics,) = scores.values()
    assert metrics["n"] == 8252
    assert round(metrics["joint_mm"], 3) == 7.441
    assert [round(metrics["per_joint_mm"][joint], 2) for joint in JOINTS] == PER_JOINT
    assert round(metrics["frames_worst_joint_below_20mm"], 2) == 82.80
    assert round(metrics["frames_worst_joint_below_40mm"], 2) == 96.74


def test_the_published_figures_of_deep_prior_are_reproduced(nyu):
    (metrics,) = json.loads(score_files([nyu / DEEP_PRIOR], nyu / LABELS, as_json=True)).values()
    assert round(metrics["joint_mm"], 3) == 12.238
    assert round(metrics["frames_worst_joint_below_20mm"], 2) == 44.72
    assert round(metrics["frames_worst_joint_below_40mm"], 2) == 83.53


def test_a_known_displacement_is_the_error(rng):
    """Known in millimetres whatever the direction, wherever the joint stands in the image."""
    uvd = frames_of(rng, 30)
    offset = rng.normal(size=uvd.shape)
    length = rng.uniform(0, 90, (30, 14, 1))
    offset *= length / np.linalg.norm(offset, axis=-1, keepdims=True)
    est_uvd = uvd_from_xyz(xyz_from_uvd(uvd) + offset)
    np.testing.assert_allclose(joint_errors(est_uvd, uvd), length[..., 0], atol=1e-9)
    np.testing.assert_allclose(joint_errors(uvd, est_uvd), length[..., 0], atol=1e-9)
    assert not joint_errors(uvd, uvd).any()


def test_frames_that_do_not_correspond_are_refused(rng):
    with pytest.raises(ValueError, match="shapes must agree"):
        joint_errors(frames_of(rng, 1), frames_of(rng, 3))  # numpy would repeat the one frame


def test_the_curve_of_evenly_spread_worst_joints_is_a_straight_line(rng):
    """One worst joint at each half millimetre of 0..80: below t lie t / 80 of them."""
    worst = rng.permutation(np.arange(80) + 0.5)
    errors = worst[:, None] * rng.uniform(0, 1, (80, 14))
    errors[np.arange(80), rng.integers(14, size=80)] = worst
    np.testing.assert_allclose(success_curve(errors), 100 * THRESHOLDS_MM / 80)
    np.testing.assert_array_equal(THRESHOLDS_MM, np.arange(81))


def test_the_curve_of_one_rayleigh_error_is_its_distribution(rng):
    """P(worst < t) = 1 - exp(-t^2 / 2 s^2), to within four standard errors."""
    frames, s = 20_000, 15.0
    errors = rng.uniform(0, 1e-3, (frames, 14))
    errors[:, 6] = rng.rayleigh(s, frames)
    expected = 1 - np.exp(-(THRESHOLDS_MM**2) / (2 * s**2))
    slack = 4 * np.sqrt(expected * (1 - expected) / frames) + 1e-4
    assert (np.abs(success_curve(errors) / 100 - expected) <= slack).all()


def test_below_a_threshold_means_below():
    errors = np.full((1, 14), 20.0)
    assert summarize(errors)["frames_worst_joint_below_20mm"] == 0
    assert summarize(np.nextafter(errors, 0))["frames_worst_joint_below_20mm"] == 100
    assert success_curve(np.zeros((1, 14)))[0] == 0


def test_one_wild_joint_moves_the_mean_but_not_the_median():
    errors = np.full((10, 14), 5.0)
    errors[3, 8] = 1405.0
    metrics = summarize(errors)
    assert metrics["joint_mm"] == pytest.approx(15) and metrics["joint_mm_median"] == 5
    assert metrics["per_joint_mm"]["thumb tip"] == pytest.approx(145)
    assert metrics["frames_worst_joint_below_40mm"] == 90


def test_metrics_do_not_depend_on_the_order_of_frames(rng):
    errors = rng.gamma(2, 5, (200, 14))
    shuffled = summarize(errors[rng.permutation(200)])
    for key, value in summarize(errors).items():
        assert shuffled[key] == pytest.approx(value, rel=1e-12), key


@pytest.mark.parametrize("count", [4, 6])
def test_a_wrong_number_of_lines_is_named_with_both_counts(files, rng, count):
    write_joints(files / "other.txt", frames_of(rng, count))
    with pytest.raises(InputError, match=rf"other\.txt: ends at line {count}, .* has 5 lines"):
        score_files([files / "other.txt"], files / "labels.txt")


def test_the_table_has_a_column_for_each_file(files):
    table = score_files([files / "near.txt", files / "far.txt"], files / "labels.txt")
    lines = table.splitlines()
    assert lines[0].split() == ["near", "far"]
    assert lines[1].split() == ["mean", "joint", "error,", "mm", "3.000", "6.000"]
    assert len({len(line) for line in lines}) == 1
    assert [line.split(",")[0] for line in lines[5:-1]] == list(JOINTS)


def test_files_of_one_name_are_told_apart_by_their_folder(files):
    (files / "b").mkdir()
    (files / "far.txt").rename(files / "b" / "near.txt")
    both = [files / "near.txt", files / "b" / "near.txt"]
    scores = json.loads(score_files(both, files / "labels.txt", as_json=True))
    means = {name: round(metrics["joint_mm"], 2) for name, metrics in scores.items()}
    assert means == {str(both[0]): 3.0, str(both[1]): 6.0}


def test_the_table_shows_what_json_holds(rng):
    metrics = summarize(rng.gamma(2, 5, (50, 14)))
    table = format_table({"a": metrics})
    assert f"{metrics['joint_mm']:.3f}" in table and f"{metrics['joint_mm_median']:.3f}" in table
    for value in metrics["per_joint_mm"].values():
        assert f"{value:.2f}" in table


def test_every_curve_is_drawn_even_along_the_frame(tmp_path):
    """At 28 mm one file has all frames right and the other none: lines at the top and bottom."""
    errors = {"_a $1$ $2_": np.full((9, 14), 10.5), "b": np.full((9, 14), 60.5)}
    plot_curves(errors, tmp_path / "curve.png")
    image = read_rgb(tmp_path / "curve.png").astype(int)
    column = image[:, round(0.4 * image.shape[1])]
    blue, orange = (
        np.flatnonzero(np.abs(column - color).sum(axis=1) < 30) / len(image)
        for color in ((31, 119, 180), (255, 127, 14))
    )
    assert len(blue) and len(orange)
    assert (blue < 0.1).all() and (orange > 0.85).all()


def test_a_plot_that_cannot_be_drawn_is_refused(files):
    for name in ("curve.xyz", "curve"):
        with pytest.raises(InputError, match=rf"{name} must end in one of \.png, \.pdf, \.svg"):
            score_files([files / "near.txt"], files / "labels.txt", plot=files / name)


def test_the_command_prints_what_the_function_returns(files):
    near, far, labels, curve = (
        files / name for name in ("near.txt", "far.txt", "labels.txt", "curve.png")
    )
    flags = ["--ground-truth", labels, "--format", "nyu"]
    result = invoke(near, *flags, "--compare", far, "--compare", labels, "--plot", curve)
    assert result.exit_code == 0, result.output
    assert result.output == score_files([near, far, labels], labels) + "\n"
    assert len(np.unique(read_rgb(curve).reshape(-1, 3), axis=0)) > 100

    result = invoke(near, *flags, "--json")
    assert json.loads(result.output) == json.loads(score_files([near], labels, as_json=True))


@pytest.mark.parametrize(
    ("flags", "flag", "owner"),
    [
        (["--format", "nyu", "--objects", "5"], "--objects", "bop"),
        (["--format", "nyu", "--split-file", "a.json"], "--split-file", "bop"),
        (["--format", "nyu", "--preset", "lmo"], "--preset", "bop"),
        (["--format", "nyu", "--set", "data.min_visib=0.2"], "--set", "bop"),
        (["--format", "nyu", "--seed", "0"], "--seed", "bop"),
        (["--plot", "curve.png"], "--plot", "nyu"),
        (["--format", "bop", "--compare", "far.txt"], "--compare", "nyu"),
    ],
)
def test_an_option_of_another_format_is_a_usage_error(files, flags, flag, owner):
    result = invoke(files / "near.txt", "--ground-truth", files / "labels.txt", *flags)
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert line.startswith(f"Error: {flag} belongs to --format {owner}")


def test_a_broken_line_ends_the_command_with_one_line(files):
    lines = (files / "near.txt").read_text().splitlines()
    lines[2] = lines[2].rsplit(maxsplit=1)[0]
    (files / "near.txt").write_text("\n".join(lines))
    flags = ["--ground-truth", files / "labels.txt", "--format", "nyu", "--plot", files / "c.png"]
    result = invoke(files / "near.txt", *flags)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "near.txt, line 3: expected 42 numbers" in line and line.endswith("got 41")
    assert not (files / "c.png").exists()
