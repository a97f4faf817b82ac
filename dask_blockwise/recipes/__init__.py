"""What a value, a function or a pipeline is by what it does: its recipe, digest and differences.

A stored result knows by its recipe what it was computed by, as a build system does. What describes
a value from within Python belongs here. What knows of arrays on disk, of volumes or of tasks does
not: those say what they are by a method `__recipe__`.
"""

from dask_blockwise.recipes.describe import parts_of, recipe_of
from dask_blockwise.recipes.differences import differences
from dask_blockwise.recipes.digest import Recipe, content_digest, digest_of
from dask_blockwise.recipes.tree import Verbatim

__all__ = [
    "Recipe",
    "Verbatim",
    "content_digest",
    "differences",
    "digest_of",
    "parts_of",
    "recipe_of",
]
