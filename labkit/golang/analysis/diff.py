"""The difference between the code of two programs, function by function."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches, unified_diff
from html import escape
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.display import StrRepr
from labkit.errors import BinaryError
from labkit.golang.analysis.disassembly import function_symbols, iter_functions
from labkit.golang.analysis.normalize import AddressMap, NormalizedCode, normalize

if TYPE_CHECKING:
    import pandas

__all__ = ["CodeComparison", "diff_code"]

CodePair = tuple[NormalizedCode | None, NormalizedCode | None]
"""A function's code in the first and in the second program; None in a program without it."""

Opcode = tuple[str, int, int, int, int]
"""One step of difflib's SequenceMatcher: tag, start and end in the first, in the second."""

Alignment = defaultdict[int | None, set[int | None]]
"""For an index in the first code: the indexes in the second that a branch may go to instead."""


@dataclass(frozen=True, repr=False)
class CodeComparison(StrRepr):
    """What differs in the code of two programs. See :func:`diff_code`.

    ``functions`` are the names in either program; ``changed_code`` has the code of those that
    differ, as a pair.
    """

    first: str
    second: str
    functions: frozenset[str]
    changed_code: dict[str, CodePair]

    @property
    def identical(self) -> bool:
        """Whether both have the same functions, with the same code."""
        return not self.changed_code

    @property
    def changed(self) -> pandas.DataFrame:
        """The functions that differ. Columns: function, status, changed_instructions.

        ``status`` is ``changed``, ``only in first`` or ``only in second``;
        ``changed_instructions`` is how many are changed, added or removed.
        """
        import pandas

        rows = [
            (name, _status(pair), _changed_instructions(pair))
            for name, pair in self.changed_code.items()
        ]
        rows.sort(key=lambda row: (row[1], row[0]))
        return pandas.DataFrame(rows, columns=["function", "status", "changed_instructions"])

    def diff(self, function: str) -> str:
        """A unified diff of one function's code, without addresses; empty if it is the same.

        Raises :class:`BinaryError` for a function that neither program has.

        >>> print(diff_code(one, two).diff("main.Add"))              # doctest: +SKIP
        """
        if function not in self.functions:
            similar = get_close_matches(function, self.functions, 3)
            raise BinaryError(
                f"neither {self.first} nor {self.second} has a function {function!r}",
                expected=f"one such as {', '.join(similar)}" if similar else "one of .functions",
            )
        first, second = (code or () for code in self.changed_code.get(function, ((), ())))
        lines = unified_diff(*_with_labels(first, second), self.first, self.second, lineterm="")
        return "\n".join(lines)

    def __str__(self) -> str:
        both = f"{self.first} and {self.second}"
        if self.identical:
            return f"{both}: the code of all {len(self.functions):,} functions is the same."
        statuses = [_status(pair) for pair in self.changed_code.values()]
        same = len(self.functions) - len(statuses)
        return (
            f"{both}: {same:,} functions are the same, {statuses.count('changed'):,} changed, "
            f"{statuses.count('only in first'):,} only in the first, "
            f"{statuses.count('only in second'):,} only in the second."
        )

    def _repr_html_(self) -> str:
        table = "" if self.identical else self.changed.to_html(index=False, max_rows=20)
        return f"<p>{escape(str(self))}</p>{table}"


