"""Exemplar look-up beside h, over the size of the library: error and time per image.

    python benchmarks/exemplar.py RUN --dataset lmo --synthetic DIR --out exemplar.png

RUN is a run folder of one object; DIR the synthetic images it was trained on, or more of
them. Beyond their number the library holds further random crops of the same images. Times are
medians of one image at a time, the ways interleaved, on the test frames' own features.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a script: Python then knows this folder, not the project's
    sys.path.insert(0, str(ROOT))

from render.mesh.mesh import load_models
from train.learn.checkpoint import Checkpoint
from train.learn.device import choose_device
from train.objects.data import DataConfig, find_dataset
from train.objects.evaluate import (
    evaluate_method,
    measured_model,
    predict_instances,
    test_sets,
)
from train.objects.exemplar import ApproximateLookup, ExactLookup, object_library, with_lookup
from train.objects.results import results


@click.command()
@click.argument("run", type=Path)
@click.option("--dataset", default="lmo", show_default=True)
@click.option("--split-file", default="")
@click.option("--synthetic", type=Path, required=True, metavar="DIR")
@click.option("--sizes", default="1000,10000,100000", show_default=True)
@click.option("--repeats", default=41, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@click.option("--out", type=Path, metavar="PLOT.png")
def main(run, dataset, split_file, synthetic, sizes, repeats, device, out) -> None:
    """Print a line for h and for each size and look-up; draw them."""
    torch_device = choose_device(device)
    checkpoint = Checkpoint.load_finished(run, torch_device)
    obj_id, root = checkpoint.object.obj_id, find_dataset(dataset)
    data = DataConfig(dataset=dataset, split_file=split_file, objects=(obj_id,))
    model = load_models([root / "models"], obj_ids=[obj_id])[obj_id]
    tests, measured = test_sets(data, root, model, 0)[:1], measured_model(root, obj_id)

    counts = sorted(int(size) for size in sizes.split(","))
    library = object_library(checkpoint, synthetic, model, counts[-1], 0)
    readers = {("h", 0): checkpoint}
    for count in counts:
        part = library.first(count)
        readers["exact", count] = with_lookup(checkpoint, ExactLookup(part))
        readers["HNSW", count] = with_lookup(checkpoint, ApproximateLookup(part))
    for reader in readers.values():
        reader.net.to(torch_device).eval()

    one = tests[0].instances
    given: list[torch.Tensor] = []  # what h is given of each test instance
    hook = checkpoint.net.predict.register_forward_pre_hook(lambda _, x: given.append(x[0]))
    predict_instances(checkpoint, one, torch_device, 0)
    hook.remove()
    queries = torch.cat(given)[:, None]  # (instances, 1, d)
    heads = {
        key: lambda i, net=reader.net: net.predict(queries[i % len(one)])
        for key, reader in readers.items()
    }
    whole = {
        key: lambda i, reader=reader: predict_instances(
            reader, [one[i % len(one)]], torch_device, 0
        )
        for key, reader in readers.items()
    }
    with torch.inference_mode():
        head_ms, whole_ms = timed(heads, repeats), timed(whole, repeats)

    rows = []
    for (name, count), reader in readers.items():
        found, _ = evaluate_method(reader, name, tests, measured, torch_device, 0)
        table = results(found, {obj_id: measured}, [name])[tests[0].boxes]
        metrics = table["objects"][str(obj_id)][name]
        times = head_ms[name, count], whole_ms[name, count]
        rows.append((name, count, metrics["corner_px"], metrics["proj_5px"], *times))
    click.echo("look-up        n  corner px  proj 5px  h or look-up ms  over h  end to end ms")
    for name, count, corner_px, proj, head, total in rows:
        click.echo(
            f"{name:7} {count:8} {corner_px:10.1f} {proj:9.1f} {head:16.4f}"
            f" {head / rows[0][4]:7.1f} {total:14.2f}"
        )
    if out is not None:
        plot(rows, out)


def timed(ways: Mapping[tuple, Callable[[int], object]], repeats: int) -> dict[tuple, float]:
    """Median milliseconds of each way, all of them once in every round."""
    taken: dict[tuple, list[float]] = {key: [] for key in ways}
    for i in range(repeats):
        for key, way in ways.items():
            start = time.perf_counter()
            way(i)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            taken[key].append(1000 * (time.perf_counter() - start))
    return {key: float(np.median(values)) for key, values in taken.items()}


def plot(rows: list[tuple], out: Path) -> None:
    """Error and time over the size of the library; h as a level line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    titles = {2: "corner error, px", 4: "h or look-up, ms per image"}
    for axes, (column, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        axes.axhline(rows[0][column], color="black", label="h")
        for name in ("exact", "HNSW"):
            part = [row for row in rows if row[0] == name]
            axes.plot([r[1] for r in part], [r[column] for r in part], "o-", label=name)
        axes.set(xscale="log", xlabel="exemplars", title=title)
        axes.legend()
    figure.axes[1].set_yscale("log")
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
