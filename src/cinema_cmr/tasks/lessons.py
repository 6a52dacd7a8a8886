"""Lessons beside the reconstruction: structures of synthetic hearts, and agreement with oneself on real ones.

No label of a person's heart is needed. Synthetic hearts come with exact masks. Where the network is sure of an
unlabelled image, it has to predict the same for that image with other intensities, rotated and mirrored (FixMatch;
Sohn et al., NeurIPS 2020), so that what was learned on synthetic images carries over to real ones. The labels may come
from teachers instead, models that learned the same lessons before: together they are sure of more than one network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.core.vocabulary import CINE_LABELS, View
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import IGNORE_INDEX, Batch, Sample
from cinema_cmr.image.augment import FROM_SYNTHETIC, Augmentation, change_intensities, draw_intensities
from cinema_cmr.models.losses import cross_entropy, soft_dice
from cinema_cmr.models.mae import CineMA
from cinema_cmr.models.weights import load_model
from cinema_cmr.tasks.mask_examples import SegmentExample
from cinema_cmr.tasks.segment import SegmentConfig, SegmentTask
from cinema_cmr.tasks.task import Loss

__all__ = ["LessonConfig", "Lessons", "is_lesson", "mask_network"]

_SAX = str(View.SAX)

_STRONG = replace(FROM_SYNTHETIC, p_intensity=0.8)
"""Changes of intensity under which the prediction has to stay the same; nothing is moved by it."""


@dataclass(frozen=True, kw_only=True)
class LessonConfig:
    """What is learned beside the reconstruction, and how much it counts against it."""

    weight: float = 0.5
    """Weight of the masks of synthetic hearts (cross-entropy plus soft Dice)."""
    augmentation: Augmentation = field(
        default_factory=lambda: replace(FROM_SYNTHETIC, p_right_angle_rotation=0.3, p_flip=0.3, p_free_rotation=0.1)
    )
    agreement_weight: float = 0.5
    """Weight of the agreement on unlabelled images; 0 leaves it out."""
    agreement_share: float = 0.5
    """Share of the unlabelled images of a batch from which it is computed."""
    teachers: tuple[str, ...] = ()
    """Models whose mean prediction the network has to agree with; empty for its own."""
    confidence: float = 0.9
    """Least probability of a voxel's prediction that counts as sure."""
    min_voxels: int = 40
    """Voxels of each structure that must be sure for an image to count."""

    def __post_init__(self) -> None:
        if min(self.weight, self.agreement_weight) < 0 or not 0 < self.agreement_share <= 1:
            raise UsageError(
                f"lessons of weight {self.weight}, agreement of weight {self.agreement_weight} on a share of"
                f" {self.agreement_share}; expected weights of 0 or more and a share above 0 up to 1"
            )
        if not 0 < self.confidence < 1:
            raise UsageError(f"predictions sure from a probability of {self.confidence}; expected one between 0 and 1")


def is_lesson(batch: Batch) -> bool:
    """Whether a batch holds images with masks, not with orders of tokens."""
    return all(labels.ndim > 3 for labels in batch.labels.values())


