import json
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import main
from render.errors import InputError
from render.formats.nyu import write_depth
from render.formats.nyu_dataset import SENSOR, depth_path
from render.image_file import read_rgb
from tests.hand_scenes import hand_depth, random_hand
from tests.small_dataset import cuboids, random_frames, write_dataset
from tests.train.hands.test_predict import checkpoint_of, net_of
from tests.train.objects.test_predict import save_run
from train.film import predict_film
from train.hands.film import depth_frames, hand_film
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.learn.task import Asked
from train.objects.read.image import predict_image
from train.options import CropConfig


def is_red(pictures: np.ndarray) -> np.ndarray:
    """(n, H, W) where the colour of predictions is seen, whatever the film made of it."""
    red, green, blue = np.moveaxis(pictures.astype(int), -1, 0)
    return (red > 150) & (red > green + 80) & (red > blue + 80)


def run_of(folder: Path, checkpoint: Checkpoint) -> Path:
    folder.mkdir()
    checkpoint.save(folder / "checkpoint.pt")
    return folder


@pytest.fixture(scope="module")
def frames(tmp_path_factory) -> Path:
    """Five depth images of a hand that moves to the right, with numbers that sort."""
    folder = tmp_path_factory.mktemp("frames")
    joints = random_hand(np.random.default_rng(3))
    joints += [-0.1, 0, 0.7] - joints[-1]
    for number in range(1, 6):
        depth = hand_depth(joints + [0.05 * number, 0, 0])
        write_depth(depth_path(folder, SENSOR, number), depth)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Networks that say one thing of every hand: all joints in the centre, or far to the right."""
    root, right = tmp_path_factory.mktemp("runs"), np.zeros((14, 3))
    right[:, 0] = 0.6
    return {
        "centre": run_of(root / "centre", checkpoint_of(net_of(np.zeros((14, 3))))),
        "right": run_of(root / "right", checkpoint_of(net_of(right))),
    }


def test_each_run_is_drawn_in_its_own_panel_over_the_moving_hand(frames, runs, tmp_path):
    """The two answers are 0.6 of half a cube, 90 mm, apart, and both move with the hand."""
    assert hand_film(runs, depth_frames(frames), tmp_path / "film.mp4", device="cpu") == 5
    film = iio.imread(tmp_path / "film.mp4", plugin="FFMPEG")
    panel = (film.shape[2] - 12) // 2  # between the white gaps of 4 pixels
    places = []
    for picture in film:
        halves = picture[:, : panel + 4], picture[:, panel + 4 :]
        places.append([np.nonzero(is_red(half))[1].mean() for half in halves])
    moved = np.diff(places, axis=0)
    shown_m = 0.05 * panel / moved.mean()  # what a panel spans at the hand, metres
    np.testing.assert_allclose(moved, moved.mean(), rtol=0.25)
    apart = np.diff(places, axis=1)
    np.testing.assert_allclose(apart * shown_m / panel, 0.09, rtol=0.1)


def test_the_command_films_a_folder_with_a_run_beside_another(frames, runs, tmp_path):
    args = [runs["right"], frames, "--video", tmp_path / "a.mp4", "--beside", runs["centre"]]
    result = CliRunner().invoke(main, ["predict", *map(str, args)])
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'a.mp4'}: 5 frames of {frames}" in result.output
    both = dict(reversed(runs.items()))
    hand_film(both, depth_frames(frames), tmp_path / "b.mp4")
    films = [iio.imread(tmp_path / name, plugin="FFMPEG") for name in ("a.mp4", "b.mp4")]
    np.testing.assert_array_equal(*films)


def test_an_objects_film_shows_what_predict_draws_in_each_image(tmp_path, rng):
    frames = random_frames(rng, cuboids(), 3)
    root = write_dataset(tmp_path / "data", cuboids(), frames)
    first = next(iter(frames.values()))
    run = save_run(tmp_path / "mapping", first, first.annotations[0].bbox_visib)
    scene, film = root / "test" / "000002", tmp_path / "film.mp4"
    assert predict_film([run], scene, Asked(), film, "cpu") == f"{film}: 3 frames of {scene}"
    found = iio.imread(film, plugin="FFMPEG").astype(float)
    drawn = []
    for image in sorted((scene / "rgb").iterdir()):
        predict_image(run, image, Asked(), tmp_path / "overlay.png", "cpu")
        drawn.append(read_rgb(tmp_path / "overlay.png"))
    for i, picture in enumerate(found):
        panel = picture[4 + 16 : 4 + 16 + 120, 4 : 4 + 160]  # below the label, within the gaps
        away = [np.abs(panel - other).mean() for other in drawn]
        assert np.argmin(away) == i and away[i] < 0.2 * np.delete(away, i).min()
        assert is_red(drawn[i][None]).any() and is_red(panel[None]).any()


def test_of_an_objects_images_those_to_test_on_are_filmed(tmp_path, rng):
    frames = random_frames(rng, cuboids(), 4)
    root = write_dataset(tmp_path / "data", cuboids(), frames)
    first = next(iter(frames.values()))
    runs = [save_run(tmp_path / n, first, first.annotations[0].bbox_visib) for n in ("a", "b", "c")]
    scene, film, split = root / "test" / "000002", tmp_path / "film.mp4", tmp_path / "split.json"
    numbers = sorted(int(image.stem) for image in (scene / "rgb").iterdir())
    keys = [[2, number] for number in numbers]
    split.write_text(json.dumps({"train": [keys[0], keys[2]], "test": [keys[3], keys[1]]}))
    args = [runs[0], scene, "--video", film, "--beside", runs[1], "--beside", runs[2]]
    args += ["--split-file", split]
    result = CliRunner().invoke(main, ["predict", *map(str, args)])
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"{film}: 2 frames of {scene}\n")
    found = iio.imread(film, plugin="FFMPEG").astype(float)
    assert found.shape[2] == 3 * 160 + 4 * 4
    images = [read_rgb(scene / "rgb" / f"{number:06d}.png") for number in numbers]
    away = [[np.abs(p[20:140, 4:164] - image).mean() for image in images] for p in found]
    assert np.argmin(away, axis=1).tolist() == [1, 3]

    split.write_text(json.dumps({"train": keys, "test": [[3, 1]]}))
    with pytest.raises(InputError, match=r"split\.json names no test image of scene 2"):
        predict_film(runs, scene, Asked(split_file=str(split)), film, "cpu")


def test_a_film_in_which_no_pose_can_be_read_is_not_made(tmp_path, rng):
    frames = random_frames(rng, cuboids(), 2)
    root = write_dataset(tmp_path / "data", cuboids(), frames)
    scene, film, first = root / "test" / "000002", tmp_path / "film.mp4", frames[1]
    run = save_run(tmp_path / "mapping", first, first.annotations[0].bbox_visib)
    own, others = first.annotations[0], first.annotations[1:]
    unseen = replace(own, visib_fract=0.0, bbox_visib=(-1, -1, -1, -1))
    for annotations, message in [
        (others, r"no image shows object 1; there are \[2\]"),
        ((unseen,), "000002: none of its 2 images shows object 1 visibly"),
    ]:
        changed = {i: replace(f, annotations=annotations) for i, f in frames.items()}
        write_dataset(root, cuboids(), changed)
        with pytest.raises(InputError, match=message):
            predict_film([run], scene, Asked(), film, "cpu")
    (scene / "scene_gt_info.json").unlink()
    with pytest.raises(InputError, match=r"000002 has no scene_gt_info\.json, whose bbox_visib"):
        predict_film([run], scene, Asked(), film, "cpu")
    assert not film.exists()


def test_a_scene_of_several_sizes_is_not_filmed(tmp_path, rng):
    frames = random_frames(rng, {1: cuboids()[1]}, 2)
    first, last = frames[1], frames[4]
    camera = replace(last.camera, K=last.camera.K * [[1.01], [1], [1]], width=158)
    frames[4] = replace(last, camera=camera, rgb=last.rgb[:, :158])
    root = write_dataset(tmp_path / "data", cuboids(), frames)
    run = save_run(tmp_path / "mapping", first, first.annotations[0].bbox_visib)
    line = r"000001\.png has 160x120 pixels, .*000004\.png 158x120; the pictures of a film"
    with pytest.raises(InputError, match=line):
        predict_film([run], root / "test" / "000002", Asked(), tmp_path / "film.mp4", "cpu")
    assert not (tmp_path / "film.mp4").exists()


def test_what_does_not_fit_is_refused_in_one_line(frames, runs, tmp_path):
    object_run = run_of(
        tmp_path / "object",
        checkpoint_of(
            build("small", 32, with_mapping=False),
            ObjectInfo(1, cuboids()[1].box, None),
            CropConfig(size=32),
        ),
    )
    film, empty = tmp_path / "film.mp4", tmp_path / "empty"
    empty.mkdir()
    for args, message in [
        (([runs["right"]], empty, Asked(), film, "cpu"), "empty: no depth PNG"),
        (
            ([runs["right"]], depth_frames(frames)[0], Asked(), film, "cpu"),
            "--video needs a folder",
        ),
        (
            ([runs["right"]], frames, Asked(), film.with_suffix(".gif"), "cpu"),
            "are written as .mp4",
        ),
        (
            ([runs["right"], object_run], frames, Asked(), film, "cpu"),
            "one reads hands, the other an object",
        ),
        (
            ([runs["right"], runs["right"]], frames, Asked(), film, "cpu"),
            "give runs of different names",
        ),
        (
            ([runs["right"]], frames, Asked(split_file="a"), film, "cpu"),
            "--split-file belongs to .* objects",
        ),
        (([object_run], frames, Asked(), film, "cpu"), "is no BOP scene"),
        (
            ([object_run], frames, Asked(localiser=runs["right"]), film, "cpu"),
            "--localiser belongs to networks for hands",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            predict_film(*args)
    for flags, message in [
        (["--video", str(film), "--box", "1,2,3,4"], "--box is for one image, not for --video"),
        (["--beside", str(runs["right"])], "--beside belongs to --video FILM.mp4"),
        (["--split-file", "a"], "--split-file belongs to --video FILM.mp4"),
    ]:
        result = CliRunner().invoke(main, ["predict", str(runs["right"]), str(frames), *flags])
        assert result.exit_code == 2 and result.output == f"Error: {message}\n"
    assert not film.exists()
