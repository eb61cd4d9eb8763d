"""Settings of `render` that would have no effect."""

import logging

import pytest
from click.testing import CliRunner

from pipeline import SECTIONS, main
from render.config import OptionError, parse_set, resolve
from render.unused import Unused, refuse_unused
from render.unused_render import RENDER

HAND = ["--hand", "bundled", "--format", "nyu"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--set", "hand_scene.bend=0,1"], "hand_scene.bend belongs to hands; add --hand"),
        (["--preset", "crops", "--set", "scene.table=wood"], "scene.table belongs to scene.layout"),
        (
            ["--set", "scene.distractor_chance=1"],
            "scene.distractor_chance belongs to scene.layout=crop",
        ),
        (
            ["--set", "scene.layout=upright", "--set", "scene.textures=pictures"],
            "scene.textures has no effect where no solid stands about",
        ),
        (
            ["--set", "scene.textures=pictures", "--set", "scene.table=wood"],
            "scene.table has no effect with scene.textures",
        ),
        (["--set", "scene.cameras=5"], "scene.cameras belongs to scene.layout pile or bin"),
        (
            ["--preset", "bop-pbr", "--set", "scene.background=plain"],
            "scene.background has no effect with scene.surroundings=room",
        ),
        (
            ["--set", "scene.layout=pile", "--set", "scene.spread=0,1"],
            "scene.spread belongs to scene.layout=tabletop",
        ),
        (["--set", "scene.spot_deg=9,10"], "scene.spot_deg belongs to scene.light_kinds=spot"),
        (["--set", "scene.lamp_size=0,0.1"], "scene.lamp_size belongs to scene.shadow_chance"),
        (
            ["--set", "scene.distance=1,2", "--set", "scene.zoom=1,1"],
            "scene.zoom has no effect on full frames with a scene.distance",
        ),
        (
            ["--set", "sensor.color=perfect", "--set", "sensor.noise=0,0"],
            "sensor.noise has no effect with sensor.color=perfect",
        ),
        (["--set", "scene.roughness=0,1"], "scene.roughness belongs to scene.environment"),
        (["--set", "scene.metallic_chance=1"], "scene.metallic_chance belongs to scene.env"),
        (
            ["--preset", "photo", "--set", "scene.gloss=0,1"],
            "scene.gloss has no effect with scene.environment",
        ),
        (
            [
                "--set",
                "scene.layout=pile",
                "--set",
                "scene.distance=1,2",
                "--set",
                "scene.zoom=1,1",
            ],
            "scene.zoom has no effect in pile and bin with a scene.distance",
        ),
        (["--set", "sensor.shadows=false"], "sensor.shadows belongs to sensor.depth=structured"),
        (["--set", "sensor.ambient=0,1"], "sensor.ambient belongs to sensor.depth=time-of-flight"),
        (["--set", "sensor.read_noise_e=1,2"], "sensor.read_noise_e is counted in electrons"),
        ([*HAND, "--set", "scene.tint=1,1,1"], "scene.tint belongs to objects"),
        ([*HAND, "--set", "sensor.bayer=true"], "sensor.bayer has no effect on hands alone"),
        (["--hand", "bundled", "--set", "hand_scene.images=alone"], "hand_scene.images belongs to"),
        (
            [*HAND, "--set", "hand_scene.images=alone", "--set", "sensor.depth=time-of-flight"],
            "sensor.depth has no effect with hand_scene.images=alone",
        ),
        (["--replay", "frame.png", "--frames", "3"], "--frames has no effect with --replay"),
        (["--replay", "frame.png", "--seed", "3"], "--seed has no effect with --replay"),
    ],
)
def test_a_setting_without_effect_is_refused_in_one_line(tmp_path, arguments, line):
    result = CliRunner().invoke(main, ["render", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and result.output.startswith(f"Error: {line}")
    assert result.output.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("preset", "sets"),
    [
        ("tabletop", ["scene.table=wood", "scene.zoom=1,1", "hand_scene.bend=0,1"]),
        ("crops", ["scene.distractor_chance=1", "scene.zoom=1,1", "scene.distance=1,2"]),
        ("demo", ["render.hand=bundled", "hand_scene.bend=0,1", "sensor.noise=0,0"]),
        ("hand-demo", ["hand_scene.bend=0,1", "hand_scene.images=both", "hand_scene.place=0"]),
        (None, ["sensor.depth=structured-light", "sensor.shadows=false", "sensor.bayer=true"]),
        (None, ["scene.light_kinds=spot,point", "scene.spot_deg=9,10", "scene.light_distance=1,2"]),
    ],
)
def test_a_setting_that_has_an_effect_and_what_presets_hold_beside_it_pass(preset, sets):
    if "hand_scene.bend=0,1" in sets:
        sets = ["render.hand=bundled", *sets]
    config = resolve(SECTIONS, preset, None, sets, {})
    named = {".".join(parse_set(text)[:2]): text for text in sets}
    refuse_unused(named, config, {"replay": None}, RENDER)


def test_what_belongs_to_other_commands_is_said(caplog):
    """One list of --set serves them all."""
    caplog.set_level(logging.INFO)
    config = resolve(SECTIONS, None, None, ["train.steps=5"], {})
    refuse_unused({"train.steps": "train.steps"}, config, {"replay": None}, RENDER)
    (line,) = caplog.messages
    assert line.startswith("train.steps has no effect here: `render` reads settings of render")


def test_a_rule_may_only_be_said_but_of_a_commands_own_option(caplog):
    caplog.set_level(logging.INFO)
    rule = Unused("run.*", "has no effect", but="run.live")
    said = Unused("run.*", "has no effect", but="run.live", is_refused=False)
    refuse_unused({"run.live": "run.live", "run.methods": "run.methods"}, {}, {}, [said])
    assert caplog.messages == ["run.methods has no effect"]
    refuse_unused({"run.live": "--live"}, {}, {}, [rule, said])
    for refusing, written in ((rule, "run.methods"), (said, "--methods")):
        with pytest.raises(OptionError, match=f"{written} has no effect"):
            refuse_unused({"run.live": "run.live", "run.methods": written}, {}, {}, [refusing])
