"""What a user may look up of settings and presets."""

from collections.abc import Mapping
from pathlib import Path

from render.config import OptionError, kinds_of, unknown
from render.option_kind import OptionKind


def explain(sections: Mapping[str, type], name: str) -> list[str]:
    """Every setting of a section, or the one that is named "section.name", a paragraph each.

    Raises:
        OptionError: there is no such section or setting.
    """
    section, _, field = name.partition(".")
    if section not in sections:
        raise OptionError(unknown("section", section, sections))
    kinds = kinds_of(sections[section])
    if field and field not in kinds:
        raise OptionError(unknown("option", field, kinds, f"{section}."))
    return [_paragraph(section, one, kinds[one]) for one in ([field] if field else kinds)]


def summary_of(cls: type) -> str:
    """The first sentence of a section's docstring."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def preset_summary(path: Path) -> str:
    """What a preset is for: its first line, without the comment's mark."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _paragraph(section: str, name: str, kind: OptionKind) -> str:
    default = kind.text(kind.field.default) or "(empty)"
    lines = [kind.field.metadata["help"], f"takes {kind.allowed}; default {default}"]
    return "\n    ".join([f"{section}.{name}", *lines])
