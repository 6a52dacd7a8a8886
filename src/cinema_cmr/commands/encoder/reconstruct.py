"""`cinema reconstruct`: the reconstruction of a study by an autoencoder from a quarter of its tokens."""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from cinema_cmr.commands.console import Console

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
    """Write the picture (columns: input, visible part, reconstruction) and print the error of each view."""
    from cinema_cmr.api import reconstruct
    from cinema_cmr.tasks.reconstruction import hidden_error

    views = reconstruct(
        given.input,
        given.output,
        model=given.model,
        frame=given.frame,
        mask_ratio=given.mask_ratio,
        seed=given.seed,
        overwrite=given.overwrite,
    )
    errors = {view: hidden_error(one) for view, one in views.items()}
    summary = ", ".join(f"{view} {error:.5f}" for view, error in errors.items())
    document = {"picture": given.output, "mean_squared_error": errors}
    Console(as_json=given.json).result(f"{given.output}; mean squared error of the masked tokens: {summary}", document)
    return 0
