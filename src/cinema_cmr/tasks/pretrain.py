"""Pre-training: one frame of each view of a study, most of it hidden, to be filled in from the rest.

Nothing here needs a label. Where the heart is stands in the store, found from geometry and motion.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import NoCineError, UsageError, WeightsError
from cinema_cmr.core.vocabulary import View, view_list
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.sample import Batch, Sample, collate
from cinema_cmr.data.store import StoredStudy, write_study
from cinema_cmr.image.augment import Augmentation
from cinema_cmr.image.view_grid import zoom_grid
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.study_tensors import frame_at_phase, view_tensor
from cinema_cmr.models.blocks.masking import TokenMask, draw_masks
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.mae import CineMA
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.lessons import LessonConfig, Lessons, is_lesson, mask_network
from cinema_cmr.tasks.mask_examples import SegmentExample
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.task import CardFields, Loss, Task

__all__ = ["SMALL_DATA_AUGMENTATION", "PretrainConfig", "PretrainEvaluator", "PretrainTask"]


SMALL_DATA_AUGMENTATION = Augmentation(p_random_crop=0.0, elastic_mm=8.0, noise=0.0)
"""For hundreds of studies, not thousands. Without noise, which cannot be reconstructed."""


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Grids, masking and augmentation of a pre-training."""

    grids: Mapping[View, Grid]
    """The grid of each view; a stack's must say how many slices, as each sample has as many tokens."""
    token_size: tuple[int, int, int] = (16, 16, 1)
    """Voxels of a token along x, y, z: `StemConfig.token_stride` of the network."""
    mask_ratio: float = 0.75
    zoom: float = 0.1
    """Largest relative change of size."""
    p_zoom: float = 0.5
    augmentation: Augmentation | None = None
    """How each view is moved in plane and changed in intensity before tokens are hidden; None leaves it as acquired."""
    skip_blank: bool = False
    """Leave out the blank slices that pad a stack: neither visible nor decoded."""
    decoder_token_ratio: float = 1.0
    """Fraction of masked tokens decoded in training, drawn for each sample; the expected loss is the same."""
    complementary_masks: int = 1
    """Masks of a sample that share a pass in training; no token is visible in two of them."""
    lessons: LessonConfig | None = None
    """Structures that are learned beside the reconstruction, from labelled studies of the run; None for none."""
    masked_weight: float = 1.0
    """Weight of the reconstruction; with 0 nothing is masked."""

    task_name: ClassVar[str] = "pretrain"

    def __post_init__(self) -> None:
        if not self.grids:
            raise UsageError("pre-training on no view; expected at least one with its grid")
        if not 0 < self.mask_ratio < 1 or not 0 <= self.zoom < 1 or not 0 <= self.p_zoom <= 1:
            raise UsageError(
                f"mask ratio {self.mask_ratio}, zoom {self.zoom} with probability {self.p_zoom}; expected a ratio"
                " between 0 and 1, a zoom from 0 to below 1, and a probability"
            )
        self._check_options()
        open_stacks = [view.title for view, grid in self.grids.items() if view is View.SAX and not grid.n_slices]
        if open_stacks:
            raise UsageError("the short-axis grid leaves the number of slices open; give n_slices")

    @property
    def needs_store(self) -> bool:
        """Whether anything is learned of images without labels."""
        return self.masked_weight > 0 or (self.lessons is not None and self.lessons.agreement_weight > 0)

    def n_tokens(self, view: View) -> int:
        """Tokens of a view; axes that a token does not divide count in full."""
        grid = self.grids[view]
        size = (*grid.size, grid.n_slices or 1)
        return math.prod(math.ceil(n / voxels) for n, voxels in zip(size, self.token_size, strict=True))

    def n_visible(self, n_tokens: int) -> int:
        """Tokens that stay visible, of so many."""
        return int(n_tokens * (1 - self.mask_ratio))

    def _check_options(self) -> None:
        if self.masked_weight < 0 or (self.masked_weight == 0 and self.lessons is None):
            raise UsageError(
                f"reconstruction of weight {self.masked_weight:g}; expected above 0, or 0 with lessons to learn from"
            )
        if self.lessons is not None and View.SAX not in self.grids:
            raise UsageError("lessons without the short axis; expected its grid among those of the pre-training")
        if self.lessons is not None and len(set(self.grids[View.SAX].size)) > 1:
            raise UsageError(
                f"lessons on a short-axis grid of {self.grids[View.SAX].size} pixels; expected a square, as images are"
                " turned by quarters"
            )
        most = int(1 / (1 - self.mask_ratio) + 1e-9)
        if not 0 < self.decoder_token_ratio <= 1 or not 1 <= self.complementary_masks <= most:
            raise UsageError(
                f"decoder token ratio {self.decoder_token_ratio}, {self.complementary_masks} complementary masks;"
                f" expected a ratio above 0 up to 1, and with mask ratio {self.mask_ratio} from 1 to {most} masks"
            )


