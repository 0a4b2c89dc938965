"""Checks of a kernel: what is wanted, why, and what to do about it. The data: checks.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from labkit.errors import KernelConfigError
from labkit.kernel.cmdline import CommandLine
from labkit.kernel.config import read_config
from labkit.kernel.report import CheckReport, Finding
from labkit.kernel.runtime import ROOT_KEYS, is_runtime_key, read_runtime

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = [
    "GROUPS",
    "LAYERS",
    "UNKNOWN_OPTION",
    "Check",
    "check",
    "judge",
    "load_checks",
    "parse_checks",
]

GROUPS = ("go", "kvm", "tuning")
LAYERS = ("config", "cmdline", "runtime")

UNKNOWN_OPTION = "option unknown to this kernel"
"""What is found for an option the kernel does not have; "n" would say it has, and it is off."""

_NOT_THERE = ("absent", UNKNOWN_OPTION)
_LIMIT = re.compile(r"([<>]=)\s*(\d+(?:\.\d+)*)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Check:
    """One check, as checks.toml has it; the head of that file says what the fields mean."""

    name: str
    group: str
    layer: str
    key: str
    wanted: tuple[str, ...]
    reason: str
    source: str
    hint: str
    unless: str = ""


Answer = tuple[str | None, str]
"""What was found for a check, or ``None`` and why that could not be told."""


def check(board: Board, group: str | None = None) -> CheckReport:
    """Check the kernel of ``board``, for one ``group`` of checks ("go", "kvm", "tuning") or all.

    At most three round trips: the configuration, the run-time questions, and those only root
    may ask (a fourth where the configuration is a module). A check whose answer cannot be had
    is neither passed nor failed.

    Raises :class:`~labkit.errors.KernelConfigError` for a group that does not exist, and the
    errors of the board.

    >>> check(board, "go").ok                               # doctest: +SKIP
    True
    """
    if group is not None and group not in GROUPS:
        raise KernelConfigError(
            f"there is no group of checks {group!r}", expected=f"one of {', '.join(GROUPS)}"
        )
    wanted = [each for each in load_checks() if group in (None, each.group)]
    answers = _ask(board, wanted)
    emulated = board.emulated
    return CheckReport(
        board.name, tuple(judge(each, answers[each.layer](each), emulated) for each in wanted)
    )


def judge(asked: Check, answer: Answer, emulated: bool) -> Finding:
    """Hold what was found against what is wanted."""
    found, why_not = answer
    return Finding(
        name=asked.name,
        group=asked.group,
        layer=asked.layer,
        key=asked.key,
        wanted=" or ".join(asked.wanted),
        found=why_not if found is None else found,
        ok=None if found is None else any(_meets(found, each) for each in asked.wanted),
        reason=asked.reason,
        source=asked.source,
        hint=asked.hint,
        emulated=emulated,
    )


def _meets(found: str, wanted: str) -> bool:
    if wanted == "present":
        return found not in _NOT_THERE
    if wanted.startswith("!="):
        return found != wanted[2:].strip()
    if limit := _LIMIT.fullmatch(wanted):
        number = _NUMBER.match(found)
        if number is None:
            return False
        has, bound = _parts(number[0]), _parts(limit[2])
        return has >= bound if limit[1] == ">=" else has <= bound
    return found == wanted


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


# -- where the answers come from ------------------------------------------------------------


def _ask(board: Board, checks: Iterable[Check]) -> dict[str, Callable[[Check], Answer]]:
    """For each layer the way from a check to its answer; the board is asked here, once."""
    root = any(each.layer == "runtime" and each.key in ROOT_KEYS for each in checks)
    runtime = read_runtime(board, root=root)
    return {
        "config": _config_answers(board),
        "cmdline": lambda each: (_on_cmdline(each, runtime.cmdline), ""),
        "runtime": lambda each: (runtime.answer(each.key), "the board does not tell this user"),
    }


def _config_answers(board: Board) -> Callable[[Check], Answer]:
    try:
        config = read_config(board)
    except KernelConfigError as trouble:
        why_not = f"not known: {trouble.message}"
        return lambda _: (None, why_not)
    return lambda each: (config.get(each.key, UNKNOWN_OPTION), "")


def _on_cmdline(asked: Check, line: CommandLine) -> str:
    """The last value of the key, or whether a whole word such as ``a=b`` is there."""
    if "=" in asked.key:
        there = _has_word(line, asked.key) and not _has_word(line, asked.unless)
        return "present" if there else "absent"
    found = line.get(asked.key)
    return "absent" if found is None else found or "present"


def _has_word(line: CommandLine, word: str) -> bool:
    """Whether ``a=b`` is there; the kernel takes lists too, such as ``a=b,c``."""
    name, _, value = word.partition("=")
    return any(value in values.split(",") for values in line.getall(name))


# -- the data -------------------------------------------------------------------------------


@functools.cache
def load_checks() -> tuple[Check, ...]:
    """The checks that come with labkit."""
    return parse_checks(files("labkit.kernel").joinpath("checks.toml").read_text(), "checks.toml")


def parse_checks(text: str, source: str) -> tuple[Check, ...]:
    """Read checks from TOML. Raises :class:`~labkit.errors.KernelConfigError`, one clear line."""
    try:
        tables = tomllib.loads(text).get("check", [])
    except tomllib.TOMLDecodeError as broken:
        raise KernelConfigError(f"{source} is not TOML: {broken}") from broken
    if not tables or not isinstance(tables, list):
        raise KernelConfigError(f"{source} holds no check", expected="tables [[check]]")
    checks = tuple(_checked(table, f"{source}, check {n}") for n, table in enumerate(tables, 1))
    names = [each.name for each in checks]
    for name in names:
        _demand(names.count(name) == 1, f"{source}: two checks are named {name!r}", "one of a name")
    return checks


_TEXTS = frozenset(Check.__dataclass_fields__) - {"wanted"}


def _checked(table: object, where: str) -> Check:
    """One table as a :class:`Check`, each of its fields looked at."""
    if not isinstance(table, Mapping):
        raise KernelConfigError(f"{where} is {table!r}", expected="a table")
    where = f"{where} ({table.get('name', 'no name')})"
    for key in table:
        _demand(key == "wanted" or key in _TEXTS, f"{where} has {key!r}", "no such key")
    for key in (_TEXTS | {"wanted"}) - {"unless"}:
        _demand(key in table, f"{where} has no {key!r}", f"a {key}")
    for key in _TEXTS & set(table):
        _demand(_is_text(table[key]), f"{where}: {key} is {table[key]!r}", "some text")
    wanted = table["wanted"] if isinstance(table["wanted"], list) else [table["wanted"]]
    _demand(
        bool(wanted) and all(map(_is_text, wanted)),
        f"{where}: wanted is {table['wanted']!r}",
        "some text, or a list of texts",
    )
    made = Check(**{**table, "wanted": tuple(wanted)})
    _demand_sense(made, where)
    return made


def _demand_sense(made: Check, where: str) -> None:
    """The values have to mean something: a check with a slip in it would fail every board."""
    _demand(made.group in GROUPS, f"{where}: group is {made.group!r}", " or ".join(GROUPS))
    _demand(made.layer in LAYERS, f"{where}: layer is {made.layer!r}", " or ".join(LAYERS))
    known = made.layer != "runtime" or is_runtime_key(made.key)
    _demand(known, f"{where}: key is {made.key!r}", "one that Runtime.answer knows")
    _demand(not made.unless or "=" in made.key, f"{where} has unless", "it with a key such as a=b")
    for each in made.wanted:
        sound = not each.startswith(("<", ">")) or _LIMIT.fullmatch(each)
        _demand(bool(sound), f"{where}: wanted is {each!r}", ">= or <= and a number")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _demand(holds: bool, found: str, expected: str) -> None:
    if not holds:
        raise KernelConfigError(found, expected=expected)
