"""What this version offers, for other programs: models, measurements, views, labels, flags, schemas; without torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cinema_cmr.core.annotation import LabelMap, Landmarks
from cinema_cmr.core.card import Grid
from cinema_cmr.core.card_json import CARD_VERSION
from cinema_cmr.core.run_facts import installed_version
from cinema_cmr.core.serialise import Json, json_values
from cinema_cmr.core.study import Study
from cinema_cmr.core.vocabulary import LABEL_SCHEMES, LANDMARKS, NOTICE, LabelClass, View
from cinema_cmr.core.volume import Cine
from cinema_cmr.measure.measure import measure_masks
from cinema_cmr.measure.quality.flag_catalogue import FLAGS, FlagKind
from cinema_cmr.models.cards import embedded_folder, embedded_names, read_card
from cinema_cmr.models.catalogue import list_weights
from cinema_cmr.pipeline.about.command_examples import EXAMPLES, Example
from cinema_cmr.pipeline.about.command_summaries import COMMANDS
from cinema_cmr.report.record.study_record import SCHEMA_VERSION

__all__ = ["DESCRIPTION_VERSION", "EXIT_CODES", "Description", "info", "measurement_kinds"]

DESCRIPTION_VERSION = "1.1"
"""Of this document; a key is only added within one major version."""

EXIT_CODES = {
    "0": "done",
    "1": "another error, or a failed check of `cinema doctor`",
    "2": "usage: an option or a name that is not known",
    "3": "an input that cannot be used, or an output in the way",
    "4": "flagged, with --strict",
    "5": "weights missing or damaged",
    "75": "a training run stopped by a signal, its checkpoint saved: call again",
    "129": "ended by SIGHUP",
    "130": "interrupted",
    "143": "ended by SIGTERM",
}
"""Exit code -> what it means."""


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """A model that can be named in `--model`."""

    name: str
    task: str
    views: tuple[str, ...]
    outputs: tuple[str, ...]
    licence: str
    training_data: str
    bundled: bool
    """Whether its weights are inside the package."""
    modality: str | None
    """"cine" or "lge"; None where the card is not here."""
    grids: Mapping[str, Grid]
    """View -> the grid that the images are brought to; empty where the card is not here."""


@dataclass(frozen=True, kw_only=True)
class MeasurementKind:
    """A measurement that `cinema analyse` writes."""

    name: str
    title: str
    unit: str
    modality: str
    """Kind of image that it is measured on, "cine" or "lge"."""
    method: str


@dataclass(frozen=True, kw_only=True)
class ViewKind:
    """A view, with the landmarks that are found in it."""

    name: str
    title: str
    long_axis: bool
    landmarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SchemaKind:
    """A document that is written, with the version of its layout."""

    document: str
    version: str
    schema: str
    """File of its JSON Schema inside the package; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Everything that another program may want to know before it calls this one."""

    description_version: str
    name: str
    version: str
    python: str
    notice: str
    commands: Mapping[str, str]
    examples: Mapping[str, tuple[Example, ...]]
    """Command -> lines to paste; the first needs nothing but an installation. Since version 1.1."""
    exit_codes: Mapping[str, str]
    models: tuple[ModelKind, ...]
    views: tuple[ViewKind, ...]
    label_schemes: Mapping[str, tuple[LabelClass, ...]]
    measurements: tuple[MeasurementKind, ...]
    flags: tuple[FlagKind, ...]
    schemas: tuple[SchemaKind, ...]

    def __repr__(self) -> str:
        counts = {"models": self.models, "measurements": self.measurements, "flags": self.flags, "views": self.views}
        listed = ", ".join(f"{len(values)} {name}" for name, values in counts.items())
        return f"Description({self.name} {self.version}: {listed})"

    def _repr_html_(self) -> str:
        from cinema_cmr.report.notebook import rows_html

        heads = ("Model", "Task", "Views", "Outputs", "Licence")
        models = ((m.name, m.task, ", ".join(m.views), ", ".join(m.outputs), m.licence) for m in self.models)
        return rows_html(heads, models)

    def to_dict(self) -> dict[str, Json]:
        """Return the JSON document."""
        labels = {name: [one._asdict() for one in classes] for name, classes in self.label_schemes.items()}
        return {**json_values({**vars(self), "flags": [one._asdict() for one in self.flags], "label_schemes": labels})}


def info() -> Description:
    """Return what this version offers: models, measurements, views, labels, flags, commands, exit codes, schemas.

    `.to_dict()` is the document of `cinema info --json`.
    """
    return Description(
        description_version=DESCRIPTION_VERSION,
        name="cinema-cmr",
        version=installed_version("cinema-cmr") or "unknown",
        python=".".join(map(str, sys.version_info[:3])),
        notice=NOTICE,
        commands=COMMANDS,
        examples=EXAMPLES,
        exit_codes=EXIT_CODES,
        models=tuple(_models()),
        views=tuple(
            ViewKind(name=view.value, title=view.title, long_axis=view.is_long_axis, landmarks=LANDMARKS.get(view, ()))
            for view in View
        ),
        label_schemes=LABEL_SCHEMES,
        measurements=measurement_kinds(),
        flags=FLAGS,
        schemas=(
            SchemaKind(
                document="measurements.json",
                version=SCHEMA_VERSION,
                schema="cinema_cmr/report/record/measurements.schema.json",
            ),
            SchemaKind(document="card.json", version=str(CARD_VERSION), schema=""),
            SchemaKind(document="cinema info --json", version=DESCRIPTION_VERSION, schema=""),
        ),
    )


def _models() -> Iterator[ModelKind]:
    for entry in list_weights():
        card = read_card(embedded_folder(entry.name)) if entry.name in embedded_names() else None
        yield ModelKind(
            name=entry.name,
            task=entry.task,
            views=entry.views,
            outputs=entry.outputs,
            licence=entry.licence,
            training_data=entry.data,
            bundled=card is not None,
            modality=card.modality if card else None,
            grids={view.value: grid for view, grid in card.grids.items()} if card else {},
        )


def measurement_kinds() -> tuple[MeasurementKind, ...]:
    """Return all measurements: those of a made-up heart whose masks and landmarks lack nothing."""
    kinds = {one.name: one for n_frames in (2, 1) for one in _kinds(*_cine_heart(n_frames), modality="cine")}
    for one in _kinds(*_scarred_wall(), {}, modality="lge"):
        kinds.setdefault(one.name, one)
    return tuple(kinds.values())


def _kinds(
    study: Study, labels: Mapping[View, LabelMap], landmarks: Mapping[View, Landmarks], *, modality: str
) -> Iterator[MeasurementKind]:
    for one in measure_masks(study, labels, landmarks=landmarks).values():
        yield MeasurementKind(name=one.name, title=one.title, unit=one.unit, modality=modality, method=one.method)


def _cine_heart(n_frames: int) -> tuple[Study, dict[View, LabelMap], dict[View, Landmarks]]:
    views = {View.SAX: 8, View.LAX_2C: 1, View.LAX_3C: 1, View.LAX_4C: 1}
    cines = {view: _cine(view, (n_slices, n_frames)) for view, n_slices in views.items()}
    arrays = {view: np.zeros(cine.shape, np.uint8) for view, cine in cines.items()}
    for array in arrays.values():
        array[16:20, 8:16], array[6:18, 6:18] = 1, 2
        if array.shape[2] == 1:
            array[8:16, 1:6], array[17:20, 1:6] = 4, 5
        for t in range(n_frames):
            array[8 + t : 16 - t, 8 + t : 16 - t, :, t] = 3
    across, up = np.array([20.0, 0, 0]), np.array([0, 0, 80.0])
    points = {View.LAX_2C: across, View.LAX_3C: across, View.LAX_4C: across[[1, 0, 2]]}
    landmarks = {
        view: Landmarks(
            view=view,
            points={
                name: np.tile(place, (n_frames, 1))
                for name, place in zip(LANDMARKS[view], (side - up, -side - up, 0 * up), strict=True)
            },
        )
        for view, side in points.items()
    }
    labels = {view: LabelMap(array=array, scheme=view.cine_scheme) for view, array in arrays.items()}
    return Study(name="", cines=tuple(cines.values())), labels, landmarks


def _scarred_wall() -> tuple[Study, dict[View, LabelMap]]:
    cine = _cine(View.SAX, (8, 1))
    array = np.zeros(cine.shape, np.uint8)
    array[6:18, 6:18], array[6:8, 6:18], array[6:7, 8:12], array[8:16, 8:16] = 2, 3, 4, 1
    labels = LabelMap(array=array, scheme="scar")
    return Study(name="", cines=(cine,), modality="lge"), {View.SAX: labels}


def _cine(view: View, sizes: tuple[int, int]) -> Cine:
    n_slices, n_frames = sizes
    return Cine(
        array=np.zeros((24, 24, n_slices, n_frames), np.float32),
        affine=np.diag([4.0, 4.0, 10.0, 1.0]) - np.array([[0, 0, 0, 46], [0, 0, 0, 46], [0, 0, 0, 80], [0] * 4]),
        view=view,
        slice_positions_mm=10.0 * np.arange(n_slices, dtype=np.float64),
    )
