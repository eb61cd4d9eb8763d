"""Settings that a command would pass over: refused where a user names them on the command line.

Presets and files hold settings for many commands, so what of them a command does not need is passed
over; who writes --set or an option expects something of it. What belongs to another command is only
said, for one list of --set may be given to all; an option of the command itself is refused.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from render.config import OptionError

log = logging.getLogger(__name__)

# (section -> options, a command's other arguments by name) -> whether the settings are passed over
When = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


def always(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Whatever else is set."""
    return True


def lacks(setting: str) -> When:
    """Whether a setting, "section.name", is empty, 0 or false."""
    section, _, name = setting.partition(".")
    return lambda config, _: not getattr(config[section], name)


def has(setting: str) -> When:
    """Whether it is not."""
    return lambda config, arguments: not lacks(setting)(config, arguments)


def both(first: When, second: When) -> When:
    """Whether both are so."""
    return lambda config, arguments: first(config, arguments) and second(config, arguments)


@dataclass(frozen=True)
class Unused:
    """Settings that are passed over, and when.

    names: "section.name" or "section.*", separated by blanks. but: names among them that are used.
    why: what makes them so, and what to do; a sentence that the setting's name begins. is_refused:
    else --set is only said to be without effect.
    """

    names: str
    why: str
    when: When = always
    but: str = ""
    is_refused: bool = True

    def covers(self, name: str) -> bool:
        """Whether it is about a setting, "section.name"."""
        named, used = (
            any(fnmatchcase(name, pattern) for pattern in patterns.split())
            for patterns in (self.names, self.but)
        )
        return named and not used


def refuse_unused(
    named: Mapping[str, str],
    config: Mapping[str, Any],
    arguments: Mapping[str, Any],
    rules: Sequence[Unused],
) -> None:
    """Refuse, or say of, settings that have no effect.

    Args:
        named: "section.name" of what the user set -> how it was written, such as --frames.
        arguments: what else the command was given.

    Raises:
        OptionError: for the first rule that refuses one.
    """
    for rule in rules:
        for name, written in named.items():
            if rule.covers(name) and rule.when(config, arguments):
                if rule.is_refused or written.startswith("--"):
                    raise OptionError(f"{written} {rule.why}")
                log.info("%s %s", written, rule.why)


def all_but(sections: str, command: str) -> Unused:
    """Of every section that a command does not read: these, separated by blanks, it does.

    One that is "section.name" is that setting alone.
    """
    used = " ".join(name if "." in name else f"{name}.*" for name in sections.split())
    why = f"has no effect here: `{command}` reads settings of {sections}"
    return Unused("*", why, but=used, is_refused=False)
