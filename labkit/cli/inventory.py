"""``labkit board add``, ``remove`` and ``trust``: the boards of your own."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit import platforms
from labkit.boards import inventory
from labkit.boards.inventory import LOCAL, BoardEntry, ssh_target
from labkit.cli.console import echo
from labkit.errors import BoardUnknown, HostKeyUnknown

__all__ = ["add", "remove", "trust"]


def add(
    name: Annotated[str, typer.Argument(help="Your name for the board.")],
    host: Annotated[
        str,
        typer.Argument(help="An address, a host of ~/.ssh/config, or `local` for this computer."),
    ],
    platform: Annotated[str, typer.Option(help="The kind of board.")],
    user: Annotated[str, typer.Option(help="The account on the board.")] = "",
    port: Annotated[int, typer.Option(help="The port of its SSH server.")] = 0,
    key: Annotated[
        str, typer.Option(help="A private key file; without it, the agent and ~/.ssh are used.")
    ] = "",
    jump: Annotated[str, typer.Option(help="Jump hosts, as for ssh -J.")] = "",
) -> None:
    """Add a board of your own to the list. Nothing is changed on the board."""
    platforms.get(platform)
    file = inventory.add(BoardEntry(name, host, platform, user, port, key, jump))
    echo(f"{name} was added to {file}")
    echo(f"Next: labkit board {'info' if host == LOCAL else 'trust'} {name}")


def remove(name: Annotated[str, typer.Argument(help="A board you added.")]) -> None:
    """Remove a board of your own, and its trusted host key, from the lists of this computer.

    Nothing is changed on the board.
    """
    from labkit.boards.ssh import hostkeys

    entry = inventory.find(name)
    inventory.remove(name)
    if entry and entry.host != LOCAL:
        target = ssh_target(entry)
        hostkeys.remove(target.host, target.port)
    echo(f"{name} was removed")


def trust(
    name: Annotated[str, typer.Argument(help="A board you added.")],
    fingerprint: Annotated[
        str,
        typer.Option(help="The expected fingerprint (SHA256:...). With it, nothing is asked."),
    ] = "",
) -> None:
    """Show a board's host key, and trust it after you confirm."""
    from labkit.boards.ssh import hostkeys
    from labkit.boards.ssh.connect import fetch_host_key

    # A host of ~/.ssh/config may be a jump host, not a board.
    entry = inventory.find(name) or BoardEntry(name, name, "")
    if entry.host == LOCAL:
        raise BoardUnknown(f"{name} is this computer, which has no host key to trust")
    target = ssh_target(entry)
    key = fetch_host_key(target)
    actual = hostkeys.fingerprint(key)
    echo(f"{target} shows {actual}")
    if fingerprint and fingerprint != actual.split()[1]:
        raise HostKeyUnknown(f"{target} shows {actual}", expected=fingerprint)
    if not fingerprint:
        echo("On the board: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub (or another key)")
        typer.confirm("Is the fingerprint there the same?", abort=True)
    file = hostkeys.trust(target.host, target.port, key)
    echo(f"The key was added to {file}\nNext: labkit board info {name}")
