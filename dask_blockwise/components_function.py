"""A segment function: connected components of a mask, by cc3d."""

from .segmentation.components import segment_function

__all__ = ["segment_function"]
