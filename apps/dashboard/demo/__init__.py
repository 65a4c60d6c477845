"""Made-up projects for a demonstration: believable, the same every time, and as provable as real ones."""

from apps.dashboard.demo.filling import fill

__all__ = ["fill"]
