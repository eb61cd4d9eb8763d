import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

import render.config
from render.config import (
    OptionError,
    fill,
    first_difference,
    load_preset,
    load_toml,
    option,
    parse_set,
    resolve,
    to_dict,
)


@dataclass(frozen=True)
class Making:
    frames: int = option(1000, "Number of frames to make", minimum=1)
    size: tuple[int, int] = option((640, 480), "Width and height")
    crop_size: tuple[int, int] | None = option(None, "Width and height of a crop")
    objects: tuple[int, ...] = option((), "Ids of the objects", minimum=1)
    folders: tuple[str, ...] = option(("a", "b"), "Where the meshes are")
    distance: tuple[float, float] = option((0.5, 1.5), "Distance", minimum=0)
    count: tuple[int, int] = option((2, 5), "Fewest and most", minimum=0, maximum=9)
    tint: tuple[float, float, float] = option((1.0, 1.0, 1.0), "Factors")
    layout: Literal["crop", "tabletop"] = option("crop", "How objects lie")
    side: Literal[64, 128] = option(64, "Side of the crop")
    antialias: bool = option(False, "Smooth edges")
    background: str = option("noise", "What stands behind")
    limit_s: float | None = option(None, "Time limit", maximum=60)


@dataclass(frozen=True)
class Training:
    steps: int = option(100, "Number of steps", minimum=1)
    rate: float = option(1e-3, "Step size", minimum=0, maximum=1)


SECTIONS: dict[str, type] = {"render": Making, "train": Training}


