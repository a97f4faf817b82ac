"""The graph by which fragments became objects, as tables: supervoxels, edges and scores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index, bounded_growth
from ..pipelines.given_volumes import check_volumes
from ..volumes.opening import open_volume
from ..volumes.seen.annotations import Place, annotation_layer, write_state
from ..volumes.volume import Volume
from .agglomeration_rule import AgglomerationRule, dense_rows
from .contacts import means, sum_contacts
from .grid import LabelGrid
from .kept import Kept, check_solved, open_kept
from .pairs import ends
from .relabelled import Relabelled
from .rule import LABEL_BITS, positions

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["FragmentGraph", "fragment_graph", "kept_table", "mapped", "supervoxel_ids"]


@dataclass(frozen=True, repr=False)
class FragmentGraph:
    """Supervoxels, the objects that they became, and the affinities between them."""

    # Of the supervoxels, with the ids that the tables have; to look at, and to correct by.
    fragments: Volume
    # ``id``, ``voxels``, ``object``: the id in what is stored, 0 where that was too small.
    supervoxels: DataFrame
    # ``one``, ``other``, ``affinity`` and ``affinity_far``: the mean over the threshold, of direct
    # neighbours and of longer offsets; ``pairs`` and ``pairs_far``: of so many pairs of voxels;
    # ``joined``: whether they are one object.
    edges: DataFrame

    def __repr__(self) -> str:
        joined = int(self.edges.joined.sum())
        objects = self.supervoxels.object[self.supervoxels.object > 0].nunique()
        return (
            f"{len(self.supervoxels):,} supervoxels, {objects:,} objects; "
            f"{len(self.edges):,} edges, {joined:,} of them within an object"
        )

    @property
    def doubtful(self) -> DataFrame:
        """Edges whose mean affinity is the nearest to the threshold, these first."""
        found: DataFrame = self.edges[self.edges.pairs > 0]
        return found.iloc[found.affinity.abs().argsort(kind="stable")]

    def annotations(
        self, most: int = 100, path: str | os.PathLike[str] | None = None
    ) -> dict[str, Any]:
        """Where the most doubtful edges lie, as a layer of points for Neuroglancer.

        Parameters
        ----------
        most : int
            Edges that are told, the most doubtful first.
        path : path, optional
            Where a state with this layer is written, which Neuroglancer loads as JSON.

        Returns
        -------
        dict
            For ``segments.view(doubts=graph.annotations())``.
        """
        layer = annotation_layer(doubts(self, most), self.fragments.placement)
        if path is not None:
            write_state(path, layer)
        return layer

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``supervoxels.parquet`` and ``edges.parquet`` to a folder, which is made."""
        where = Path(folder).expanduser()
        where.mkdir(parents=True, exist_ok=True)
        self.supervoxels.to_parquet(where / "supervoxels.parquet", index=False)
        self.edges.to_parquet(where / "edges.parquet", index=False)
        return where


def fragment_graph(segments: Volume, *, stored: str | os.PathLike[str]) -> FragmentGraph:
    """The graph by which ``agglomerate`` made objects of fragments.

    Parameters
    ----------
    segments : Volume
        What ``agglomerate(..., keep_scratch=True)`` returned.
    stored : path or URL
        Where that is stored.

    Returns
    -------
    FragmentGraph
        In memory; ``.write(folder)`` writes it as Parquet.

    Raises
    ------
    TypeError
        If these segments weren't agglomerated by affinities.
    FileNotFoundError
        If the scratch beside what is stored wasn't kept.

    Examples
    --------
    >>> from dask_blockwise import agglomerate, connected_components
    >>> grey = np.array([[[0.9, 0.9, 0.2, 0.9, 0.8, 0.9]]], np.float32)
    >>> affinities = Volume.from_array(grey, axes="cyx", chunks=(1, 1, 3))
    >>> ones = np.array([[1, 1, 2, 2, 3, 3]], np.uint32)
    >>> fragments = Volume.from_array(ones, chunks=(1, 3))
    >>> segments = agglomerate(fragments, affinities, offsets=[(0, -1)], keep_scratch=True)
    >>> _ = segments.to_zarr("out.zarr/objects", progress=False)
    >>> graph = fragment_graph(segments, stored="out.zarr/objects")
    >>> graph.supervoxels.object.tolist(), len(graph.edges), graph.edges.joined.tolist()
    ([1, 2, 2, 2], 3, [False, True, True])
    >>> graph
    4 supervoxels, 2 objects; 3 edges, 2 of them within an object
    """
    check_volumes("fragment_graph", segments=segments)
    source = segments.source
    if not isinstance(source, Relabelled) or not isinstance(source.rule, AgglomerationRule):
        raise TypeError(
            f"A graph of fragments is that of agglomerate(fragments, affinities, ...), got "
            f"{segments!r}."
        )
    fragments, starts, objects = kept_table(stored)
    scratch = kept_source(fragments).scratch
    sizes = np.concatenate([np.zeros(0, np.uint64), *scratch.sizes])
    found = sum_contacts(dense_rows(row.reshape(-1, 6), starts) for row in scratch.edges)
    from pandas import DataFrame

    ids = supervoxel_ids(starts)
    one, other = (end.astype(np.int64) for end in ends(found.pairs))
    supervoxels = {"id": ids, "voxels": sizes.astype(np.int64), "object": objects}
    edges = {
        **{"one": ids[one], "other": ids[other]},
        **{"affinity": means(found.near, found.near_count), "pairs": found.near_count},
        **{"affinity_far": means(found.far, found.far_count), "pairs_far": found.far_count},
        "joined": (objects[one] == objects[other]) & (objects[one] > 0),
    }
    return FragmentGraph(fragments, DataFrame(supervoxels), DataFrame(edges))


