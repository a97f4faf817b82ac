"""Ways to a segmentation by blocks, each beside its own method in one piece.

Rivals are there where they are installed: patchworks, mwatershed, elf (python-elf) and
dask-image; volara, which needs an older daisy, where the Python of an environment of its own is
given.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import product
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from seam_slabs import OFFSETS, Bytes, Labels
from volara_blocks import by_volara

import dask_blockwise as dbw
from dask_blockwise.geometry.boxes import within
from dask_blockwise.segmentation.watershed import segment_function

# Of the watersheds; bias and sigma are the best of --choose.
BIAS = 0.5
MUTEX: dict[str, Any] = {"offsets": OFFSETS, "bias": BIAS, "attract": "nearest"}
DISTANCE: dict[str, Any] = {"seeds": "distance", "bias": 0.5, "sigma": 4.0, "fill": False}

# A nucleus is some 24 voxels wide.
WIDE_HALO = 32

Block = Sequence[int]


@dataclass
class Remembered:
    """A segment function that computes the same input once, for all rules."""

    function: Callable[[Bytes], Labels]
    results: dict[bytes, Labels] = field(default_factory=dict)

    def __call__(self, values: Bytes) -> Labels:
        """Labels of a slab, or of a block with its halo."""
        key = blake2b(np.ascontiguousarray(values)).digest()
        if key not in self.results:
            self.results[key] = self.function(values)
        return self.results[key]


@dataclass(frozen=True)
class Way:
    """How values become labels."""

    # Of values in blocks of such a shape, with a halo of so many voxels.
    by_blocks: Callable[[Bytes, Block, int], Labels]
    one_piece: Callable[[Bytes], Labels]


def of_neurons(volara_python: str | None = None) -> dict[str, Way]:
    """Mutex watersheds, by name."""
    once = Remembered(partial(segment_function, **MUTEX))
    agglomerate = {
        f"agglomerate, {way}": Way(partial(agglomerated, once, way), once)
        for way in ("mean", "mutex")
    }
    mutex = {'match="mutex" (default)': Way(relabelled, once)}
    found = mutex | _stitched_ways(once) | agglomerate | _patchworks(once)
    one = Remembered(mwatershed)
    if volara_python:
        found["volara"] = Way(partial(volara, volara_python), one)
    if installed("mwatershed"):
        found["mwatershed in two passes"] = Way(two_passes, one)
    if installed("elf"):
        found["elf, by multicut"] = Way(elf_blocks, Remembered(elf_mutex))
    return found


def of_nuclei() -> dict[str, Way]:
    """Watersheds from distance seeds and connected components, by name."""
    once = Remembered(lambda values: segment_function(values[0], **DISTANCE))
    wide = Way(partial(_with_halo, partial(stitched, once, "iou")), once)
    found = _stitched_ways(once) | {f'match="iou", halo of {WIDE_HALO}': wide} | _patchworks(once)
    if installed("elf"):
        found["elf, in two passes"] = Way(elf_two_passes, Remembered(elf_distance))
    one = Remembered(lambda values: ndimage.label(mask_of(values))[0])
    found["components, touch (default)"] = Way(components, one)
    if installed("dask_image"):
        found["components, dask-image"] = Way(dask_image, one)
    return found


def installed(name: str) -> bool:
    """Whether there is such a package."""
    return importlib.util.find_spec(name) is not None


def _stitched_ways(once: Remembered) -> dict[str, Way]:
    rules = {"iou": "", "fraction": "", "touch": ", as dacapo"}
    return {
        f'match="{rule}"{more}': Way(partial(stitched, once, rule), once)
        for rule, more in rules.items()
    }


def _with_halo(way: Callable[..., Labels], values: Bytes, block: Block, _: int) -> Labels:
    """As far as a nucleus is wide, and twice sigma."""
    return way(values, block, WIDE_HALO)


def _patchworks(once: Remembered) -> dict[str, Way]:
    rules = ("iou", "touch") if installed("patchworks") else ()
    return {f"patchworks, {rule}": Way(partial(patchworks, once, rule), once) for rule in rules}


def volume(values: Bytes, block: Block) -> dbw.Volume:
    """Values in blocks."""
    return dbw.Volume.from_array(values, chunks=(len(values), *block), stands_for=(0, 1))


def computed(labels: dbw.Volume) -> Labels:
    """All of it, in threads."""
    return np.asarray(labels.data.compute(scheduler="threads"))


def relabelled(values: Bytes, block: Block, halo: int) -> Labels:
    """By the rule that is the default for a mutex watershed."""
    return computed(dbw.relabel(dbw.watershed(volume(values, block), halo=halo, **MUTEX)))


def stitched(once: Remembered, rule: Any, values: Bytes, block: Block, halo: int) -> Labels:
    """Put together by what blocks see at their faces."""
    return computed(dbw.relabel(dbw.segment(volume(values, block), once, halo=halo), match=rule))


def agglomerated(once: Remembered, way: Any, values: Bytes, block: Block, halo: int) -> Labels:
    """Put together by the affinities between fragments."""
    some = volume(values, block)
    fragments = dbw.segment(some, once, halo=halo)
    return computed(dbw.agglomerate(fragments, some, offsets=OFFSETS, method=way))


def patchworks(once: Remembered, rule: str, values: Bytes, block: Block, halo: int) -> Labels:
    """By tiles; patchworks has no channels, so tiles tell which voxels they are."""
    from patchworks import tile_process

    def look(voxels: NDArray[np.int64]) -> NDArray[np.int32]:
        return once(values.reshape(len(values), -1)[:, voxels]).astype(np.int32)

    shape = values.shape[1:]
    voxels = da.from_array(np.arange(np.prod(shape)).reshape(shape), chunks=tuple(block))
    with tempfile.TemporaryDirectory() as folder:
        options = {"overlap": halo, "stitch": rule, "progress": False}
        return np.asarray(tile_process(voxels, look, write_to=f"{folder}/out.zarr", **options))


def volara(python: str, values: Bytes, block: Block, halo: int) -> Labels:
    """Its mutex watershed, and its graph."""
    return by_volara(python, values, OFFSETS, block, halo, BIAS)[0]


def mwatershed(values: Bytes, seeds: Labels | None = None) -> Labels:
    """The kernel of volara: offsets of all lengths attract, and different seeds stay apart."""
    from mwatershed import agglom

    given = None if seeds is None or not seeds.any() else seeds.astype(np.uint64)
    return np.asarray(agglom(values / 255 - BIAS, np.asarray(OFFSETS).tolist(), seeds=given))


def elf_mutex(values: Bytes) -> Labels:
    """Of elf, which takes how sure it is that voxels are apart; there is no bias but 0.5."""
    from elf.segmentation.mutex_watershed import mutex_watershed

    return np.asarray(mutex_watershed(boundary(values), *_of_elf()))


def elf_blocks(values: Bytes, block: Block, _: int) -> Labels:
    """Blocks without a halo, put together by a multicut that favours faces."""
    from elf.segmentation.mutex_watershed import blockwise_mutex_watershed

    return np.asarray(blockwise_mutex_watershed(boundary(values), *_of_elf(), list(block)))


def two_passes(values: Bytes, block: Block, halo: int) -> Labels:
    """Every other block of a checkerboard by itself, then those between, seeded by these labels.

    So seams lie where two blocks of the first pass see one object that nothing within both joins.
    """
    shape = values.shape[1:]
    labels, alike, last = np.zeros((2, *shape), np.int64), [], 0
    for odd, begin in sorted(_corners(shape, block)):
        core = tuple(slice(b, min(b + n, m)) for b, n, m in zip(begin, block, shape))
        seen = tuple(slice(max(0, s.start - halo), s.stop + halo) for s in core)
        seeds = odd * labels[0][seen]
        made = _dense(mwatershed(values[(slice(None), *seen)], _dense(seeds))) + last + 1
        last = int(made.max())
        labels[odd][core] = made[within(core, seen)]
        alike.append(np.unique(np.stack([seeds, made])[:, seeds > 0], axis=1))
    pairs = np.concatenate(alike, 1)
    graph = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), (last + 1, last + 1))
    return connected_components(graph, directed=False)[1][labels.sum(0)]


def _dense(labels: Labels) -> NDArray[np.int64]:
    """From 0, in the same order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def _corners(shape: Sequence[int], block: Block) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Colour on a checkerboard, and first voxel, of each block."""
    for at in product(*(range(-(-n // b)) for n, b in zip(shape, block))):
        yield sum(at) % 2, tuple(i * b for i, b in zip(at, block))


def boundary(values: Bytes) -> NDArray[np.float32]:
    """How sure it is that voxels are apart."""
    return (1 - values / 255).astype(np.float32)


def _of_elf() -> tuple[list[list[int]], list[int]]:
    """Offsets and strides."""
    return np.asarray(OFFSETS).tolist(), [1, 1, 1]


def elf_distance(values: Bytes) -> Labels:
    """Elf's watershed from distance seeds."""
    from elf.segmentation.watershed import distance_transform_watershed

    return np.asarray(distance_transform_watershed(boundary(values)[0], **_of_distance(values))[0])


