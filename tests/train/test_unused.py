"""Settings of the commands that train and judge which would have no effect."""

import pytest
from click.testing import CliRunner

from pipeline import SECTIONS, main
from render.config import parse_set, resolve
from render.unused import refuse_unused
from tests.small_dataset import CAMERA, cuboids
from train.learn.checkpoint import Checkpoint
from train.learn.networks import build
from train.learn.targets import ObjectInfo
from train.options import CropConfig
from train.unused import RUN, STUDY, TRAIN

DEMO, HANDS = ["--preset", "demo"], ["--preset", "hand-demo"]


def sets(*texts):
    return [part for text in texts for part in ("--set", text)]


CASES = [
    ("run", [*DEMO, *sets("data.dataset=lmo")], "data.dataset has no effect with run.simulated"),
    ("run", sets("run.simulated_frames=9"), "run.simulated_frames belongs to run.simulated"),
    ("run", sets("run.live_workers=2"), "run.live_workers belongs to run.live"),
    ("run", sets("detector.steps=9"), "detector.steps belongs to run.detect"),
    ("run", [*HANDS, *sets("run.detect=true")], "run.detect belongs to run.target=object"),
    (
        "train",
        ["--method", "mixed", *DEMO, *sets("detector.steps=9")],
        "detector.steps belongs to --method detector",
    ),
    (
        "train",
        ["--method", "detector", *DEMO, *sets("crop.size=64")],
        "crop.size has no effect on --method detector",
    ),
    ("run", [*DEMO, *sets("hand.center=palm")], "hand.center belongs to run.target=hand"),
    ("run", [*DEMO, *sets("render.obj_ids=1")], "render.obj_ids has no effect: each of data.obj"),
    ("run", [*DEMO, *sets("render.format=bop-webdataset")], "render.format must be bop"),
    ("run", [*DEMO, *sets("data.fold=1")], "data.fold belongs to data.folds"),
    (
        "run",
        ["--preset", "lmo", *sets("data.train_fraction=0.5")],
        "data.train_fraction has no effect with data.split_file",
    ),
    (
        "run",
        [*DEMO, *sets("run.methods=real,mixed", "train.beta=1")],
        "train.beta belongs to the method mapping",
    ),
    (
        "run",
        [*DEMO, *sets("run.real_background=true", "scene.background=plain")],
        "scene.background has no effect with run.real_background",
    ),
    (
        "run",
        [*DEMO, *sets("run.live=true", "render.normals=true")],
        "render.normals has no effect with run.live",
    ),
    ("run", [*HANDS, *sets("data.objects=1")], "data.objects belongs to run.target=object"),
    ("run", [*HANDS, *sets("run.simulated_frames=9")], "run.simulated_frames belongs to run.sim"),
    ("run", [*HANDS, *sets("hand.dataset=x")], "hand.dataset has no effect with run.simulated"),
    ("run", [*HANDS, *sets("hand.synthetic=x")], "hand.synthetic has no effect with render.hand"),
    ("run", [*HANDS, *sets("train.network=lite")], "train.network must not be lite, which reads"),
    (
        "run",
        [*DEMO, *sets("train.network=small", "train.frozen_blocks=9")],
        "train.frozen_blocks belongs to train.network",
    ),
    (
        "train",
        ["--method", "synthetic", "--network", "lite", "--init", "random", "--trunk-lr", "1"],
        "--trunk-lr belongs to train.network=lite with ImageNet's weights",
    ),
    ("run", [*DEMO, *sets("train.adversary=1")], "train.adversary belongs to methods with an adv"),
    (
        "run",
        [*DEMO, *sets("run.methods=mapping_adversary", "run.rounds=3")],
        "run.rounds belongs to methods that read unlabelled frames, such as mixed_unlabelled",
    ),
    ("run", ["--preset", "nyu", *sets("render.frames=9")], "render.frames belongs to synthetic"),
    ("run", ["--preset", "nyu", *sets("pair.hand=bundled")], "pair.hand belongs to run.simulated"),
    ("study", [*DEMO, *sets("data.folds=3")], "data.folds has no effect: study cuts folds"),
    ("study", [*DEMO, *sets("study.tune_judged=2")], "study.tune_judged belongs to study.tuning"),
    ("study", ["--preset", "hand-study", *sets("study.visib=0.5")], "study.visib belongs to"),
    ("pair", [*sets("scene.table=wood")], "scene.table has no effect on twins but for the light"),
    ("pair", ["--min-visib", "0.5"], "--min-visib has no effect on twins"),
    ("pair", sets("data.unlabelled=x"), "data.unlabelled belongs to run and study"),
    (
        "run",
        [*DEMO, *sets("scene.layout=tabletop", "scene.baseline=0.06")],
        "scene.baseline belongs to `render`",
    ),
    ("pair", ["--real", "nyu", *sets("data.objects=1")], "data.objects belongs to --real bop"),
    ("train", ["--method", "real", "--pretrain-steps", "9"], "--pretrain-steps has no effect here"),
    ("train", ["--method", "real", *sets("render.frames=9")], "render.frames belongs to run.live"),
    ("train", ["--method", "real", "--beta", "1"], "--beta belongs to the method mapping"),
    ("train", ["--method", "synthetic", "--gamma", "1"], "--gamma belongs to methods with real"),
    ("train", ["--method", "synthetic", "--dataset", "x"], "--dataset belongs to methods with"),
    ("train", ["--method", "real", "--boxes", "bbox_obj"], "--boxes belongs to tests"),
]


