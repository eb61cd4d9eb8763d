"""What a user can look up of the commands and their settings, and that it is true."""

import os
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline import GROUPS, SECTIONS, main
from render.command_line import SectionedCommand
from render.config import OptionError, load_preset, preset_files, resolve
from render.option_help import preset_summary

COMMANDS = [command for group in GROUPS.values() for command in group]
EXAMPLES = [line for c in COMMANDS if isinstance(c, SectionedCommand) for line in c.examples]
ROOT = Path(__file__).resolve().parents[1]


def show(*args: str) -> str:
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_help_lists_commands_by_what_they_are_for():
    text = show("--help")
    headings = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == ["Options", *GROUPS]
    order = [text.index(f"\n  {command.name} ") for command in COMMANDS]
    assert order == sorted(order) and set(main.commands) == {c.name for c in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_says_what_it_does_in_one_whole_line(command):
    first = (command.help or "").split("\n\n")[0]
    assert "\n" not in first.strip() and first.strip().endswith(".")
    assert command.get_short_help_str(90) == first.strip().rstrip(".") + "."


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_are_commands_that_are_accepted(line):
    program, script, name, *args = shlex.split(line)
    assert (program, script) == ("python", "pipeline.py")
    command = main.commands[name]
    context = command.make_context(name, args, parent=click.Context(main, obj=SECTIONS))
    values = context.params
    if "sets" in values:
        resolve(SECTIONS, values["preset"], values["config"], values["sets"], {})


def test_every_command_has_an_example():
    assert all(isinstance(c, SectionedCommand) and c.examples for c in COMMANDS)


def test_options_of_sections_stand_under_their_headings():
    text = show("pair", "--help")
    own, data, pair, shared = (
        text.index(heading)
        for heading in ("\nOptions:", "\nOptions of [data]:", "\nOptions of [pair]:", "\nShared")
    )
    assert own < text.index("--real") < data < text.index("--dataset") < pair
    assert pair < text.index("--variants") < shared < text.index("--seed")


@pytest.mark.parametrize("section", SECTIONS)
def test_options_explains_every_setting_of_a_section(section):
    paragraphs = show("options", section).strip().split("\n\n")
    assert len(paragraphs) == len(fields(SECTIONS[section]))
    for field, paragraph in zip(fields(SECTIONS[section]), paragraphs, strict=True):
        name, meaning, takes = paragraph.split("\n    ")
        assert name == f"{section}.{field.name}"
        assert meaning == field.metadata["help"] and len(meaning.split()) >= 3
        assert takes.startswith("takes ") and "; default " in takes
        assert show("options", name).strip() == paragraph


def test_options_alone_lists_the_sections_and_a_wrong_name_gets_the_nearest():
    assert [line.split()[0] for line in show("options").splitlines()] == list(SECTIONS)
    for name, message in [
        ("trian", "there is no section trian; did you mean train?"),
        ("train.lrr", "there is no option train.lrr; did you mean train.lr?"),
    ]:
        result = CliRunner().invoke(main, ["options", name])
        assert result.exit_code == 2 and result.output == f"Error: {message}\n"


def test_presets_lists_each_with_what_it_is_for():
    lines = show("presets").splitlines()
    assert len(lines) == len(preset_files()) > 10
    for line, path in zip(lines, preset_files(), strict=True):
        name, summary = line.split(maxsplit=1)
        assert name == path.stem and summary == preset_summary(path)
        assert path.read_text().startswith(f"# {summary}\n") and summary.endswith(".")
        load_preset(name)


def test_a_file_may_extend_a_preset(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "demo"\n[train]\nsteps = 7\n')
    config = resolve(SECTIONS, None, mine, [], {})
    demo = resolve(SECTIONS, "demo", None, [], {})
    assert config["train"].steps == 7 != demo["train"].steps
    assert config["render"] == demo["render"] and config["train"].lr == demo["train"].lr
    with pytest.raises(OptionError, match=r"mine\.toml extends demo already; leave --preset lmo"):
        resolve(SECTIONS, "lmo", mine, [], {})
    mine.write_text('extends = "deno"\n')
    with pytest.raises(
        OptionError, match=r"mine\.toml: there is no preset deno; did you mean demo"
    ):
        resolve(SECTIONS, None, mine, [], {})


def test_the_pages_on_commands_and_options_are_those_of_the_code():
    """Else: python docs/generate.py."""
    ran = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
