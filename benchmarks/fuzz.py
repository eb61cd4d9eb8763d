"""Give damaged files to every reader: only a value may come of it, or one line that names the file.

    python benchmarks/fuzz.py --files 10000 --seed 1

Valid files are made by the project itself (fuzz_seeds.py and others), and damaged (fuzz_damage.py).
Each is read in another process (fuzz_worker.py), within 10 s of computing and 1 GiB of memory. A
table is printed; exit code 1 if a reader raised anything but InputError, crashed, took longer or
more, started a program, or gave a message that is not one line with the file's name.
"""

# the path is set first
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be render.py here

import click

from benchmarks.fuzz_reading import Case, Outcome, Reader
from benchmarks.fuzz_worker import read_all


def fuzz(
    readers: Sequence[Reader], files: int, seed: int, workers: int, keep: Path | None = None
) -> dict[str, Counter[str]]:
    """Read so many damaged files, spread over the readers; prints each new fault, and a table.

    Args:
        keep: copy there what faults came of, one folder each.

    Returns:
        Reader's name -> how many files were read, refused, or gave a fault.
    """
    counts: dict[str, Counter[str]] = {reader.name: Counter() for reader in readers}
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name:
        seeds, work = Path(name) / "seeds", Path(name) / "work"
        for reader in readers:
            (seeds / reader.name).mkdir(parents=True)
            reader.make(seeds / reader.name)
        cases = [
            Case(readers[i], seed, number)
            for i in range(len(readers))
            for number in range(files // len(readers) + (i < files % len(readers)))
        ]
        for outcome in read_all(cases, seeds, work, workers):
            counts[outcome.case.reader.name][outcome.kind] += 1
            if outcome.kind == "fault":
                of_reader = faults[outcome.case.reader.name]
                if keep is not None:
                    _keep(outcome, seeds, keep)
                kind, _, example = outcome.what.partition(": ")
                if kind not in of_reader:
                    click.echo(
                        f"{outcome.case.reader.name} {outcome.case.number}: {kind}: {example}"
                    )
                of_reader[kind] += 1
    _print_table(counts, faults)
    return counts


def _keep(outcome: Outcome, seeds: Path, keep: Path) -> None:
    """Leave what a fault came of in a folder of its own, and what it was."""
    case = outcome.case
    folder = keep / f"{case.reader.name}_{case.number:05d}"
    shutil.copytree(seeds / case.reader.name, folder, dirs_exist_ok=True)
    file, content = case.place(folder)
    file.write_bytes(content)
    (folder / "FAULT").write_text(f"{file.relative_to(folder)}: {outcome.what}\n")


def _print_table(counts: dict[str, Counter[str]], faults: dict[str, Counter[str]]) -> None:
    width = max(map(len, counts))
    heads = "".join(f"{head:>9}" for head in ("tried", "read", "refused", "faults"))
    click.echo(f"{'reader':<{width}}{heads}")
    total = sum(counts.values(), Counter[str]())
    for name, count in [*counts.items(), ("all", total)]:
        numbers = (count.total(), count["read"], count["refused"], count["fault"])
        click.echo(f"{name:<{width}}" + "".join(f"{number:>9}" for number in numbers))
    for name, of_reader in faults.items():
        for what, times in of_reader.most_common():
            click.echo(f"{name}: {times} x {what}")


def _chosen(readers: Iterable[Reader], names: Sequence[str]) -> list[Reader]:
    there = {reader.name: reader for reader in readers}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise click.UsageError(f"--reader {unknown[0]}: is none of {', '.join(there)}")
    return [there[name] for name in names or there]


@click.command()
@click.option("--files", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--reader", "names", multiple=True, help="This one only; may be given several times.")
@click.option("--keep", type=click.Path(path_type=Path), help="A folder for what faults came of.")
def main(files: int, seed: int, workers: int, names: Sequence[str], keep: Path | None) -> None:
    """Give damaged files to every reader; exit code 1 if there are faults."""
    from benchmarks.fuzz_readers import READERS

    counts = fuzz(_chosen(READERS, names), files, seed, workers, keep)
    sys.exit(1 if any(count["fault"] for count in counts.values()) else 0)


if __name__ == "__main__":
    main()
