"""What catboost_folders.py and old_catboost.py fit models to: a table with numbers and categories, and rows to ask about."""

import numpy as np
import pandas as pd

# Few trees on one thread, and nothing left on the disk.
FEW = {"iterations": 5, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False, "learning_rate": 0.5, "random_seed": 1}
CATEGORIES = ["city", "rooms", "kind"]


def table(rng, integers, n=240):
    """A frame and a target; of the generator `rng`, which draws whole numbers by `integers`."""
    frame = pd.DataFrame({"age": rng.normal(40, 9, n), "city": rng.choice(["Köln", "Ulm", "Bonn", "Trier"], n), "rooms": integers(1, 7, n), "income": rng.normal(size=n), "kind": rng.choice(["old", "new"], n)})
    frame.loc[::9, "age"] = np.nan
    return frame, frame.income + frame.rooms / 3 + (frame.city == "Köln") - (frame.kind == "old")


def asked(frame):
    """Rows of training, some with categories that it had not."""
    rows = frame[:30].copy()
    rows.loc[:3, "city"] = "Jena"
    rows.loc[2:5, "rooms"] = 77
    return rows
