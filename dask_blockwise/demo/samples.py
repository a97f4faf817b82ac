"""Sample volumes, their truth, and the small networks trained on a part of each."""

from __future__ import annotations

import importlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate, Roi
from ..volumes.volume import Volume

__all__ = ["FIB25", "MNI152", "Network", "Sample", "fib25", "mni152", "ovule"]

# A commit, so that the files can't change; nobody has published their checksums.
_FIB25_URL = (
    "https://raw.githubusercontent.com/janelia-flyem/neuroproof_examples/"
    "e2b4945f57d9bc15a9b991d0ad4990f22a54e828/training_sample2/"
)
_FIB25_SECTIONS = [f"grayscale_maps/iso.{number}.png" for number in range(2600, 2800)]
_FIB25_TRUTH = "groundtruth.h5.gz"
_OVULE_URL = (
    "https://raw.githubusercontent.com/kreshuklab/plant-seg/"
    "9d748063cc9de8d8025aaf691a11483b94a5894c/tests/resources/data/train/"
)
_OVULE_FILE = "1136_mini.h5"
_OVULE_HASH = "0dc53007c490e3ddc0fec28409ff4e76e12963e7f06ba1adf3ff23301a001e4c"


@dataclass(frozen=True)
class Network:
    """A small 3-D U-Net whose weights the package ships."""

    # Of the sample on a part of which it was trained.
    name: str
    # Channels at each resolution of `dask_blockwise.demo.unet.UNet`.
    features: tuple[int, ...]
    # What each channel of its output is: a tissue, or an affinity's offset in voxels.
    channels: tuple[Any, ...]
    # What makes probabilities of its output.
    activation: str
    # Voxels of a block that is large beside what the network sees around it.
    block_shape: tuple[int, int, int]

    @property
    def weights(self) -> Path:
        """The state dict, in half precision."""
        return Path(__file__).parent / f"networks/{self.name}.pt"

    @property
    def options(self) -> dict[str, Any]:
        """What `dask_blockwise.predict` needs to know to run it."""
        return {
            "model": "dask_blockwise.demo.unet:UNet",
            "weights": self.weights,
            "arguments": {
                "in_channels": 1,
                "out_channels": len(self.channels),
                "features": self.features,
            },
            "activation": self.activation,
            "block_shape": self.block_shape,
        }


MNI152 = Network(
    "mni152",
    (8, 24, 48),
    ("background", "grey matter", "white matter"),
    "softmax",
    block_shape=(96, 120, 100),
)
FIB25 = Network(
    "fib25",
    (8, 32, 96),
    tuple(
        tuple(-reach if along == axis else 0 for along in range(3))
        for reach in (1, 3, 9)
        for axis in range(3)
    ),
    "sigmoid",
    block_shape=(100, 128, 128),
)


@dataclass(frozen=True)
class Sample:
    """A volume with its truth."""

    # uint8, axes (z, y, x).
    raw: Volume
    # Classes or segments, axes (z, y, x).
    truth: Volume
    network: Network
    # The part that the network was not trained on.
    unseen: Roi


def mni152() -> Sample:
    """The MNI152 T1 brain template with its tissues: 1 mm, shape (189, 233, 197).

    The truth is 0 for background, 1 for grey and 2 for white matter, whichever is most probable in
    the template's maps. The network was trained on the back of the head alone (y < -18 mm).

    Returns
    -------
    Sample

    Raises
    ------
    ModuleNotFoundError
        If nilearn, which ships the template, is not installed.

    References
    ----------
    Fonov et al., "Unbiased average age-appropriate atlases for pediatric studies", 2011: the
    2009a nonlinear symmetric template, as it comes with nilearn.

    Examples
    --------
    >>> sample = mni152()
    >>> sample.raw.shape, sample.unseen.begin
    ((189, 233, 197), (-72, -18, -98))
    """
    raw, grey, white = (_template(name) for name in ("t1", "gm", "wm"))
    rest = 255 - np.minimum(255, grey.astype(np.uint16) + white)
    truth = np.argmax([rest, grey, white], axis=0).astype(np.uint8)
    place = {"voxel_size": (1, 1, 1), "offset": (-72, -134, -98), "unit": "millimeter"}
    return _sample(raw, truth, MNI152, place, trained=(0, 116, 0))


def fib25() -> Sample:
    """Neurons of the fly's medulla in FIB-SEM, 10 nm, shape (200, 250, 250).

    The truth has an id for each neuron, and 0 where nobody labelled. The network was trained on
    z < 1600 nm alone. The volume is read from the folder that DASK_BLOCKWISE_DATA names
    (fib25/raw.tif, fib25/labels.npz), else fetched once from the public repository
    janelia-flyem/neuroproof_examples and cached.

    Returns
    -------
    Sample

    Raises
    ------
    FileNotFoundError
        If the volume is neither there nor to be fetched.
    ModuleNotFoundError
        If a package of the extra ``demo`` is not installed.

    References
    ----------
    Takemura et al., "Synaptic circuits and their variations within different columns in the visual
    system of Drosophila", PNAS 2015.
    """
    folder = Path(os.environ.get("DASK_BLOCKWISE_DATA", "")) / "fib25"
    raw, truth = _read_fib25(folder) if (folder / "raw.tif").exists() else _fetch_fib25()
    place = {"voxel_size": (10, 10, 10), "offset": (0, 0, 0), "unit": "nanometer"}
    return _sample(raw, truth, FIB25, place, trained=(160, 0, 0))


