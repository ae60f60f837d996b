#!/usr/bin/env python3
"""A gzip flow log to enriched Parquet: cloud-export against DuckDB, in CPU seconds of one run.

    cargo build --release
    python functions/cli/benches/against_duckdb.py target/release/cloud-export --bytes 10MB --rounds 5

DuckDB (`pip install duckdb`) reads the log, joins it with a table of the estate's 5,000 interfaces, seven columns,
and writes Parquet with Zstandard, all on one thread: in the order of the log, and sorted by time. cloud-export adds the
same seven to both sides, and then its standard fields, 44 columns; its row groups are sorted. Rounds are interleaved.
What a log of one record takes is subtracted from either, so that starting, importing and loading the metadata do not
count.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FORMATS = ("vpc-v2", "vpc-v5")
KEY = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/{}.log.gz"
BUCKET = "logs"
# Those that DuckDB joins; cloud-export has them for both sides.
COLUMNS = ("vpc_id", "vpc_name", "subnet_id", "subnet_name", "az_id", "instance_id", "resource_name")

QUERY = """
import sys, duckdb
log, interfaces, output, order = sys.argv[1:]
session = duckdb.connect()
session.execute("SET threads = 1")
session.execute(f"CREATE TABLE interfaces AS FROM read_csv('{interfaces}', header = true, all_varchar = true)")
session.execute(f'''
    COPY (
        SELECT flows.*, interfaces.* EXCLUDE (id)
        FROM read_csv('{log}', delim = ' ', header = true, nullstr = '-', compression = 'gzip') AS flows
        LEFT JOIN interfaces ON flows."interface-id" = interfaces.id
        {order}
    ) TO '{output}' (FORMAT parquet, COMPRESSION zstd)
''')
"""


def measure(command):
    """Runs a command; its CPU seconds and the most memory it had, in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_interfaces(answers, path):
    """The table that DuckDB joins with."""
    answers = json.loads(answers.read_text())

    def name(row):
        return next((tag["Value"] for tag in row.get("Tags", ()) if tag["Key"] == "Name"), "")

    def names(section, key):
        return {row[key]: name(row) for row in answers[section]}

    vpcs, subnets = names("Vpcs", "VpcId"), names("Subnets", "SubnetId")
    zones = {row["ZoneName"]: row["ZoneId"] for row in answers["AvailabilityZones"]}
    with path.open("w") as table:
        print("id", *COLUMNS, sep=",", file=table)
        for row in answers["NetworkInterfaces"]:
            vpc, subnet = row["VpcId"], row["SubnetId"]
            zone = zones.get(row["AvailabilityZone"], "")
            instance = row.get("Attachment", {}).get("InstanceId", "")
            values = (vpc, vpcs[vpc], subnet, subnets[subnet], zone, instance, name(row))
            print(row["NetworkInterfaceId"], *values, sep=",", file=table)


class Estate:
    """Generated logs, their metadata, and the two ways to bring them together."""

    def __init__(self, program, directory):
        self.program = program
        self.directory = directory
        answers = directory / "answers"
        measure([program, "generate", "metadata", "--output", str(answers)])
        measure([program, "collect", "--from", str(answers), "--metadata", self.metadata])
        if not (directory / "metadata" / "index").is_dir():
            sys.exit(f"There is no index below {self.metadata}: nothing would be enriched.")
        # In a process of its own: what this one holds counts as memory of what it starts.
        with multiprocessing.Pool(1) as pool:
            pool.apply(write_interfaces, (next(answers.rglob("*.json")), self.interfaces))

    @property
    def metadata(self):
        return f"file://{self.directory}/metadata"

    @property
    def interfaces(self):
        return self.directory / "interfaces.csv"

    def generate(self, name, log, *size):
        path = self.directory / BUCKET / KEY.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        measure([self.program, "generate", *size, "--encoding", "gzip", "--output", str(path), log])
        return name, path

    def cloud_export(self, log, fields):
        name, path = log
        record = {
            "s3": {"bucket": {"name": BUCKET}, "object": {"key": KEY.format(name), "size": path.stat().st_size}},
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "eventVersion": "2.1",
            "awsRegion": "us-east-1",
        }
        event = self.directory / "event.json"
        event.write_text(json.dumps({"Records": [record]}))
        output = f"file://{self.directory}/out?format=parquet"
        options = ["--enrich", fields, "--buckets", str(self.directory), "--metadata", self.metadata, "--destination", output]
        return measure([self.program, "run", str(event), *options])

    def duckdb(self, log, order=""):
        _, path = log
        output = self.directory / "out.parquet"
        return measure([sys.executable, "-c", QUERY, str(path), str(self.interfaces), str(output), order])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the command, built with --release")
    parser.add_argument("--bytes", default="10MB", help="size of the logs [10MB]")
    parser.add_argument("--rounds", type=int, default=5, help="[5]")
    arguments = parser.parse_args()
    print("log     fields          against         cloud-export  MiB   DuckDB  MiB   ratio (min-max)")
    with tempfile.TemporaryDirectory() as directory:
        estate = Estate(arguments.program, Path(directory))
        ours = {
            "the same seven": lambda log: estate.cloud_export(log, ",".join(COLUMNS)),
            "standard": lambda log: estate.cloud_export(log, "standard"),
        }
        theirs = {
            "DuckDB": estate.duckdb,
            "DuckDB, sorted": lambda log: estate.duckdb(log, 'ORDER BY flows."start"'),
        }
        ways = ours | theirs
        for log in FORMATS:
            whole = estate.generate(log, log, "--bytes", arguments.bytes)
            one = estate.generate(f"{log}-one", log, "--rows", "1")
            seconds, peaks = {way: [] for way in ways}, dict.fromkeys(ways, 0)
            for _ in range(arguments.rounds):
                for name, way in ways.items():
                    start, _ = way(one)
                    taken, peak = way(whole)
                    seconds[name].append(taken - start)
                    peaks[name] = max(peaks[name], peak)
            for our in ours:
                for their in theirs:
                    ratios = sorted(a / b for a, b in zip(seconds[our], seconds[their]))
                    print(
                        f"{log}  {our:14}  {their:14}  {statistics.median(seconds[our]):10.2f} s  {peaks[our]:3.0f}"
                        f"  {statistics.median(seconds[their]):5.2f} s  {peaks[their]:3.0f}"
                        f"   {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
                    )


if __name__ == "__main__":
    main()