Example = StoredStudy | SegmentExample
"""A prepared study, or a labelled frame of a lesson."""


class PretrainTask(Task[Example]):
    """Reconstruction of masked tokens by a `CineMA`, or lessons alone by any network that segments the short axis.

    An example is a prepared study, or a frame of a lesson.
    """

    def __init__(self, config: PretrainConfig, network: nn.Module) -> None:
        super().__init__(network)
        self.config = config
        self.lessons = None if config.lessons is None else Lessons(config.lessons, config.grids[View.SAX])
        if self.lessons is not None:
            mask_network(network)
        if self.lessons is not None and config.masked_weight and not isinstance(network, CineMA):
            raise UsageError(
                f"reconstruction of weight {config.masked_weight:g} by a network without an encoder of tokens; expected"
                " an autoencoder, or a weight of 0"
            )

    def examples(self, annotated: AnnotatedStudy | StoredStudy) -> Sequence[Example]:
        """Return the stored study itself, or the frames of a lesson; `UsageError` for labels without lessons."""
        if not isinstance(annotated, AnnotatedStudy):
            return [annotated]
        if self.lessons is None:
            raise UsageError(
                f"study '{annotated.study.name}' is in memory; expected one of a store: see `cinema prepare`"
            )
        return self.lessons.examples(annotated)

    def views_of(self, study: StoredStudy) -> tuple[View, ...]:
        """The views of a study that are learned from; raises `NoCineError` where there is none."""
        views = tuple(view for view in self.config.grids if view in study.views)
        if not views:
            known = ", ".join(self.config.grids)
            raise NoCineError(f"study '{study.name}' has none of the views {known}; leave it out")
        return views

    def sample(self, example: Example, rng: np.random.Generator | None) -> Sample:
        """One moment of the cycle in all views, with the tokens in order: visible ones first; or a lesson's frame.

        Moment, zoom, what the augmentation changes, and masks are drawn from `rng` in this order; without it
        moment and mask depend on the study's name alone, nothing is changed and there is one mask.
        """
        if isinstance(example, SegmentExample):
            return self._lessons().sample(example, rng)
        study = example
        drawn = _own_generator(study.name) if rng is None else rng
        phase, zoom = float(drawn.random()), self._drawn_zoom(drawn)
        if rng is None:
            return self.moment(study, phase, drawn)
        images = self._images(study, phase, zoom=zoom, rng=drawn)
        return self.masked(_title(study, phase), images, drawn, n_masks=self.config.complementary_masks)

    def moment(self, study: StoredStudy, phase: float, rng: np.random.Generator) -> Sample:
        """All views at a part of the cycle, 0 to below 1, as they are, with a mask drawn from `rng`."""
        return self.masked(_title(study, phase), self._images(study, phase), rng)

    def _images(
        self, study: StoredStudy, phase: float, *, zoom: float = 1.0, rng: np.random.Generator | None = None
    ) -> dict[str, Tensor]:
        images = {}
        for view in self.views_of(study):
            frame, grid = frame_at_phase(study, view, phase), zoom_grid(self.config.grids[view], zoom)
            images[str(view)] = view_tensor(study, view, frame, grid, augmentation=self.config.augmentation, rng=rng)
        return images

    def masked(self, name: str, images: Mapping[str, Tensor], rng: np.random.Generator, *, n_masks: int = 1) -> Sample:
        """Images on their grids, with the order of their tokens: (l,), or (n_masks, l) of several masks.

        The visible ones come first; of the hidden ones, those that training asks for, then the rest.
        """
        orders = {}
        for view, image in images.items():
            shown = self._tokens(View(view), image)
            masks = draw_masks(len(shown), self.config.mask_ratio, rng, n_masks=n_masks)
            order = shown[np.stack([_order(mask, self.config.decoder_token_ratio, rng) for mask in masks])]
            orders[view] = torch.from_numpy(order if n_masks > 1 else order[0])
        return Sample(name=name, images=images, labels=orders)

    def loss(self, batch: Batch) -> Loss:
        """Mean squared error of a view's decoded patches, then the mean over views; with lessons their losses too."""
        if is_lesson(batch):
            return self._lessons().loss(self.network, batch)
        total, parts = _nothing(self.network), dict[str, float]()
        if self.config.masked_weight:
            masks = self.masks(batch, decoder_token_ratio=self.config.decoder_token_ratio)
            error = self.network(batch.images, masks).loss
            total = self.config.masked_weight * error
            parts["reconstruction"] = float(error.detach())
        stacks = batch.images.get(str(View.SAX))
        if stacks is None or self.lessons is None or not self.lessons.config.agreement_weight:
            return Loss(total=total, parts=parts)
        agreement = self.lessons.agreement(self.network, stacks)
        return Loss(total=total + agreement.total, parts={**parts, **agreement.parts})

    def _lessons(self) -> Lessons:
        if self.lessons is None:
            raise UsageError("a labelled frame without lessons; expected a recipe that has lessons")
        return self.lessons

    @torch.no_grad()
    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return the reconstruction loss of each sample over all its masked patches; the Dice of each lesson."""
        if is_lesson(batch):
            return self._lessons().validate(self.network, batch)
        masks = self.masks(batch)
        losses = []
        for index in range(len(batch.names)):
            one = slice(index, index + 1)
            images = {view: image[one] for view, image in batch.images.items()}
            hidden = {v: TokenMask(visible=m.visible[one], masked=m.masked[one]) for v, m in masks.items()}
            losses.append(float(self.network(images, hidden).loss))
        return {"reconstruction_loss": losses}

    def validation_score(self, scores: Mapping[str, float]) -> float:
        """Return the mean Dice of the lessons minus the weighted reconstruction loss, of what was validated.

        The loss has the weight that it has in training.
        """
        loss = self.config.masked_weight * scores.get("reconstruction_loss", math.nan)
        dice = finite_mean(value for name, value in scores.items() if name.startswith("lesson_"))
        parts = [value for value in (dice, -loss) if not math.isnan(value)]
        return sum(parts) if parts else math.nan

    def card_fields(self) -> CardFields:
        """Return the grids and how tokens are masked; of a network of masks alone, what a segmentation states."""
        config = self.config
        if not isinstance(self.network, CineMA):
            fields = self._lessons().task.card_fields()
            note = "pre-trained to start a fine-tuning"
            return replace(fields, training={**fields.training, "lessons": True, "experimental": note})
        training = {
            "mask_ratio": config.mask_ratio,
            "augmented": config.augmentation is not None,
            "skip_blank": config.skip_blank,
            "decoder_token_ratio": config.decoder_token_ratio,
            "complementary_masks": config.complementary_masks,
            **({} if config.lessons is None else {"lessons": True, "masked_weight": config.masked_weight}),
        }
        return CardFields(task="pretrain", grids=config.grids, training=training)

    def masks(self, batch: Batch, *, decoder_token_ratio: float = 1.0) -> dict[str, TokenMask]:
        """The masks of a batch, on its device; without synchronisation, as their sizes are fixed."""
        found = {}
        for view, orders in batch.labels.items():
            order = orders.flatten(0, -2).long()
            n_visible = self.config.n_visible(order.shape[1])
            end = n_visible + _n_decoded(order.shape[1] - n_visible, decoder_token_ratio)
            found[view] = TokenMask(visible=order[:, :n_visible], masked=order[:, n_visible:end])
        return found

    def _tokens(self, view: View, image: Tensor) -> NDArray[np.int32]:
        """The tokens of a view that there is something in, in ascending order; all without `skip_blank`."""
        tokens = np.arange(self.config.n_tokens(view), dtype=np.int32)
        if not self.config.skip_blank or image.ndim != 4:
            return tokens
        depth = self.config.token_size[2]
        slices = image.flatten(0, 2).numpy().any(axis=0)
        lit = np.pad(slices, (0, -slices.size % depth)).reshape(-1, depth).any(axis=1)
        return tokens.reshape(-1, lit.size)[:, lit].ravel() if lit.any() else tokens

    def _drawn_zoom(self, rng: np.random.Generator) -> float:
        chosen, factor = rng.random() < self.config.p_zoom, 1 + self.config.zoom * rng.uniform(-1, 1)
        return float(factor) if chosen else 1.0


class PretrainEvaluator(Evaluator):
    """Reconstruction error of a masked autoencoder: mean squared error of masked tokens, as its loss counts it."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        if not isinstance(loaded.model, CineMA):
            raise WeightsError(f"model '{loaded.card.name}' is a {loaded.card.architecture}; expected an autoencoder")
        self.card, self.runtime = loaded.card, runtime
        config = PretrainConfig(
            grids=loaded.card.grids,
            token_size=loaded.model.config.stem.token_stride(3),
            mask_ratio=float(loaded.card.training.get("mask_ratio", PretrainConfig.mask_ratio)),
        )
        self.task = PretrainTask(config, loaded.model.to(runtime.device).eval())

    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Require images of one of the model's views."""
        found = any(view in annotated.study for view in self.card.grids)
        return None if found else f"no images of the {view_list(self.card.grids, 'or')}"

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Reconstruct one moment of the cycle, drawn with its masks from the study's name."""
        with tempfile.TemporaryDirectory() as folder:
            stored = write_study(annotated.study, Path(folder) / "study.cine")
            batch = collate([self.task.sample(stored, None)]).to(torch.device(self.runtime.device))
        with self.runtime.autocast():
            (error,) = self.task.validate(batch)["reconstruction_loss"]
        return Result(
            study=annotated.study.name,
            patient=annotated.patient,
            facts=annotated.facts,
            scores={"reconstruction_error": error},
        )


def _nothing(network: nn.Module) -> Tensor:
    """Return a loss of zero with a gradient of zero, for a pass in which nothing was learned."""
    return 0.0 * torch.stack([weight.sum() for weight in network.parameters()]).sum()


def _title(study: StoredStudy, phase: float) -> str:
    return f"{study.name}, phase {phase:.3f}"


def _order(mask: NDArray[np.bool_], decoder_token_ratio: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return (l,) token indices: visible, masked and decoded, masked only; each part in ascending order."""
    visible, hidden = np.flatnonzero(~mask), np.flatnonzero(mask)
    if decoder_token_ratio == 1:
        return np.concatenate([visible, hidden])
    decoded = np.zeros(len(hidden), dtype=np.bool_)
    decoded[rng.permutation(len(hidden))[: _n_decoded(len(hidden), decoder_token_ratio)]] = True
    return np.concatenate([visible, hidden[decoded], hidden[~decoded]])


def _n_decoded(n_hidden: int, share: float) -> int:
    return math.ceil(n_hidden * share)


def _own_generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
