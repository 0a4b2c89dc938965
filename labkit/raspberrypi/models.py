"""The Raspberry Pi models: which one a board is, and which filters of config.txt hold for it."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["Model", "filters", "identify", "models"]


@dataclass(frozen=True)
class Model:
    """One model. The head of models.toml says what the fields mean."""

    name: str
    device_tree: str
    filters: frozenset[str]


@functools.cache
def models() -> tuple[Model, ...]:
    """The models in models.toml, in the order in which :func:`identify` compares them."""
    text = files("labkit.raspberrypi").joinpath("models.toml").read_text(encoding="utf-8")
    return tuple(
        Model(row["name"], row["device_tree"], frozenset(row["filters"]))
        for row in tomllib.loads(text)["model"]
    )


def identify(device_tree: str) -> str | None:
    """The name of a model from the model in a board's device tree; None where it is not known.

    >>> identify("Raspberry Pi Compute Module 4 Rev 1.1"), identify("linux,dummy-virt")
    ('cm4', None)
    """
    return next((model.name for model in models() if model.device_tree in device_tree), None)


def filters(name: str) -> frozenset[str]:
    """The filters of config.txt that hold for a model; only its own name where it is not known.

    >>> sorted(filters("pi500")), sorted(filters("pi6"))
    (['pi5', 'pi500'], ['pi6'])
    """
    known = {model.name: model.filters for model in models()}
    return known.get(name, frozenset({name}))