def diff_code(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> CodeComparison:
    """Compare the code of two arm64 programs, function by function, without their addresses.

    Functions are matched by name; functions of one name by their code, then in order.
    :mod:`labkit.golang.analysis.normalize` defines which code counts as the same. Only code is
    compared, not data: another string of the same length is no difference, nor is the use of one
    datum without a symbol in place of another. C functions may show a change where there is none:
    C compilers share one adrp between several branches, and this shows if data moved. Programs of
    2 MB take about 1.5 s, of 8 MB about 7 s.

    Raises :class:`BinaryError` for a file that is not a complete arm64 ELF file or is stripped,
    and :class:`ToolNotFound` without objdump.

    >>> diff_code(build(source), build(source, GOARM64="v8.1")).identical     # doctest: +SKIP
    False
    """
    for path in (first, second):
        function_symbols(path)  # an unusable file is reported before any work is done
    functions = set()
    old: dict[str, list[NormalizedCode]] = defaultdict(list)
    for name, code in _normalized_functions(first):
        functions.add(name)
        old[_without_number(name)].append(code)
    new: dict[str, list[NormalizedCode]] = defaultdict(list)
    for name, code in _normalized_functions(second):
        functions.add(name)
        if code in old.get(_without_number(name), ()):
            old[_without_number(name)].remove(code)
        else:
            new[_without_number(name)].append(code)
    changed = {
        name if number == 1 else f"{name}#{number}": pair
        for name in (*old, *(name for name in new if name not in old))
        for number, pair in enumerate(zip_longest(old[name], new[name]), 1)
    }
    return CodeComparison(
        f"first/{Path(first).name}", f"second/{Path(second).name}", frozenset(functions), changed
    )


def _normalized_functions(
    path: str | os.PathLike[str],
) -> Iterator[tuple[str, NormalizedCode]]:
    address_map: AddressMap | None = None
    for function in iter_functions(path):
        address_map = address_map or AddressMap(path)  # after iter_functions() checked the file
        yield function.name, normalize(function, address_map)


def _without_number(name: str) -> str:
    """The name without the number that tells functions of one name apart."""
    return re.sub(r"#\d+$", "", name)


def _status(pair: CodePair) -> str:
    if pair[0] is None:
        return "only in second"
    return "only in first" if pair[1] is None else "changed"


def _changed_instructions(pair: CodePair) -> int:
    """How many instructions are changed, added or removed."""
    first, second = pair
    if first is None or second is None:
        return len(first or second or ())
    opcodes, aligned = _align(first, second)
    count = 0
    for tag, i1, i2, j1, j2 in opcodes:
        if tag != "equal":
            count += max(i2 - i1, j2 - j1)
            continue
        # Instructions with the same text may still branch to different instructions.
        lines = zip(first[i1:i2], second[j1:j2], strict=True)
        count += sum(aligned.get(a.target, set()).isdisjoint({b.target}) for a, b in lines)
    return max(count, 1)


def _align(first: NormalizedCode, second: NormalizedCode) -> tuple[Sequence[Opcode], Alignment]:
    """The steps from one code to the other, and which indexes correspond to each other."""
    first_texts, second_texts = ([line.text for line in code] for code in (first, second))
    opcodes = SequenceMatcher(None, first_texts, second_texts, autojunk=False).get_opcodes()
    aligned: Alignment = defaultdict(set, {None: {None}})
    for tag, i1, i2, j1, _ in opcodes:
        aligned[i1].add(j1)
        if tag == "equal":
            for step in range(i2 - i1):
                aligned[i1 + step].add(j1 + step)
    return opcodes, aligned


def _with_labels(first: NormalizedCode, second: NormalizedCode) -> tuple[list[str], list[str]]:
    """Both as lines of text. Aligned targets get one label, so that only changes differ."""
    _, aligned = _align(first, second)
    labels = {target: f"L{number}" for number, target in enumerate(sorted(_targets(first)), 1)}
    second_labels: dict[int, str] = {}
    for target, label in labels.items():
        for index in _targets(second) & aligned[target]:
            second_labels.setdefault(index, label)
    for target in sorted(_targets(second) - second_labels.keys()):
        second_labels[target] = f"L{len(labels) + len(second_labels) + 1}"
    return _lines(first, labels), _lines(second, second_labels)


def _targets(code: NormalizedCode) -> set[int]:
    return {line.target for line in code if line.target is not None}


def _lines(code: NormalizedCode, labels: dict[int, str]) -> list[str]:
    lines = []
    for index, (text, target) in enumerate(code):
        if index in labels:
            lines.append(f"{labels[index]}:")
        mnemonic, _, operands = text.partition(" ")
        label = labels[target] if target is not None else ""
        lines.append(f"    {mnemonic:<8} {operands}{label}".rstrip())
    return lines
