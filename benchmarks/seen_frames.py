"""Write into a model's card which labelled frames it has seen, for a model that was trained before cards stated it.

    python benchmarks/seen_frames.py MODEL_FOLDER --learned acdc:ROOT=train --chosen acdc:ROOT=validation

Each data set is NAME:FOLDER or a folder of images with masks, with the part of its own split after "=". New models
state it by themselves: `cinema evaluate` compares the frames with those that it scores.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from cinema_cmr.core.card import ModelCard, SeenFrames, seen_facts
from cinema_cmr.core.card_json import card_to_json
from cinema_cmr.data.seen_frames import hashes_of
from cinema_cmr.evaluation.studies import StudySource
from cinema_cmr.io.atomic import write_text
from cinema_cmr.models.cards import CARD_FILE, read_card


def hashes(sources: list[str], card: ModelCard) -> frozenset[str]:
    """Return the hashes of all studies of these data sets, DATA=PART."""
    found = frozenset[str]()
    for source in sources:
        data, _, part = source.rpartition("=")
        _, studies = StudySource(data=data, part=part).read()
        own = hashes_of(studies, card.grids)
        print(f"{Path(data).name}, {part}: {len(studies)} studies, {len(own)} frames")
        found |= own
    return found


def main() -> None:
    """Read the data sets, and replace the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of card.json")
    parser.add_argument("--learned", nargs="+", default=[], metavar="DATA=PART")
    parser.add_argument("--chosen", nargs="+", default=[], metavar="DATA=PART")
    given = parser.parse_args()
    card = read_card(given.model)
    seen = SeenFrames(learned=hashes(given.learned, card), chosen=hashes(given.chosen, card))
    card = replace(card, training={**card.training, **seen_facts([seen])})
    text = json.dumps(card_to_json(card), indent=2, ensure_ascii=False) + "\n"
    write_text(given.model / CARD_FILE, text, overwrite=True)


if __name__ == "__main__":
    main()
