"""Segmentation of short-axis stacks and long-axis planes, trained on expert masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cinema_cmr.core.annotation import LabelMap, SoftLabels
from cinema_cmr.core.card import Grid
from cinema_cmr.core.errors import InputError, UsageError, unknown_name
from cinema_cmr.core.results import Prediction
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, VENTRICULAR_SCHEMES, View, view_list
from cinema_cmr.data.cases import AnnotatedStudy
from cinema_cmr.data.heart_position import heart_positions
from cinema_cmr.data.sample import IGNORE_INDEX, Batch, Sample
from cinema_cmr.image.augment import (
    Augmentation,
    change_intensities,
    draw_intensities,
    draw_plane,
    move_planes,
)
from cinema_cmr.image.intensity import normalise
from cinema_cmr.image.resample import CropResample
from cinema_cmr.inference.modality import modality_flag
from cinema_cmr.inference.predictor import predict_cine, predict_study
from cinema_cmr.inference.runtime import Runtime
from cinema_cmr.inference.segmenter import Segmenter
from cinema_cmr.models.loaded import LoadedModel
from cinema_cmr.models.losses import cross_entropy, distillation, find_loss, soft_dice
from cinema_cmr.score.overlap import dice_by_class
from cinema_cmr.score.statistics import finite_mean
from cinema_cmr.tasks.evaluator import Evaluator, PredictionOptions
from cinema_cmr.tasks.mask_examples import SegmentExample, drawn_classes, largest_share, make_sample, mask_examples
from cinema_cmr.tasks.mask_scores import labelled_cine, score_stack, score_views
from cinema_cmr.tasks.result import Result
from cinema_cmr.tasks.task import CardFields, Loss, Task

__all__ = ["SegmentConfig", "SegmentEvaluator", "SegmentExample", "SegmentTask"]


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Views, labels, grid, augmentation and loss of a segmentation."""

    grid: Grid
    view: View = View.SAX
    also: tuple[View, ...] = ()
    """Further views of the same network, on the same grid; each frame of each view is an example."""
    label_scheme: str = "cine"
    """Label scheme, a key of `core.vocabulary.LABEL_SCHEMES`."""
    modality: Literal["cine", "lge"] = "cine"
    """Modality of the images; a study of another modality is an error."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    thin_stacks: float = 0.5
    """Probability that every second slice of a stack with slices closer than 7 mm is left out."""
    drop_ends: float = 0.15
    """Probability that up to three slices are missing at each end, as in short stacks."""
    class_weights: tuple[float, ...] = ()
    """Weight of each class in the cross-entropy, background first; empty for all alike."""
    dice_over_batch: bool = False
    """Compute the Dice of the loss over the batch instead of each sample, for classes that few samples contain."""
    loss: str = ""
    """Loss of another package, by its name in the entry points `cinema_cmr.losses`: a function of logits (b, class, x,
    y[, z]), codes (b, x, y[, z], 255 where they do not count) and which classes were drawn, (b, class), that returns a
    number; empty for cross-entropy plus soft Dice."""
    rare: tuple[str, ...] = ()
    """Rare classes; examples that contain one are drawn `rare_times` as often."""
    rare_times: int = 1
    teacher_weight: float = 1.0
    """Weight of the loss towards a teacher's labels, where the run has a teacher and the expert drew nothing."""
    soft_frames: int = 4
    """Frames without an expert's labels that a study with a teacher's adds to the examples."""
    tta: int = 1
    """Default number of test-time augmentation passes; see `core.card.ModelCard`."""
    logit_offsets: Mapping[str, float] = field(default_factory=dict)
    """Class -> offset of its logit at inference; not used in training."""

    task_name: ClassVar[str] = "segment"

    def __post_init__(self) -> None:
        if self.label_scheme not in LABEL_SCHEMES:
            raise unknown_name("label scheme", self.label_scheme, LABEL_SCHEMES)
        if len(set(self.views)) < len(self.views):
            raise UsageError(f"views {[str(view) for view in self.views]} to learn; expected each once")
        if not 0 <= self.thin_stacks <= 1 or not 0 <= self.drop_ends <= 1:
            raise UsageError(
                f"probabilities {self.thin_stacks} of thinned and {self.drop_ends} of shortened stacks; expected 0 to 1"
            )
        if (self.grid.slice_spacing_mm, self.grid.n_slices) != (None, None):
            raise UsageError(
                f"a grid of {self.grid.n_slices} slices, {self.grid.slice_spacing_mm} mm apart; expected neither for"
                " masks, which are learned slice by slice as acquired: leave both out"
            )
        if self.loss:
            find_loss(self.loss)
        self._check_classes()

    def _check_classes(self) -> None:
        names = [label.name for label in LABEL_SCHEMES[self.label_scheme]]
        for name in self.rare:
            if name not in names:
                raise unknown_name("class", name, names)
        if min(self.teacher_weight, self.soft_frames) < 0:
            raise UsageError(
                f"teacher's labels of weight {self.teacher_weight} for {self.soft_frames} further frames; expected 0 or"
                " more"
            )
        if self.rare_times < 1:
            raise UsageError(f"rare classes drawn {self.rare_times} times as often; expected 1 or more")
        if self.class_weights and (len(self.class_weights) != self.n_classes or min(self.class_weights) < 0):
            raise UsageError(
                f"class weights {self.class_weights}; expected {self.n_classes} from 0 on: background, {names}"
            )

    @property
    def views(self) -> tuple[View, ...]:
        """All views."""
        return (self.view, *self.also)

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return 1 + len(LABEL_SCHEMES[self.label_scheme])