def ovule() -> Path:
    """Nuclei of a plant's ovule under a confocal microscope, as an HDF5 file.

    Its ``raw`` and ``label``, both uint8 of shape (100, 100, 100), voxels of 0.284 x 0.128 x 0.128
    um, are the stain and the nuclei that people have outlined. It is read from the folder that
    DASK_BLOCKWISE_DATA names (fluorescence/ovule_nuclei_1136_100.h5), else fetched once from the
    public repository kreshuklab/plant-seg and cached.

    Returns
    -------
    Path
        For ``open_volume(f"{path}/raw")``.

    Raises
    ------
    FileNotFoundError
        If the file is neither there nor to be fetched.
    ModuleNotFoundError
        If a package of the extra ``demo`` is not installed.

    References
    ----------
    Vijayan et al., "A deep learning-based toolkit for 3D nuclei segmentation and quantitative
    analysis in cellular and tissue context", Development 2024.
    """
    name = "fluorescence/ovule_nuclei_1136_100.h5"
    path = Path(os.environ.get("DASK_BLOCKWISE_DATA", "")) / name
    if path.exists():
        return path
    files = _fetcher("ovule", _OVULE_URL, {_OVULE_FILE: _OVULE_HASH})
    try:
        return Path(files.fetch(_OVULE_FILE))
    except OSError as error:
        raise _absent("ovule", name, files, error) from error


def _sample(
    raw: NDArray[np.uint8],
    truth: NDArray[Any],
    network: Network,
    place: dict[str, Any],
    trained: tuple[int, ...],
) -> Sample:
    def volume(array: NDArray[Any]) -> Volume:
        return Volume.from_array(array, axes=("z", "y", "x"), chunks=(64, 64, 64), **place)

    whole, seen = volume(raw).roi, Coordinate(trained) * Coordinate(place["voxel_size"])
    unseen = Roi(whole.begin + seen, whole.shape - seen)
    return Sample(volume(raw), volume(truth), network, unseen)


def _template(name: str) -> NDArray[np.uint8]:
    """One of the volumes that nilearn ships, shape (z, y, x)."""
    folder = Path(str(_need("nilearn").__file__)).parent / "datasets/data"
    image = _need("nibabel").load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
    return np.ascontiguousarray(np.asanyarray(image.dataobj).T)


def _need(name: str) -> Any:
    """Import a package that only the samples need."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The sample needs {error.name}, which is not installed: install the extra with "
            "python -m pip install 'dask_blockwise[demo]'."
        ) from error


def _read_fib25(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    raw = _need("tifffile").imread(folder / "raw.tif")
    with np.load(folder / "labels.npz") as labels:
        return raw, labels["neurons"]


def _fetch_fib25() -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Fetch the sections and the truth, or take them from the cache."""
    pooch = _need("pooch")
    files = _fetcher("fib25", _FIB25_URL, dict.fromkeys([*_FIB25_SECTIONS, _FIB25_TRUTH]))
    try:
        truth = files.fetch(_FIB25_TRUTH, processor=pooch.Decompress(name="groundtruth.h5"))
        # Of threads that find no folder there, pooch lets all but one fail.
        (files.abspath / _FIB25_SECTIONS[0]).parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(8) as threads:
            sections = list(threads.map(files.fetch, _FIB25_SECTIONS))
    except OSError as error:
        raise _absent("fib25", "fib25/raw.tif and fib25/labels.npz", files, error) from error
    return np.stack([_need("imageio.v3").imread(path) for path in sections]), _neurons(truth)


def _fetcher(name: str, url: str, registry: dict[str, str | None]) -> Any:
    """What fetches files once into the cache; with what they hash to, where that is known."""
    pooch = _need("pooch")
    return pooch.create(
        pooch.os_cache("dask_blockwise") / name,
        url,
        registry=registry,
        env="DASK_BLOCKWISE_CACHE",
        retry_if_failed=2,
    )


def _absent(name: str, wanted: str, files: Any, error: OSError) -> FileNotFoundError:
    return FileNotFoundError(
        f"The {name} sample is not on this machine and could not be fetched ({error}). Either "
        f"set DASK_BLOCKWISE_DATA to a folder that holds {wanted}, or connect this machine to the "
        f"internet, so that it can be fetched from {files.base_url} into {files.abspath}."
    )


def _neurons(path: str) -> NDArray[np.uint32]:
    """The truth's supervoxels, mapped to the neurons that they belong to."""
    with _need("h5py").File(path) as file:
        supervoxels = file["stack"][: len(_FIB25_SECTIONS)]
        pieces, neurons = file["transforms"][:].T.astype(np.int64)
    table = np.zeros(max(pieces.max(), supervoxels.max()) + 1, np.uint32)
    table[pieces] = neurons
    truth: NDArray[np.uint32] = table[supervoxels]
    return truth
