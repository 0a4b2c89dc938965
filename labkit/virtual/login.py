"""The SSH login of a virtual board: its account, key and host key come with the image."""

from __future__ import annotations

from labkit.boards.transport import Transport
from labkit.virtual import guest
from labkit.virtual.images import Image

__all__ = ["ssh_transport"]


def ssh_transport(image: Image, name: str, port: int) -> Transport:
    """The transport to a board of this image, whose SSH answers on ``port`` of 127.0.0.1."""
    # Imported here: paramiko takes a tenth of a second to import.
    from labkit.boards.ssh.target import SshTarget
    from labkit.boards.ssh.transport import SshTransport

    return SshTransport(
        SshTarget(
            name,
            "127.0.0.1",
            port,
            guest.USER,
            keys=(image.directory / "login_key",),
            host_key=image.host_key,
        )
    )
