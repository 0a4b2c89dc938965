"""Checks of a kernel: what is expected, why, and what to do otherwise. The data: checks.toml."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

from labkit import schema
from labkit.errors import KernelConfigError
from labkit.kernel.cmdline import CommandLine
from labkit.kernel.config import read_config
from labkit.kernel.report import CheckReport, CheckResult
from labkit.kernel.runtime import ROOT_KEYS, is_runtime_key, read_runtime

if TYPE_CHECKING:
    from labkit.boards import Board

__all__ = [
    "GROUPS",
    "LAYERS",
    "UNKNOWN_OPTION",
    "Check",
    "Observation",
    "check",
    "evaluate",
    "load_checks",
    "parse_checks",
]

Group = Literal["go", "kvm", "tuning"]
Layer = Literal["config", "cmdline", "runtime"]
GROUPS: tuple[str, ...] = get_args(Group)
LAYERS: tuple[str, ...] = get_args(Layer)

UNKNOWN_OPTION = "option unknown to this kernel"
"""The value of an option that the kernel does not have. "n" means that it has it, switched off."""

_ABSENT = ("absent", UNKNOWN_OPTION)
_LIMIT = re.compile(r"([<>]=)\s*(\d+(?:\.\d+)*)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Check:
    """One check of checks.toml. The head of that file says what the fields mean."""

    name: str
    group: Group
    layer: Layer
    key: str
    expected: str | tuple[str, ...]
    reason: str
    source: str
    remedy: str
    unless: str = ""

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The expected values; one of them is enough."""
        return (self.expected,) if isinstance(self.expected, str) else self.expected


Observation = tuple[str | None, str]
"""The value that a board has for a check, and ""; or None, and why the value is not known."""


def check(board: Board, group: str | None = None) -> CheckReport:
    """Check the kernel of ``board``, for one ``group`` of checks ("go", "kvm", "tuning") or all.

    This takes at most three round trips: for the configuration, for the runtime values, and for
    those runtime values that only root can read. It takes a fourth where the configuration is a
    module. A check whose value is not known has neither passed nor failed.

    Raises :class:`~labkit.errors.KernelConfigError` for a group that does not exist, and the
    errors of the board.

    >>> check(board, "go").ok                               # doctest: +SKIP
    True
    """
    if group is not None and group not in GROUPS:
        raise KernelConfigError(
            f"there is no group of checks {group!r}", expected=f"one of {', '.join(GROUPS)}"
        )
    specs = [spec for spec in load_checks() if group in (None, spec.group)]
    observe = _observers(board, specs)
    emulated = board.emulated
    return CheckReport(
        board.name, tuple(evaluate(spec, observe[spec.layer](spec), emulated) for spec in specs)
    )


def evaluate(spec: Check, observation: Observation, emulated: bool) -> CheckResult:
    """Compare the value that a board has with the expected one.

    >>> evaluate(load_checks()[0], ("6.1.0-56-arm64", ""), emulated=True).ok
    True
    """
    actual, why_unknown = observation
    return CheckResult(
        name=spec.name,
        group=spec.group,
        layer=spec.layer,
        key=spec.key,
        expected=" or ".join(spec.alternatives),
        actual=why_unknown if actual is None else actual,
        ok=None if actual is None else any(_meets(actual, value) for value in spec.alternatives),
        reason=spec.reason,
        source=spec.source,
        remedy=spec.remedy,
        emulated=emulated,
    )


def _meets(actual: str, expected: str) -> bool:
    if expected == "present":
        return actual not in _ABSENT
    if expected.startswith("!="):
        return actual != expected[2:].strip()
    if limit := _LIMIT.fullmatch(expected):
        number = _NUMBER.match(actual)
        if number is None:
            return False
        value, bound = _parts(number[0]), _parts(limit[2])
        return value >= bound if limit[1] == ">=" else value <= bound
    return actual == expected


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


# -- where the values come from --------------------------------------------------------------


