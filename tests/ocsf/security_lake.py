"""Compares events with those that Security Lake made of the same records.

    python security_lake.py EVENTS PARQUET [EVENTS PARQUET]...

EVENTS has an event a line, PARQUET the same number of rows, each an event of OCSF 1.0.0-rc.2. Prints a report as
JSON: for each row, every attribute that differs: its path, the value in EVENTS, the value in PARQUET; null where there
is none.
"""

import json
import sys

import pyarrow.parquet as pq


def leaves(value, path=""):
    """Paths and values; lists are values."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from leaves(inner, f"{path}{name}.")
        elif inner is not None:
            yield f"{path}{name}", inner


def native(row):
    row["unmapped"] = dict(row["unmapped"] or [])
    return row


def main(files):
    differences = []
    for events, parquet in zip(files[::2], files[1::2]):
        with open(events) as lines:
            ours = [json.loads(line) for line in lines]
        theirs = [native(row) for row in pq.read_table(parquet).to_pylist()]
        if len(ours) != len(theirs):
            raise SystemExit(f"{parquet} has {len(theirs)} rows, {events} {len(ours)}")
        for one, other in zip(ours, theirs):
            one, other = dict(leaves(one)), dict(leaves(other))
            paths = sorted(one.keys() | other.keys())
            differ = [path for path in paths if one.get(path) != other.get(path)]
            differences.append([[path, one.get(path), other.get(path)] for path in differ])
    print(json.dumps({"differences": differences}))


if __name__ == "__main__":
    main(sys.argv[1:])
