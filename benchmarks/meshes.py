"""Which mesh files are read right: by this project, by trimesh, by assimp.

    python benchmarks/meshes.py                           # by feature, the table of docs/meshes.md
    python benchmarks/meshes.py FOLDER... --sheet s.png   # any collection of files

The first writes a file for each feature of each format (benchmarks/mesh_features), has every reader
read it, and compares triangles, the colour in the middle of each and normals with what the file
holds. The second reads all mesh files of folders, compares with trimesh's reading, names what is
refused or different, and draws all that is read. Files of over 8 MB are passed over. The column of
assimp needs its wheel, `pip install assimp-py`.
"""

# the path is set first
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else `render` would be render.py here

import click
import numpy as np

from benchmarks.mesh_features import FEATURES
from benchmarks.mesh_features.feature import Feature
from benchmarks.mesh_features.soup import READERS, Soup, by_trimesh, differs, judge, soup_of
from render.camera import Camera
from render.draw.rasterizer import Rasterizer
from render.errors import InputError
from render.image_file import write_png
from render.mesh.file import SUFFIXES, read_mesh_file
from render.mesh.mesh import Mesh
from render.mesh.part import Part
from render.scene.spec import Light, Placed, SceneSpec, rows
from render.show.overlay import label, sheet

MEMORY = 8 << 30  # bytes; other readers believe every header
LARGEST_FILE = 8 << 20
COLUMNS, TILE = 12, 128


def features_table() -> str:
    """A Markdown table: a row a feature, a column a reader."""
    names = [name for name in READERS if name != "assimp" or find_spec("assimp_py")]
    lines = [f"| format | feature | {' | '.join(names)} |", "|---|---" + "|---" * len(names) + "|"]
    rights: Counter[str] = Counter()
    for feature in FEATURES:
        judged = {name: _judge(feature, READERS[name]) for name in names}
        expected = "refused" if feature.refused else "right"
        rights.update(name for name in names if judged[name] == expected)
        lines.append(f"| {feature.format} | {feature.name} | {' | '.join(judged.values())} |")
    of_all = " | ".join(f"{rights[name]} of {len(FEATURES)}" for name in names)
    return "\n".join([*lines, f"| | **as it should be** | {of_all} |"])


def _judge(feature: Feature, reader: Callable[[Path], Soup]) -> str:
    """What a reader makes of a feature, in a process of its own: some readers crash theirs."""
    process = ProcessPoolExecutor(1, get_context("fork"))
    with tempfile.TemporaryDirectory() as folder, process:
        judged = process.submit(judge, feature, reader, Path(folder))
        return "crash" if isinstance(judged.exception(), BrokenProcessPool) else judged.result()


def compare(files: list[Path], root: Path) -> tuple[Counter[str], dict[str, Part]]:
    """Read each file with this project and with trimesh; say what is not read alike."""
    counts: Counter[str] = Counter()
    parts: dict[str, Part] = {}
    for file in files:
        name = str(file.relative_to(root))
        try:
            part = read_mesh_file(file)
        except InputError as error:
            counts["refused"] += 1
            click.echo(f"refused: {str(error).replace(str(root) + '/', '')}")
            continue
        parts[name] = part
        try:
            difference = differs(soup_of(part), by_trimesh(file), normals_deg=75)
        except Exception as error:  # trimesh raises what it stumbles on
            difference = f"trimesh cannot read it: {type(error).__name__}"
        counts["different" if difference else "alike"] += 1
        if difference:
            click.echo(f"different: {name}: {difference}")
    return counts, parts


def draw(part: Part) -> np.ndarray:
    """A tile with the mesh in its middle, seen from the side, a little above and in front."""
    low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
    size = np.linalg.norm(high - low)
    mesh = Mesh(
        ((part.vertices - (low + high) / 2) * (0.2 / size)).astype(np.float32),
        part.faces.astype(np.int32),
        part.normals.astype(np.float32),
        part.colors,
        None if part.uv is None else part.uv.astype(np.float32),
        part.texture,
        None if part.opacity is None else part.opacity.astype(np.float32),
    )
    K = np.array([[2.2 * TILE, 0, (TILE - 1) / 2], [0, 2.2 * TILE, (TILE - 1) / 2], [0, 0, 1]])
    forward = np.array([-0.5, 0.75, -0.45]) / np.linalg.norm([-0.5, 0.75, -0.45])
    right = np.cross(forward, [0, 0, 1]) / np.linalg.norm(np.cross(forward, [0, 0, 1]))
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = [right, np.cross(forward, right), forward], 0.5
    spec = SceneSpec(
        rows(K),
        Camera(K, TILE, TILE).size,
        (Placed(1, rows(pose)),),
        ambient=(0.35, 0.35, 0.35),
        lights=(Light("directional", (-0.4, -0.6, -0.7)),),
    )
    with Rasterizer({1: mesh}) as rasterizer:
        frame = next(iter(rasterizer.render([spec])))
    assert frame.rgb is not None and frame.instance is not None
    return np.where(frame.instance[..., None] > 0, frame.rgb, 235).astype(np.uint8)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--sheet", "picture", type=click.Path(path_type=Path), help="Draw all that is read.")
def main(folders: tuple[Path, ...], picture: Path | None) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if not folders:
        click.echo(features_table())
        return
    tiles = []
    total: Counter[str] = Counter()
    for folder in folders:
        every = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES)
        files = [f for f in every if f.is_file() and f.stat().st_size <= LARGEST_FILE]
        counts, parts = compare(files, folder)
        click.echo(f"{folder}: {len(files)} files: {dict(counts)}")
        total += counts
        tiles += [label(draw(part), Path(name).name[:20]) for name, part in parts.items()]
    click.echo(f"all: {dict(total)}")
    if picture and tiles:
        starts = range(0, len(tiles), COLUMNS)
        write_png(picture, sheet([tiles[start : start + COLUMNS] for start in starts]))


if __name__ == "__main__":
    main()
