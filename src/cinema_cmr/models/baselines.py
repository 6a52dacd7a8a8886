"""Task-specific convolutional networks, as baselines for the foundation model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, cat, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View

__all__ = ["UNet2d", "UNet2dConfig"]


@dataclass(frozen=True, kw_only=True)
class UNet2dConfig:
    """Sizes of a plain two-dimensional U-Net."""

    view: str = "sax"
    """View of the training data."""
    also: tuple[str, ...] = ()
    """Further views for the same weights."""
    out_chans: int
    """Classes, background included."""
    in_chans: int = 1
    chans: tuple[int, ...] = (32, 64, 128, 192, 256)
    """Channels at each resolution, finest first; each resolution is half the one before."""
    across: int = 0
    """Number of coarsest resolutions with convolutions over neighbouring slices; 0 processes each slice alone."""

    def __post_init__(self) -> None:
        if len(self.chans) < 2 or min(self.chans) < 1:
            raise UsageError(f"U-Net channels {self.chans}; expected two resolutions or more, each above 0")
        if not 0 <= self.across <= len(self.chans):
            raise UsageError(f"slices meet at {self.across} of {len(self.chans)} resolutions; expected 0 to all")
        if len(set(self.views)) < len(self.views):
            raise UsageError(f"U-Net of the views {self.views}; expected each once")

    @property
    def views(self) -> tuple[str, ...]:
        """All views of the model."""
        return (self.view, *self.also)


class ConvPair(nn.Sequential):
    """Two layers of 3 x 3 convolution, instance norm and leaky ReLU."""

    def __init__(self, in_chans: int, out_chans: int) -> None:
        layers: list[nn.Module] = []
        for source in (in_chans, out_chans):
            layers += [
                nn.Conv2d(source, out_chans, 3, padding=1, bias=False),
                _instance_norm(out_chans),
                nn.LeakyReLU(0.01, inplace=True),
            ]
        super().__init__(*layers)


def _instance_norm(chans: int) -> nn.Module:
    """Instance norm of each channel as a group norm of groups of one: the same numbers and weights, faster on a CPU."""
    return nn.GroupNorm(chans, chans)


class AcrossSlices(nn.Module):
    """Adds to each slice a convolution over itself and its two neighbours, initially zero."""

    def __init__(self, chans: int) -> None:
        super().__init__()
        self.norm = _instance_norm(chans)
        self.conv = nn.Conv3d(chans, chans, (3, 1, 1), padding=(1, 0, 0), bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, x: Tensor, n_slices: int) -> Tensor:
        """Planes (b * z, c, x, y) of stacks of `n_slices` slices -> the same shape."""
        y = F.leaky_relu(self.norm(x), 0.01)
        y = y.reshape(-1, n_slices, y.shape[1], y.shape[2] * y.shape[3]).movedim(1, 2)
        # A convolution along z alone; as one in two dimensions it is faster on a CPU.
        added = F.conv2d(y, self.conv.weight[..., 0], padding=(1, 0))
        return x + added.movedim(2, 1).reshape(x.shape)


class UNet2d(nn.Module):
    """Images {view: (b, c, x, y, z)} -> logits {view: (b, out, x, y, z)}; every slice for itself, but for the
    `across` coarsest resolutions.

    In-plane sizes must be multiples of 2^(resolutions - 1), of two or more at the coarsest. After
    Ronneberger et al., MICCAI 2015, with instance norm and strided convolution as in Isensee et al.,
    Nature Methods 18:203-211, 2021.
    """

    def __init__(self, config: UNet2dConfig) -> None:
        super().__init__()
        self.config = config
        chans = config.chans
        self.first = ConvPair(config.in_chans, chans[0])
        self.down = nn.ModuleList(nn.Conv2d(a, a, 2, stride=2) for a, _ in pairwise(chans))
        self.encode = nn.ModuleList(ConvPair(a, b) for a, b in pairwise(chans))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(chans))
        self.decode = nn.ModuleList(ConvPair(2 * a, a) for a, _ in pairwise(chans))
        self.head = nn.Conv2d(chans[0], config.out_chans, 1)
        self.across_down = nn.ModuleDict(self._across(range(len(chans))))
        self.across_up = nn.ModuleDict(self._across(range(len(chans) - 1)))

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of every given view; see the class for shapes. `UsageError` for other views or sizes."""
        if not images or not set(images) <= set(self.config.views):
            raise UsageError(f"views {sorted(images)} given; this model was built for {list(self.config.views)}")
        return {view: self._stacks(x) for view, x in images.items()}

    def _stacks(self, x: Tensor) -> Tensor:
        """(b, c, x, y[, z]) -> (b, out, x, y[, z])."""
        self._check_size(x.shape[2], x.shape[3])
        if x.ndim == 4:
            return self._planes(x, 1)
        y = self._planes(x.movedim(-1, 1).flatten(0, 1), x.shape[-1])
        return y.reshape(x.shape[0], x.shape[-1], *y.shape[1:]).movedim(1, -1)

    def _check_size(self, *size: int) -> None:
        factor = 2 ** (len(self.config.chans) - 1)
        if any(n % factor or n < 2 * factor for n in size):
            raise UsageError(
                f"images of {size[0]} x {size[1]} pixels; this model takes multiples of {factor} from {2 * factor} on"
            )

    def _across(self, levels: Iterable[int]) -> dict[str, AcrossSlices]:
        chans = self.config.chans
        return {str(level): AcrossSlices(chans[level]) for level in levels if level >= len(chans) - self.config.across}

    def _planes(self, x: Tensor, n_slices: int) -> Tensor:
        """Planes (b * z, c, x, y) -> logits (b * z, out, x, y)."""
        x = _met(self.across_down, 0, self.first(x), n_slices)
        skips = []
        for level, (down, encode) in enumerate(zip(self.down, self.encode, strict=True), start=1):
            skips.append(x)
            x = _met(self.across_down, level, encode(down(x)), n_slices)
        for level in reversed(range(len(skips))):
            x = self.decode[level](cat([self.up[level](x), skips[level]], dim=1))
            x = _met(self.across_up, level, x, n_slices)
        out: Tensor = self.head(x)
        return out

    @property
    def views(self) -> tuple[View, ...]:
        """Views of the model."""
        return tuple(View(view) for view in self.config.views)


def _met(across: nn.ModuleDict, level: int, x: Tensor, n_slices: int) -> Tensor:
    """Planes after the convolution over slices, at the levels that have one."""
    if str(level) not in across:
        return x
    met: Tensor = across[str(level)](x, n_slices)
    return met
