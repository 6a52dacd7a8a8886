"""A narrower U-Net from a wide one: fewer channels, fitted layer by layer to what the wide network computes.

Each convolution keeps the outputs that carry most, and its weights are the least-squares fit of the wide network's
outputs by the narrow network's inputs, so that errors of earlier layers are made up for (after He et al., Channel
pruning for accelerating very deep neural networks, ICCV 2017). Layers without a nonlinearity after them keep the
principal components of their outputs. Nothing is trained: it is a start from which a short fine-tuning ends near the
wide network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor, cat, nn
from torch.nn import functional as F

from cinema_cmr.core.errors import UsageError
from cinema_cmr.models.baselines import AcrossSlices, ConvPair, UNet2d, UNet2dConfig

__all__ = ["check_channels", "narrow_unet", "same_labels"]

_N_ROWS = 24_000
"""Positions from which a layer is fitted; the largest fit has 9 times two levels' channels as unknowns."""
_ROWS_PER_PLANE = 200
_RIDGE = 1e-4
"""Of the mean square of the inputs: keeps fits of nearly equal channels small."""
_N_FOR_COMPONENTS = 400_000

Places = tuple[Tensor, Tensor, Tensor]
"""Plane, row and column of sampled positions."""

_Layer = tuple[nn.Conv2d, nn.GroupNorm]


@torch.no_grad()
def narrow_unet(network: UNet2d, chans: Sequence[int], images: Sequence[Tensor], *, seed: int = 0) -> UNet2d:
    """Return a network with `chans` channels at each resolution that computes nearly the same on `images`.

    `images`: inputs of the network, each (1, c, x, y) of a plane or (1, c, x, y, z) of a stack; 200 slices of some
    thirty people are enough. Positions are drawn from `seed`. Time: about two minutes of a core for a network of 7
    million weights. Raises `UsageError` for another number of resolutions, more channels than the network has, or no
    image.
    """
    check_channels(network, chans)
    if not images:
        raise UsageError("no image to fit the narrower network to; expected the inputs of some thirty people")
    stacks = [image.float() if image.ndim == 5 else image.float()[..., None] for image in images]
    narrow = UNet2d(UNet2dConfig(**{**asdict(network.config), "chans": tuple(chans)})).eval()
    planes = [stack.movedim(-1, 1).flatten(0, 1) for stack in stacks]
    both = _Features(wide=planes, narrow=list(planes), n_slices=[stack.shape[-1] for stack in stacks])
    _Fit(network.eval(), narrow, torch.Generator().manual_seed(seed)).run(both)
    return narrow


def check_channels(network: UNet2d, chans: Sequence[int]) -> None:
    """Raise `UsageError` unless `chans` has a number from 1 to that of `network` for each of its resolutions."""
    wide = network.config.chans
    if len(chans) != len(wide) or any(not 1 <= few <= many for few, many in zip(chans, wide, strict=True)):
        raise UsageError(
            f"channels {list(chans)} of a network of {list(wide)}; expected {len(wide)} numbers up to these"
        )


@torch.no_grad()
def same_labels(one: nn.Module, other: nn.Module, images: Sequence[Tensor], *, view: str) -> list[float]:
    """Return the Dice coefficient between two networks' labels of each class but the first; 1 where neither has any.

    `images` as in `narrow_unet`, of `view`.
    """
    counts = torch.zeros(0)
    for image in images:
        given = {view: image.float()}
        a, b = one(given)[view], other(given)[view]
        codes = torch.arange(1, a.shape[1])[:, None]
        in_a, in_b = (logits.argmax(1).flatten() == codes for logits in (a, b))
        its = torch.stack([(in_a & in_b).sum(1), in_a.sum(1) + in_b.sum(1)]).double()
        counts = its if not counts.numel() else counts + its
    return torch.where(counts[1] > 0, 2 * counts[0] / counts[1].clamp_min(1), 1.0).tolist()


@dataclass(frozen=True, kw_only=True)
class _Features:
    """What both networks compute at one place, for each stack (slices, channels, x, y)."""

    wide: list[Tensor]
    narrow: list[Tensor]
    n_slices: list[int]
    kept: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    """Channels of the wide network that the narrow one has, in order."""

    def joined(self, skip: _Features) -> _Features:
        """Return these channels followed by those of another place."""
        wide = [cat(pair, 1) for pair in zip(self.wide, skip.wide, strict=True)]
        narrow = [cat(pair, 1) for pair in zip(self.narrow, skip.narrow, strict=True)]
        return replace(self, wide=wide, narrow=narrow)


