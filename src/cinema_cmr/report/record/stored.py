"""Reading of measurements.json and run.json, of this version and of older ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cinema_cmr.core.errors import UnreadableFileError, UsageError
from cinema_cmr.core.serialise import Json, from_dict
from cinema_cmr.files.text import read_json
from cinema_cmr.io.provenance import file_digest
from cinema_cmr.report.record.run_record import RunRecord
from cinema_cmr.report.record.study_record import SCHEMA_VERSION, StudyRecord

__all__ = ["changed_output", "read_measurements", "read_run"]

_BEFORE_EDITS = ("1.0", "2.0")
"""Versions without edits and without `in_phase`."""

_BEFORE_POINTS = "2.1"
"""The version whose edits lack moved landmarks."""

_OLD_KEYS = {
    "model": {"manner": "inference_settings"},
    "disease": {"speaks_for": "contributions", "unlike": "out_of_distribution", "chances": "probabilities"},
    "predictions": {"removed": "removed_components", "located_by": "location_method"},
}
"""Part of the record -> key of version 1 -> key of version 2."""

_OLD_FLAGS = {
    "basal-slice-left-out": "basal-slice-excluded",
    "cut-by-field-of-view": "heart-exceeds-image",
    "in-pieces": "multiple-components",
    "infarct-very-large": "very-large-infarct",
    "landmarks-left-out-lax_2c": "landmarks-excluded-lax_2c",
    "landmarks-left-out-lax_4c": "landmarks-excluded-lax_4c",
    "larger-than-window": "heart-exceeds-fov",
    "mass-changes": "mass-mismatch",
    "no-apex": "apex-not-covered",
    "no-base": "base-not-covered",
    "odd-phases": "unusual-phases",
    "open-curve": "incomplete-cycle",
    "phases-apart": "end-systole-mismatch",
    "removed-pieces": "removed-components",
    "rough-curve": "irregular-curve",
    "slices-out-of-line": "slice-misalignment",
    "wide-slice-distance": "wide-slice-spacing",
}
"""Flag code of version 1 -> code of version 2."""

_LATER_KEYS: Mapping[str, Json] = {"disease": None, "landmarks": []}
"""Keys that the first versions lacked, with the value that stands for none."""

_RESTORE = "put an intact copy in its place, or analyse the study again"


def read_measurements(path: Path | str) -> StudyRecord:
    """Read measurements.json, of schema version 1 too.

    Raises `UnreadableFileError` for a file that is damaged, or of a version that this package cannot read.
    """
    path = Path(path)
    values = _read_json(path)
    version = str(values.get("schema_version"))
    if version.startswith("1."):
        values = _from_version_1(values)
    if version in _BEFORE_EDITS:
        values = _with_phases({**values, "schema_version": SCHEMA_VERSION})
    if version == _BEFORE_POINTS:
        values = {**values, "schema_version": SCHEMA_VERSION}
    try:
        return from_dict(StudyRecord, values, path.name)
    except UsageError as error:
        raise UnreadableFileError(
            f"'{path.name}' of schema version {version} does not match version {SCHEMA_VERSION}: {error};"
            " analyse the study again"
        ) from error


def read_run(path: Path | str) -> RunRecord:
    """Read run.json; raises `UnreadableFileError` for a damaged file."""
    path = Path(path)
    values = _read_json(path)
    try:
        return from_dict(RunRecord, {**values, "model": _renamed(values.get("model"), "model")}, path.name)
    except UsageError as error:
        raise UnreadableFileError(f"'{path.name}' is damaged: {error}; analyse the study again") from error


def changed_output(folder: Path, run: RunRecord) -> str | None:
    """Return the first file of a run that is missing or not as it was written, by its hash; None if all are.

    A run.json without hashes, of an earlier version, vouches for nothing.
    """
    if not run.outputs:
        return "every file (run.json has no hashes)"
    return next((name for name, sha256 in run.outputs.items() if _hash_of(folder / name) != sha256), None)


def _hash_of(path: Path) -> str | None:
    try:
        return file_digest(path)
    except (OSError, UnreadableFileError):
        return None


def _read_json(path: Path) -> dict[str, Json]:
    try:
        values = read_json(path)
    except OSError as error:
        raise UnreadableFileError(
            f"'{path.name}' cannot be read ({error.strerror}); expected results of `cinema analyse`: analyse the study"
            " again"
        ) from error
    except UnreadableFileError as error:
        raise UnreadableFileError(f"{error}: {_RESTORE}") from error
    if not isinstance(values, dict):
        raise UnreadableFileError(f"'{path.name}' holds a {type(values).__name__}; expected an object: {_RESTORE}")
    return values


def _from_version_1(values: Mapping[str, Json]) -> dict[str, Json]:
    study, flags = values.get("study"), values.get("flags", [])
    return {
        **_LATER_KEYS,
        **{name: _renamed(value, name) for name, value in values.items()},
        "schema_version": SCHEMA_VERSION,
        "study": {"modality": "cine", "input_sha256": None, **study} if isinstance(study, dict) else study,
        "flags": [_renamed_flag(flag) for flag in flags] if isinstance(flags, list) else flags,
    }


def _with_phases(values: dict[str, Json]) -> dict[str, Json]:
    """Add to each cine whether its slices are in phase: only the flag of the stack says so."""
    flags, cines = values.get("flags"), values.get("cines")
    codes = [flag.get("code") for flag in flags if isinstance(flag, dict)] if isinstance(flags, list) else []
    if isinstance(cines, list) and "phases-unknown" in codes:
        stacks = [{**one, "in_phase": one.get("view") != "sax"} if isinstance(one, dict) else one for one in cines]
        return {**values, "cines": list(stacks)}
    return values


def _renamed(value: Json, part: str) -> Json:
    if isinstance(value, list):
        return [_renamed(item, part) for item in value]
    if not isinstance(value, dict) or part not in _OLD_KEYS:
        return value
    return {_OLD_KEYS[part].get(key, key): item for key, item in value.items()}


def _renamed_flag(flag: Json) -> Json:
    if not isinstance(flag, dict):
        return flag
    return {**flag, "code": _OLD_FLAGS.get(str(flag.get("code")), flag.get("code"))}
