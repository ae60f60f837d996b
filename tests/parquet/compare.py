"""Reads Parquet files with DuckDB, pyarrow and Polars and compares them with NDJSON of the same records.

    compare.py DIRECTORY DOCUMENTATION

DIRECTORY has flows/NAME.parquet, firewall/NAME.parquet and datapoints/NAME.parquet, each beside NAME.ndjson. DOCUMENTATION is docs/parquet.md:
its query is run over the flows, and its table tells where columns of firewall entries have their values. Prints a
report as JSON: how many files and values were compared, and the differences.
"""

import collections
import json
import math
import pathlib
import re
import sys
from datetime import datetime

import duckdb
import polars
import pyarrow
import pyarrow.parquet

# What each kind of column is to each reader.
TYPES = {
    "text": ("VARCHAR", pyarrow.string(), polars.String),
    "int32": ("INTEGER", pyarrow.int32(), polars.Int32),
    "int64": ("BIGINT", pyarrow.int64(), polars.Int64),
    "uint64": ("UBIGINT", pyarrow.uint64(), polars.UInt64),
    "ms": ("TIMESTAMP WITH TIME ZONE", pyarrow.timestamp("ms", "UTC"), polars.Datetime("ms", "UTC")),
    "us": ("TIMESTAMP WITH TIME ZONE", pyarrow.timestamp("us", "UTC"), polars.Datetime("us", "UTC")),
    "double": ("DOUBLE", pyarrow.float64(), polars.Float64),
    "boolean": ("BOOLEAN", pyarrow.bool_(), polars.Boolean),
    "list": ("VARCHAR[]", None, polars.List(polars.String)),
}

# Columns of flows that are no text.
FLOW_KINDS = {
    **dict.fromkeys(["start", "end"], "ms"),
    **dict.fromkeys(["packets", "bytes"], "uint64"),
    **{f"packets_lost_{why}": "uint64" for why in ("no_route", "blackhole", "mtu_exceeded", "ttl_expired")},
    **dict.fromkeys(
        ["version", "srcport", "dstport", "protocol", "tcp_flags", "traffic_path", "encryption_status"], "int32"
    ),
}
ENRICHED_KINDS = {
    **{end + field: "int64" for end in ("src_", "dst_") for field in ("asn", "seen")},
    "src_security_groups": "list",
    "dst_security_groups": "list",
    "transfer_cost_usd": "double",
    "count_volume": "boolean",
    "sample_rate": "int64",
}
DATAPOINT_KINDS = {"time": "ms", "period": "int32", "value": "double"}
# Columns of JSON.
DOCUMENTS = ("entry", "dimensions", "tags")
DOCUMENTED_KINDS = {
    "text": "text",
    "INT32": "int32",
    "INT64": "int64",
    "UINT64": "uint64",
    "timestamp, ms": "ms",
    "timestamp, µs": "us",
    "boolean": "boolean",
    "list of texts": "list",
}


class Comparison:
    def __init__(self):
        self.values = 0
        self.differences = []

    def same(self, where, found, expected):
        self.values += 1
        amounts = isinstance(found, float) and isinstance(expected, (int, float)) and not isinstance(expected, bool)
        equal = (
            math.isclose(found, expected, rel_tol=0, abs_tol=1e-12)
            if amounts
            else found == expected and type(found) is type(expected)
        )
        if not equal and len(self.differences) < 50:
            self.differences.append(f"{where}: found {found!r}, expected {expected!r}")


# --- The readers: types by column, and rows with times as microseconds ----------------------------------------------


def by_duckdb(path):
    connection = duckdb.connect()
    source = f"read_parquet('{path}')"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    types = {name: kind for name, kind, *_ in described}
    times = [name for name, kind in types.items() if kind.startswith("TIMESTAMP")]
    replaced = ", ".join(f'epoch_us("{name}") AS "{name}"' for name in times)
    rows = connection.execute(f"SELECT * REPLACE ({replaced}) FROM {source}").fetchall()
    return types, [dict(zip(types, row)) for row in rows]


def by_pyarrow(path):
    table = pyarrow.parquet.read_table(path)
    types = {field.name: field.type for field in table.schema}
    for place, field in enumerate(table.schema):
        if pyarrow.types.is_timestamp(field.type):
            micros = table.column(place).cast(pyarrow.timestamp("us", "UTC")).cast(pyarrow.int64())
            table = table.set_column(place, field.name, micros)
    return types, table.to_pylist()


def by_polars(path):
    frame = polars.read_parquet(path)
    types = dict(frame.schema)
    frame = frame.with_columns(
        polars.col(name).dt.timestamp("us") for name, kind in types.items() if isinstance(kind, polars.Datetime)
    )
    return types, frame.to_dicts()


READERS = {"duckdb": by_duckdb, "pyarrow": by_pyarrow, "polars": by_polars}


def is_type(reader, kind, found):
    expected = TYPES[kind][list(READERS).index(reader)]
    if expected is None:
        return pyarrow.types.is_list(found) and found.value_type == pyarrow.string()
    return found == expected


# --- What is expected -----------------------------------------------------------------------------------------------


def flow(record):
    """A record of NDJSON as a row: times in microseconds."""
    return {name: value * 1_000_000 if name in ("start", "end") else value for name, value in record.items()}


def firewall_columns(documentation):
    """Columns of firewall entries as they are documented: kinds, and paths of their members."""
    section = documentation.split("\n## Firewall entries\n")[1].split("\n## ")[0]
    columns = {}
    for line in section.splitlines():
        if cells := re.fullmatch(r"\| `(\w+)` \| ([^|]+) \| (.+) \|", line):
            name, kind, members = cells.groups()
            columns[name] = (DOCUMENTED_KINDS[kind], re.findall(r"`([\w.]+)`", members))
    return columns


