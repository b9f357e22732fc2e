"""The same comparison with Evidently: python evidently_run.py REFERENCE CURRENT [PAGE]"""
import os
import resource
import sys
import time

os.environ["DO_NOT_TRACK"] = "1"
start = time.perf_counter()

import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset

imported = time.perf_counter()
read = pd.read_parquet if sys.argv[1].endswith(".parquet") else pd.read_csv
reference, current = read(sys.argv[1]), read(sys.argv[2])
loaded = time.perf_counter()
snapshot = Report([DataDriftPreset()]).run(current, reference)
text = snapshot.json()
if len(sys.argv) > 3:
    snapshot.save_html(sys.argv[3])
end = time.perf_counter()
print(f"imports {imported - start:.2f} s, reading {loaded - imported:.2f} s, comparing {end - loaded:.2f} s, all {end - start:.2f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
