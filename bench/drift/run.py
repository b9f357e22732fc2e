"""Compares `trainyard monitor` with Evidently and polars on the same data, in turns, and prints a table.

    python bench/drift/run.py [--sizes 10000,100000,1000000] [--csv] [--large] [--wide] [--polars] [--skip-evidently]

Run it with the Python of the tests (`cargo xtask setup`, target/test-env/python/bin/python), after
`cargo build --release`. Every program runs as a process of its own: wall time and peak memory are those of the
process, start and imports included. Repetitions alternate between the programs; the table has the medians.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TRAINYARD = ROOT / "target/release/trainyard"

POLARS = """
import sys, polars as pl
for path in sys.argv[1:]:
    table = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path)
    every = pl.all()
    numbers = pl.selectors.numeric() if hasattr(pl, "selectors") else every
    table.select(every.min().name.suffix("_min"), every.max().name.suffix("_max"), numbers.mean().name.suffix("_mean"), every.n_unique().name.suffix("_distinct")).collect()
"""


def measure(command):
    """Seconds and peak memory (MiB) of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 4):
        sys.exit(f"{command} ended with {process.returncode}:\n{errors.decode()}")
    return seconds, usage.ru_maxrss / 1024


def alternate(commands, times):
    """Runs the commands in turns; medians by name."""
    results = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            results[name].append(measure(command))
    return {name: tuple(statistics.median(column) for column in zip(*rows)) for name, rows in results.items()}


def generate(folder, rows, *flags):
    ending = "csv" if "--csv" in flags else "parquet"
    if not (folder / f"current_{rows}.{ending}").exists():
        subprocess.run([sys.executable, HERE / "generate.py", folder, str(rows), *flags], check=True)


def compare(folder, rows, ending, options, times, *flags):
    reference, current = (str(folder / f"{side}_{rows}.{ending}") for side in ("reference", "current"))
    pages = {name: folder / f"{name}.html" for name in ("trainyard", "evidently")}
    commands = {
        "trainyard": [TRAINYARD, "monitor", "--reference", reference, "--current", current, "-o", pages["trainyard"], *flags]
    }
    if not options.skip_evidently:
        commands["evidently"] = [sys.executable, HERE / "evidently_run.py", reference, current, pages["evidently"]]
    if options.polars:
        commands["polars"] = [sys.executable, "-c", POLARS, reference, current]
    results = alternate(commands, times)
    sizes = {name: page.stat().st_size / 1e3 for name, page in pages.items() if page.exists() and name in commands}
    return results, sizes


def row(title, results, sizes):
    own_seconds, own_memory = results["trainyard"]
    cells = [title, f"{own_seconds:.2f} s, {own_memory:.0f} MiB, {sizes['trainyard']:.0f} KB"]
    if "evidently" in results:
        seconds, memory = results["evidently"]
        cells.append(f"{seconds:.1f} s, {memory:.0f} MiB, {sizes['evidently']:.0f} KB")
        cells.append(
            f"{seconds / own_seconds:.0f}×, 1/{memory / own_memory:.1f} memory, 1/{sizes['evidently'] / sizes['trainyard']:.0f} page"
        )
    else:
        cells += ["–", "–"]
    if "polars" in results:
        cells.append(f"{results['polars'][0]:.2f} s, {results['polars'][1]:.0f} MiB")
    else:
        cells.append("–")
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "target/bench-drift")
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--csv", action="store_true", help="the largest size as CSV too")
    parser.add_argument("--large", action="store_true", help="5,000,000 rows, without Evidently; once with little memory")
    parser.add_argument("--wide", action="store_true", help="1,000 columns of 100,000 rows, without Evidently")
    parser.add_argument("--polars", action="store_true", help="beside polars' min, max, mean and distinct")
    parser.add_argument("--skip-evidently", action="store_true")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print("| rows a side | trainyard: wall, peak, page | Evidently | ratio | polars |")
    print("|---|---|---|---|---|")
    sizes = [int(size) for size in options.sizes.split(",") if size]
    for rows in sizes:
        generate(options.folder, rows)
        times = 1 if rows >= 1_000_000 and not options.skip_evidently else options.times
        row(f"{rows:,} Parquet", *compare(options.folder, rows, "parquet", options, times))
    if options.csv and sizes:
        rows = max(sizes)
        generate(options.folder, rows, "--csv")
        times = 1 if rows >= 1_000_000 and not options.skip_evidently else options.times
        row(f"{rows:,} CSV", *compare(options.folder, rows, "csv", options, times))
    alone = argparse.Namespace(**{**vars(options), "skip_evidently": True})
    if options.large:
        generate(options.folder, 5_000_000)
        row("5,000,000 Parquet", *compare(options.folder, 5_000_000, "parquet", alone, 1))
        frugal = ("--memory", "50MB")
        row(f"5,000,000 Parquet, `{' '.join(frugal)}`", *compare(options.folder, 5_000_000, "parquet", alone, 1, *frugal))
    if options.wide:
        folder = options.folder / "wide"
        folder.mkdir(exist_ok=True)
        generate(folder, 100_000, "--columns", "1000")
        row("100,000 × 1,000 columns", *compare(folder, 100_000, "parquet", alone, 1))


if __name__ == "__main__":
    main()