def firewall(record, columns):
    entry = {name: value for name, value in record.items() if name in ("firewall_name", "availability_zone", "event_timestamp", "event")}
    row = {name: value for name, value in record.items() if name not in entry}
    for name, (kind, paths) in columns.items():
        for path in paths:
            value = entry
            for member in path.split("."):
                value = value.get(member) if isinstance(value, dict) else None
            if value is not None:
                row[name] = micros(value) if kind in ("ms", "us") else value
                break
    row["entry"] = entry
    return row


def micros(time):
    if isinstance(time, int):
        return time * 1_000_000
    (found,) = duckdb.connect().execute("SELECT epoch_us(?::TIMESTAMPTZ)", [time]).fetchone()
    return found


# --- The comparison -------------------------------------------------------------------------------------------------


def compare(comparison, path, expected, kinds):
    for reader, read in READERS.items():
        types, rows = read(path)
        for name, found in types.items():
            kind = kinds.get(name, "text")
            if not is_type(reader, kind, found):
                comparison.differences.append(f"{path.name}: to {reader}, {name} is {found}, not {kind}")
        comparison.same(f"{path.name}: rows by {reader}", len(rows), len(expected))
        for number, (row, wanted) in enumerate(zip(rows, expected)):
            where = f"{path.name}: row {number} by {reader}"
            for name in DOCUMENTS:
                if row.get(name) is not None:
                    row[name] = json.loads(row[name])
            for name, value in row.items():
                comparison.same(f"{where}: {name}", value, wanted.get(name))
            comparison.same(f"{where}: columns without a place", sorted(set(wanted) - set(row)), [])


def compare_selections(comparison, path, expected, kinds):
    """Selections by a value, which readers answer from statistics and dictionaries where they can."""
    connection = duckdb.connect()
    names = sorted({name for row in expected for name in row if name not in DOCUMENTS})
    for name in names:
        kind = kinds.get(name, "text")
        if kind in ("double", "list"):
            continue
        found = [row[name] for row in expected if name in row]
        for value in {found[0], found[-1], min(found), max(found)}:
            column = f'epoch_us("{name}")' if kind in ("ms", "us") else f'"{name}"'
            count = connection.execute(f"SELECT count(*) FROM read_parquet('{path}') WHERE {column} = ?", [value])
            where = f"{path.name}: how many have {name} {value!r}"
            comparison.same(where, count.fetchone()[0], found.count(value))
            if kind == "text":
                count = polars.scan_parquet(path).filter(polars.col(name) == value).select(polars.len()).collect().item()
                comparison.same(f"{where} by polars", count, found.count(value))


def compare_query(comparison, directory, documentation, records):
    """The query of the documentation, and the same by hand."""
    query = re.search(r"```sql\n(.*?)```", documentation, re.DOTALL)[1]
    query = query.replace("records/**", str(directory))
    found = duckdb.connect().execute(query).fetchall()
    groups = collections.defaultdict(lambda: [0, None, None])
    for record in records:
        if record.get("action") != "ACCEPT":
            continue

        def first(*names):
            return next((record[name] for name in names if name in record), None)

        group = groups[
            first("src_resource_name", "src_interface_id", "srcaddr"),
            first("dst_resource_name", "dst_interface_id", "dstaddr"),
            record.get("dstport"),
        ]
        group[0] += 1
        if record.get("count_volume"):
            group[1] = (group[1] or 0) + record.get("bytes", 0)
        if record.get("scope") == "inter-az" and "transfer_cost_usd" in record:
            group[2] = (group[2] or 0) + record["transfer_cost_usd"]
    rows = [(*key, count, volume, cost) for key, (count, volume, cost) in groups.items()]
    text = lambda value: (value is None, value if value is not None else "")
    rows.sort(key=lambda row: (row[4] is None, -(row[4] or 0), text(row[0]), text(row[1]), row[2] is None, row[2] or 0))
    comparison.same("rows of the query", len(found), min(10, len(rows)))
    for number, (row, expected) in enumerate(zip(found, rows)):
        comparison.same(f"row {number} of the query", list(row[:5]), list(expected[:5]))
        cost = None if expected[5] is None else round(expected[5], 6)
        comparison.same(f"row {number} of the query has this cost", row[5], cost)


def main():
    directory, documentation = map(pathlib.Path, sys.argv[1:])
    documentation = documentation.read_text()
    comparison = Comparison()
    columns = firewall_columns(documentation)
    firewall_kinds = {**ENRICHED_KINDS, **{name: kind for name, (kind, _) in columns.items()}}
    files, flows = 0, []
    for path in sorted(directory.glob("*/*.parquet")):
        files += 1
        records = [json.loads(line) for line in path.with_suffix(".ndjson").read_text().splitlines()]
        if path.parent.name == "flows":
            flows += records
            kinds = {**FLOW_KINDS, **ENRICHED_KINDS}
            expected = sorted(map(flow, records), key=lambda row: row.get("start", math.inf))
        elif path.parent.name == "datapoints":
            kinds = DATAPOINT_KINDS
            expected = [{**record, "time": int(datetime.fromisoformat(record["time"]).timestamp()) * 1_000_000} for record in records]
        else:
            kinds = firewall_kinds
            expected = [firewall(record, columns) for record in records]
            expected.sort(key=lambda row: row["event_timestamp"])
        compare(comparison, path, expected, kinds)
        compare_selections(comparison, path, expected, kinds)
    compare_query(comparison, directory / "flows", documentation, flows)
    report = {"files": files, "values": comparison.values, "differences": comparison.differences}
    json.dump(report, sys.stdout)


main()
