"""``labkit board``: bring boards up and down, reach them, note the user's own."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Annotated

import typer

from labkit import platforms
from labkit.boards import inventory
from labkit.boards.inventory import LOCAL, BoardEntry, ssh_target
from labkit.cli.console import say
from labkit.cli.tables import show
from labkit.errors import BoardUnknown, HostKeyUnknown, NotVirtual
from labkit.session import open_board
from labkit.virtual import VirtualMachine, machines, virtual_board

__all__ = ["app"]

app = typer.Typer(help="Bring boards up and down, reach them, note your own.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        help="A platform (debian-12), one more of it (debian-12@NAME), or a board you added."
    ),
]


@app.command("list")
def list_boards() -> None:
    """The boards there are: the virtual ones, and those you added."""
    running = {machine.name: machine for machine in machines() if machine.running}
    possible = [name for name in platforms.names() if platforms.get(name).virtual]
    rows = []
    for name in sorted({*possible, *running}):
        machine = running.get(name)
        state = f"up, 127.0.0.1:{machine.port}" if machine else "down"
        rows.append((name, "virtual", name.partition("@")[0], state))
    rows += [
        (entry.name, "yours", entry.platform, entry.host) for entry in inventory.entries().values()
    ]
    show(("board", "kind", "platform", "where"), rows)


@app.command()
def up(
    name: Name,
    port: Annotated[
        int, typer.Option(help="The port of 127.0.0.1 for its SSH; 0: a free one.")
    ] = 0,
) -> None:
    """Bring a virtual board up. The first time this builds its image, in about two minutes."""
    began = time.monotonic()
    _virtual(name)
    board = virtual_board(name, port=port)
    assert board is not None
    with board:
        say(f"{board}\nup in {time.monotonic() - began:.1f} s at {board.address}")
    say(f"Next: labkit board shell {name}")


@app.command()
def down(
    name: Annotated[str, typer.Argument(help="A virtual board.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All that are up.")] = False,
) -> None:
    """Stop a virtual board and throw its disk away. Its image stays."""
    if not name and not everything:
        raise typer.BadParameter("name a board, or say --all")
    for machine in machines() if everything else [_virtual(name)]:
        machine.down()
        say(f"{machine.name} is down")


@app.command()
def reset(name: Name) -> None:
    """Bring a virtual board back to its first moment, in a second."""
    began = time.monotonic()
    way = _virtual(name).reset()
    say(f"{name} is as new, in {time.monotonic() - began:.1f} s, at {way.address}")


@app.command()
def reboot(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, for a real board.")] = False,
) -> None:
    """Reboot a board and wait until it is back. What is on its disk stays."""
    with open_board(name) as board:
        if not board.virtual and not yes:
            typer.confirm(f"{name} at {board.address} is a real machine. Reboot it?", abort=True)
        say(f"{name} is back after {board.reboot():.0f} s\nNext: labkit board shell {name}")


@app.command()
def restore(
    name: Name,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also what a session that still runs, or another machine, has changed."
        ),
    ] = False,
) -> None:
    """Undo what sessions that are over have left changed on the board."""
    from labkit.tuning import journal

    with open_board(name, warn_unfinished=False) as board:
        undone, left = journal.restore(board, everything=everything)
    for entry in undone:
        say(f"undone: {entry.what}")
    for entry in left:
        say(f"left: {entry}")
    if left:
        say(f"Next: labkit board restore {name} --all, if those sessions are over")
    elif not undone:
        say(f"nothing is left changed on {name}")


@app.command()
def shell(name: Name) -> None:
    """A shell on the board; leave it with exit or Ctrl-D."""
    with open_board(name) as board:
        sys.exit(subprocess.call(board.shell))


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    name: Name,
    command: Annotated[list[str], typer.Argument(help="The command, as you would type it there.")],
    sudo: Annotated[bool, typer.Option(help="As root.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds it may take.")] = 60.0,
) -> None:
    """Run one command on the board: `labkit board run debian-12 uname -a`."""
    with open_board(name) as board:
        result = board.run(" ".join(command), sudo=sudo, timeout=timeout)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    sys.exit(result.exit_status or 0)


@app.command()
def info(name: Name) -> None:
    """What the board says of itself."""
    with open_board(name) as board:
        rows = {"address": board.address, **board.facts.as_rows()}
    show((name, ""), list(rows.items()))


@app.command()
def check(
    name: Name,
    group: Annotated[str, typer.Option(help="Only these: go, kvm or tuning.")] = "",
) -> None:
    """Check the board's kernel for what Go, KVM and the tuning chapters need."""
    from labkit import kernel

    with open_board(name) as board:
        report = kernel.check(board, group or None)
    print(report)
    sys.exit(0 if report.ok else 1)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    host: Annotated[
        str,
        typer.Argument(help="An address, a name of ~/.ssh/config, or `local` for this machine."),
    ],
    platform: Annotated[str, typer.Option(help="The kind of board it is.")],
    user: Annotated[str, typer.Option(help="The account there.")] = "",
    port: Annotated[int, typer.Option(help="The port of its SSH.")] = 0,
    key: Annotated[str, typer.Option(help="A private key file; else the agent and ~/.ssh.")] = "",
    jump: Annotated[str, typer.Option(help="Hosts to go through, as for ssh -J.")] = "",
) -> None:
    """Note a board of your own. Nothing is changed on it."""
    platforms.get(platform)
    file = inventory.add(BoardEntry(name, host, platform, user, port, key, jump))
    say(f"{name} is noted in {file}")
    say(f"Next: labkit board {'info' if host == LOCAL else 'trust'} {name}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A board you added.")]) -> None:
    """Forget a board of your own, and labkit's trust in its key. Nothing is changed on it."""
    from labkit.boards.ssh import hostkeys

    entry = inventory.find(name)
    inventory.remove(name)
    if entry and entry.host != LOCAL:
        target = ssh_target(entry)
        hostkeys.forget(target.host, target.port)
    say(f"{name} is forgotten")


@app.command()
def trust(
    name: Annotated[str, typer.Argument(help="A board you added.")],
    fingerprint: Annotated[
        str, typer.Option(help="The one it must be (SHA256:...): then nothing is asked.")
    ] = "",
) -> None:
    """Look at a board's host key and trust it from now on."""
    from labkit.boards.ssh import hostkeys
    from labkit.boards.ssh.connect import fetch_host_key

    # A host of ~/.ssh/config may be no board, but a machine on the way to one.
    entry = inventory.find(name) or BoardEntry(name, name, "")
    if entry.host == LOCAL:
        raise BoardUnknown(f"{name} is this machine, which has no host key to trust")
    target = ssh_target(entry)
    key = fetch_host_key(target)
    shown = hostkeys.fingerprint(key)
    say(f"{target} shows {shown}")
    if fingerprint and fingerprint != shown.split()[1]:
        raise HostKeyUnknown(f"{target} shows {shown}", expected=fingerprint)
    if not fingerprint:
        say("On the board: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub (or its other keys)")
        typer.confirm("Is it the same there?", abort=True)
    file = hostkeys.trust(target.host, target.port, key)
    say(f"trusted; noted in {file}\nNext: labkit board info {name}")


def _virtual(name: str) -> VirtualMachine:
    """The virtual machine of that name. Raises :class:`NotVirtual` or :class:`PlatformError`."""
    if name == LOCAL or inventory.find(name):
        raise NotVirtual(
            f"{name} is a real machine", expected="a virtual board", hint="labkit board list"
        )
    machine = VirtualMachine(name)
    _ = machine.platform
    return machine
