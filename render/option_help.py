"""What a user may look up of settings and presets."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from render.config import PRESETS, OptionError, kinds_of
from render.option_kind import OptionKind


def explain(sections: Mapping[str, type], name: str) -> list[str]:
    """Every setting of a section, or the one that is named "section.name", a paragraph each.

    Raises:
        OptionError: there is no such section or setting.
    """
    section, _, field = name.partition(".")
    if section not in sections:
        raise OptionError(f"no section {section}; {_nearest(section, list(sections))}")
    kinds = kinds_of(sections[section])
    if field and field not in kinds:
        near = _nearest(field, list(kinds), f"{section}.")
        raise OptionError(f"no setting {section}.{field}; {near}")
    return [_paragraph(section, one, kinds[one]) for one in ([field] if field else kinds)]


def summary_of(cls: type) -> str:
    """The first sentence of a section's docstring."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def preset_files() -> list[Path]:
    """The presets' files, by name."""
    return sorted(PRESETS.glob("*.toml"))


def preset_summary(path: Path) -> str:
    """What a preset is for: its first line, without the comment's mark."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _paragraph(section: str, name: str, kind: OptionKind) -> str:
    default = kind.text(kind.field.default) or "(empty)"
    lines = [kind.field.metadata["help"], f"takes {kind.allowed}; default {default}"]
    return "\n    ".join([f"{section}.{name}", *lines])


def _nearest(name: str, known: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {prefix}{near[0]}?"
    return f"there are: {', '.join(prefix + n for n in known)}"
