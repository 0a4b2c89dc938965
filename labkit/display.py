"""How an object shows itself at a prompt: as its own text."""

from __future__ import annotations

__all__ = ["StrRepr"]


class StrRepr:
    """For classes whose ``str()`` is what a person wants to read at a prompt too.

    A dataclass says ``@dataclass(repr=False)``, for its own repr would come first.

    >>> class Greeting(StrRepr):
    ...     def __str__(self) -> str:
    ...         return "hello"
    >>> Greeting()
    hello
    """

    def __repr__(self) -> str:
        return str(self)
