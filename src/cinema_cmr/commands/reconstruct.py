"""`cinema reconstruct`: what an autoencoder makes of a study of which it sees a quarter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console
from cinema_cmr.core.errors import UsageError, WeightsError
from cinema_cmr.io.output_folder import check_new_files

if TYPE_CHECKING:
    from cinema_cmr.data.store import StoredStudy
    from cinema_cmr.tasks.reconstruction import ReconstructedView

__all__ = ["add_arguments", "run"]


def add_arguments(parser: ArgumentParser) -> None:
    """Study, picture and model."""
    parser.add_argument("input", help="a study as for `cinema prepare`, or a prepared file")
    parser.add_argument("-o", "--output", required=True, help="the picture: a name that ends in .png")
    parser.add_argument(
        "--model", default="cinema-small", help="an autoencoder: the package's own, a published name, or a folder"
    )
    parser.add_argument("--frame", type=int, default=0, help="counted from 0 in the view with the most frames")
    parser.add_argument("--mask-ratio", type=float, default=0.75, help="fraction of tokens that is masked")
    parser.add_argument("--seed", type=int, default=0, help="seed of the mask")
    parser.add_argument("--overwrite", action="store_true", help="replace a picture that is there")
    parser.add_argument("--json", action="store_true", help="the result on stdout as one JSON document")


def run(given: Namespace) -> int:
    """Write the picture (columns: input, what was visible, reconstruction) and tell the error of each view."""
    from cinema_cmr.data.temporary_store import open_or_prepare
    from cinema_cmr.io.atomic import atomic_path
    from cinema_cmr.io.names import name_from_path
    from cinema_cmr.tasks.reconstruction import hidden_error, picture

    path = Path(given.output)
    if path.suffix != ".png":
        raise UsageError(f"'{path.name}' is no picture; expected a name that ends in .png")
    check_new_files(path.parent, [path.name], overwrite=given.overwrite)
    with open_or_prepare(Path(given.input), name_from_path(given.input)) as study:
        views = _reconstructed(given, study)
    with atomic_path(path, overwrite=given.overwrite) as sibling:
        picture(views).save(sibling)
    errors = {view: hidden_error(one) for view, one in views.items()}
    summary = ", ".join(f"{view} {error:.5f}" for view, error in errors.items())
    document = {"picture": str(path), "mean_squared_error": errors}
    Console(as_json=given.json).result(f"{path}; mean squared error of the masked tokens: {summary}", document)
    return 0


def _reconstructed(given: Namespace, study: StoredStudy) -> dict[str, ReconstructedView]:
    import numpy as np

    from cinema_cmr.data.sample import collate
    from cinema_cmr.models.mae import CineMA
    from cinema_cmr.models.weights import load_model
    from cinema_cmr.tasks.pretrain import PretrainConfig, PretrainTask
    from cinema_cmr.tasks.reconstruction import reconstructed

    loaded = load_model(given.model)
    if not isinstance(loaded.model, CineMA):
        raise WeightsError(f"model '{loaded.card.name}' is a {loaded.card.architecture}; expected an autoencoder")
    token_size = loaded.model.config.stem.token_stride(3)
    task = PretrainTask(
        PretrainConfig(grids=loaded.card.grids, token_size=token_size, mask_ratio=given.mask_ratio), loaded.model
    )
    n_frames = max(study.cine(view).n_frames for view in task.views_of(study))
    if not 0 <= given.frame < n_frames:
        raise UsageError(f"frame {given.frame} of '{study.name}'; it has frames 0 to {n_frames - 1}")
    sample = task.moment(study, (given.frame + 0.5) / n_frames, np.random.default_rng(given.seed))
    batch = collate([sample])
    normalised = loaded.model.config.normalise_targets
    return reconstructed(loaded.model, batch, task.masks(batch), token_size, normalised=normalised)
