# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A study in Python, from its path to a figure
#
# For research use only; not a medical device. Every cell runs as it stands, on the synthetic study inside the package;
# put the path of your own study in its place.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import cinema_cmr as cmr

study = cmr.read_study(cmr.demo_study())
study

# %% [markdown]
# A study is a collection of cines. In a notebook a cine shows itself.

# %%
cine = study["sax"]
cine

# %% [markdown]
# Eight frames of the short axis are enough here, and faster; leave this cell out to analyse everything.

# %%
frames = [0, 2, 4, 6, 8, 10, 13, 16]
study = replace(study, cines=(cine.select(frames=frames),))
analysis = cmr.analyse(study, landmarks=None, disease=None)
analysis.measurements

# %%
measured = analysis.measurements
print({name: round(measured.value(name), 1) for name in ("lv_ef_percent", "lv_edv_ml", "lv_mass_g")})

# %% [markdown]
# Masks lie on the image's own grid: 1 right ventricle, 2 myocardium, 3 left ventricle.

# %%
masks = analysis.predictions[cmr.View.SAX].labels.array
images = study["sax"].array
middle = images.shape[2] // 2
ed, es = (measured[name].frames[0] for name in ("lv_edv_ml", "lv_esv_ml"))

figure, (*pictures, curve) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for axes, frame, title in zip(pictures, (ed, es), ("end-diastole", "end-systole"), strict=True):
    axes.imshow(images[:, :, middle, frame].T, cmap="gray")
    for code, colour in ((1, "tab:blue"), (2, "tab:green"), (3, "tab:red")):
        axes.contour(code == masks[:, :, middle, frame].T, [0.5], colors=colour, linewidths=1)
    axes.set_title(title)
    axes.axis("off")
times_ms = study["sax"].frame_times_ms
curve.plot(times_ms, measured.curves["lv_volume_ml"], "o-", color="tab:red", label="LV")
curve.plot(times_ms, measured.curves["rv_volume_ml"], "o-", color="tab:blue", label="RV")
curve.set(xlabel="time, ms", ylabel="volume, ml")
curve.legend()
figure.savefig("study.png", dpi=120)

# %%
assert np.isfinite(measured.value("lv_ef_percent"))