@dataclass(frozen=True)
class _Fit:
    """One pass through both networks, from the images to the logits."""

    wide: UNet2d
    narrow: UNet2d
    generator: torch.Generator

    def run(self, x: _Features) -> None:
        """Set all weights of the narrow network."""
        wide, narrow = self.wide, self.narrow
        last = len(wide.config.chans) - 1
        x = self._pair(wide.first, narrow.first, x, self._weight_as_skip(0))
        x = self._across(wide.across_down, narrow.across_down, 0, x)
        skips = []
        for level in range(1, last + 1):
            skips.append(x)
            x = self._strided(wide.down[level - 1], narrow.down[level - 1], x)
            weight = self._weight_as_skip(level) if level < last else self._weight_below(level)
            x = self._pair(wide.encode[level - 1], narrow.encode[level - 1], x, weight)
            x = self._across(wide.across_down, narrow.across_down, level, x)
        for level in reversed(range(last)):
            x = self._transposed(wide.up[level], narrow.up[level], x).joined(skips.pop())
            weight = self._weight_below(level) if level else _input_weight(wide.head)
            x = self._pair(wide.decode[level], narrow.decode[level], x, weight)
            x = self._across(wide.across_up, narrow.across_up, level, x)
        self._head(x)

    def _weight_as_skip(self, level: int) -> Tensor:
        """How much each channel of an encoder's level counts for the layers that read it."""
        n = self.wide.config.chans[level]
        first, _ = _layers(self.wide.decode[level])
        return _input_weight(first[0])[n:] + _input_weight(self.wide.down[level])

    def _weight_below(self, level: int) -> Tensor:
        up = self.wide.up[level - 1]
        assert isinstance(up, nn.ConvTranspose2d)
        return up.weight.square().sum((1, 2, 3))

    def _pair(self, wide: nn.Module, narrow: nn.Module, x: _Features, weight: Tensor) -> _Features:
        """Two layers of convolution, norm and ReLU; `weight` of the outputs for the layers that follow."""
        first, second = _layers(wide)
        to_first, to_second = _layers(narrow)
        return self._layer(second, to_second, self._layer(first, to_first, x, _input_weight(second[0])), weight)

    def _layer(self, wide: _Layer, narrow: _Layer, x: _Features, weight: Tensor) -> _Features:
        (conv, norm), (to_conv, to_norm) = wide, narrow
        convolved = [conv(one) for one in x.wide]
        outputs = [F.leaky_relu(norm(one), 0.01) for one in convolved]
        kept = torch.topk(_mean_square(outputs) * weight, to_conv.out_channels).indices.sort().values
        inputs, places = self._patches(x.narrow, kernel=3, padding=1)
        fitted = _least_squares(inputs, _at(convolved, places)[:, kept])
        to_conv.weight.copy_(fitted.reshape(to_conv.weight.shape))
        to_norm.weight.copy_(norm.weight[kept])
        to_norm.bias.copy_(norm.bias[kept])
        narrow_outputs = [F.leaky_relu(to_norm(to_conv(one)), 0.01) for one in x.narrow]
        return replace(x, wide=outputs, narrow=narrow_outputs, kept=kept)

    def _across(self, wide: nn.ModuleDict, narrow: nn.ModuleDict, level: int, x: _Features) -> _Features:
        """The convolution over neighbouring slices of a level, if it has one."""
        if str(level) not in wide:
            return x
        module, to_module = wide[str(level)], narrow[str(level)]
        assert isinstance(module, AcrossSlices) and isinstance(to_module, AcrossSlices)
        norm, to_norm = _group_norm(module.norm), _group_norm(to_module.norm)
        outputs = [module(one, n) for one, n in zip(x.wide, x.n_slices, strict=True)]
        to_norm.weight.copy_(norm.weight[x.kept])
        to_norm.bias.copy_(norm.bias[x.kept])
        rows, targets = [], []
        for one, output in zip(x.narrow, outputs, strict=True):
            padded = F.pad(F.leaky_relu(to_norm(one), 0.01), (0, 0, 0, 0, 0, 0, 1, 1))
            neighbours = torch.stack([padded[:-2], padded[1:-1], padded[2:]], -1)
            rows.append(neighbours.permute(0, 2, 3, 1, 4).flatten(0, 2).flatten(1))
            targets.append(_rows_of(output[:, x.kept] - one))
        inputs, target = cat(rows), cat(targets)
        chosen = torch.randperm(len(inputs), generator=self.generator)[:_N_ROWS]
        fitted = _least_squares(inputs[chosen], target[chosen])
        to_module.conv.weight.copy_(fitted.reshape(to_module.conv.weight.shape))
        narrow_outputs = [to_module(one, n) for one, n in zip(x.narrow, x.n_slices, strict=True)]
        return replace(x, wide=outputs, narrow=narrow_outputs)

    def _strided(self, wide: nn.Module, narrow: nn.Module, x: _Features) -> _Features:
        """The convolution of stride 2 between two levels of the encoder."""
        conv = _conv(narrow)
        outputs = [wide(one) for one in x.wide]
        inputs, places = self._patches(x.narrow, kernel=2, stride=2)
        target = _at(outputs, places) @ _components(outputs, conv.out_channels)
        _set(conv, _least_squares(_with_one(inputs), target))
        return replace(x, wide=outputs, narrow=[conv(one) for one in x.narrow])

    def _transposed(self, wide: nn.Module, narrow: nn.Module, x: _Features) -> _Features:
        """The transposed convolution of stride 2 between two levels of the decoder."""
        assert isinstance(narrow, nn.ConvTranspose2d) and narrow.bias is not None
        outputs = [wide(one) for one in x.wide]
        basis = _components(outputs, narrow.out_channels)
        inputs, places = self._patches(x.narrow, kernel=1)
        biases = []
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            target = _at([one[..., i::2, j::2] for one in outputs], places) @ basis
            fitted = _least_squares(_with_one(inputs), target)
            narrow.weight[:, :, i, j] = fitted[:, :-1].T
            biases.append(fitted[:, -1])
        narrow.bias.copy_(torch.stack(biases).mean(0))
        return replace(x, wide=outputs, narrow=[narrow(one) for one in x.narrow])

    def _head(self, x: _Features) -> None:
        inputs, places = self._patches(x.narrow, kernel=1)
        target = _at([self.wide.head(one) for one in x.wide], places)
        _set(self.narrow.head, _least_squares(_with_one(inputs), target))

    def _patches(
        self, features: Sequence[Tensor], *, kernel: int, padding: int = 0, stride: int = 1
    ) -> tuple[Tensor, list[Places]]:
        """Return what a convolution sees at drawn positions (row, channel * kernel^2), and where its outputs are."""
        rows, places = [], []
        n_planes = sum(one.shape[0] for one in features)
        for one in features:
            padded = F.pad(one, (padding,) * 4)
            size = [(n + 2 * padding - kernel) // stride + 1 for n in one.shape[2:]]
            n = min(max(_ROWS_PER_PLANE, _N_ROWS // n_planes), size[0] * size[1])
            i, j = (torch.randint(high, (one.shape[0], n), generator=self.generator) for high in size)
            plane = torch.arange(one.shape[0])[:, None].expand_as(i)
            taps = [padded[plane, :, i * stride + di, j * stride + dj] for di in range(kernel) for dj in range(kernel)]
            rows.append(torch.stack(taps, -1).flatten(0, 1).flatten(1))
            places.append((plane.flatten(), i.flatten(), j.flatten()))
        return cat(rows), places


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module


def _group_norm(module: nn.Module) -> nn.GroupNorm:
    assert isinstance(module, nn.GroupNorm)
    return module


def _layers(pair: nn.Module) -> tuple[_Layer, _Layer]:
    """Convolution and norm of both layers of a `ConvPair`."""
    assert isinstance(pair, ConvPair)
    return (_conv(pair[0]), _group_norm(pair[1])), (_conv(pair[3]), _group_norm(pair[4]))


def _set(conv: nn.Conv2d, fitted: Tensor) -> None:
    """Set weights and bias from rows of weights and a last column of biases."""
    assert conv.bias is not None
    conv.weight.copy_(fitted[:, :-1].reshape(conv.weight.shape))
    conv.bias.copy_(fitted[:, -1])


def _input_weight(layer: nn.Module) -> Tensor:
    """Sum of squares of a convolution's weights, for each input channel."""
    return _conv(layer).weight.square().sum((0, 2, 3))


def _mean_square(features: Sequence[Tensor]) -> Tensor:
    total = sum((one.square().sum((0, 2, 3)) for one in features), torch.zeros(()))
    return total / sum(one.shape[0] * one.shape[2] * one.shape[3] for one in features)


def _at(features: Sequence[Tensor], places: Sequence[Places]) -> Tensor:
    """Values at positions of each stack, (row, channel)."""
    return cat([one[plane, :, i, j] for one, (plane, i, j) in zip(features, places, strict=True)])


def _rows_of(feature: Tensor) -> Tensor:
    return feature.permute(0, 2, 3, 1).flatten(0, 2)


def _with_one(inputs: Tensor) -> Tensor:
    return cat([inputs, torch.ones(len(inputs), 1)], 1)


def _components(features: Sequence[Tensor], n: int) -> Tensor:
    """First n principal components of the channels, as columns (channel, n)."""
    rows = cat([_rows_of(one)[::3] for one in features])[:_N_FOR_COMPONENTS]
    vectors: Tensor = torch.linalg.eigh(torch.cov(rows.T)).eigenvectors
    return vectors[:, -n:]


def _least_squares(inputs: Tensor, target: Tensor) -> Tensor:
    """Weights (output, input) of the ridge regression of `target` (row, output) on `inputs` (row, input)."""
    x, y = inputs.double(), target.double()
    squares = x.T @ x
    squares += _RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=squares.dtype)
    weights: Tensor = torch.linalg.solve(squares, x.T @ y)
    return weights.T.to(inputs.dtype)
