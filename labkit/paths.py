"""The two directories of labkit on this machine: configuration and cache."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_dir", "config_dir"]


def config_dir() -> Path:
    """Where the user's boards, platforms and trusted keys lie. ``LABKIT_CONFIG`` overrides it."""
    return Path(os.environ.get("LABKIT_CONFIG") or platformdirs.user_config_path("labkit"))


def cache_dir() -> Path:
    """Where images, machines and toolchains lie; ``LABKIT_CACHE`` names another place.

    All of it can be made again.
    """
    return Path(os.environ.get("LABKIT_CACHE") or platformdirs.user_cache_path("labkit"))
