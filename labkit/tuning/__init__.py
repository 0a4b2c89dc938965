"""Changes of a board that always find their way back."""

from labkit.tuning.change import Change, Plan, Together

__all__ = ["Change", "Plan", "Together"]
