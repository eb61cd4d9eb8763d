"""One way to configure every stage: preset < config file < --set < flags, all checked alike.

A stage's options are the fields of a frozen dataclass, each made by `option`; render/option_kind.py
says which types a field may have and how their values are written.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_type_hints

import click

import assets
from render.errors import InputError
from render.input_file import read_text
from render.option_kind import OptionKind
from render.plain import shown

PRESETS = assets.FOLDER / "presets"
LARGEST_TOML = 1 << 20  # characters
LONGEST_NAME = 80  # in messages
# Names such as a.b.c of many parts, which tomllib takes the square of their number for.
DEEP_NAME = re.compile(r"""(?:(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){16}""")
T = TypeVar("T")
Sections = Mapping[str, Mapping[str, Any]]


class OptionError(click.UsageError):
    """A wrong name or value of an option; shown as one line, exit code 2."""

    show = click.ClickException.show  # without the lines on usage that UsageError puts before it


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    none_as: Any = None,
    later: bool = False,
) -> Any:
    """A dataclass field with its default, help and bounds (inclusive; for each item of a tuple).

    Args:
        none_as: what stands for None in records, as `to_dict` makes them: the default of before.
        later: the option is younger than some records, which lack it; so its default is not written
            down.
    """
    metadata = {"help": help, "minimum": minimum, "maximum": maximum}
    metadata |= {"none_as": none_as, "later": later}
    return dataclasses.field(default=default, metadata=metadata)


def fill(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Make a stage's config from TOML values or strings; what is not given keeps its default.

    Args:
        where: the section's name, for messages.

    Raises:
        OptionError: an unknown name, or a value of the wrong kind or out of bounds.
    """
    return cls(**_typed(cls, values, where))


def resolve(
    sections: Mapping[str, type],
    preset: str | None,
    config: Path | None,
    sets: Sequence[str],
    flags: Sections,
    found: Sections = MappingProxyType({}),
) -> dict[str, Any]:
    """Fill every section's dataclass from all sources; the later source wins.

    Args:
        sections: section name -> dataclass.
        preset: name of a file in assets/presets.
        config: a TOML file with a table for each section; it may extend a preset, as presets do.
        sets: texts such as "train.steps=500".
        flags: section name -> what `explicit` picked.
        found: section name -> what a command found out by itself; over presets, under all else.

    Raises:
        OptionError: an unknown section, name or value anywhere; says in which source it stood.
    """
    layers = _preset_layers(preset) if preset is not None else []
    if config is not None:
        layers += _file_layers(config, preset)
    layers.insert(len(layers) - (config is not None), ("what was found", dict(found)))
    for text in sets:
        section, key, value = parse_set(text)
        layers.append(("--set", {section: {key: value}}))
    for section, given in flags.items():
        layers += [(flag(key), {section: {key: value}}) for key, value in given.items()]

    merged: dict[str, dict[str, Any]] = {section: {} for section in sections}
    for source, layer in layers:
        for section, values in layer.items():
            if section not in sections:
                raise OptionError(f"{source}: {unknown('section', section, sections)}")
            if not isinstance(values, Mapping):
                raise OptionError(f"{source}: {section} must be a table, [{section}]")
            merged[section] |= _typed(sections[section], values, section, f"{source}: ")
    return {section: cls(**merged[section]) for section, cls in sections.items()}


def preset_files() -> list[Path]:
    """The presets' files, by name."""
    return sorted(PRESETS.glob("*.toml"))


def load_preset(name: str) -> dict[str, dict[str, Any]]:
    """The sections of assets/presets/NAME.toml, over those of the preset that it extends.

    Raises:
        OptionError: there is no such preset, or it extends itself.
    """
    merged: dict[str, dict[str, Any]] = {}
    for _, layer in _preset_layers(name):
        for section, values in layer.items():
            merged[section] = merged.get(section, {}) | values
    return merged


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        OptionError: it cannot be read, or is not TOML.
    """
    try:
        content = read_text(path)
        if len(content) > LARGEST_TOML or DEEP_NAME.search(content):
            raise ValueError("longer, or with more names in a name, than any of options")
        return tomllib.loads(content)
    except InputError as error:
        raise OptionError(str(error)) from None
    except RecursionError:
        raise OptionError(f"{path}: is not a TOML file of options: nested too deeply") from None
    except ValueError as error:
        raise OptionError(f"{path}: is not a TOML file: {error}") from None


def parse_set(text: str) -> tuple[str, str, str]:
    """Split "train.steps=500" into section, name and value.

    Raises:
        OptionError: the text has another form.
    """
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (section and dot and key and equals):
        raise OptionError(f"--set takes SECTION.NAME=VALUE, such as train.steps=500, got {text!r}")
    return section, key, value.strip()


def options_of(cls: type) -> Callable[[Callable], Callable]:
    """A decorator that gives a click command one option for each field of a config dataclass.

    Every option defaults to None, so that `explicit` can tell what the user gave.
    """

    def decorate(command: Callable) -> Callable:
        for name, kind in reversed(kinds_of(cls).items()):
            help_text, default = kind.field.metadata["help"], kind.text(kind.field.default)
            help_text += f"  [default: {default}]" if default else ""
            if kind.item is bool:
                names = f"{flag(name)}/{flag('no_' + name)}"
                command = click.option(names, default=None, help=help_text)(command)
            else:
                command = click.option(flag(name), metavar=kind.metavar, help=help_text)(command)
        return command

    return decorate


def explicit(kwargs: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """Those of a command's keyword arguments that are options of cls and were given."""
    names = [field.name for field in fields(cls)]
    return {name: kwargs[name] for name in names if kwargs.get(name) is not None}


def to_dict(instance: Any) -> dict[str, Any]:
    """A config as JSON holds it (tuples become lists); `fill` takes it back."""
    values = {}
    for field in fields(instance):
        value = getattr(instance, field.name)
        if not (field.metadata.get("later") and value == field.default):
            values[field.name] = field.metadata.get("none_as") if value is None else value
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first setting that differs: (name, old, new), or None if all agree.

    Args:
        old, new: what `to_dict` gave, or dicts of such, whose names are joined with a dot. An
            absent setting counts as None.
    """
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            inner = first_difference(before, after)
            if inner is not None:
                return f"{name}.{inner[0]}", *inner[1:]
        elif before != after:
            return name, before, after
    return None


def _preset_layers(name: str, asker: str = "") -> list[tuple[str, dict[str, Any]]]:
    """(source, sections) of a preset and all that it extends, the most basic first.

    Args:
        asker: what names it, for messages.
    """
    available = [path.stem for path in preset_files()]
    layers: list[tuple[str, dict[str, Any]]] = []
    seen: list[str] = []
    current: str | None = name
    while current is not None:
        if current not in available:
            source = f"preset {seen[-1]}: " if seen else asker
            raise OptionError(source + unknown("preset", current, available))
        if current in seen:
            raise OptionError(f"preset {current} extends itself: {' > '.join([*seen, current])}")
        seen.append(current)
        layer = load_toml(PRESETS / f"{current}.toml")
        layers.insert(0, (f"preset {current}", layer))
        current = _extended(layer, f"preset {current}")
    return layers


def _file_layers(config: Path, preset: str | None) -> list[tuple[str, dict[str, Any]]]:
    """(source, sections) of a user's file and of all that it extends, the most basic first."""
    layer = load_toml(config)
    extended = _extended(layer, str(config))
    if extended is None:
        return [(str(config), layer)]
    if preset is not None:
        raise OptionError(f"{config} extends {extended} already; leave --preset {preset}, or that")
    return [*_preset_layers(extended, f"{config}: "), (str(config), layer)]


def _extended(layer: dict[str, Any], source: str) -> str | None:
    """Take out of a file's content which preset it extends."""
    name = layer.pop("extends", None)
    if name is not None and not isinstance(name, str):
        raise OptionError(f"{source}: extends must name a preset, got {shown(name)}")
    return name


def kinds_of(cls: type) -> dict[str, OptionKind]:
    """Name of each option of a config dataclass -> what it takes."""
    annotations = get_type_hints(cls)
    return {field.name: OptionKind.of(field, annotations[field.name]) for field in fields(cls)}


def _typed(cls: type, values: Mapping[str, Any], section: str, source: str = "") -> dict[str, Any]:
    """Values of a section, checked and in the types of the dataclass's fields."""
    kinds = kinds_of(cls)
    typed = {}
    for name, value in values.items():
        if name not in kinds:
            raise OptionError(source + unknown("option", name, kinds, f"{section}."))
        try:
            typed[name] = kinds[name].convert(value)
        except (ValueError, OverflowError, RecursionError):
            allowed = kinds[name].allowed
            raise OptionError(
                f"{source}{section}.{name} must be {allowed}, got {shown(value)}"
            ) from None
    return typed


def flag(name: str) -> str:
    """The command line's option of a field."""
    return "--" + name.replace("_", "-")


def unknown(noun: str, name: str, known: Iterable[str], prefix: str = "") -> str:
    """One line on a name that does not exist: the nearest that does, else all of them."""
    near = difflib.get_close_matches(name, list(known), n=1)
    name = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."
    if near:
        hint = f"did you mean {prefix}{near[0]}?"
    else:
        hint = f"there are: {', '.join(prefix + n for n in known)}"
    return f"there is no {noun} {prefix}{name}; {hint}"
