"""Draw docs/house.png: the rooms of render/ and train/, and who imports whom, from the sources.

python docs/draw_house.py
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "house.png"
# From the ground up. A module that lies in a package's own folder is of the first room; in train/,
# where each such module is a floor, of the room that bears its name.
FLOORS = {
    "render": (
        *("hall", "contour", "mesh", "formats", "sensor", "physics", "environment", "scene"),
        *("hand", "draw"),
        *("dataset", "capture", "validate", "show", "commands"),
    ),
    "train": (
        *("options", "learn", "report", "objects", "hands"),
        *("tasks", "export", "film", "study", "run", "reading"),
        *("unused", "unused_judging", "commands", "judge_commands"),
    ),
}
COLORS = {"render": "#2f6f9f", "train": "#b3541e"}
X = {"render": 0.0, "train": 6.4}
WIDTH, HEIGHT, STOREY = 2.6, 0.62, 1.0

Room = tuple[str, str]  # package, room


def room_of(module: str) -> Room | None:
    """The room of a module such as render.mesh.part; None for one of another package."""
    package, *rest = module.split(".")
    if package not in FLOORS:
        return None
    if rest and rest[0] in FLOORS[package]:
        return package, rest[0]
    return package, FLOORS[package][0]


def modules() -> dict[str, Path]:
    """Name -> file of every module of the house."""
    found = {}
    for package in FLOORS:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__init__":
                found[".".join(parts)] = file
    return found


def imports(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the house that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def count_imports() -> tuple[Counter[Room], Counter[tuple[Room, Room]]]:
    """Files of each room; and how many pairs of files in two rooms import one another."""
    known, sizes, arrows = modules(), Counter[Room](), Counter[tuple[Room, Room]]()
    for module, file in known.items():
        room = room_of(module)
        assert room is not None
        sizes[room] += 1
        for target in set(imports(file, known)):
            other = room_of(target)
            if other is not None and other != room:
                arrows[room, other] += 1
    return sizes, arrows


def draw(axes: Axes) -> None:
    """Draw rooms from the ground up, and an arrow from each to every room that it imports."""
    sizes, arrows = count_imports()
    rooms = [(p, name) for p in FLOORS for name in FLOORS[p] if sizes[p, name]]
    height: dict[Room, float] = {}
    for package in FLOORS:
        for storey, name in enumerate(name for p, name in rooms if p == package):
            height[package, name] = storey * STOREY

    for (source, target), count in arrows.items():
        _arrow(axes, source, target, height, count)
    for room in rooms:
        package, name = room
        corner = X[package], height[room]
        style: dict[str, Any] = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "zorder": 3}
        color = COLORS[package]
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, facecolor=color, lw=0, **style))
        middle = corner[0] + WIDTH / 2, corner[1] + HEIGHT / 2
        files = f"{sizes[room]} file" + "s" * (sizes[room] > 1)
        shown = name.replace("_", "\\_")  # which else lowers what follows
        text = f"$\\bf{{{shown}}}$  {files}"
        axes.text(*middle, text, color="white", ha="center", va="center", fontsize=9, zorder=4)
    for package, x in X.items():
        top = max(y for (p, _), y in height.items() if p == package) + HEIGHT + 0.25
        label: dict[str, Any] = {
            "color": COLORS[package],
            "ha": "center",
            "fontsize": 13,
            "weight": "bold",
        }
        axes.text(x + WIDTH / 2, top, f"{package}/", **label)
    axes.set(xlim=(-1.6, 10.7), ylim=(-0.3, max(height.values()) + 1.5))
    axes.axis("off")


def _arrow(axes: Axes, source: Room, target: Room, height: dict[Room, float], count: int) -> None:
    """From a room to one that it imports, the wider the more files do so."""
    start, end = height[source] + 0.7 * HEIGHT, height[target] + 0.3 * HEIGHT
    width = 0.5 + 0.9 * count**0.5 / 2
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 9, "lw": width, "zorder": 2}
    if source[0] != target[0]:
        ends = (X["train"], height[source] + HEIGHT / 2), (WIDTH, height[target] + HEIGHT / 2)
        axes.add_patch(FancyArrowPatch(*ends, color="#999999", alpha=0.4, **style))
        return
    outer, bend = (0.0, 1) if source[0] == "render" else (X["train"] + WIDTH, -1)
    storeys = abs(height[source] - height[target]) / STOREY
    curve = f"arc3,rad={bend * (0.25 + 0.2 / storeys)}"
    ends = (outer, start), (outer, end)
    color = COLORS[source[0]] if start > end else "#d00000"  # against the floors
    axes.add_patch(FancyArrowPatch(*ends, connectionstyle=curve, color=color, alpha=0.55, **style))


def main() -> None:
    """Write the picture."""
    figure, axes = plt.subplots(figsize=(10, 7.6))
    draw(axes)
    figure.savefig(FILE, dpi=80, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
