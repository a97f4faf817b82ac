"""What networks see."""

import pytest
from torch import nn

from dask_blockwise.demo.unet import UNet
from dask_blockwise.prediction.footprint import UnfitNetworkError
from dask_blockwise.prediction.model_source import ModelSource
from dask_blockwise.prediction.networks import footprint_of
from dask_blockwise.prediction.probing import probe


def seen(net, channels=1, dimensions=2):
    return footprint_of(ModelSource.of(net), channels, dimensions)


def test_the_meshnet_sees_46_voxels(meshnet):
    axes = seen(meshnet, dimensions=3).axes
    assert [(axis.halo, axis.stride) for axis in axes] == [((46, 46), 1)] * 3


class Hidden(nn.Module):
    """Pools and upsamples within a field that a wide convolution hides."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(1, 1, 9, padding=4)

    def forward(self, x):
        coarse = nn.functional.interpolate(nn.functional.max_pool2d(x, 2), scale_factor=2)
        return coarse + self.wide(x)


def test_unet_has_the_stride_of_its_pooling():
    footprint = seen(UNet(1, 9, (2, 3, 4)), dimensions=3)
    assert [(axis.stride, axis.step, axis.lost) for axis in footprint.axes] == [(4, 4, 0)] * 3
    assert footprint.channels == 9


@pytest.mark.parametrize(
    ("net", "halo", "stride", "step", "trim"),
    [
        (Hidden(), (4, 4), 2, 2, 0),
        (nn.Sequential(*(nn.Conv2d(1, 1, 9) for _ in range(6))), (24, 24), 1, 1, 24),
        (nn.Sequential(nn.MaxPool2d(3), nn.Upsample(scale_factor=3)), (2, 2), 3, 3, 0),
        (nn.Conv2d(1, 1, 2), (0, 1), 1, 1, 0),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5)), (3, 3), 1, 1, 2),
        (nn.MaxPool2d(4), (0, 0), 4, 1, 0),
        (nn.Conv2d(1, 1, 3, stride=2, padding=1), (1, 0), 2, 1, 0),
        (nn.ConvTranspose2d(1, 1, 2, stride=2), (0, 0), 1, 2, 0),
        (nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=3)), (1, 1), 2, 3, 0),
    ],
)
def test_footprints(net, halo, stride, step, trim):
    for axis in seen(net).axes:
        assert (axis.halo, axis.stride, axis.step, axis.trim) == (halo, stride, step, trim)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.Conv2d(1, 1, 3, padding=2), "neither keeps to the voxels"),
        (nn.AdaptiveAvgPool2d(1), "neither keeps to the voxels"),
        (nn.MaxPool2d(5), "neither grows nor shifts"),
        (nn.InstanceNorm2d(1), "depends on inputs more than"),
    ],
)
def test_networks_without_a_footprint(net, message):
    with pytest.raises(ValueError, match=message):
        seen(net)


def test_failures_without_words_are_named():
    def fail(image):
        raise NotImplementedError

    with pytest.raises(UnfitNetworkError, match="NotImplementedError"):
        probe(fail, 1, 2)


def test_other_channels_are_refused():
    with pytest.raises(UnfitNetworkError, match=r"no input of 1 channels.*expected.*5 channels"):
        seen(nn.Conv2d(5, 1, 3))
