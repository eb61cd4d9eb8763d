"""The command `capture board`; `capture` itself, which films what it wrote, stands above."""

import click

from render.command_line import PATH, SectionedCommand, given
from render.config import OptionError


@click.command(
    cls=SectionedCommand,
    examples=(
        "python pipeline.py capture board --out board.pdf",
        "python pipeline.py capture board --object cup.glb --out cup-board.pdf",
        "python pipeline.py capture board --paper a3 --squares 17x12 --out board.pdf",
    ),
)
@click.option(
    "--paper",
    type=click.Choice(["a4", "a3", "letter"]),
    default="a4",
    show_default=True,
    help="Printed lying.",
)
@click.option(
    "--squares",
    metavar="WxH",
    help="Across and down the page.  [default: 13x9, or more and smaller ones around an object]",
)
@click.option(
    "--square-mm", type=float, metavar="NUMBER", help="Their side.  [default: what fits the page]"
)
@click.option(
    "--blank",
    metavar="WxH",
    help="Squares to leave blank in the middle.  [default: what the object covers]",
)
@click.option(
    "--object",
    "mesh",
    type=PATH,
    metavar="MESH",
    help="Print its outline in the middle, where it shall stand.",
)
@click.option(
    "--rest",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="With --object: which of the poses it stays in; they are listed.",
)
@click.option("--unit", type=click.Choice(["m", "cm", "mm"]), help="Of the mesh, as in `capture`.")
@click.option("--up", type=click.Choice(["y", "z"]), help="Of the mesh, as in `capture`.")
@click.option(
    "--out", type=PATH, required=True, metavar="BOARD.pdf", help="Beside it goes BOARD.toml."
)
def board(out, mesh, rest, unit, up, **layout) -> None:
    """Print a board of squares and markers, on which an object is filmed.

    Print it at 100 %, measure the ruler below the squares, and fix it to something flat and stiff.
    `capture` needs the board.toml that is written beside it.
    """
    from render.capture.print_board import print_board

    for name in ("rest", "unit", "up"):
        if mesh is None and given(name):
            raise OptionError(f"--{name} belongs to --object; give that, too")
    for line in print_board(out, layout, mesh, rest, unit, up):
        click.echo(line)
