"""The table of published models: complete, unambiguous, readable without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cinema_cmr.core.errors import UsageError
from cinema_cmr.core.vocabulary import View
from cinema_cmr.models.published.registry import HUB_PREFIX, PUBLISHED, published_files, published_model


def test_every_published_task_is_listed() -> None:
    kinds = {name.split("/")[1] for name in PUBLISHED if name != "pretrained"}
    assert kinds == {
        "segmentation",
        *(f"classification_{what}" for what in ("cvd", "sex", "vendor")),
        *(f"regression_{what}" for what in ("ef", "bmi", "age")),
        *(f"landmark_{what}" for what in ("heatmap", "coordinate")),
    }
    assert len(PUBLISHED) == 22
    files = [file for model in PUBLISHED.values() for file in model.files]
    assert len(set(files)) == len(files) == 21 * 3 + 1


def test_an_entry_says_all_there_is_to_say() -> None:
    model = published_model("hf:mathpluscode/CineMA/finetuned/segmentation/mnms2_lax_4c")
    assert model.files[2] == "finetuned/segmentation/mnms2_lax_4c/mnms2_lax_4c_2.safetensors"
    assert model.config_file == "finetuned/segmentation/mnms2_lax_4c/config.yaml"
    assert model.views == (View.LAX_4C,) and model.data == "M&Ms-2" and model.task == "segment"
    assert model.outputs == ("background", "rv", "myo", "lv")
    assert len(model.revision) == 40 and model.licence
    assert model.hub_name == HUB_PREFIX + model.name
    landmarks = published_model("finetuned/landmark_coordinate/lax_2c")
    assert landmarks.outputs[0] == "mitral_anterior_x" and len(landmarks.outputs) == 6
    assert published_model("finetuned/regression_bmi/acdc_sax").outputs == ("bmi",)


@pytest.mark.parametrize("model", PUBLISHED.values(), ids=PUBLISHED)
def test_names_lead_to_their_files(model: object) -> None:
    found = PUBLISHED[model.name]  # type: ignore[attr-defined]
    assert published_files(found.hub_name) == (found, found.files)
    for file in found.files:
        assert published_files(HUB_PREFIX + file) == (found, (file,))
        assert published_files(file.removesuffix(".safetensors")) == (found, (file,))


@pytest.mark.parametrize("name", ["finetuned/segmentation/acdc", "../etc", "", "finetuned/segmentation"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown published model"):
        published_model(name)


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; from cinema_cmr.models.catalogue import list_weights; "
        "print(len(list_weights()), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n_models, has_torch = done.stdout.split()
    assert int(n_models) >= len(PUBLISHED) and has_torch == "False"
