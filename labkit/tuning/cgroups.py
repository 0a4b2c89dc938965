"""A cgroup of one's own with a set of processors, as a change.

On a board with systemd the tree belongs to systemd: it switches a controller on where one of
its units asks for it, and off where none does any more. So ``systemctl daemon-reload`` takes
the cpuset controller, and with it the set, from a group made here, while its processes run
on; whoever wants it to last writes ``AllowedCPUs=`` into a unit.
Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, systemd's CGROUP_DELEGATION.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from labkit.boards import Board
from labkit.errors import TuningError
from labkit.tuning.change import Change, Plan, write

__all__ = ["CpuSet"]

ROOT = "/sys/fs/cgroup"
CONTROL = f"{ROOT}/cgroup.subtree_control"


class CpuSet(Change):
    """The group ``labkit-NAME`` with the processors ``cpus``.

    ``partition`` is ``member`` (its processes are confined; everybody else may use those
    processors too), ``root`` (nobody else may) or ``isolated`` (and the scheduler does not
    spread load over them either). Undone, its processes go back to the root group, the group
    goes, and the controllers of the tree are those that were on before.

    >>> with CpuSet(board, "rt", [1], partition="isolated") as group:      # doctest: +SKIP
    ...     board.run("echo $$ >%s/cgroup.procs; exec %s", group.path, program, sudo=True)
    """

    def __init__(
        self, board: Board, name: str, cpus: Sequence[int], *, partition: str = "member"
    ) -> None:
        super().__init__(board)
        if not re.fullmatch(r"\w[\w-]*", name):
            raise TuningError(f"{name!r} cannot name a group", expected="letters and digits")
        if partition not in ("member", "root", "isolated"):
            raise TuningError(f"partition={partition!r}", expected="member, root or isolated")
        if not cpus:
            raise TuningError("a set of no processors", expected="one, as in [1]")
        self.name = name
        self.cpus = tuple(sorted(set(cpus)))
        self.partition = partition

    @property
    def path(self) -> str:
        """The group's folder."""
        return f"{ROOT}/labkit-{self.name}"

    def describe(self) -> str:
        """See :meth:`Change.describe`."""
        kind = "" if self.partition == "member" else f", {self.partition} partition"
        return f"cgroup labkit-{self.name}: processors {_listed(self.cpus)}{kind}"

    def plan(self) -> Plan:
        """See :meth:`Change.plan`."""
        if "cpuset" not in self.board.facts.cgroup_controllers:
            raise TuningError(
                f"{self.board.name} has no cpuset controller",
                expected="cpuset in /sys/fs/cgroup/cgroup.controllers",
                hint=f"labkit board check {self.board.name}",
            )
        said = self.board.check(f"cat {CONTROL}; [ ! -e %s ] || echo there", self.path).stdout
        if "there" in said.split():
            raise TuningError(
                f"{self.board.name} has a group {self.path} already", expected="a name of its own"
            )
        group = shlex.quote(self.path)
        apply = [
            write("+cpuset", CONTROL),
            f"mkdir {group}",
            write(_listed(self.cpus), f"{group}/cpuset.cpus"),
        ]
        if self.partition != "member":
            apply.append(write(self.partition, f"{group}/cpuset.cpus.partition"))
        undo = [_removal(group)]
        if "cpuset" not in said.split():
            # Where a unit has asked for processors meanwhile, the controller is systemd's.
            undo.append(
                f"grep -qsw cpuset {ROOT}/*/cgroup.subtree_control || echo -cpuset >{CONTROL}"
            )
        # The subject is the tree: off for one group is off for those made after it.
        return Plan(CONTROL, "\n".join(apply), "\n".join(undo))

    def read(self) -> dict[str, str]:
        """See :meth:`Change.read`."""
        files = {"cpus": "cpuset.cpus", "partition": "cpuset.cpus.partition"}
        paths = {key: f"{self.path}/{file}" for key, file in files.items()}
        said = self.board.read_many(paths.values())
        return {key: said[path].strip() for key, path in paths.items() if path in said}

    def wanted(self) -> dict[str, str]:
        """See :meth:`Change.wanted`."""
        return {"cpus": _listed(self.cpus), "partition": self.partition}


def _removal(group: str) -> str:
    """Shell that empties a group into the root group, ending nobody, and removes it."""
    return (
        f"if [ -d {group} ]; then\n"
        f"echo member >{group}/cpuset.cpus.partition || :\n"
        # Some end while they are moved, others start: those of a parent not yet moved.
        "for try in 1 2 3 4 5 6 7 8 9; do\n"
        f"for p in $(cat {group}/cgroup.procs); do echo $p >{ROOT}/cgroup.procs || :; done\n"
        f"if rmdir {group} 2>/dev/null; then break; fi\ndone\n"
        f"[ ! -d {group} ] || rmdir {group}\nfi"
    )


def _listed(cpus: Sequence[int]) -> str:
    """Processors as the kernel lists them: ``0-2,5``."""
    parts: list[list[int]] = []
    for cpu in cpus:
        if parts and cpu == parts[-1][-1] + 1:
            parts[-1].append(cpu)
        else:
            parts.append([cpu])
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
