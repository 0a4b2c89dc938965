"""The code of two programs, held function against function."""

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
from labkit.golang.analysis.normalize import Form, Places, normalize

if TYPE_CHECKING:
    import pandas

__all__ = ["CodeComparison", "compare"]

Pair = tuple[Form | None, Form | None]
"""A function's code in the first and the second program; None where it is not there."""

Block = tuple[str, int, int, int, int]
"""What difflib says of a stretch of both."""

Alignment = defaultdict[int | None, set[int | None]]
"""For a place in the first: the places in the second that are the same to a branch."""


@dataclass(frozen=True, repr=False)
class CodeComparison(StrRepr):
    """What differs in the code of two programs. See :func:`compare`.

    ``names`` are the functions of both; ``pairs`` has the code of those that differ.
    """

    first: str
    second: str
    names: frozenset[str]
    pairs: dict[str, Pair]

    @property
    def identical(self) -> bool:
        """Whether both have the same functions, with the same code."""
        return not self.pairs

    @property
    def changed(self) -> pandas.DataFrame:
        """The functions that differ: function, what, different.

        ``what`` is ``changed``, ``only in first`` or ``only in second``; ``different`` is the
        number of instructions changed, added or removed.
        """
        import pandas

        rows = [(name, _what(pair), _different(pair)) for name, pair in self.pairs.items()]
        rows.sort(key=lambda row: (row[1], row[0]))
        return pandas.DataFrame(rows, columns=["function", "what", "different"])

    def diff(self, function: str) -> str:
        """A unified diff of one function's code, without addresses; empty where it is the same.

        Raises :class:`BinaryError` for a function that neither program has.

        >>> print(compare(one, two).diff("main.Add"))              # doctest: +SKIP
        """
        if function not in self.names:
            near = get_close_matches(function, self.names, 3)
            raise BinaryError(
                f"neither {self.first} nor {self.second} has a function {function!r}",
                expected=f"one such as {', '.join(near)}" if near else "one of .names",
            )
        first, second = (form or () for form in self.pairs.get(function, ((), ())))
        lines = unified_diff(*_with_labels(first, second), self.first, self.second, lineterm="")
        return "\n".join(lines)

    def __str__(self) -> str:
        both = f"{self.first} and {self.second}"
        if self.identical:
            return f"{both}: the code of all {len(self.names):,} functions is the same."
        kinds = [_what(pair) for pair in self.pairs.values()]
        same = len(self.names) - len(kinds)
        return (
            f"{both}: {same:,} functions are the same, {kinds.count('changed'):,} changed, "
            f"{kinds.count('only in first'):,} only in the first, "
            f"{kinds.count('only in second'):,} only in the second."
        )

    def _repr_html_(self) -> str:
        table = "" if self.identical else self.changed.to_html(index=False, max_rows=20)
        return f"<p>{escape(str(self))}</p>{table}"


def compare(first: str | os.PathLike[str], second: str | os.PathLike[str]) -> CodeComparison:
    """Compare the code of two arm64 programs, function by function, whatever its addresses.

    Functions are matched by their names, those with one name by their code, then in order.
    What counts as the same is said in :mod:`labkit.golang.analysis.normalize`. Only code is compared,
    no data: another string of the same length is no difference, nor is a datum without a
    symbol that is used in place of another. In C functions the reverse may happen: compilers
    share one adrp over several branches, and where data moved it shows as a change. Programs
    of 2 MB take some 1.5 s, of 8 MB some 7 s.

    Raises :class:`BinaryError` for a file that is not a whole arm64 ELF file, or is stripped.

    >>> compare(build(source), build(source, GOARM64="v8.1")).identical     # doctest: +SKIP
    False
    """
    for path in (first, second):
        function_symbols(path)  # so that the wrong file is told at once
    names = set()
    old: dict[str, list[Form]] = defaultdict(list)
    for name, form in _forms(first):
        names.add(name)
        old[_shared(name)].append(form)
    new: dict[str, list[Form]] = defaultdict(list)
    for name, form in _forms(second):
        names.add(name)
        if form in old.get(_shared(name), ()):
            old[_shared(name)].remove(form)
        else:
            new[_shared(name)].append(form)
    pairs = {
        name if count == 1 else f"{name}#{count}": pair
        for name in (*old, *(name for name in new if name not in old))
        for count, pair in enumerate(zip_longest(old[name], new[name]), 1)
    }
    return CodeComparison(
        f"first/{Path(first).name}", f"second/{Path(second).name}", frozenset(names), pairs
    )


def _forms(path: str | os.PathLike[str]) -> Iterator[tuple[str, Form]]:
    places: Places | None = None
    for listing in iter_functions(path):
        places = places or Places(path)  # after iter_functions() has looked at what file it is
        yield listing.name, normalize(listing, places)


def _shared(name: str) -> str:
    """The name without the number that tells functions of one name apart."""
    return re.sub(r"#\d+$", "", name)


def _what(pair: Pair) -> str:
    if pair[0] is None:
        return "only in second"
    return "only in first" if pair[1] is None else "changed"


def _different(pair: Pair) -> int:
    """How many instructions are changed, added or removed."""
    first, second = pair
    if first is None or second is None:
        return len(first or second or ())
    blocks, meet = _alignment(first, second)
    count = 0
    for kind, i1, i2, j1, j2 in blocks:
        if kind != "equal":
            count += max(i2 - i1, j2 - j1)
            continue
        # Instructions that read the same may still go to different places.
        goes = zip(first[i1:i2], second[j1:j2], strict=True)
        count += sum(meet.get(one.target, set()).isdisjoint({two.target}) for one, two in goes)
    return max(count, 1)


def _alignment(first: Form, second: Form) -> tuple[Sequence[Block], Alignment]:
    """What of two functions belongs together: difflib's blocks, and the places that meet."""
    one, two = ([line.text for line in form] for form in (first, second))
    blocks = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    meet: Alignment = defaultdict(set, {None: {None}})
    for kind, i1, i2, j1, _ in blocks:
        meet[i1].add(j1)
        if kind == "equal":
            for step in range(i2 - i1):
                meet[i1 + step].add(j1 + step)
    return blocks, meet


def _with_labels(first: Form, second: Form) -> tuple[list[str], list[str]]:
    """Both as lines of text, with one label for places that meet, so that only changes differ."""
    _, meet = _alignment(first, second)
    labels = {target: f"L{count}" for count, target in enumerate(sorted(_targets(first)), 1)}
    theirs: dict[int, str] = {}
    for target, label in labels.items():
        for place in _targets(second) & meet[target]:
            theirs.setdefault(place, label)
    for target in sorted(_targets(second) - theirs.keys()):
        theirs[target] = f"L{len(labels) + len(theirs) + 1}"
    return _lines(first, labels), _lines(second, theirs)


def _targets(form: Form) -> set[int]:
    return {line.target for line in form if line.target is not None}


def _lines(form: Form, labels: dict[int, str]) -> list[str]:
    lines = []
    for place, (text, target) in enumerate(form):
        if place in labels:
            lines.append(f"{labels[place]}:")
        mnemonic, _, operands = text.partition(" ")
        goes = labels[target] if target is not None else ""
        lines.append(f"    {mnemonic:<8} {operands}{goes}".rstrip())
    return lines