def elf_two_passes(values: Bytes, block: Block, halo: int) -> Labels:
    """The same, block by block: those of the second pass are seeded by those of the first."""
    from elf.segmentation.watershed import blockwise_two_pass_watershed

    options, outer = _of_distance(values), [halo] * len(block)
    return np.asarray(
        blockwise_two_pass_watershed(boundary(values)[0], list(block), outer, **options)[0]
    )


def _of_distance(values: Bytes) -> dict[str, Any]:
    options = {"threshold": 1 - DISTANCE["bias"], "sigma_seeds": DISTANCE["sigma"]}
    return {**options, "mask": mask_of(values)}


def mask_of(values: Bytes) -> NDArray[np.bool_]:
    """Where voxels are brighter than what lies around them."""
    mask: NDArray[np.bool_] = values[0] > 255 * DISTANCE["bias"]
    return mask


def components(values: Bytes, block: Block, _: int) -> Labels:
    """Of a mask, as ours come."""
    mask = dbw.Volume.from_array(mask_of(values), chunks=tuple(block))
    return computed(dbw.relabel(dbw.connected_components(mask)))


def dask_image(values: Bytes, block: Block, _: int) -> Labels:
    """Of a mask, by dask-image."""
    from dask_image.ndmeasure import label

    return np.asarray(label(da.from_array(mask_of(values), chunks=tuple(block)))[0].compute())