class SegmentTask(Task[SegmentExample]):
    """Segmentation of one view or several; the loss is cross-entropy plus soft Dice."""

    def __init__(self, config: SegmentConfig, network: nn.Module) -> None:
        super().__init__(network)
        self.config = config

    def examples(self, annotated: AnnotatedStudy) -> list[SegmentExample]:
        """Return one example for each labelled frame of each view, and some for frames with a teacher's labels alone.

        A study without labels of the views has none. Raises `InputError` for labels of another modality or scheme,
        `GeometryError` if labels and cine have different grids.
        """
        known = {**annotated.labels, **annotated.soft_labels}
        views = [view for view in self.config.views if view in known]
        if not views:
            return []
        if annotated.study.modality != self.config.modality:
            raise InputError(
                f"study '{annotated.study.name}' is of modality '{annotated.study.modality}'; expected"
                f" '{self.config.modality}'"
            )
        return [example for view in views for example in self._examples_of(view, annotated)]

    def _examples_of(self, view: View, annotated: AnnotatedStudy) -> list[SegmentExample]:
        config = self.config
        return mask_examples(
            annotated,
            view,
            grid=config.grid,
            scheme=config.label_scheme,
            n_soft_frames=config.soft_frames,
            of_view=f", {view.title}" if config.also else "",
        )

    def check_examples(self, examples: Sequence[SegmentExample]) -> None:
        """Raise `InputError` if a structure of the heart counts as drawn but no training example has it.

        It would be learned as background. Lesions may be absent: hearts without them are normal.
        """
        anatomy = self.config.label_scheme in VENTRICULAR_SCHEMES
        for label in LABEL_SCHEMES[self.config.label_scheme] if anatomy else ():
            drawn = [e for e in examples if e.is_drawn and (not e.drawn or e.drawn[label.code])]
            if drawn and not any((example.labels == label.code).any() for example in drawn):
                raise InputError(
                    f"no label of '{label.name}' in {len(drawn)} training frames; expected it in some of them. If it"
                    ' was not drawn, state what was: {"drawn": [...]} in labels.json of the folder'
                )

    def oversampled(self, examples: Sequence[SegmentExample]) -> list[SegmentExample]:
        """Return the examples, those with a rare class repeated `rare_times`."""
        rare = [label.code for label in LABEL_SCHEMES[self.config.label_scheme] if label.name in self.config.rare]
        times = [self.config.rare_times if np.isin(example.labels, rare).any() else 1 for example in examples]
        return [example for example, n in zip(examples, times, strict=True) for _ in range(n)]

    def sample(self, example: SegmentExample, rng: np.random.Generator | None) -> Sample:
        """Return a crop around the labelled heart, with `rng` augmented."""
        if rng is None:
            return self._plain(example)
        config = self.config
        slices = self._drawn_slices(example, rng)
        draw = draw_plane(
            rng,
            config.augmentation,
            heart=example.heart,
            shape=example.labels.shape[:2],
            spacing_mm=config.grid.spacing_mm,
        )
        source = torch.from_numpy(example.planes[..., slices].astype(np.float32)).permute(2, 0, 1).unsqueeze(1)
        codes = torch.from_numpy(example.labels[..., slices]).permute(2, 0, 1)
        hot = torch.stack([codes == code for code in range(config.n_classes)], dim=1).float()
        image = move_planes(source, draw, config.grid.size, mode="bicubic").squeeze(1).permute(1, 2, 0)
        # A cubic swings below the darkest voxel, and `normalise` must still see that outside the image
        # is flat.
        image = image.clamp(min=float(source.min()))
        labels = largest_share(move_planes(hot, draw, config.grid.size, mode="bilinear")).permute(1, 2, 0)
        soft = None
        if example.soft_labels is not None:
            planes = torch.from_numpy(example.soft_labels[..., slices, :]).permute(2, 3, 0, 1) / SoftLabels.ONE
            soft = move_planes(planes, draw, config.grid.size, mode="bilinear").permute(1, 2, 3, 0)
        scaled = torch.from_numpy(normalise(image.numpy(), config.grid.percentiles))
        changed = change_intensities(scaled, draw_intensities(rng, config.augmentation))
        return make_sample(example, changed, labels, n_classes=config.n_classes, slices=slices, soft=soft)

    def loss(self, batch: Batch) -> Loss:
        """Run the network on a batch of one view and compare with the labels, and the teacher's where it has any."""
        ((view, labels),) = batch.labels.items()
        logits, drawn = self.network(batch.images)[view], drawn_classes(batch, self.config.n_classes)
        complete = bool(drawn.all())
        loss = self.criterion(logits, labels) if complete else self.partial_criterion(logits, labels, drawn)
        if view not in batch.soft_labels or not self.config.teacher_weight:
            return loss
        taught = distillation(logits, labels, batch.soft_labels[view], drawn=drawn)
        return Loss(
            total=loss.total + self.config.teacher_weight * taught,
            parts={**loss.parts, "teacher": float(taught.detach())},
        )

    def criterion(self, logits: Tensor, labels: Tensor) -> Loss:
        """Cross-entropy plus soft Dice of logits (b, class, x, y[, z]), without padded slices; may be overridden."""
        return self._criterion(logits, labels, None)

    def partial_criterion(self, logits: Tensor, labels: Tensor, drawn: Tensor) -> Loss:
        """Like `criterion`, where classes were not drawn: `drawn` (b, class) is False for these; may be overridden.

        Raises `UsageError` in a task whose `criterion` alone is overridden: its loss of such samples is not defined.
        """
        if type(self).criterion is not SegmentTask.criterion:
            raise UsageError(
                f"part-labelled samples for {type(self).__name__}, which overrides criterion(); expected"
                " partial_criterion(logits, labels, drawn) too: define it, or train on studies that are drawn in full"
            )
        return self._criterion(logits, labels, drawn)

    def _own_loss(self, logits: Tensor, labels: Tensor, drawn: Tensor | None) -> Tensor:
        known = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device) if drawn is None else drawn
        total: Tensor = find_loss(self.config.loss)(logits, labels, known)
        return total

    def _criterion(self, logits: Tensor, labels: Tensor, drawn: Tensor | None) -> Loss:
        if self.config.loss:
            total = self._own_loss(logits, labels, drawn)
            return Loss(total=total, parts={self.config.loss: float(total.detach())})
        weights = self.config.class_weights or None
        entropy = cross_entropy(logits, labels, drawn=drawn, weights=weights)
        overlap = soft_dice(logits, labels, drawn=drawn, over_batch=self.config.dice_over_batch)
        return Loss(
            total=entropy + overlap,
            parts={"cross_entropy": float(entropy.detach()), "dice_loss": float(overlap.detach())},
        )

    def validate(self, batch: Batch) -> Mapping[str, Sequence[float]]:
        """Return the Dice of each class of each sample, on the model's grid around the labelled heart.

        NaN for a class that was not drawn; slices without labels count for nothing.
        """
        ((view, labels),) = batch.labels.items()
        predicted = self.network(batch.images)[view].float().argmax(dim=1).cpu().numpy().astype(np.uint8)
        truth = labels.cpu().numpy().copy()
        predicted[truth == IGNORE_INDEX] = 0
        truth[truth == IGNORE_INDEX] = 0
        scheme = self.config.label_scheme
        rows = [dice_by_class(p, t, scheme=scheme) for p, t in zip(predicted, truth, strict=True)]
        names = [label.name for label in LABEL_SCHEMES[scheme]]
        of_batch = drawn_classes(batch, self.config.n_classes)[:, 1:]
        drawn = [dict(zip(names, known, strict=True)) for known in of_batch.tolist()]
        return {
            f"dice_{name}": [
                row[name] if known.get(name, True) else float("nan") for row, known in zip(rows, drawn, strict=True)
            ]
            for name in rows[0]
        }

    def validation_score(self, scores: Mapping[str, float]) -> float:
        """Return the mean Dice of the structures that were drawn, 0 to 1; NaN if none was."""
        return finite_mean(scores.values())

    def card_fields(self) -> CardFields:
        """Return the classes, background first, and the grid of each view."""
        config = self.config
        return CardFields(
            task="segment",
            grids=dict.fromkeys(config.views, config.grid),
            outputs=("background", *(label.name for label in LABEL_SCHEMES[config.label_scheme])),
            label_scheme=config.label_scheme,
            modality=config.modality,
            tta=config.tta,
            logit_offsets=config.logit_offsets,
        )

    def _drawn_slices(self, example: SegmentExample, rng: np.random.Generator) -> NDArray[np.int64]:
        slices = np.arange(example.labels.shape[2])
        if example.slice_mm < 7 and rng.random() < self.config.thin_stacks:
            slices = slices[int(rng.integers(2)) :: 2]
        if rng.random() < self.config.drop_ends and len(slices) > 5:
            first, last = rng.integers(0, min(4, len(slices) // 3), 2)
            slices = slices[first : len(slices) - last]
        return slices[::-1] if rng.random() < 0.5 else slices

    def _plain(self, example: SegmentExample) -> Sample:
        grid = self.config.grid
        crop = CropResample.around(example.labels.shape[:2], (grid.spacing_mm, grid.spacing_mm), grid, example.heart)
        image = normalise(crop.apply(example.planes), grid.percentiles)
        hot = np.eye(self.config.n_classes, dtype=np.float32)[example.labels]
        labels = crop.apply(hot).argmax(axis=-1).astype(np.uint8)
        return make_sample(example, torch.from_numpy(image), torch.from_numpy(labels), n_classes=self.config.n_classes)


class SegmentEvaluator(Evaluator):
    """Masks of a segmentation model on the labelled frames: the short axis where it has it, else all of its views."""

    def __init__(self, loaded: LoadedModel, runtime: Runtime, options: PredictionOptions) -> None:
        self.card, self.together = loaded.card, options.together
        self.segmenter = Segmenter(loaded, runtime, tta=options.tta)
        self.views = (View.SAX,) if View.SAX in loaded.card.grids else tuple(loaded.card.grids)

    def predict(self, study: Study) -> Mapping[View, Prediction]:
        """Predict the masks of every view that study and model share."""
        return predict_study(study, self.segmenter)

    def not_scorable(self, annotated: AnnotatedStudy) -> str | None:
        """Require labels of one of the model's views."""
        labelled = any(annotated.labelled_frames.get(view) for view in self.views)
        return None if labelled else f"no labels of the {view_list(self.views, 'or')}"

    def evaluate(self, annotated: AnnotatedStudy) -> Result:
        """Predict and score the labelled frames; raises `InputError` for labels of another scheme."""
        views = [view for view in self.views if annotated.labelled_frames.get(view)]
        annotated = replace(annotated, labels={view: self._in_scheme(annotated, view) for view in views})
        places = {} if views == [View.SAX] else heart_positions(annotated.study)
        predictions = {view: self._predict(annotated, view, places.get(view)) for view in views}
        if views != [View.SAX]:
            return score_views(annotated, predictions)
        prediction = predictions[View.SAX]
        result = score_stack(annotated, prediction.labels, prediction)
        mismatch = modality_flag(replace(annotated.study, cines=(labelled_cine(annotated),)), prediction, self.card)
        return result if mismatch is None else replace(result, flags=(mismatch, *result.flags))

    def _predict(self, annotated: AnnotatedStudy, view: View, place: tuple[float, float] | None) -> Prediction:
        """One prediction of a view's labelled frames, together or each by itself as a file of one frame."""
        if self.together:
            return predict_cine(labelled_cine(annotated, view), self.segmenter, place=place)
        frames = [labelled_cine(annotated, view, [frame]) for frame in annotated.labelled_frames[view]]
        return join_frames([predict_cine(cine, self.segmenter, place=place) for cine in frames])

    def _in_scheme(self, annotated: AnnotatedStudy, view: View) -> LabelMap:
        """Return the labels of a view in the model's scheme."""
        labels = annotated.labels[view]
        try:
            return labels.in_scheme(self.card.label_scheme)
        except InputError as error:
            raise InputError(
                f"study '{annotated.study.name}' has labels of scheme '{labels.scheme}', model '{self.card.name}'"
                f" predicts '{self.card.label_scheme}'; choose a model of the same scheme"
            ) from error


def join_frames(predictions: Sequence[Prediction]) -> Prediction:
    """Join predictions of single frames of one view into one of all frames."""
    first = predictions[0]
    return replace(
        first,
        labels=replace(first.labels, array=np.concatenate([p.labels.array for p in predictions], axis=3)),
        confidence=np.concatenate([p.confidence for p in predictions]),
        removed_components=tuple(
            replace(component, frame=t) for t, p in enumerate(predictions) for component in p.removed_components
        ),
    )
