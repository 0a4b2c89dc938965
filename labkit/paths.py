"""The two folders labkit owns on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_dir", "config_dir"]


def config_dir() -> Path:
    """The user's own boards and trusted keys. ``LABKIT_CONFIG`` moves it."""
    return Path(os.environ.get("LABKIT_CONFIG") or platformdirs.user_config_path("labkit"))


def cache_dir() -> Path:
    """Images and machines: all of it can be made again. ``LABKIT_CACHE`` moves it."""
    return Path(os.environ.get("LABKIT_CACHE") or platformdirs.user_cache_path("labkit"))