def _observers(board: Board, specs: Iterable[Check]) -> dict[str, Callable[[Check], Observation]]:
    """For each layer a function from a check to its value. All is read from the board here."""
    root = any(spec.layer == "runtime" and spec.key in ROOT_KEYS for spec in specs)
    runtime = read_runtime(board, root=root)
    return {
        "config": _config_observer(board),
        "cmdline": lambda spec: (_cmdline_value(spec, runtime.cmdline), ""),
        "runtime": lambda spec: (runtime.value(spec.key), "not known: this user cannot read it"),
    }


def _config_observer(board: Board) -> Callable[[Check], Observation]:
    try:
        config = read_config(board)
    except KernelConfigError as error:
        why_unknown = f"not known: {error.message}"
        return lambda _: (None, why_unknown)
    return lambda spec: (config.get(spec.key, UNKNOWN_OPTION), "")


def _cmdline_value(spec: Check, line: CommandLine) -> str:
    """The last value of the key; for a key such as ``a=b``, "present" or "absent"."""
    if "=" in spec.key:
        present = _has_parameter(line, spec.key) and not _has_parameter(line, spec.unless)
        return "present" if present else "absent"
    value = line.get(spec.key)
    return "absent" if value is None else value or "present"


def _has_parameter(line: CommandLine, parameter: str) -> bool:
    """Whether ``a=b`` is on the line; the kernel takes lists too, such as ``a=b,c``."""
    name, _, value = parameter.partition("=")
    return any(value in values.split(",") for values in line.getall(name))


# -- the data --------------------------------------------------------------------------------


@functools.cache
def load_checks() -> tuple[Check, ...]:
    """The checks that come with labkit."""
    return parse_checks(files("labkit.kernel").joinpath("checks.toml").read_text(), "checks.toml")


def parse_checks(text: str, source: str) -> tuple[Check, ...]:
    """Read checks from TOML; ``source`` names the text in an error.

    Raises :class:`~labkit.errors.KernelConfigError`, one line with the key that is wrong.
    """
    tables = schema.parse_toml(text, source=source, error=KernelConfigError).get("check")
    if not tables or not isinstance(tables, list):
        raise KernelConfigError(f"{source} holds no check", expected="tables [[check]]")
    specs = tuple(_parse_check(table, f"{source}, check {n}") for n, table in enumerate(tables, 1))
    names = [spec.name for spec in specs]
    for name in names:
        _require(names.count(name) == 1, f"{source}: two checks are named {name!r}", "one")
    return specs


def _parse_check(table: object, source: str) -> Check:
    if isinstance(table, dict):
        source = f"{source} ({table.get('name', 'no name')})"
    spec = schema.convert(table, Check, source=source, error=KernelConfigError)
    _validate(spec, source)
    return spec


def _validate(spec: Check, source: str) -> None:
    """Refuse values without a meaning: such a check would fail on every board."""
    for field in ("name", "key", "reason", "source", "remedy"):
        value = getattr(spec, field)
        _require(bool(value.strip()), f"{source}: {field} = {value!r}", "text that is not blank")
    good = bool(spec.alternatives) and all(value.strip() for value in spec.alternatives)
    _require(good, f"{source}: expected = {spec.expected!r}", "text, or a list of texts")
    for value in spec.alternatives:
        good = not value.startswith(("<", ">")) or bool(_LIMIT.fullmatch(value))
        _require(good, f"{source}: expected = {value!r}", ">= or <= and a number")
    known = spec.layer != "runtime" or is_runtime_key(spec.key)
    _require(known, f"{source}: key = {spec.key!r}", "a key of Runtime.value")
    good = not spec.unless or (spec.layer == "cmdline" and "=" in spec.key)
    _require(good, f"{source}: unless = {spec.unless!r}", "it with a key such as a=b only")


def _require(good: bool, problem: str, expected: str) -> None:
    if not good:
        raise KernelConfigError(problem, expected=expected)
