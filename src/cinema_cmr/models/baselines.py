"""Task-specific convolutional networks that the foundation model is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, cat, nn

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View

__all__ = ["UNet2d", "UNet2dConfig"]


@dataclass(frozen=True, kw_only=True)
class UNet2dConfig:
    """Sizes of a plain U-Net that sees one slice at a time."""

    view: str = "sax"
    """The view it was trained on."""
    out_chans: int
    """Classes, background included."""
    in_chans: int = 1
    chans: tuple[int, ...] = (32, 64, 128, 192, 256)
    """Channels of each resolution, finest first; each resolution halves the one before."""

    def __post_init__(self) -> None:
        if len(self.chans) < 2 or min(self.chans) < 1:
            raise UsageError(f"U-Net channels {self.chans}; expected two resolutions or more, each above 0")


class ConvPair(nn.Sequential):
    """Twice: 3 x 3 convolution, instance norm, leaky ReLU."""

    def __init__(self, in_chans: int, out_chans: int) -> None:
        layers: list[nn.Module] = []
        for source in (in_chans, out_chans):
            layers += [
                nn.Conv2d(source, out_chans, 3, padding=1, bias=False),
                nn.InstanceNorm2d(out_chans, affine=True),
                nn.LeakyReLU(0.01, inplace=True),
            ]
        super().__init__(*layers)


class UNet2d(nn.Module):
    """Images {view: (b, c, x, y, z)} -> logits {view: (b, out, x, y, z)}; every slice for itself.

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

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits of the one view; see the class for shapes. Raises `UsageError` for other views or sizes."""
        if set(images) != {self.config.view}:
            raise UsageError(f"views {sorted(images)} given; this model was built for ['{self.config.view}']")
        x = images[self.config.view]
        self._check_size(x.shape[2], x.shape[3])
        y = self._planes(x.movedim(-1, 1).flatten(0, 1))
        return {self.config.view: y.reshape(x.shape[0], x.shape[-1], *y.shape[1:]).movedim(1, -1)}

    def _check_size(self, *size: int) -> None:
        factor = 2 ** (len(self.config.chans) - 1)
        if any(n % factor or n < 2 * factor for n in size):
            raise UsageError(
                f"images of {size[0]} x {size[1]} pixels; this model takes multiples of {factor} from {2 * factor} on"
            )

    def _planes(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(x)
            x = encode(down(x))
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = decode(cat([up(x), skip], dim=1))
        out: Tensor = self.head(x)
        return out

    @property
    def views(self) -> tuple[View, ...]:
        """The view this model was built for."""
        return (View(self.config.view),)
