"""The small U-Net behind the shipped sample networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv3d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """A 3-D U-Net with same convolutions, batch normalisation and a linear last layer.

    Batch normalisation is a fixed affine map once trained, so a voxel depends on its receptive
    field alone and a prediction by blocks equals that of the whole volume.

    Parameters
    ----------
    in_channels, out_channels : int
    features : sequence of int
        Channels at each resolution; each further one halves it along every axis.

    Notes
    -----
    Input and output are float tensors of shape ``(batch, channels, z, y, x)``; z, y and x must be
    multiples of ``2 ** (len(features) - 1)``. The output is logits.

    After Çiçek et al., "3D U-Net", MICCAI 2016.

    Examples
    --------
    >>> import torch
    >>> UNet(1, 9)(torch.zeros(1, 1, 8, 8, 8)).shape
    torch.Size([1, 9, 8, 8, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, features: Sequence[int] = (8, 24, 64)
    ) -> None:
        super().__init__()
        widths = [in_channels, *features]
        self.down = nn.ModuleList(map(_convolutions, widths[:-1], widths[1:]))
        self.up = nn.ModuleList(
            _convolutions(coarse + fine, fine)
            for coarse, fine in zip(features[:0:-1], features[-2::-1], strict=True)
        )
        self.last = nn.Conv3d(features[0], out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, in_channels, z, y, x)`` to ``(batch, out_channels, z, y, x)`` logits."""
        skips = []
        for level, convolve in enumerate(self.down):
            x = convolve(x if level == 0 else nn.functional.max_pool3d(x, 2))
            skips.append(x)
        for convolve, skip in zip(self.up, skips[-2::-1], strict=True):
            x = convolve(torch.cat([nn.functional.interpolate(x, scale_factor=2), skip], 1))
        logits: Tensor = self.last(x)
        return logits
