"""Reads sealed history as others would: the types that pyarrow sees, and each series summed up by DuckDB and by pandas.

Prints JSON. Knows nothing of Geminus but where its files lie.
"""

import json
import pathlib
import sys

import duckdb
import pandas
import pyarrow.parquet

history = pathlib.Path(sys.argv[1])
files = sorted(str(path) for path in history.glob("*/*.parquet"))

# History is in UTC, wherever this runs.
connection = duckdb.connect()
by_duckdb = connection.execute(
    "SELECT twin, point, count(*), min(value), max(value), avg(value), epoch_ns(min(time)), epoch_ns(max(time)),"
    " count(plugin), count(*) FILTER (quality = 'uncertain')"
    " FROM read_parquet($files) GROUP BY twin, point ORDER BY twin, point",
    {"files": files},
).fetchall()

frame = pandas.concat([pandas.read_parquet(file) for file in files])
by_pandas = []
for (twin, point), part in frame.groupby(["twin", "point"], sort=True):
    times = part["time"].astype("int64")
    by_pandas.append(
        [
            twin,
            point,
            len(part),
            float(part["value"].min()),
            float(part["value"].max()),
            float(part["value"].mean()),
            int(times.min()),
            int(times.max()),
            int(part["plugin"].notna().sum()),
            int((part["quality"] == "uncertain").sum()),
        ]
    )

in_order = True
for file in files:
    part = pandas.read_parquet(file, columns=["point", "twin", "time"])
    keys = list(part.itertuples(index=False, name=None))
    in_order = in_order and keys == sorted(keys)

print(
    json.dumps(
        {
            "types": {field.name: str(field.type) for field in pyarrow.parquet.read_schema(files[0])},
            "bytes": sum(pathlib.Path(file).stat().st_size for file in files),
            "in_order": in_order,
            "duckdb": [list(row) for row in by_duckdb],
            "pandas": by_pandas,
        }
    )
)
