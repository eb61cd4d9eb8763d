"""What all commands have in common: options under headings, examples, and how they are filled."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from render.config import OptionError, explicit, flag, options_of, parse_set, resolve
from render.errors import InputError, one_line
from render.unused import Unused, refuse_unused

MEMORY_FIX = "what is finished is kept: run the same command again with fewer --workers"
BROKEN_PIPE = 141  # exit code of what a shell's tools end with there: 128 + SIGPIPE
PATH = click.Path(path_type=Path)
SHARED = ("preset", "config", "sets", "seed", "out", "workers", "device", "help")


class SectionedCommand(click.Command):
    """A command whose help lists its own options, then each section's, then the shared ones.

    examples: command lines that work, shown at the end.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.sections: Mapping[str, tuple[str, ...]] = getattr(self.callback, "sections", {})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        of_section = {name: section for section in self.sections for name in self.sections[section]}
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        groups |= {f"Options of [{section}]": [] for section in self.sections}
        groups["Shared options"] = []
        for parameter in self.get_params(ctx):
            record, name = parameter.get_help_record(ctx), parameter.name
            if record is not None:
                heading = "Shared options" if name in SHARED or name is None else "Options"
                if name in of_section:
                    heading = f"Options of [{of_section[name]}]"
                groups[heading].append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


# (what of --preset and --config was given, a command's other arguments) -> the preset to take, and
# section -> settings over it
Choose = Callable[[str | None, Path | None, Mapping[str, Any]], tuple[str | None, Mapping]]


def configured(
    passed_over: Sequence[Unused] = (), choose: Choose | None = None, **sections: Any
) -> Callable[[Callable], Callable]:
    """Give a command --preset, --config, --set, --seed and the named sections' own options.

    The command receives `config`, section name -> filled dataclass, of all sections that the
    program has (the obj of the click context), and `seed`.

    Args:
        passed_over: settings that are refused on the command line, as they would have no effect.
        choose: what to begin with, by what else the command was given.
    """

    names = {section: tuple(f.name for f in fields(cls)) for section, cls in sections.items()}
    own = {name for of_section in names.values() for name in of_section}

    def decorate(command: Callable) -> Callable:
        @wraps(command)
        def with_config(preset, config, sets, **kwargs):
            flags = {name: explicit(kwargs, cls) for name, cls in sections.items()}
            rest = {name: value for name, value in kwargs.items() if name not in own}
            found: Mapping = {}
            if choose is not None:
                preset, found = choose(preset, config, {**kwargs, "sets": sets})
            chosen = resolve(_sections(), preset, config, sets, flags, found)
            refuse_unused(_named(sets, flags), chosen, rest, passed_over)
            return command(config=chosen, **rest)

        filled: Callable = with_config
        for cls in reversed(sections.values()):
            filled = options_of(cls)(filled)
        for decorator in (
            click.option(
                "--seed",
                type=click.IntRange(0),
                default=0,
                show_default=True,
                help="Of all random choices; the same one gives the same result.",
            ),
            click.option(
                "--set",
                "sets",
                multiple=True,
                metavar="SECTION.NAME=VALUE",
                help="Any setting of any stage; see `options`. Again for each.",
            ),
            click.option(
                "--config",
                type=PATH,
                metavar="FILE.toml",
                help="Settings of your own, over those of --preset; it may say extends = 'NAME'.",
            ),
            click.option("--preset", metavar="NAME", help="Settings by name; see `presets`."),
        ):
            filled = decorator(filled)
        filled.sections = names  # type: ignore[attr-defined]
        return filled

    return decorate


workers_option = click.option(
    "--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one a core]"
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1."
)
out_option = click.option(
    "--out", type=PATH, required=True, metavar="DIR", help="Where the result goes."
)


def _sections() -> Mapping[str, type]:
    """All that the program has."""
    return click.get_current_context().find_root().obj


def _named(sets: Sequence[str], flags: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """ "section.name" of what the user set on the command line -> how it was written."""
    of_sets = [".".join(parse_set(text)[:2]) for text in sets]
    of_flags = {f"{section}.{n}": flag(n) for section, given in flags.items() for n in given}
    return {name: name for name in of_sets} | of_flags


def given(name: str) -> bool:
    """Whether the user gave this parameter on the command line."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def refuse_foreign(choice: str, chosen: str, of_both: Sequence[str], of_nyu: Sequence[str]) -> None:
    """Refuse what was given to a command but belongs to the other kind of data, bop or nyu."""
    for parameter in click.get_current_context().command.params:
        name, flag = parameter.name, parameter.opts[0]
        if name is None or f"--{name}" == choice or name in of_both:
            continue
        owner = "nyu" if name in of_nyu else "bop"
        if owner != chosen and given(name):
            raise OptionError(f"{flag} belongs to {choice} {owner}, not to {choice} {chosen}")


def torchrun_rank() -> int:
    """Which of torchrun's processes this is; 0 without it."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def echo_once(text: object) -> None:
    """Print a result, by the first of torchrun's processes alone."""
    if not torchrun_rank():
        click.echo(text)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn what the user can mend into one line, and end quietly where nobody reads any more.

    Exit code 1, 2 for a wrong option, 130 for Ctrl-C, BROKEN_PIPE after `| head`.
    """
    try:
        yield
    except InputError as error:
        if torchrun_rank():  # torchrun ends this process before it repeats the first one's line
            time.sleep(1)
        raise click.ClickException(one_line(str(error))) from None
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.ClickException as error:
        text = error.format_message()
        if isinstance(error, click.MissingParameter):  # it lists choices in lines of their own
            text = " ".join(text.split())
        shown = click.ClickException(one_line(text))  # without the lines on usage before it
        shown.exit_code = error.exit_code  # type: ignore[misc]
        raise shown from None
    except BrokenPipeError:
        with suppress(OSError):  # else what is left would be written at the end, and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except OSError as error:
        text = f"{error.filename or 'system'}: {error.strerror or error}"
        raise click.ClickException(one_line(text)) from None
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise click.ClickException(one_line(f"memory ran out{reason}; {MEMORY_FIX}")) from None
    except KeyboardInterrupt:
        click.echo("Stopped. The same command goes on from here.", err=True)
        sys.exit(130)


class LineFormatter(logging.Formatter):
    """Log messages in lines that a terminal only shows; of debugging they may be several."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        if record.levelno > logging.DEBUG:
            return one_line(text)
        return "\n".join(map(one_line, text.split("\n")))


def open_standard_streams() -> None:
    """Let closed standard input, output and error lead nowhere.

    The next file that is opened would take the place of a closed one: what libraries print would
    be written into it, and worker processes would have it for their input.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            free = os.open(os.devnull, os.O_RDWR)
            os.dup2(free, number)
            if free != number:
                os.close(free)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115  # for good
