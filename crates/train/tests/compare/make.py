"""Makes delong.json: areas under two ROC curves and the error of their difference, by the definition.

    python make.py        # numpy; writes beside this file

DeLong, DeLong and Clarke-Pearson (1988): all pairs of a row of the class and another are compared, ties count
half; the components of a row are the means of its pairs, and their covariances are numpy's.
"""

import json
from pathlib import Path

import numpy as np

random = np.random.default_rng(13)


def components(truth, scores):
    positive, negative = scores[truth == 1], scores[truth == 0]
    pairs = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    return pairs.mean(axis=1), pairs.mean(axis=0)


def case(rows, digits):
    truth = (random.random(rows) < 0.4).astype(int)
    truth[:2], truth[2:4] = 1, 0
    signal = truth + random.normal(0, 1, rows)
    new = np.round(signal + random.normal(0, 0.5, rows), digits)
    old = np.round(signal + random.normal(0, 0.8, rows), digits)
    (v10_new, v01_new), (v10_old, v01_old) = components(truth, new), components(truth, old)
    s10 = np.cov(np.stack([v10_new, v10_old]))
    s01 = np.cov(np.stack([v01_new, v01_old]))
    s = s10 / len(v10_new) + s01 / len(v01_new)
    contrast = np.array([1, -1])
    return {
        "truth": truth.tolist(),
        "new": new.tolist(),
        "old": old.tolist(),
        "new_area": v10_new.mean(),
        "old_area": v10_old.mean(),
        "standard_error": float(np.sqrt(contrast @ s @ contrast)),
    }


cases = [case(12, 1), case(40, 1), case(60, 6)]
Path(__file__).with_name("delong.json").write_text(json.dumps(cases) + "\n")
