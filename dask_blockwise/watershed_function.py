"""A segment function: mutex watershed on affinities, or distance-seeded watershed."""

from .segmentation.watershed import segment_function

__all__ = ["segment_function"]
