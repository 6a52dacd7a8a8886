"""Catalogue of the flags and reader issues: levels, meaning, and what raises each.

Other programs read it through `cinema info --json`; docs/flags.md is generated from it. A test holds it against the
codes and levels in the source.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["FLAGS", "FlagKind"]

Level = Literal["info", "warning", "error"]


class FlagKind(NamedTuple):
    """One code of a flag: the levels it can have, its meaning, and what raises it."""

    code: str
    """Stable kebab-case name; "VIEW" in it stands for a view such as lax_4c."""
    levels: tuple[Level, ...]
    origin: Literal["reading", "views", "measurement", "long axis", "late enhancement", "model", "datasets"]
    """Part of the program that raises it."""
    meaning: str
    trigger: str


_INFO: tuple[Level, ...] = ("info",)
_WARNING: tuple[Level, ...] = ("warning",)
_ERROR: tuple[Level, ...] = ("error",)
_INFO_WARNING: tuple[Level, ...] = ("info", "warning")
_WARNING_ERROR: tuple[Level, ...] = ("warning", "error")

_MEASUREMENT: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    ("few-slices", _WARNING, "too few slices for volumes", "fewer than 6 short-axis slices (late enhancement: 4)"),
    ("few-frames", _INFO_WARNING, "end-systole may be missed", "fewer than 15 frames; info for one or two frames"),
    ("wide-slice-spacing", _WARNING, "volumes are coarse", "median slice distance above 12 mm"),
    ("unit-pixel-size", _INFO_WARNING, "the pixel size may be lost", "1 x 1 mm; warning: and a slender heart"),
    ("gap-in-stack", _WARNING, "a slice may be missing", "a distance of more than 1.25 times the median"),
    (
        "not-short-axis",
        _ERROR,
        "the stack may be no short axis",
        "masks that are oblong, along another axis, open, uncertain",
    ),
    (
        "base-uncertain",
        _WARNING,
        "the base may be at the other end",
        "masks, long axes and orientation disagree or show neither end clearly",
    ),
    (
        "long-axes-misplaced",
        _WARNING,
        "a plane may show another view",
        "a plane over 35 degrees from its view, by base and RV in the masks",
    ),
    ("slice-misalignment", _WARNING, "breathing or re-planning", "a heart centre 10 mm off the line of its neighbours"),
    (
        "heart-exceeds-image",
        ("info", "warning", "error"),
        "part of the heart is not imaged",
        "LV blood on the image's edge: error; RV within 5 mm of it and ejecting under 60 % of the LV, or other labels"
        " on it: warning; a touch: info",
    ),
    (
        "low-contrast",
        _WARNING,
        "noise, or bright for dark",
        "LV blood brighter than its wall by less than 3.5 standard deviations of the noise",
    ),
    (
        "apex-not-covered",
        _WARNING,
        "the stack ends before the apex",
        "an end slice with over 40 % of the largest LV area, or the long-axis apex 5 mm or more beyond the stack",
    ),
    (
        "base-not-covered",
        _INFO_WARNING,
        "the stack ends before the base",
        "an end slice with over 80 % of the largest LV area, or hinge points beyond the stack",
    ),
    ("structure-missing", _WARNING_ERROR, "a structure was not found", "no label in some frames; in all: error"),
    ("slice-without-lv", _WARNING, "a hole in the LV", "no LV label between two slices that have one"),
    ("multiple-components", _WARNING, "a structure in pieces", "a second component with 5 % of the volume or more"),
    (
        "lv-not-enclosed",
        _INFO_WARNING,
        "wall missing beside the blood",
        "too little of the LV's rim borders myocardium; warning where such slices hold 5 % of the LV's blood",
    ),
    ("basal-slice-excluded", _INFO, "basal blood not counted", "the basal rule left blood out at ED or ES"),
    (
        "removed-components",
        _INFO_WARNING,
        "post-processing removed labels",
        "any component; warning from 5 ml (late enhancement: 5 % of the myocardium)",
    ),
    ("heart-exceeds-fov", _INFO_WARNING, "the heart left the field of view", "expanded: info; still cut off: warning"),
    (
        "small-heart",
        _WARNING,
        "a heart much smaller than an adult's",
        "both ventricles within 70 mm; the model was surer of the magnified image, which it segmented",
    ),
    (
        "low-confidence",
        _WARNING,
        "the model is unsure",
        "mean probability at ED or ES below the limit in its card (0.014 lower for a heart that the image's edge cuts)",
    ),
    ("irregular-curve", _WARNING, "a volume curve is not smooth", "roughness above 10 % of its range"),
    ("incomplete-cycle", _WARNING, "the cycle may be cut off", "first and last volume differ too much"),
    (
        "unusual-phases",
        _WARNING,
        "ED or ES at an unusual time",
        "systole outside 15 to 65 % of the cycle, or late ED/ES",
    ),
    ("end-systole-mismatch", _WARNING, "the ventricles disagree on ES", "ES more than 15 % of the cycle apart"),
    (
        "sv-mismatch",
        _WARNING,
        "stroke volumes disagree",
        "LV and RV differ by more than 40 % of the larger and 8 % of the larger EDV, and no other flag says so",
    ),
    (
        "implausible-ef",
        _WARNING,
        "an EF is implausible",
        "EF below 5 % or above 85 %, but that of an RV the image cuts",
    ),
    (
        "implausible-volume",
        _ERROR,
        "voxel size is probably wrong",
        "a volume or mass above 1000 ml or g, or an LV wider than 115 mm",
    ),
    ("mass-mismatch", _WARNING, "one mask is wrong", "LV mass at ES below 0.8 or above 1.5 times that at ED"),
    (
        "unusual-body",
        _WARNING,
        "height or weight may be in another unit",
        "a body mass index below 10 or above 40 kg/m2",
    ),
    (
        "slices-out-of-phase",
        ("info", "error"),
        "slices show different phases",
        "slice areas shifted by 15 % of a cycle; error if EF changes by more than 3 points, else info",
    ),
    (
        "descent-effect",
        _INFO_WARNING,
        "atrium in a basal slice in systole",
        "the rules scmr and descent differ; warning from 4 EF points",
    ),
    ("valve-plane-effect", _WARNING, "EF depends on the basal rule", "a difference of 4 EF points between the rules"),
    ("valve-plane-missing", _WARNING, "another basal rule was applied", "rule valve-plane without hinge points"),
    ("corrected-frame-unused", _WARNING, "a correction is not measured", "ED or ES moved off a corrected frame"),
    ("masks-edited", _INFO_WARNING, "masks were corrected by hand", "masks changed after the analysis, measured again"),
)

_LONG_AXIS: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    ("biplane-mismatch", _WARNING, "stack and long axis disagree", "LV EDV differs by more than 30 %"),
    ("mapse-uneven", _WARNING, "a hinge point may be elsewhere", "septal and lateral MAPSE over 10 mm apart"),
    ("landmarks-edited", _INFO, "points were moved by hand", "landmarks moved by a reader, measured again"),
    ("landmarks-excluded-VIEW", _INFO, "points left out in some frames", "positions that no heart can have"),
    ("landmarks-implausible-VIEW", _WARNING, "points cannot be relied on", "a fifth of the frames or more left out"),
    ("landmarks-experimental", _INFO, "the landmark model is experimental", "the note in its card"),
    (
        "atria-experimental",
        _INFO,
        "learned without an expert's outline of an atrium",
        "any size of an atrium from a network's masks; no person's atrium was drawn to check them",
    ),
    (
        "atrium-out-of-phase",
        _WARNING,
        "the outlines of the left atrium may be wrong",
        "largest nearer to ED than to ES of the LV in the same planes, and an emptying fraction above 15 %",
    ),
    (
        "atrium-cut-off",
        _WARNING,
        "an atrium is larger than measured",
        "blood within two pixels of the image's edge in the frame in which the atrium is largest",
    ),
    (
        "atrium-uneven",
        _WARNING,
        "the outlines of an atrium may be wrong in some frames",
        "a size that changes from a frame to the next by more than 25 % of the largest, of 15 frames or more",
    ),
)

_SCAR: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    ("not-a-cine", _INFO, "a still image has no EF", "a late-enhancement image"),
    ("very-large-infarct", _WARNING, "more infarct than in training", "over 60 % of the myocardium labelled infarct"),
)

_MODEL: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    (
        "modality-mismatch",
        _ERROR,
        "image and model do not match",
        "cine for a scar model, or late enhancement for cine",
    ),
    ("masks-experimental", _WARNING, "the model is not for measuring", "the note `experimental` in its card"),
)

_VIEWS: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    ("no-short-axis", _WARNING, "volumes cannot be measured", "no series recognised as a short-axis stack"),
    ("view-uncertain", _WARNING, "check the view of a series", "geometry, images and description disagree or lack"),
    (
        "short-axis-continues",
        _ERROR,
        "part of the stack was not measured",
        "slices beyond the stack in a separate series",
    ),
    (
        "short-axis-left-out",
        _INFO_WARNING,
        "another stack was not measured",
        "real-time, stress, tagged or repeated stacks",
    ),
)

_READING: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    ("axes-not-square", _INFO_WARNING, "image axes are skewed", "axes that are not at right angles"),
    ("blank-images", _WARNING, "images without content", "images of one grey value"),
    (
        "body-mirrored",
        _WARNING,
        "left and right may be exchanged",
        "axis and RV lie, or the RV turns, as in a mirror image",
    ),
    ("claim-overruled", _INFO_WARNING, "a series description was overruled", "description and geometry disagree"),
    (
        "claimed-series-left-out",
        _WARNING,
        "a named series was left out",
        "in line with the stack, named as another view",
    ),
    (
        "cycle-from-frames",
        _INFO,
        "cycle length from the frames",
        "NIfTI: frames times the time step is a plausible cycle",
    ),
    ("duplicate-images", _INFO, "copies in the input", "the same image twice; one was used"),
    ("file-left-out", _WARNING, "a file could not be used", "the reason is in the message"),
    ("frame-count-differs", _WARNING, "frames were resampled in time", "slices with different numbers of frames"),
    ("frame-of-reference", _WARNING, "planes may be shifted", "series with different frames of reference"),
    ("frame-order-unknown", _ERROR, "the order of frames is a guess", "no time, position or number in the images"),
    (
        "frame-step-from-sidecar",
        _INFO_WARNING,
        "time step from the JSON file",
        "the header has none, or that is the repetition time",
    ),
    ("frame-times-joined", _INFO, "times from single-frame files", "a cine joined from one file a frame"),
    ("frame-times-unknown", _INFO, "curves are drawn by frame", "no usable time step in the header"),
    ("frames-rephased", _INFO, "frames put in phase", "slices whose first frames lie at different trigger times"),
    ("heart-rate-differs", _WARNING, "two heart rates", "heart rate and R-R interval differ by more than 20 %"),
    ("height-unit", _INFO, "height taken as centimetres", "a height above 3 m in the file"),
    ("implausible-subject", _WARNING, "a fact was left out", "height, weight or age out of range"),
    (
        "inverted-intensities",
        _WARNING,
        "images were inverted",
        "air bright and blood dark by the stated photometric interpretation",
    ),
    ("listed-files-missing", _WARNING, "images are missing", "a DICOMDIR that lists more than is there"),
    ("lost-slice", _ERROR, "a slice cannot be read", "all its images are unreadable"),
    ("missing-frame", _WARNING, "a frame was interpolated", "one unreadable or absent image"),
    (
        "wrapped-intensities",
        _INFO_WARNING,
        "bright pixels had negative values",
        "a header that calls unsigned pixels signed; info if they were read as unsigned",
    ),
    ("names-differ", _WARNING, "files of two studies?", "file names that share no stem"),
    ("nifti-ignored", _INFO, "NIfTI beside DICOM ignored", "a folder with both"),
    ("nominal-spacing", _WARNING, "sizes are not real", "an 8-bit conversion that lost the voxel size"),
    ("numbers-as-text", _INFO, "DICOM numbers as text", "values stored in another representation"),
    ("orientation-unknown", _INFO, "no true orientation", "an affine without orientation (ACDC)"),
    ("other-files", _INFO, "files that are no images", "anything else in the folder"),
    ("packed-files-ignored", _WARNING, "not unpacked", "zip, tar, gz and the like beside the images"),
    ("phases-contradict", _ERROR, "no EF: times are wrong", "motion in the images contradicts the trigger times"),
    ("phases-unknown", _ERROR, "no EF: phases unknown", "no trigger times, and motion does not show the phase"),
    (
        "pixel-size-contradicted",
        _WARNING_ERROR,
        "a stated pixel size is false",
        "images show the body at as many pixels as the slices beside them, which state another size",
    ),
    (
        "positions-lost",
        _WARNING,
        "slices placed by SliceLocation",
        "no position, or the same one, in all slices; other views are left out",
    ),
    (
        "positions-rescaled",
        _WARNING,
        "positions in another unit or step",
        "slice location or distance contradict the positions; those were put right",
    ),
    ("repeat-within-series", _WARNING, "images repeated in a series", "same position and time; the latest was used"),
    ("rr-interval", _INFO, "cycle length and its source", "always, where one was found"),
    ("series-regrouped", _INFO, "series grouped anew", "identifiers or series numbers that do not separate the stacks"),
    ("sform-qform-differ", _WARNING, "two orientations in the header", "sform and qform disagree; sform was used"),
    ("single-frame", _WARNING, "no EF", "one frame only"),
    ("single-slice", _WARNING, "no volumes", "one slice only"),
    ("singleton-axes", _INFO, "axes dropped", "further axes of length one"),
    ("slice-gap", _WARNING, "a slice may be missing", "one distance much larger than the others"),
    ("slice-positions-unknown", _WARNING, "check the volumes", "joined slices without positions"),
    ("slice-thickness-unknown", _WARNING, "1 mm was assumed", "a third voxel size of zero or no number"),
    ("slices-aligned-by-motion", _WARNING, "slices put in phase by motion", "slices without trigger times"),
    ("slices-joined", _INFO, "files read as one stack", "one file a slice"),
    ("slices-out-of-line", _WARNING, "shifted slices", "slice origins off the common line"),
    ("slices-regridded", _INFO, "slices moved to one grid", "slices of another matrix, rotation or field of view"),
    ("slices-repeated", _WARNING, "slices taken twice", "retakes; the message names those used"),
    (
        "spacing-disagrees",
        _WARNING,
        "header and positions differ",
        "the stated slice distance is not that of positions, or of a NIfTI header",
    ),
    (
        "spacing-implausible",
        _WARNING_ERROR,
        "check the voxel sizes",
        "0.3 to 5 mm in plane, 1.5 to 30 mm between slices",
    ),
    ("special-files-ignored", _WARNING, "not opened", "pipes, sockets, devices or links to them"),
    ("stack-not-oblique", _WARNING, "unlike a short axis", "a stack parallel to the patient's axes"),
    (
        "subject-differs",
        _WARNING,
        "two examinations?",
        "several study UIDs in one frame of reference, or with facts that differ",
    ),
    ("still-slices", _ERROR, "slices do not move", "all frames of a slice are one and the same image"),
    ("subject-from-info-cfg", _INFO, "facts from Info.cfg", "ACDC's file beside the images"),
    ("time-and-slices-exchanged", _ERROR, "axes are exchanged", "a third axis that looks like time"),
    ("slices-like-frames", _WARNING, "slices may be frames", "a third of three axes that may be time"),
    ("units-converted", _INFO, "lengths converted to mm", "metres or micrometres in the header"),
    ("unreadable-file", _WARNING, "a damaged file", "a DICOM file that cannot be decoded"),
    (
        "times-run-on",
        _WARNING,
        "trigger times count from slice to slice",
        "times beyond the cycle that contradict the images; counted from each slice's first frame",
    ),
    ("unusable-images", _WARNING, "images were left out", "images of a cine without a usable place in the patient"),
    ("user-decision", _INFO, "decided by the user", "--views, --use, --ignore or --view"),
    ("view-assumed", _WARNING, "taken as short axis", "few slices and no stated view"),
    (
        "window-incomplete",
        _INFO_WARNING,
        "phases are missing",
        "slices, or a stack, whose frames do not cover the cycle; info for a stack over 60 to 80 % of it; NIfTI whose"
        " last frame does not lead back to the first",
    ),
    ("window-longer", _WARNING, "one beat was used", "frames over more than one beat"),
)

_DATASETS: tuple[tuple[str, tuple[Level, ...], str, str], ...] = (
    (
        "other-frames-labelled",
        _WARNING,
        "labels at other frames",
        "M&Ms: labels in other frames than the table's ED and ES",
    ),
    ("points-absent", _WARNING, "a landmark is missing", "an empty mark in the dataset"),
    ("points-differ", _WARNING, "marks disagree", "a mark in the image far from its point in the table"),
    ("size-unknown", _INFO, "pixel size assumed", "PNG images without a size"),
    ("view-absent", _WARNING, "a view is missing", "no files of an expected view"),
    ("volumes-implausible", _WARNING, "stated volumes are wrong", "EDV not above ESV in the dataset's table"),
    ("zip-absent", _WARNING, "an archive is missing", "UK Biobank: one of two zips"),
    ("zip-broken", _WARNING, "an archive is damaged", "UK Biobank: a zip that cannot be read"),
)

FLAGS: tuple[FlagKind, ...] = (
    *(FlagKind(code, levels, "measurement", *texts) for code, levels, *texts in _MEASUREMENT),
    *(FlagKind(code, levels, "long axis", *texts) for code, levels, *texts in _LONG_AXIS),
    *(FlagKind(code, levels, "late enhancement", *texts) for code, levels, *texts in _SCAR),
    *(FlagKind(code, levels, "model", *texts) for code, levels, *texts in _MODEL),
    *(FlagKind(code, levels, "views", *texts) for code, levels, *texts in _VIEWS),
    *(FlagKind(code, levels, "reading", *texts) for code, levels, *texts in _READING),
    *(FlagKind(code, levels, "datasets", *texts) for code, levels, *texts in _DATASETS),
)
"""All flags: those of measurements first, then those that the reader passes on."""
