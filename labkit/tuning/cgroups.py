"""cgroups made by hand, as changes: an empty one, and one with a set of processors.

On a board with systemd the cgroup tree belongs to systemd. It switches a controller on where
one of its units needs it, and off where no unit needs it any more. So ``systemctl
daemon-reload`` takes the cpuset controller, and with it the set, from a group made here, and
the group's processes run on. For a set that is to last, write ``AllowedCPUs=`` into a unit.
Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, systemd's CGROUP_DELEGATION.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, write_command

__all__ = ["Cgroup", "CpuSet"]

ROOT = "/sys/fs/cgroup"
CONTROL = f"{ROOT}/cgroup.subtree_control"


class Cgroup(Change):
    """An empty cgroup ``labkit-NAME`` below the root group, with the controllers that are on.

    The undo moves its processes to the root group and removes it. Raises :class:`TuningError`
    where the name cannot name a group, and, when planned, where there is such a group already.

    >>> with Cgroup(board, "trial") as group:                              # doctest: +SKIP
    ...     board.run("ls %s", group.path)
    """

    def __init__(self, board: Board, name: str) -> None:
        super().__init__(board)
        if not re.fullmatch(r"\w[\w-]*", name):
            raise TuningError(f"{name!r} cannot name a group", expected="letters and digits")
        self.name = name

    @property
    def path(self) -> str:
        """The group's directory."""
        return f"{ROOT}/labkit-{self.name}"

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        return f"cgroup labkit-{self.name}"

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        self._require_free_name()
        group = shlex.quote(self.path)
        return Plan(self.path, f"mkdir {group}", _remove_commands(group))

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        exists = self.board.run("[ -d %s ]", self.path).ok
        return {self.path: "present" if exists else "absent"}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return {self.path: "present"}

    def _require_free_name(self) -> None:
        if self.board.run("[ -e %s ]", self.path).ok:
            raise TuningError(
                f"{self.board.name} has a group {self.path} already",
                expected="a name that is not in use",
            )


class CpuSet(Cgroup):
    """The cgroup ``labkit-NAME`` with the processors ``cpus``.

    ``partition`` is ``member`` (its processes are confined; all others may use those processors
    too), ``root`` (no others may) or ``isolated`` (and the scheduler does not balance load over
    them either). After the undo its processes are in the root group, the group is gone, and the
    controllers of the tree are those that were on before.

    Raises :class:`TuningError` for an unknown partition or an empty set, and, when planned,
    where the board has no cpuset controller.

    >>> with CpuSet(board, "rt", [1], partition="isolated") as group:      # doctest: +SKIP
    ...     board.run("echo $$ >%s/cgroup.procs; exec %s", group.path, program, sudo=True)
    """

    def __init__(
        self, board: Board, name: str, cpus: Sequence[int], *, partition: str = "member"
    ) -> None:
        super().__init__(board, name)
        if partition not in ("member", "root", "isolated"):
            raise TuningError(f"partition={partition!r}", expected="member, root or isolated")
        if not cpus:
            raise TuningError("a set of no processors", expected="at least one, as in [1]")
        self.cpus = tuple(sorted(set(cpus)))
        self.partition = partition

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        kind = "" if self.partition == "member" else f", {self.partition} partition"
        return f"cgroup labkit-{self.name}: processors {_cpu_list(self.cpus)}{kind}"

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        if "cpuset" not in self.board.facts.cgroup_controllers:
            raise TuningError(
                f"{self.board.name} has no cpuset controller",
                expected="cpuset in /sys/fs/cgroup/cgroup.controllers",
                hint=f"labkit board check {self.board.name}",
            )
        self._require_free_name()
        group = shlex.quote(self.path)
        apply = [
            write_command("+cpuset", CONTROL),
            f"mkdir {group}",
            write_command(_cpu_list(self.cpus), f"{group}/cpuset.cpus"),
        ]
        if self.partition != "member":
            apply.append(write_command(self.partition, f"{group}/cpuset.cpus.partition"))
        undo = [_remove_commands(group)]
        if "cpuset" not in self.board.read(CONTROL).split():
            # A unit may have asked for processors meanwhile: then systemd uses the controller.
            undo.append(
                f"grep -qsw cpuset {ROOT}/*/cgroup.subtree_control || echo -cpuset >{CONTROL}"
            )
        # The resource is the tree: a controller that is off for one group is off for later ones.
        return Plan(CONTROL, "\n".join(apply), "\n".join(undo))

    def current(self) -> dict[str, str]:
        """See :meth:`Change.current`."""
        files = {"cpus": "cpuset.cpus", "partition": "cpuset.cpus.partition"}
        paths = {key: f"{self.path}/{file}" for key, file in files.items()}
        texts = self.board.read_many(paths.values())
        return {key: texts[path].strip() for key, path in paths.items() if path in texts}

    def desired(self) -> dict[str, str]:
        """See :meth:`Change.desired`."""
        return {"cpus": _cpu_list(self.cpus), "partition": self.partition}


def _remove_commands(group: str) -> str:
    """Shell commands that move a group's processes to the root group and remove the group."""
    return (
        f"if [ -d {group} ]; then\n"
        f"if [ -e {group}/cpuset.cpus.partition ]; then\n"
        f"echo member >{group}/cpuset.cpus.partition || :\nfi\n"
        # While some processes are moved, others start: children of one that is not moved yet.
        "for try in 1 2 3 4 5 6 7 8 9; do\n"
        f"for p in $(cat {group}/cgroup.procs); do echo $p >{ROOT}/cgroup.procs || :; done\n"
        f"if rmdir {group} 2>/dev/null; then break; fi\ndone\n"
        f"[ ! -d {group} ] || rmdir {group}\nfi"
    )


def _cpu_list(cpus: Sequence[int]) -> str:
    """Processors as the kernel lists them: ``0-2,5``."""
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1].append(cpu)
        else:
            ranges.append([cpu])
    return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in ranges)
