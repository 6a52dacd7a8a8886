"""Options of an analysis, in groups; light to import, as the command line is generated from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, TypeVar, get_args

from cinema_cmr.core.analysis import NormalRange
from cinema_cmr.core.choices import StudyChoices
from cinema_cmr.core.errors import unknown_name
from cinema_cmr.core.study import Subject
from cinema_cmr.measure.measure import MeasureOptions
from cinema_cmr.measure.normal_ranges import NORMAL_RANGES

__all__ = ["ExtraModels", "InferenceOptions", "Options", "SeriesOptions", "options_of_study"]

T = TypeVar("T")
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Tta = Literal[1, 2, 4, 8]


@dataclass(frozen=True, kw_only=True)
class InferenceOptions:
    """The segmentation model, and how it runs."""

    model: str = "cinema-sax"
    """Bundled, published (hf:...), or a folder."""
    device: Device = "auto"
    """Device."""
    precision: Precision = "auto"
    """Number format; auto is bf16 where it is native."""
    tta: Tta | None = None
    """Test-time augmentation: 2 mirrored, 4, 8 rotated; else model's."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("device", self.device, get_args(Device)),
            ("precision", self.precision, get_args(Precision)),
            ("test-time augmentation", self.tta, (None, *get_args(Tta))),
        ):
            if value not in known:
                raise unknown_name(name, str(value), map(str, known))


@dataclass(frozen=True, kw_only=True)
class ExtraModels:
    """Models in addition to the segmentation model; None for no such model."""

    long_axis: str | None = None
    """Long-axis masks, biplane volumes, atria."""
    landmarks: str | None = "cinema-lax"
    """Hinge points, apex; 2C, 3C experimental."""
    disease: str | None = "cinema-disease"
    """Disease-group model, for research."""

    def __post_init__(self) -> None:
        for model in fields(self):
            if getattr(self, model.name) == "none":  # as the command line says it
                object.__setattr__(self, model.name, None)


@dataclass(frozen=True, kw_only=True)
class SeriesOptions:
    """The user's decisions on series, which overrule the automatic ones; a series is named by its number, description,
    folder or file, as `cinema views` prints it."""

    views: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Table of cinema views -o FILE, edited."""
    use: list[str] = field(default_factory=list, metadata={"metavar": "SERIES"})
    """Series to measure in any case, in place of others (repeatable)."""
    ignore: list[str] = field(default_factory=list, metadata={"metavar": "SERIES"})
    """Series to leave out (repeatable)."""
    view: list[str] = field(default_factory=list, metadata={"metavar": "SERIES=VIEW"})
    """View of a series, e.g. 12=sax (repeatable)."""

    def choices(self) -> StudyChoices:
        """Return the decisions, those of the views file among them.

        Raises `InputError` for a file that cannot be read, `UsageError` for a decision that cannot.
        """
        from cinema_cmr.io.views_file import read_views_file, view_pairs

        return StudyChoices(
            use=_texts(self.use),
            ignore=_texts(self.ignore),
            view=view_pairs(self.view),
            rows=() if self.views is None else read_views_file(self.views),
        )


def _texts(values: Sequence[str] | str) -> tuple[str, ...]:
    """Return names of series as a tuple, of one or several, numbers among them."""
    return (values,) if isinstance(values, str) else tuple(map(str, values))


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of an analysis; `Options.of` takes the fields of all groups by name."""

    inference: InferenceOptions = field(default_factory=InferenceOptions)
    extra_models: ExtraModels = field(default_factory=ExtraModels)
    subject: Subject = field(default_factory=Subject)
    """User-supplied subject metadata; overrides values read from the files."""
    measure: MeasureOptions = field(default_factory=MeasureOptions)
    series: SeriesOptions = field(default_factory=SeriesOptions)
    single_frame: bool = False
    """Measure a stack of one frame: volumes and mass, no EF."""
    normal_ranges: tuple[NormalRange, ...] = NORMAL_RANGES

    @classmethod
    def of(cls, **values: object) -> Options:
        """Build options from the fields of all groups, e.g. `Options.of(model="cinema-sax", tta=4, sex="F")`.

        Raises `UnknownNameError` for a name that is no option.
        """
        groups = {name: kind for name, kind in _GROUPS.items() if name not in values}
        known = {f.name for kind in (cls, *groups.values()) for f in fields(kind)}
        for name in values:
            if name not in known:
                raise unknown_name("option", name, known - _GROUPS.keys())
        built = {group: _built(kind, values) for group, kind in groups.items()}
        return _built(cls, {**values, **built})


def options_of_study(
    options: Options, subject: Subject, *, ed_frame: int | None = None, es_frame: int | None = None
) -> Options:
    """Return the options with what a table states of one study, where they leave it open."""
    measure = options.measure
    measure = replace(
        measure,
        ed_frame=ed_frame if measure.ed_frame is None else measure.ed_frame,
        es_frame=es_frame if measure.es_frame is None else measure.es_frame,
    )
    return replace(options, subject=options.subject.fill_from(subject), measure=measure)


def _built(kind: type[T], values: Mapping[str, object]) -> T:
    """Build a dataclass from those of the values that are its fields; it checks them itself."""
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]  # all kinds here are dataclasses
    return kind(**{name: value for name, value in values.items() if name in names})


_GROUPS: dict[str, type[InferenceOptions | ExtraModels | Subject | MeasureOptions | SeriesOptions]] = {
    "inference": InferenceOptions,
    "extra_models": ExtraModels,
    "subject": Subject,
    "measure": MeasureOptions,
    "series": SeriesOptions,
}
