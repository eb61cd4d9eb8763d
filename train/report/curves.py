"""TensorBoard's logs of a folder -> learning curves; and bars of the main errors."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.options import METHODS, OURS, REFINED

Curve = tuple[list[int], list[float]]  # steps and values
Logs = dict[str, dict[str, Curve]]  # method -> term -> curve

GROUPS = 6  # plots of curves on a page; a study may have hundreds
# Of METHODS in their order, then of other networks.
COLORS = (
    *("#7f8794", "#2c8fd6", "#e08214", "#3a9d5d", "#17a2b0", "#9a6fc4"),
    *("#a85b00", "#1f6b3a", "#4a5fc1", "#8a8f00"),
)
OTHERS = ("#c9a227", "#8c6d5a", "#b05fa8")
OUR_COLOR, WITH_MORE = "#d6404e", "#7a1fa2"  # of mapping, and of that with unlabelled frames
PALE = "80"  # opacity, of ff
DARK, NARROW = "(prefers-color-scheme: dark)", "(max-width: 40rem)"
INK, DARK_INK = "#333a44", "#d5dae2"
# Media query -> ink, and whether the window is narrow; the first that fits is shown, "" fits all.
LOOKS = {
    f"{DARK} and {NARROW}": (DARK_INK, True),
    NARROW: (INK, True),
    DARK: (DARK_INK, False),
    "": (INK, False),
}
TITLES = {
    "loss/synthetic": "loss on synthetic images",
    "loss/real": "loss on real frames",
    "loss/mapping": "loss of the mapping",
    "loss/adversary": "loss of the adversary",
    "validation": "error of held-out real frames",
}


@dataclass(frozen=True)
class Plot:
    """The same plot as SVG for each of LOOKS."""

    drawn: Mapping[str, bytes]
    alt: str
    caption: str


def find_logs(root: Path) -> dict[str, Logs]:
    """Folder of methods -> what was logged there; datasets and tuning runs are left out."""
    found: dict[str, Logs] = {}
    for folder in _log_folders(root):
        scalars = read_scalars(folder)
        if scalars:
            method = folder.parent
            group = method.parent.relative_to(root) if method != root else Path(".")
            found.setdefault(group.as_posix(), {})[method.name] = scalars
    places = {method: i for i, method in enumerate(METHODS)}  # others, such as a start, come first
    return {
        group: {m: logs[m] for m in sorted(logs, key=lambda m: places.get(m, -1))}
        for group, logs in found.items()
    }


def read_scalars(folder: Path) -> dict[str, Curve]:
    """What a log holds of losses and of validation."""
    # It takes a second to import, which only those pay who ask for a report.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = EventAccumulator(str(folder), size_guidance={"images": 1, "scalars": 1000}).Reload()
    return {
        tag: ([event.step for event in log.Scalars(tag)], [e.value for e in log.Scalars(tag)])
        for tag in log.Tags()["scalars"]
        if tag in TITLES
    }


def curve_plots(found: Mapping[str, Logs]) -> list[Plot]:
    """A plot for each of the first folders of methods: a panel a term, a line a method."""
    plots = []
    for group, logs in list(found.items())[:GROUPS]:
        of = "" if group == "." else f" of {group}"
        ends = [f"{m}: " + ", ".join(_last(t, c) for t, c in s.items()) for m, s in logs.items()]
        alt = f"Learning curves{of}. Last values: {'; '.join(ends)}."
        plots.append(_plot(_draw_curves, logs, alt, f"Learning curves{of}"))
    return plots


def bar_plot(errors: Mapping[str, Mapping[str, float]], title: str) -> Plot:
    """Bars of the main error: subject -> method -> error."""
    texts = [
        f"{subject}: " + ", ".join(f"{m} {e:.1f}" for m, e in by_method.items())
        for subject, by_method in errors.items()
    ]
    alt = f"Bars of {title}, a method each; {'; '.join(texts)}."
    return _plot(
        lambda figure, given, narrow: _draw_bars(figure, given, title, narrow), errors, alt, title
    )


def _log_folders(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        if "generation.json" in files:  # a dataset
            subfolders.clear()
        subfolders[:] = sorted(n for n in subfolders if n[0] != "." and n != "tuning")
        if any(name.startswith("events.out.tfevents") for name in files):
            yield Path(folder)


def _last(term: str, curve: Curve) -> str:
    return f"{TITLES[term]} {curve[1][-1]:.3g} at step {curve[0][-1]}"


def _plot(draw: Any, given: Any, alt: str, caption: str) -> Plot:
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # without pyplot: it needs no display

    drawn = {}
    for media, (ink, narrow) in LOOKS.items():
        style: Any = {k: ink for k in ("text.color", "axes.labelcolor", "axes.edgecolor")}
        style |= {"xtick.color": ink, "ytick.color": ink, "svg.hashsalt": "report"}
        with rc_context(style | {"legend.framealpha": 0, "axes.facecolor": "none"}):
            figure = Figure(layout="constrained")
            draw(figure, given, narrow)
            file = io.BytesIO()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
            drawn[media] = file.getvalue()
    return Plot(drawn, alt, caption)


def _draw_curves(figure: Any, logs: Logs, narrow: bool) -> None:
    terms = [term for term in TITLES if any(term in scalars for scalars in logs.values())]
    columns = min(1 if narrow else 2, len(terms))
    rows = -(-len(terms) // columns)
    figure.set_size_inches(4.2 * columns + 0.6, 2.7 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in axes[len(terms) :]:
        panel.remove()
    colors = method_colors(logs)
    for panel, term in zip(axes, terms, strict=False):
        for method, scalars in logs.items():
            if term in scalars:
                style = {"color": colors[method], "linewidth": 2.2 if method in OURS else 1.3}
                marker = "o" if len(scalars[term][0]) == 1 else None
                panel.plot(*scalars[term], label=method, marker=marker, **style)
        panel.set_title(TITLES[term], fontsize=10)
        panel.set_xlabel("step", fontsize=9)
        panel.set_ylim(bottom=0)
        panel.tick_params(labelsize=8)
        _plain(panel, "both")
    named = {label: line for a in axes[: len(terms)] for line, label in _lines(a)}
    order = [method for method in logs if method in named]
    place = {"loc": "outside lower center", "ncols": 3 if narrow else 6, "frameon": False}
    figure.legend([named[m] for m in order], order, **place)


def _lines(panel: Any) -> Iterator[tuple[Any, str]]:
    yield from zip(*panel.get_legend_handles_labels(), strict=True)


def _draw_bars(
    figure: Any, errors: Mapping[str, Mapping[str, float]], title: str, narrow: bool
) -> None:
    methods = list(dict.fromkeys(m for by_method in errors.values() for m in by_method))
    colors, count = method_colors(methods), len(methods)
    figure.set_size_inches(4.5 if narrow else 8, 0.9 + 0.27 * (count + 0.7) * len(errors))
    panel = figure.add_subplot()
    places = []
    for i, by_method in enumerate(errors.values()):
        for method, error in by_method.items():
            place = i * (count + 0.7) + methods.index(method)
            panel.barh(place, error, color=colors[method], height=0.75)
            panel.text(error, place, f" {error:.1f}", va="center", fontsize=9)
            places.append((place, method))
        if len(errors) > 1:
            subject = list(errors)[i]
            panel.text(
                1.01,
                i * (count + 0.7) + (count - 1) / 2,
                subject,
                va="center",
                fontsize=10,
                transform=panel.get_yaxis_transform(),
            )
    panel.set_yticks([p for p, _ in places], [m for _, m in places], fontsize=9)
    panel.invert_yaxis()
    panel.set_xlabel(title, fontsize=9)
    panel.set_xlim(0, 1.1 * max(max(e.values()) for e in errors.values()) or 1)
    _plain(panel, "x")


def _plain(panel: Any, axis: str) -> None:
    panel.grid(axis=axis, alpha=0.25)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def method_colors(names: Iterable[str]) -> dict[str, str]:
    """A colour for each, on every plot the same; red for the mapping, paler where refined."""
    others = [method for method in METHODS if method not in OURS]
    known = dict(zip(others, COLORS, strict=True))
    known |= dict(zip(OURS, (WITH_MORE, OUR_COLOR), strict=True))
    known |= {method + REFINED: color + PALE for method, color in known.items()}
    others = [name for name in names if name not in known]
    return known | {name: OTHERS[i % len(OTHERS)] for i, name in enumerate(others)}