class Lessons:
    """The samples and losses of lessons; the short axis alone."""

    def __init__(self, config: LessonConfig, grid: Grid) -> None:
        self.config = config
        slices_apart = replace(grid, n_slices=None, slice_spacing_mm=None)
        self.task = SegmentTask(SegmentConfig(grid=slices_apart, augmentation=config.augmentation), nn.Identity())
        self.teachers = [_teacher(name, grid) for name in config.teachers]

    def examples(self, annotated: AnnotatedStudy) -> Sequence[SegmentExample]:
        """Return an example for each labelled frame of the stack; raises the errors of `SegmentTask.examples`."""
        return self.task.examples(annotated)

    def sample(self, example: SegmentExample, rng: np.random.Generator | None) -> Sample:
        """Return one sample with its mask, with `rng` augmented."""
        return self.task.sample(example, rng)

    def loss(self, network: nn.Module, batch: Batch) -> Loss:
        """Cross-entropy plus soft Dice of the masks, of what was drawn, weighted."""
        loss = self._task_of(network).loss(batch)
        return Loss(total=self.config.weight * loss.total, parts={"lessons": float(loss.total.detach())})

    def agreement(self, network: nn.Module, images: Tensor) -> Loss:
        """Loss of predictions for changed images (b, 1, x, y, z) against the sure ones for the images themselves.

        The latter are the teachers', or without any the network's own. An image counts if each structure has enough
        sure voxels; zero where none does. Draws come from torch's generator, which a run seeds before each update.
        """
        config = self.config
        shown = images[: math.ceil(len(images) * config.agreement_share)]
        codes = self._pseudo_labels(network, shown)
        counts = torch.stack([(codes == label.code).flatten(1).sum(1) for label in CINE_LABELS])
        kept = (counts >= config.min_voxels).all(dim=0)
        if not kept.any():
            return Loss(total=images.new_zeros(()), parts={"agreement": 0.0, "agreeing": 0.0})
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        image, target = _changed(shown[kept], codes[kept], rng)
        logits = mask_network(network)({_SAX: image})[_SAX]
        total = cross_entropy(logits, target) + soft_dice(logits, target)
        parts = {"agreement": float(total.detach()), "agreeing": float(kept.float().mean())}
        return Loss(total=config.agreement_weight * total * (len(image) / len(shown)), parts=parts)

    @torch.no_grad()
    def _pseudo_labels(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the codes (b, x, y, z) predicted surely; `IGNORE_INDEX` elsewhere, and in slices without an image."""
        sure, codes = self._probabilities(network, images).max(dim=1)
        blank = ~images.flatten(1, 3).any(dim=1)
        kept = (sure >= self.config.confidence) & ~blank[:, None, None]
        return codes.masked_fill(~kept, IGNORE_INDEX)

    def _probabilities(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the mean probabilities (b, class, x, y, z) by the teachers, or by the network itself."""
        models = [teacher.to(images.device) for teacher in self.teachers] or [mask_network(network)]
        return torch.stack([model({_SAX: images})[_SAX].float().softmax(dim=1) for model in models]).mean(dim=0)

    def validate(self, network: nn.Module, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return the Dice of each structure of each sample, under names of their own."""
        return {f"lesson_{name}": scores for name, scores in self._task_of(network).validate(batch).items()}

    def _task_of(self, network: nn.Module) -> SegmentTask:
        return SegmentTask(self.task.config, mask_network(network))


class _MaskNetwork(nn.Module):
    """The structures of an autoencoder as a network of its own."""

    def __init__(self, network: CineMA) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of each view."""
        return self.network.segment(images)


def _teacher(name: str, grid: Grid) -> nn.Module:
    """Load a model that segments the short axis on this grid; raises `WeightsError` for any other."""
    loaded = load_model(name)
    known = loaded.card.grids.get(View.SAX)
    if known is None or (known.spacing_mm, known.size) != (grid.spacing_mm, grid.size):
        found = "no short axis" if known is None else f"{known.size} pixels of {known.spacing_mm:g} mm"
        raise WeightsError(
            f"teacher '{name}' sees {found}; expected the grid of the recipe, {grid.size} pixels of"
            f" {grid.spacing_mm:g} mm"
        )
    if not isinstance(loaded.model, CineMA):
        loaded.card.check_task("segment")
    model = mask_network(loaded.model)
    return model.eval().requires_grad_(False)


def mask_network(network: nn.Module) -> nn.Module:
    """Return what predicts logits of the structures: the network itself, or an autoencoder's decoders of masks.

    Raises `WeightsError` for an autoencoder without them.
    """
    if not isinstance(network, CineMA):
        return network
    if network.mask_decoders is None:
        raise WeightsError("lessons for a network without decoders of masks; expected a recipe that has lessons")
    return _MaskNetwork(network)


def _changed(images: Tensor, codes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Change the intensities of images (b, 1, x, y, z); rotate and mirror them with their codes (b, x, y, z)."""
    changed, targets = [], []
    for image, code in zip(images, codes, strict=True):
        quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        moved = change_intensities(image[0].float().cpu(), draw_intensities(rng, _STRONG)).to(image.device)
        moved, target = torch.rot90(moved, quarters), torch.rot90(code, quarters)
        changed.append((moved.flip(0) if mirrored else moved).unsqueeze(0))
        targets.append(target.flip(0) if mirrored else target)
    return torch.stack(changed), torch.stack(targets)
