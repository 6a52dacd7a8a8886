# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From the encoder's features to a classifier
#
# For research use only; not a medical device. Synthetic hearts of two groups, healthy and dilated, stand in for your
# studies, all imaged in one style, since a vector of whole images shows the scanner as well as the heart: the encoder
# `cinema-small` gives a vector for each, and a nearest-centroid classifier separates the groups.

# %%
import tempfile
from pathlib import Path

import numpy as np

import cinema_cmr as cmr

folder = Path(tempfile.mkdtemp())
groups = ("NOR", "DCM")
for group in groups:
    cmr.write_phantoms(folder / group, n=6, seed=10, views=["sax"], group=group, style="biobank-1.5t", n_frames=2)

# %% [markdown]
# One vector a study: the class token, its mean over the frames.


# %%
def features(path: Path) -> np.ndarray:
    return np.mean([row.values for row in cmr.embed(path) if row.tokens == "cls"], axis=0)


paths = {group: sorted(path for path in (folder / group).iterdir() if path.is_dir()) for group in groups}
vectors = {group: np.stack([features(path) for path in paths[group]]) for group in groups}
print({group: array.shape for group, array in vectors.items()})

# %% [markdown]
# Leave one study out, classify it by the nearer centroid of the others.

# %%
correct = []
for group, array in vectors.items():
    for left_out in range(len(array)):
        centroids = {
            name: np.delete(other, left_out, axis=0).mean(axis=0) if name == group else other.mean(axis=0)
            for name, other in vectors.items()
        }
        distance = {name: float(np.linalg.norm(array[left_out] - centre)) for name, centre in centroids.items()}
        correct.append(min(distance, key=distance.get) == group)
print(f"{sum(correct)} of {len(correct)} synthetic studies classified correctly")