@pytest.fixture
def presets(tmp_path, monkeypatch) -> Path:
    """An empty folder in place of assets/presets."""
    folder = tmp_path / "presets"
    folder.mkdir()
    monkeypatch.setattr(render.config, "PRESETS", folder)
    return folder


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("frames", 7, 7),
        ("frames", "7", 7),
        ("size", "320x240", (320, 240)),
        ("size", [320, 240], (320, 240)),
        ("crop_size", "64x64", (64, 64)),
        ("crop_size", "none", None),
        ("crop_size", None, None),
        ("objects", "5", (5,)),
        ("objects", "5, 8,9", (5, 8, 9)),
        ("objects", [5, 8], (5, 8)),
        ("objects", "", ()),
        ("folders", "x/y, z", ("x/y", "z")),
        ("folders", ["x/y", "z, w"], ("x/y", "z, w")),
        ("distance", "0.5,2", (0.5, 2.0)),
        ("distance", [1, 2], (1.0, 2.0)),
        ("distance", [1, 1], (1.0, 1.0)),
        ("count", "0,9", (0, 9)),
        ("tint", [1, 0.5, "0.25"], (1.0, 0.5, 0.25)),
        ("layout", "tabletop", "tabletop"),
        ("side", "128", 128),
        ("side", 128, 128),
        ("antialias", True, True),
        ("antialias", "Yes", True),
        ("antialias", "false", False),
        ("background", "1.0", "1.0"),
        ("background", " a b ", " a b "),
        ("limit_s", 3, 3.0),
        ("limit_s", "1e1", 10.0),
        ("limit_s", "none", None),
    ],
)
def test_fill_turns_toml_values_and_text_into_the_fields_type(name, value, typed):
    filled = getattr(fill(Making, {name: value}, "render"), name)

    assert filled == typed
    assert type(filled) is type(typed)
    if isinstance(typed, tuple):
        assert [type(item) for item in filled] == [type(item) for item in typed]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("frames", 0, "a whole number, at least 1"),
        ("frames", "-3", "a whole number, at least 1"),
        ("frames", 2.0, "a whole number, at least 1"),
        ("frames", True, "a whole number, at least 1"),
        ("frames", "1e3", "a whole number, at least 1"),
        ("frames", None, "a whole number, at least 1"),
        ("frames", [1], "a whole number, at least 1"),
        ("frames", {"a": 1}, "a whole number, at least 1"),
        ("size", "640,480", "a size such as 640x480, at most 16384 a side"),
        ("size", "640", "a size such as 640x480, at most 16384 a side"),
        ("size", "640x0", "a size such as 640x480, at most 16384 a side"),
        ("size", [640, 480, 3], "a size such as 640x480, at most 16384 a side"),
        ("size", 640, "a size such as 640x480, at most 16384 a side"),
        ("size", "16385x480", "a size such as 640x480, at most 16384 a side"),
        ("crop_size", "ax3", "a size such as 640x480, at most 16384 a side, or none"),
        ("objects", "5,", "whole numbers separated by commas, at least 1"),
        ("objects", [5, 0], "whole numbers separated by commas, at least 1"),
        ("objects", 5, "whole numbers separated by commas, at least 1"),
        ("folders", [1], "texts separated by commas"),
        ("distance", "2,1", "2 numbers separated by commas, smaller first, at least 0"),
        ("distance", [-1, 1], "2 numbers separated by commas, smaller first, at least 0"),
        ("distance", "1", "2 numbers separated by commas, smaller first, at least 0"),
        ("distance", "", "2 numbers separated by commas, smaller first, at least 0"),
        (
            "count",
            "5,2",
            "2 whole numbers separated by commas, smaller first, at least 0, at most 9",
        ),
        ("tint", "1,1", "3 numbers separated by commas"),
        ("layout", "table", "one of crop, tabletop"),
        ("side", 64.0, "one of 64, 128"),
        ("side", "none", "one of 64, 128"),
        ("antialias", 1, "true or false"),
        ("antialias", "maybe", "true or false"),
        ("background", 3, "text"),
        ("limit_s", "nan", "a number, at most 60, or none"),
        ("limit_s", float("-inf"), "a number, at most 60, or none"),
        ("limit_s", 10**400, "a number, at most 60, or none"),
        ("limit_s", 61, "a number, at most 60, or none"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_is_allowed(name, value, rule):
    with pytest.raises(OptionError) as caught:
        fill(Making, {name: value}, "render")

    message = caught.value.message
    assert message.startswith(f"render.{name} must be {rule}, got {str(repr(value))[:15]}")
    assert len(message) < 400
    assert caught.value.exit_code == 2


def test_fill_keeps_defaults_for_what_is_not_given():
    assert fill(Training, {"steps": 5}, "train") == Training(steps=5)
    assert fill(Making, {}, "render") == Making()


def test_a_misspelt_name_is_answered_with_the_nearest_one():
    with pytest.raises(OptionError) as caught:
        fill(Training, {"stepz": 5}, "train")
    assert caught.value.message == "there is no option train.stepz; did you mean train.steps?"


def test_a_name_unlike_any_other_is_answered_with_all_names():
    with pytest.raises(OptionError) as caught:
        fill(Training, {"colour": 5}, "train")
    assert caught.value.message == (
        "there is no option train.colour; there are: train.steps, train.rate"
    )


def test_later_sources_win_and_untouched_options_keep_their_defaults(presets, tmp_path):
    (presets / "demo.toml").write_text("[train]\nsteps = 1\nrate = 0.1\n[render]\nframes = 1\n")
    config = tmp_path / "mine.toml"
    config.write_text("[train]\nsteps = 2\n[render]\nframes = 2\nlayout = 'tabletop'\n")
    sets = ["render.frames=3", "train.steps=3", "train.steps=4"]

    resolved = resolve(SECTIONS, "demo", config, sets, {"render": {"frames": "5"}})

    assert resolved == {
        "render": Making(frames=5, layout="tabletop"),
        "train": Training(steps=4, rate=0.1),
    }


def test_nothing_given_gives_the_defaults():
    assert resolve(SECTIONS, None, None, [], {}) == {"render": Making(), "train": Training()}


def test_a_preset_overrides_the_one_it_extends_option_by_option(presets):
    (presets / "base.toml").write_text("[train]\nsteps = 1\nrate = 0.1\n[render]\nframes = 1\n")
    (presets / "middle.toml").write_text("extends = 'base'\n[train]\nrate = 0.2\n")
    (presets / "top.toml").write_text("extends = 'middle'\n[train]\nsteps = 3\n")

    assert load_preset("top") == {"train": {"steps": 3, "rate": 0.2}, "render": {"frames": 1}}
    assert resolve(SECTIONS, "top", None, [], {}) == {
        "render": Making(frames=1),
        "train": Training(steps=3, rate=0.2),
    }


def test_a_preset_that_extends_itself_is_refused(presets):
    (presets / "a.toml").write_text("extends = 'b'")
    (presets / "b.toml").write_text("extends = 'a'")
    with pytest.raises(OptionError, match="preset a extends itself: a > b > a"):
        load_preset("a")


def test_an_unknown_preset_is_answered_with_those_there_are(presets):
    (presets / "demo.toml").write_text("")
    (presets / "lmo.toml").write_text("extends = 'linemod'")
    with pytest.raises(OptionError, match=r"^there is no preset deno; did you mean demo\?$"):
        load_preset("deno")
    with pytest.raises(OptionError, match=r"^there is no preset hands; there are: demo, lmo$"):
        load_preset("hands")
    with pytest.raises(OptionError, match=r"^there is no preset \.\./demo;"):
        load_preset("../demo")
    with pytest.raises(OptionError, match=r"^preset lmo: there is no preset linemod; did"):
        load_preset("lmo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]\nsteps = 5", "there is no section trian; did you mean train?"),
        ("train = 3", "train must be a table, [train]"),
        ("[train]\nstep = 5", "there is no option train.step; did you mean train.steps?"),
        ("[train]\nrate = 2", "train.rate must be a number, at least 0, at most 1, got 2"),
        ("[train.rate]\na = 1", "train.rate must be a number, at least 0, at most 1, got {'a': 1}"),
    ],
)
def test_a_fault_in_a_file_is_named_with_the_file(text, message, tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text(text)
    with pytest.raises(OptionError) as caught:
        resolve(SECTIONS, None, config, [], {})
    assert caught.value.message == f"{config}: {message}"


def test_a_fault_in_a_preset_a_set_or_a_flag_says_where_it_stood(presets):
    (presets / "base.toml").write_text("[train]\nrats = 1")
    (presets / "demo.toml").write_text("extends = 'base'")
    with pytest.raises(OptionError, match=r"^preset base: there is no option train\.rats; did"):
        resolve(SECTIONS, "demo", None, [], {})
    with pytest.raises(OptionError, match=r"^--set: there is no option train\.stepz; did"):
        resolve(SECTIONS, None, None, ["train.stepz=1"], {})
    with pytest.raises(OptionError, match=r"^--set: there is no section tran; did"):
        resolve(SECTIONS, None, None, ["tran.steps=1"], {})
    with pytest.raises(OptionError, match=r"^--crop-size: render\.crop_size must be a size such"):
        resolve(SECTIONS, None, None, [], {"render": {"crop_size": "big"}})


def test_a_wrong_value_is_refused_even_where_a_later_source_overrides_it(presets):
    (presets / "demo.toml").write_text("[train]\nsteps = -1")
    with pytest.raises(OptionError, match=r"^preset demo: train\.steps must be"):
        resolve(SECTIONS, "demo", None, ["train.steps=5"], {})


def test_an_unreadable_file_is_refused_by_name(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[train\n")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")

    for path, fault in (
        (tmp_path / "absent.toml", "no such file"),
        (tmp_path, "a folder; a file was expected"),
        (broken, "is not a TOML file: "),
        (binary, "not text in UTF-8"),
    ):
        with pytest.raises(OptionError) as caught:
            load_toml(path)
        assert caught.value.message.startswith(f"{path}: {fault}")


HOSTILE = {
    "lists in lists": "a = " + "[" * 50_000,
    "tables in tables": "a = " + "{a = " * 50_000,
    "a name of many names": "a." * 100_000 + "b = 1",
    "a quoted name of many names": '"a" . ' * 100_000 + "b = 1",
    "a long number": "[train]\nsteps = " + "9" * 5_000,
    "a long hexadecimal number": "[train]\nsteps = 0x" + "f" * 50_000,
    "a long name": "[train]\n" + "a" * 5_000 + " = 1",
    "lists as a value": "[train]\nsteps = " + "[" * 200 + "]" * 200,
    "a list as a preset": "extends = [[1]]",
    "a long number as a preset": "extends = 0x" + "f" * 50_000,
    "a section that is none": "train = 1",
    "a large file": "#" * (1 << 20) + "\n",
    "a NUL": "[train]\nsteps\0 = 1",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_one_line_that_names_it(tmp_path, content):
    file = tmp_path / "options.toml"
    file.write_text(content)
    with pytest.raises(OptionError) as caught:
        resolve({"train": Training}, None, file, [], {})
    message = caught.value.message
    assert message.startswith(f"{file}: ") and "\n" not in message and len(message) < 600


def test_the_mark_that_windows_puts_before_text_is_passed_over(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text("[train]\nsteps = 7\n", encoding="utf-8-sig")
    assert resolve({"train": Training}, None, file, [], {})["train"] == Training(steps=7)


def test_parse_set_splits_at_the_first_dot_and_the_first_equals_sign():
    assert parse_set("train.steps=500") == ("train", "steps", "500")
    assert parse_set("render.background=a.b=c") == ("render", "background", "a.b=c")
    assert parse_set(" train.steps = 500 ") == ("train", "steps", "500")
    assert parse_set("render.objects=") == ("render", "objects", "")


@pytest.mark.parametrize("text", ["", "train", "train.steps", "steps=5", ".steps=5", "train.=5"])
def test_parse_set_refuses_another_form(text):
    with pytest.raises(OptionError) as caught:
        parse_set(text)
    assert caught.value.message == (
        f"--set takes SECTION.NAME=VALUE, such as train.steps=500, got {text!r}"
    )


def test_a_config_survives_json_unchanged():
    config = Making(objects=(5, 8), crop_size=(64, 48), limit_s=0.1, antialias=True)
    stored = json.loads(json.dumps(to_dict(config)))
    assert stored == to_dict(config)
    assert fill(Making, stored, "render") == config


def test_first_difference_names_the_setting_and_both_values():
    old, new = to_dict(Making()), to_dict(Making(tint=(1.0, 0.5, 1.0), side=128))
    assert first_difference(old, old) is None
    assert first_difference(old, new) == ("tint", [1.0, 1.0, 1.0], [1.0, 0.5, 1.0])


def test_first_difference_looks_inside_sections_and_for_absent_settings():
    old = {"seed": 0, "train": {"steps": 1, "rate": 0.5}, "extra": {"a": None}}
    new = {"seed": 0, "train": {"steps": 1, "rate": 0.1, "more": 2}}
    assert first_difference(old, new) == ("train.rate", 0.5, 0.1)
    assert first_difference({"a": {}}, {"a": {"b": {"c": 1}}}) == ("a.b", None, {"c": 1})
    assert first_difference({"a": None}, {}) is None
    assert first_difference({"a": 1}, {}) == ("a", 1, None)
