"""Makes the tables of this example from the Iris data that scikit-learn carries.

    python make_data.py        # scikit-learn 1.9, pandas 3.0; writes beside this file

Provenance: R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936, in the
version of the UCI Machine Learning Repository (https://archive.ics.uci.edu/dataset/53/iris, CC BY
4.0) with the two corrections that scikit-learn documents (rows 35 and 38).

train.csv                120 of the 150 flowers, 40 of each species: what the model learns from.
production_requests.csv  What a deployment is asked: the 30 flowers that training never saw, and 30
                         more that are those again, measured a second time (each length off by
                         about a millimetre). No answers, as in real life, and no drift to find.
production_logs.csv      A later month, with what the model answered: most flowers now come from a
                         site where virginica grows, and the callipers for the sepals read 4 mm too
                         much. Drift to find.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
SEED = 42


def iris() -> pd.DataFrame:
    data = load_iris(as_frame=True)
    table = data.data.copy()
    table["species"] = data.target_names[data.target]
    return table


def measured_again(flowers: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """The same flowers with a new reading, which is never below a millimetre."""
    noise = random.normal(0.0, 0.1, size=flowers.shape)
    return (flowers + noise).round(1).clip(lower=0.1)


def main() -> None:
    random = np.random.default_rng(SEED)
    table = iris()
    features = table.columns[:4].tolist()
    train, unseen = train_test_split(
        table, test_size=30, random_state=SEED, stratify=table["species"]
    )
    train.to_csv(HERE / "train.csv", index=False)

    requests = pd.concat([unseen[features], measured_again(unseen[features], random)])
    requests.to_csv(HERE / "production_requests.csv", index=False)

    shares = train["species"].map({"setosa": 0.1, "versicolor": 0.3, "virginica": 0.6}) / 40
    later = train.sample(150, replace=True, weights=shares, random_state=SEED)[features]
    later = measured_again(later, random)
    sepals = ["sepal length (cm)", "sepal width (cm)"]
    later[sepals] = (later[sepals] + 0.4).round(1)
    model = RandomForestClassifier(random_state=SEED).fit(train[features], train["species"])
    later["species"] = model.predict(later)
    later.to_csv(HERE / "production_logs.csv", index=False)


if __name__ == "__main__":
    main()
