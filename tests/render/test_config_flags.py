"""A config on the command line."""

import json

import click
from click.testing import CliRunner

from render.config import (
    explicit,
    options_of,
    resolve,
    to_dict,
)
from tests.render.test_config import SECTIONS, Making, Training


@click.command()
@options_of(Making)
@options_of(Training)
def command(**kwargs):
    flags = {name: explicit(kwargs, cls) for name, cls in SECTIONS.items()}
    filled = resolve(SECTIONS, None, None, [], flags)
    click.echo(json.dumps([flags, {name: to_dict(config) for name, config in filled.items()}]))


def run(*args: str):
    return CliRunner().invoke(command, args)


def test_only_the_flags_that_were_given_count():
    flags, filled = json.loads(run().output)
    assert flags == {"render": {}, "train": {}}
    assert filled["render"] == to_dict(Making())

    given = ["--size", "320x240", "--no-antialias", "--distance", "0.5,0.5", "--limit-s", "none"]
    flags, filled = json.loads(run(*given, "--steps", "3").output)
    assert flags["render"].keys() == {"size", "antialias", "distance", "limit_s"}
    assert filled["render"] == to_dict(Making(size=(320, 240), distance=(0.5, 0.5)))
    assert filled["train"] == to_dict(Training(steps=3))

    assert json.loads(run("--antialias").output)[1]["render"]["antialias"] is True


def test_a_wrong_flag_is_one_line_and_exit_code_2():
    result = run("--size", "640")
    assert result.exit_code == 2
    assert result.output == (
        "Error: --size: render.size must be a size such as 640x480, at most 16384 a side, got"
        " '640'\n"
    )


def test_help_shows_every_option_in_order_with_its_default():
    text = " ".join(run("--help").output.split())
    expected = [
        "--frames INTEGER Number of frames to make [default: 1000]",
        "--size WxH Width and height [default: 640x480]",
        "--crop-size WxH Width and height of a crop [default: none]",
        "--objects INTEGER,... Ids of the objects",
        "--folders TEXT,... Where the meshes are [default: a,b]",
        "--distance NUMBER,NUMBER Distance [default: 0.5,1.5]",
        "--count INTEGER,INTEGER Fewest and most [default: 2,5]",
        "--tint NUMBER,NUMBER,NUMBER Factors [default: 1.0,1.0,1.0]",
        "--layout [crop|tabletop] How objects lie [default: crop]",
        "--side [64|128] Side of the crop [default: 64]",
        "--antialias / --no-antialias Smooth edges [default: false]",
        "--background TEXT What stands behind [default: noise]",
        "--limit-s NUMBER Time limit [default: none]",
        "--steps INTEGER Number of steps [default: 100]",
    ]
    positions = [text.index(line) for line in expected]
    assert positions == sorted(positions)
