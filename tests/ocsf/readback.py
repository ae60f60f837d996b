"""Reads Parquet files of events back and compares them with the same events as JSON.

    python readback.py DIRECTORY

For each NAME.ndjson of the directory there is a NAME.parquet. pyarrow and DuckDB must both give the events of the
JSON, in the order of their times: equal in value and type. Prints a report as JSON: how many events were equal, and
what differs, at most ten of each file.

What is told otherwise in Parquet, and brought to one form here: objects without members are groups of nulls; times
with `_dt` are timestamps of microseconds; `unmapped` is a map to texts, where what is no text stands as JSON.
"""

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# A row group of a custom source of Security Lake, compressed.
GROUP_BYTES = 256 << 20
TYPES = {
    "time": pa.int64(),
    "type_uid": pa.int64(),
    "class_uid": pa.int32(),
    "time_dt": pa.timestamp("us", tz="UTC"),
    "activity_name": pa.string(),
}


def microseconds(text):
    delta = datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def of_json(event):
    """An event as it must come out of Parquet."""
    told = dict(event)
    for name, value in event.items():
        if name.endswith("_dt"):
            told[name] = microseconds(value)
    return told


def of_parquet(value, unmapped):
    """A row without nulls, and with the texts of `unmapped` read where they stand for something else."""
    if isinstance(value, dict):
        members = ((name, of_parquet(inner, unmapped)) for name, inner in value.items())
        return {name: inner for name, inner in members if inner is not None and inner != {}}
    if isinstance(value, list):
        return [of_parquet(inner, unmapped) for inner in value]
    return value


def row(value, event):
    pairs = value.pop("unmapped")
    told = of_parquet(value, None)
    if pairs is not None:
        pairs = pairs.items() if isinstance(pairs, dict) else pairs
        expected = event.get("unmapped", {})
        read = lambda name, text: text if isinstance(expected.get(name), str) else json.loads(text)
        told["unmapped"] = {name: read(name, text) for name, text in pairs}
    return told


def by_pyarrow(file):
    table = pq.read_table(file)
    for name, type_ in TYPES.items():
        assert table.schema.field(name).type == type_, (name, table.schema.field(name).type)
    for place, name in enumerate(table.schema.names):
        if name.endswith("_dt"):
            table = table.set_column(place, name, pc.cast(table.column(place), pa.int64()))
    return table.to_pylist()


def by_duckdb(file):
    times = ("time_dt", "start_time_dt", "end_time_dt")
    told = ", ".join(f"epoch_us({name}) as {name}" for name in times)
    cursor = duckdb.sql(f"select * replace ({told}) from read_parquet('{file}')")
    return [dict(zip(cursor.columns, values)) for values in cursor.fetchall()]


def shape(file):
    """What Security Lake asks of files."""
    metadata = pq.ParquetFile(file).metadata
    rows = pq.read_table(file, columns=["time"]).column("time").to_pylist()
    start = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        times = rows[start : start + group.num_rows]
        start += group.num_rows
        if times != sorted(times) or not group.sorting_columns:
            yield f"row group {number} is not sorted by time"
        columns = [group.column(place) for place in range(group.num_columns)]
        if any(column.compression != "ZSTD" for column in columns):
            yield f"row group {number} is not compressed with zstd"
        if sum(column.total_compressed_size for column in columns) > GROUP_BYTES:
            yield f"row group {number} is too large"


def main(directory):
    report = {"equal": {}, "wrong": []}
    for file in sorted(Path(directory).glob("*.parquet")):
        lines = file.with_suffix(".ndjson").read_text().splitlines()
        events = sorted((json.loads(line) for line in lines), key=lambda event: event["time"])
        wrong = [f"{file.name}: {problem}" for problem in shape(file)]
        for name, read in (("pyarrow", by_pyarrow), ("duckdb", by_duckdb)):
            rows = read(file)
            if len(rows) != len(events):
                wrong.append(f"{file.name}: {name} has {len(rows)} rows of {len(events)}")
            for number, (found, event) in enumerate(zip(rows, events)):
                found, expected = row(found, event), of_json(event)
                for path in sorted(found.keys() | expected.keys()):
                    if found.get(path) != expected.get(path):
                        wrong.append(
                            f"{file.name}: {name}: row {number}: {path} is"
                            f" {found.get(path)!r}, not {expected.get(path)!r}"
                        )
        report["equal"][file.stem] = len(events) if not wrong else 0
        report["wrong"] += wrong[:10]
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
