"""Panels to turn the knobs of a board: thin views over tuning and bench objects."""

from labkit.widgets.governor import GovernorPanel
from labkit.widgets.memory import MemoryPanel, UnitPanel
from labkit.widgets.panel import Panel

__all__ = ["GovernorPanel", "MemoryPanel", "Panel", "UnitPanel"]
