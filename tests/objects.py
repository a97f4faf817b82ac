"""Objects of the whole volume in memory, and whether others are the same but for their names."""

import numpy as np
from scipy import ndimage


def labels_of(array, connectivity=1):
    """Connected components, by scipy."""
    return ndimage.label(array, ndimage.generate_binary_structure(array.ndim, connectivity))[0]


def assert_same_objects(found, truth):
    """The same voxels each, whatever their ids; background is background."""
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]).astype(np.uint64), axis=1)
    assert all(len(np.unique(side)) == pairs.shape[1] for side in pairs)
    assert not found[truth == 0].any()


def assert_same_up_to_names(ids, truth):
    """As many objects, the same voxels each, and ids without gaps."""
    assert_same_objects(ids, truth)
    assert ids.max(initial=0) == truth.max(initial=0)