def kept_table(
    stored: str | os.PathLike[str],
) -> tuple[Volume, NDArray[np.int64], NDArray[np.uint64]]:
    """Fragments that were kept beside stored objects, and the object of each.

    Returns
    -------
    fragments : Volume
        Of which the source is `Kept`.
    starts : ndarray of int64, shape (blocks + 1,)
        Where each block's pieces begin among all.
    objects : ndarray of uint64
        The id of each piece's object.

    Raises
    ------
    FileNotFoundError
        If they weren't kept.
    ValueError
        If they are of something else than what is stored, or files of them are gone.
    """
    try:
        fragments = open_kept(f"{os.fspath(stored)}.scratch")
        scratch = kept_source(fragments).scratch
        starts, table = scratch.starts, scratch.table
        check_solved(scratch)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{os.fspath(stored)}.scratch, with the labels of single blocks, isn't there: store "
            "it again with keep_scratch=True of relabel or agglomerate."
        ) from error
    first = starts.read((slice(0, starts.shape[0]),)).astype(np.int64)
    objects = table.read((slice(0, int(first[-1])),))
    _check_same(fragments, first, objects, open_volume(stored))
    return fragments, first, objects


def _check_same(
    fragments: Volume, starts: NDArray[np.int64], objects: NDArray[np.uint64], stored: Volume
) -> None:
    """Refuse fragments that didn't make what is stored now, as some of its blocks show."""
    grid = kept_source(fragments).grid
    same = stored.shape == fragments.shape
    for block in {0, grid.blocks // 2, grid.blocks - 1} if same else ():
        core = grid.core(block)
        same = same and np.array_equal(mapped(fragments[core], starts, objects), stored[core])
    if not same:
        raise ValueError(
            f"{stored.path} isn't what the fragments beside it have made: it was stored anew by "
            "something else. Store it with keep_scratch=True of relabel or agglomerate."
        )


def mapped(
    keys: NDArray[np.uint64], starts: NDArray[np.int64], objects: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The object of each voxel's supervoxel."""
    values = np.zeros(keys.shape, np.uint64)
    values[keys > 0] = objects[positions(keys[keys > 0], starts)]
    return values


def kept_source(fragments: Volume) -> Kept:
    """What answers for kept fragments.

    Raises
    ------
    TypeError
        If they are none.
    """
    if not isinstance(fragments.source, Kept):
        raise TypeError(f"These aren't labels that were kept: {fragments!r}.")
    return fragments.source


def supervoxel_ids(starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The id of each piece of each block, as kept fragments have them.

    Examples
    --------
    >>> [divmod(int(key), 1 << 32) for key in supervoxel_ids(np.array([0, 2, 3]))]
    [(0, 1), (0, 2), (1, 1)]
    """
    counts = np.diff(starts)
    blocks = np.repeat(np.arange(counts.size, dtype=np.uint64), counts)
    pieces = np.arange(int(starts[-1])) - np.repeat(starts[:-1], counts) + 1
    return blocks << LABEL_BITS | pieces.astype(np.uint64)


def doubts(graph: FragmentGraph, most: int) -> Iterator[Place]:
    """Where the most doubtful edges lie: a voxel of the one beside the other."""
    grid = kept_source(graph.fragments).grid
    edges = graph.doubtful.head(most)
    columns = zip(edges.one, edges.other, edges.affinity, edges.joined, strict=True)
    for one, other, affinity, joined in columns:
        blocks = {int(key) >> int(LABEL_BITS) for key in (one, other)}
        found = (_between(graph.fragments, grid, n, one, other) for n in blocks)
        if (at := next(filter(None, found), None)) is not None:
            said = f"{one} and {other}, {'joined' if joined else 'apart'}, affinity {affinity:+.3f}"
            doubt = 1 - abs(float(affinity))
            yield Place(at, doubt, f"{said} over the threshold", (int(one), int(other)))


def _between(fragments: Volume, grid: LabelGrid, block: int, one: int, other: int) -> Index | None:
    """A voxel of one that touches the other, in or just outside of a block."""
    box = bounded_growth(grid.core(block), (1,) * len(grid.shape), grid.shape)
    begin = tuple(s.start for s in box)
    ids = fragments.source.read(begin, tuple(s.stop for s in box))
    found = np.argwhere(_beside(ids == one, ids == other))
    return tuple(map(int, found[len(found) // 2] + begin)) if len(found) else None


def _beside(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels of the one that have a neighbour of the other."""
    found = np.zeros_like(one)
    for axis in range(one.ndim):
        there, own, met = (np.moveaxis(array, axis, 0) for array in (other, one, found))
        met[1:] |= own[1:] & there[:-1]
        met[:-1] |= own[:-1] & there[1:]
    return found
