"""Every feature of a mesh file that docs/meshes.md lists, read as the table there says."""

import re
from pathlib import Path

import pytest

from benchmarks.mesh_features import FEATURES
from benchmarks.mesh_features.feature import Feature
from benchmarks.mesh_features.soup import by_trimesh, by_us, judge

ROOT = Path(__file__).resolve().parents[3]
# | format | feature | this project | trimesh | assimp |
ROW = re.compile(r"^\| (\w+) \| (.+) \| (\w+) \| (\w+) \| (\w+) \|$", re.MULTILINE)
TABLE = [row.groups() for row in ROW.finditer((ROOT / "docs" / "meshes.md").read_text())]
BESIDE = {row[:2] for row in TABLE if row[3] == "right"}  # where trimesh reads right


def _name(feature: Feature) -> str:
    return f"{feature.format}: {feature.name}"


@pytest.mark.parametrize("feature", FEATURES, ids=_name)
def test_a_feature_is_read_right_or_refused_by_name(feature, tmp_path):
    assert judge(feature, by_us, tmp_path) == ("refused" if feature.refused else "right")


def test_the_table_has_a_row_for_each_feature():
    expected = [(f.format, f.name, "refused" if f.refused else "right") for f in FEATURES]
    assert [row[:3] for row in TABLE if row[0] != "format"] == expected


def test_trimesh_stands_beside_our_reader_in_most(tmp_path):
    """Where the table says that it reads right, both see the same triangles, colours, normals."""
    compared = [f for f in FEATURES if not f.refused and (f.format, f.name) in BESIDE]
    assert len(compared) > 80
    for i, feature in enumerate(compared):
        folder = tmp_path / str(i)
        assert judge(feature, by_us, folder) == judge(feature, by_trimesh, folder) == "right"
