"""A segment function: empanada's panoptic networks, on the planes of a block along each axis."""

from .segmentation.empanada import segment_function

__all__ = ["segment_function"]