@pytest.mark.parametrize(("command", "arguments", "line"), CASES)
def test_a_setting_without_effect_is_refused_in_one_line(tmp_path, command, arguments, line):
    result = CliRunner().invoke(main, [command, *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and result.output.startswith(f"Error: {line}"), result.output
    assert result.output.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rules", "preset", "settings", "arguments"),
    [
        (RUN, "demo", ["render.objects=x.ply", "render.unit=mm", "run.simulated_frames=9"], {}),
        (RUN, "demo", ["run.simulated=", "data.dataset=lmo", "data.train_fraction=0.5"], {}),
        (
            RUN,
            "demo",
            ["run.live=true", "run.live_workers=0", "train.beta=1", "scene.zoom=1,1"],
            {},
        ),
        (
            RUN,
            "demo",
            ["render.hand=bundled", "hand_scene.bend=0,1", "hand_scene.shape_spread=0"],
            {},
        ),
        (RUN, "hand-demo", ["hand_scene.place=0", "hand.train_frames=9", "localiser.steps=9"], {}),
        (RUN, "nyu", ["render.hand=bundled", "render.frames=9", "hand_scene.place=0"], {}),
        (STUDY, "lmo-study-small", ["study.tune_judged=2", "study.visib=0.1", "train.steps=9"], {}),
        (TRAIN, "lmo", ["data.objects=5", "train.steps=9", "train.beta=1"], {"method": "mapping"}),
        (TRAIN, None, ["run.target=hand", "hand.center=palm"], {"method": "synthetic"}),
        (RUN, "lmo", ["run.detect=true", "detector.steps=9"], {}),
        (RUN, "lmo", ["run.methods=mixed_unlabelled", "detector.steps=9", "run.rounds=1"], {}),
        (STUDY, "lmo", ["run.methods=mixed_unlabelled", "data.unlabelled=x"], {}),
        (RUN, "lmo", ["run.methods=mapping_adversary", "data.unlabelled=x"], {}),
        (STUDY, "lmo", ["run.methods=mapping_adversary", "train.adversary=1"], {}),
        (
            TRAIN,
            "lmo",
            ["detector.size=256", "data.objects=5", "data.min_visib=0.2"],
            {"method": "detector"},
        ),
        (TRAIN, "lmo-lite", ["train.trunk_lr=1", "train.frozen_blocks=0"], {"method": "mixed"}),
        (
            TRAIN,
            None,
            ["run.live=true", "data.dataset=lmo", "scene.zoom=1,1", "render.size=48x48"],
            {"method": "synthetic"},
        ),
    ],
)
def test_a_setting_that_has_an_effect_passes(rules, preset, settings, arguments):
    named = {".".join(parse_set(text)[:2]): text for text in settings}
    refuse_unused(named, resolve(SECTIONS, preset, None, settings, {}), arguments, rules)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("mixed", ["detector.steps=9 belongs in a study to methods with unlabelled frames"]),
        ("mixed_unlabelled", []),
    ],
)
def test_a_study_trains_detectors_for_unlabelled_frames_alone(caplog, method, said):
    settings = [f"run.methods={method}", "detector.steps=9"]
    named = {".".join(parse_set(text)[:2]): text for text in settings}
    caplog.set_level("INFO")
    refuse_unused(named, resolve(SECTIONS, "lmo", None, settings, {}), {}, STUDY)
    assert [line.split(", such")[0] for line in caplog.messages] == said


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("data.objects=5", "data.objects is another object than the one this network is for"),
        ("hand.center=palm", "hand.center belongs to networks for hands"),
        ("data.unlabelled=x", "data.unlabelled belongs to run and study, with methods such as"),
        ("exemplar.approximate=true", "exemplar.approximate belongs to exemplar.exemplars"),
    ],
)
def test_evaluate_refuses_what_its_network_is_not_for(tmp_path, setting, line):
    target = ObjectInfo(2, cuboids()[2].box, CAMERA)
    net, crop = build("small", 16, False), CropConfig(size=16)
    network = Checkpoint(net, "small", crop, target, "real", 1, {"steps": 1}, {})
    network.save(tmp_path / "checkpoint.pt")
    out = tmp_path / "out"
    arguments = ["evaluate", str(tmp_path), "--set", setting, "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and result.output.startswith(f"Error: {line}"), result.output
    assert not out.exists()
