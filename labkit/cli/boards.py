"""``labkit board``: start and stop boards, reach them, and keep a list of your own."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Annotated

import typer

from labkit import platforms
from labkit.boards.inventory import LOCAL, entries, find
from labkit.cli import inventory
from labkit.cli.argv import CommandAfterDashes
from labkit.cli.console import echo
from labkit.cli.tables import print_table
from labkit.errors import NotVirtual
from labkit.session import open_board
from labkit.virtual import VirtualMachine, machines, virtual_board

__all__ = ["app"]

app = typer.Typer(
    help="Start and stop boards, reach them, and keep a list of your own.", no_args_is_help=True
)
app.command()(inventory.add)
app.command()(inventory.remove)
app.command()(inventory.trust)

Name = Annotated[
    str,
    typer.Argument(
        help="A platform (debian-12), another board of it (debian-12@NAME), or a board you added."
    ),
]


@app.command("list")
def list_boards() -> None:
    """List the virtual boards and the boards you added."""
    running = {machine.name: machine for machine in machines() if machine.running}
    possible = [name for name in platforms.names() if platforms.get(name).virtual]
    rows = []
    for name in sorted({*possible, *running}):
        machine = running.get(name)
        state = f"up, 127.0.0.1:{machine.port}" if machine else "down"
        rows.append((name, "virtual", name.partition("@")[0], state))
    rows += [(entry.name, "yours", entry.platform, entry.host) for entry in entries().values()]
    print_table(("board", "kind", "platform", "where"), rows)


@app.command()
def up(
    name: Name,
    port: Annotated[
        int, typer.Option(help="The port of 127.0.0.1 for SSH; 0 takes a free one.")
    ] = 0,
) -> None:
    """Start a virtual board. The first start builds its image, in about two minutes."""
    start = time.monotonic()
    _virtual_machine(name)
    board = virtual_board(name, port=port)
    assert board is not None
    with board:
        echo(f"{board}\nup in {time.monotonic() - start:.1f} s at {board.address}")
    echo(f"Next: labkit board shell {name}")


@app.command()
def down(
    name: Annotated[str, typer.Argument(help="A virtual board.")] = "",
    stop_all: Annotated[bool, typer.Option("--all", help="Stop all virtual boards.")] = False,
) -> None:
    """Stop a virtual board and delete its disk. Its image stays."""
    if not name and not stop_all:
        raise typer.BadParameter("name a board, or give --all")
    for machine in machines() if stop_all else [_virtual_machine(name)]:
        machine.down()
        echo(f"{machine.name} is down")


@app.command()
def reset(name: Name) -> None:
    """Reset a virtual board to its state after the first boot, in a second."""
    start = time.monotonic()
    transport = _virtual_machine(name).reset()
    echo(f"{name} was reset in {time.monotonic() - start:.1f} s, at {transport.address}")


@app.command()
def reboot(
    name: Name,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a real board is rebooted.")
    ] = False,
) -> None:
    """Reboot a board and wait until it answers again. Its disk stays as it is."""
    with open_board(name) as board:
        if not board.virtual and not yes:
            typer.confirm(f"{name} at {board.address} is a real machine. Reboot it?", abort=True)
        echo(f"{name} answers again after {board.reboot():.0f} s\nNext: labkit board shell {name}")


@app.command()
def restore(
    name: Name,
    include_active: Annotated[
        bool,
        typer.Option(
            "--all", help="Also undo changes of sessions that still run, or of another computer."
        ),
    ] = False,
) -> None:
    """Undo the changes that ended sessions have left on a board."""
    from labkit.tuning import journal

    with open_board(name, warn_unfinished=False) as board:
        undone, remaining = journal.restore(board, include_active=include_active)
    for entry in undone:
        echo(f"undone: {entry.description}")
    for entry in remaining:
        echo(f"not undone: {entry}")
    if remaining:
        echo(f"Next: labkit board restore {name} --all, if those sessions have ended")
    elif not undone:
        echo(f"There is nothing to undo on {name}")


@app.command()
def shell(name: Name) -> None:
    """Open a shell on a board. Leave it with exit or Ctrl-D."""
    with open_board(name) as board:
        sys.exit(subprocess.call(board.shell_argv))


@app.command(
    cls=CommandAfterDashes,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    name: Name,
    command: Annotated[
        list[str], typer.Argument(help="A line for the board's shell, or -- and a program.")
    ],
    sudo: Annotated[bool, typer.Option(help="Run it as root.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that it may take.")] = 60.0,
) -> None:
    """Run one command on a board.

    Without --, the words are one line for the board's shell:
    labkit board run debian-12 "uname -a | wc -c"

    After --, each argument reaches the program unchanged:
    labkit board run debian-12 --sudo -- cat "/root/a file"
    """
    with open_board(name) as board:
        result = board.run(" ".join(command), sudo=sudo, timeout=timeout)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    sys.exit(result.exit_status or 0)


@app.command()
def info(name: Name) -> None:
    """Show a board's system, processor and memory."""
    with open_board(name) as board:
        rows = {"address": board.address, **board.facts.as_rows()}
    print_table((name, ""), list(rows.items()))


@app.command()
def check(
    name: Name,
    group: Annotated[str, typer.Option(help="Run only these checks: go, kvm or tuning.")] = "",
) -> None:
    """Check a board's kernel for what Go, KVM and the tuning chapters need."""
    from labkit import kernel

    with open_board(name) as board:
        report = kernel.check(board, group or None)
    print(report)
    sys.exit(0 if report.ok else 1)


def _virtual_machine(name: str) -> VirtualMachine:
    """The virtual machine of that name. Raises :class:`NotVirtual` or :class:`PlatformError`."""
    if name == LOCAL or find(name):
        raise NotVirtual(
            f"{name} is a real machine", expected="a virtual board", hint="labkit board list"
        )
    machine = VirtualMachine(name)
    _ = machine.platform
    return machine
