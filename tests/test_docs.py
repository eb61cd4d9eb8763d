"""README.md and docs/: links lead somewhere, and commands are ones that the program takes."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from pipeline import SECTIONS, main
from render.config import resolve

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
ENDINGS = ("json", "py", "txt", "yaml")  # files that are called as sections of options are
INDENTED = re.compile(r"^(?:    |\t).*$", re.MULTILINE)


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return INDENTED.sub("", FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, by the rule of GitHub and mkdocs."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def code_lines(page: Path) -> list[str]:
    """The lines of its blocks of code, those that end in a backslash joined with the next."""
    text = page.read_text()
    blocks = [*FENCE.findall(text), *(line.strip() for line in INDENTED.findall(text))]
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every `python pipeline.py ...` on the page."""
    for line in code_lines(page):
        program, script, arguments = line.partition("pipeline.py ")
        if script and re.search(r"\b(python|torchrun)\b[^#]*$", program):
            yield shlex.split(arguments, comments=True)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


@PAGE
def test_relative_links_lead_to_files_and_headings(page):
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert file.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(file), target


@PAGE
def test_pages_of_the_site_do_not_link_out_of_docs(page):
    """mkdocs publishes docs/ alone; the README is read where the repository is."""
    if page.parent == ROOT:
        return
    for target in LINK.findall(prose(page)):
        assert not target.startswith("../"), target


@PAGE
def test_every_printed_command_is_one_that_the_program_takes(page):
    for arguments in commands(page):
        name, *rest = arguments
        command = main.get_command(click.Context(main), name)
        assert command is not None, arguments
        given = command.make_context(name, rest).params
        if "sets" in given:
            resolve(SECTIONS, given["preset"], None, given["sets"], {})


@PAGE
def test_options_named_in_a_sentence_are_there(page):
    for section, name in re.findall(r"[` ](\w+)\.(\w+)[=`]", page.read_text()):
        if section in SECTIONS and name not in ENDINGS:
            assert name in {field.name for field in fields(SECTIONS[section])}, f"{section}.{name}"


@PAGE
def test_scripts_that_a_page_names_are_there(page):
    for path in re.findall(r"\b(?:assets|benchmarks|docs|tests)/[\w/]+\.py\b", page.read_text()):
        assert (ROOT / path).is_file(), path


def test_commands_are_found_on_the_pages():
    """So that the tests above do not pass for want of any."""
    found = {arguments[0] for page in PAGES for arguments in commands(page)}
    assert {"render", "view", "pair", "train", "run", "study", "predict", "score"} <= found


def test_every_page_is_in_the_site_and_linked_from_the_readme():
    nav = (ROOT / "mkdocs.yml").read_text()
    readme = (ROOT / "README.md").read_text()
    for page in PAGES[1:]:
        assert f": {page.name}\n" in nav, page.name
        assert page.name == "index.md" or f"(docs/{page.name})" in readme, page.name
