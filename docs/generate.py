"""Write commands.md and options.md from the code; with --check only compare them."""

import sys
from dataclasses import fields
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

import click

from pipeline import GROUPS, SECTIONS, main
from render.config import kinds_of, preset_files
from render.option_help import preset_summary, summary_of

WIDTH = 100
# What each command reads, and what it leaves.
FROM_TO = {
    "render": ("meshes, or a hand", "a dataset in BOP's layout, in tar shards, or in NYU's layout"),
    "pair": ("annotated real frames", "a dataset of their synthetic twins, with the same ids"),
    "capture": (
        "a film or photographs of an object on a printed board",
        "a dataset of real frames with poses, `quality.json`, a film of it",
    ),
    "validate": ("a dataset", "its faults, a line each; exit code 1 where there are any"),
    "view": ("a dataset", "a window, or with --out a contact sheet as PNG"),
    "convert": ("a BOP dataset", "the same in the format of another program's trainer"),
    "export": ("a run folder", "an ONNX file, and a JSON that says how to use it"),
    "run": (
        "a preset, or a mesh and real frames of it where there are any",
        "a folder with networks, tables, pictures and `results.json`",
    ),
    "train": (
        "real frames, twins, synthetic images",
        "a run folder: `checkpoint.pt`, TensorBoard log",
    ),
    "study": ("a preset", "a folder with networks, `study.txt`, `study.json`, `study_frames.png`"),
    "predict": (
        "a run folder and an image or folder",
        "the pose as JSON, and an overlay or a film",
    ),
    "evaluate": ("a run folder and a dataset", "a results file, `results.json`, a table"),
    "score": ("anybody's results file and its ground truth", "metrics as a table or JSON; a plot"),
    "presets": ("nothing", "a line for each preset"),
    "options": ("nothing", "a paragraph for each setting"),
    "doctor": ("this machine", "what can draw and train here, and the fix for what cannot"),
}


def commands_page() -> str:
    """Every command's help, as the terminal shows it."""
    parts = [
        "# Commands",
        "What `python pipeline.py COMMAND --help` prints. Installed with pip, the program is called"
        " `feature-mapping`.",
    ]
    for heading, commands in GROUPS.items():
        parts.append(f"## {heading}")
        for command in commands:
            reads, leaves = FROM_TO[str(command.name)]
            parts.append(f"### {command.name}\n\nFrom {reads} to {leaves}.")
            parts.append(_help(command, str(command.name)))
            for other in getattr(command, "beside", ()):
                parts.append(_help(other, f"{command.name} {other.name}"))
    return "\n\n".join(parts) + "\n"


def _help(command: click.Command, name: str) -> str:
    program = click.Context(main, info_name="pipeline.py")
    context = click.Context(command, parent=program, info_name=name, terminal_width=WIDTH)
    return f"```text\n{command.get_help(context).rstrip()}\n```"


def options_page() -> str:
    """A table for each section."""
    parts = [
        "# Settings",
        "Every setting of every stage. `--set SECTION.NAME=VALUE` sets one; a preset or a"
        " `--config FILE.toml` has a table for each section. The later wins: preset, file, `--set`,"
        " then a command's own options, such as `--frames`. `python pipeline.py options SECTION`"
        " prints the same.",
        "One that is given on the command line and would have no effect beside the others is"
        " refused; what belongs to another command is said to have none.",
        "A file of your own may begin with a preset and change some of it:",
        '```toml\nextends = "lmo"\n\n[data]\nobjects = [5]\n\n[train]\nsteps = 3000\n```',
        "## Presets",
        "| preset | what it is for |\n|---|---|\n"
        + "\n".join(
            f"| `{path.stem}` | {_cell(preset_summary(path))} |" for path in preset_files()
        ),
    ]
    for section, cls in SECTIONS.items():
        lines = ["| name | default | takes | meaning |", "|---|---|---|---|"]
        kinds = kinds_of(cls)
        for field in fields(cls):  # type: ignore[arg-type]
            kind = kinds[field.name]
            default = kind.text(field.default)
            shown = f"`{default}`" if default else "(empty)"
            cells = (f"`{field.name}`", shown, kind.allowed, field.metadata["help"])
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        parts += [f"## {section}", summary_of(cls), "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    pages = {DOCS / "commands.md": commands_page(), DOCS / "options.md": options_page()}
    if "--check" in sys.argv:
        stale = [f.name for f, text in pages.items() if not f.is_file() or f.read_text() != text]
        sys.exit(f"stale: {', '.join(stale)}; run python docs/generate.py" if stale else 0)
    for file, text in pages.items():
        file.write_text(text)
