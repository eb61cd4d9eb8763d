"""The project's own description: names and versions agree wherever they stand twice."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Pinned in place of what pyrender's own metadata would bring.
OF_PYRENDER = {"freetype-py", "networkx", "pyopengl", "six"}
NOT_SET_UP = {"ray", "mitsuba"}  # for clusters, and for one benchmark


def pins() -> dict[str, str]:
    """Name -> version of every line of requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {name.lower(): version for name, version in found}


def demands() -> dict[str, str]:
    """Name -> least version of every package that pyproject.toml names, extras too."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = [re.split(">=|==", line) for one in lists for line in one]
    return {name.lower(): version for name, version in found}


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_requirements_pin_the_packages_of_the_project():
    assert pins().keys() - OF_PYRENDER == demands().keys() - NOT_SET_UP


def test_pins_are_versions_that_the_project_takes():
    for name, least in demands().items():
        if name not in NOT_SET_UP:
            assert numbers(pins()[name]) >= numbers(least), name


def test_the_citation_and_the_changes_are_of_this_version():
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None and newest[1] == version
