"""What the tests of the collector share: the replay server as a child, the collector's runs, snapshots, differences."""

import ctypes
import gzip
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from operations import BY_KEY, NESTED, NOT_KEPT, PAGING, PAGING_OUTPUT, SECRET_MARK, WHOLE, redacted
from replay import base_secret

PAGE_SIZES = {names[0] for names in PAGING}
PAGING_INPUT = {names[1] for names in PAGING}
HERE = pathlib.Path(__file__).resolve().parent
REGION = "us-east-1"  # where the collector itself is


class Failure(Exception):
    """A sentence that says what failed."""


def expect(condition, sentence):
    if not condition:
        raise Failure(sentence)


def say(text):
    print(text, file=sys.stderr, flush=True)


def end_with_parent():
    """Linux: a child outlives no parent, not even one that was killed."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# --- The server ------------------------------------------------------------------------------------------------------


class Server:
    """A replay server of its own, or a program like it, with its scenario and record below `work`."""

    program = HERE / "replay.py"

    def __init__(self, work, **scenario):
        self.work = pathlib.Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.record = self.work / "record.ndjson"
        self.record.write_text("")
        file = self.work / "scenario.json"
        file.write_text(json.dumps(scenario, indent=1))
        self.errors = open(self.work / "server.log", "wb")
        self.child = subprocess.Popen(
            [sys.executable, self.program, "--scenario", file, "--record", self.record],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            preexec_fn=end_with_parent,
        )
        line = self.child.stdout.readline()
        if not line:
            self.close()
            raise Failure(f"the replay server did not start: {(self.work / 'server.log').read_text()}")
        self.endpoint = f"http://127.0.0.1:{json.loads(line)['port']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.errors.close()

    def lines(self, since=0):
        """The record from a line on."""
        with open(self.record, encoding="utf-8") as file:
            return [json.loads(line) for number, line in enumerate(file) if number >= since]

    def violations(self, since=0):
        return [line for line in self.lines(since) if "violation" in line]

    def requests(self, since=0, **members):
        """The requests whose members have these values."""
        wanted = members.items()
        lines = (line for line in self.lines(since) if "violation" not in line)
        return [line for line in lines if all(line.get(name) == value for name, value in wanted)]


def access_key(account):
    return f"AKIA{account}BASE"


# --- The collector ---------------------------------------------------------------------------------------------------


class Run:
    """One run of `collect --json`: its status, its report, and what it printed."""

    def __init__(self, status, stdout, stderr, seconds):
        self.status, self.stdout, self.stderr, self.seconds = status, stdout, stderr, seconds
        self.units, self.summary = {}, None
        for text in stdout.splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                raise Failure(f"collect --json printed {text!r}; stderr: {stderr[-2000:]}") from None
            if "summary" in line:
                self.summary = line["summary"]
            elif "account" in line:
                self.units[(line["account"], line["region"])] = line

    def failures(self):
        return [(key, failure) for key, unit in self.units.items() for failure in unit.get("failures", [])]

    def unit(self, account, region):
        expect((account, region) in self.units, f"no line about {account} {region}: {sorted(self.units)}")
        return self.units[(account, region)]


class Collector:
    """The collector with one directory for snapshots, run as often as a test likes."""

    def __init__(self, binary, work, account="111111111111", seconds=1200):
        self.binary, self.account, self.seconds = pathlib.Path(binary).resolve(), account, seconds
        self.work = pathlib.Path(work)
        self.metadata = self.work / "metadata"
        self.metadata.mkdir(parents=True, exist_ok=True)
        self.runs = 0

    def environment(self, server, **settings):
        """Settings are named as in the environment, without the prefix, in any case; what is no text becomes JSON."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "CLOUD_EXPORT_")) and not name.lower().endswith("_proxy")
        }
        environment.update(
            AWS_ENDPOINT_URL=server.endpoint,
            AWS_ACCESS_KEY_ID=access_key(self.account),
            AWS_SECRET_ACCESS_KEY=base_secret(access_key(self.account)),
            AWS_REGION=REGION,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            NO_PROXY="127.0.0.1",
            CLOUD_EXPORT_METADATA=self.metadata.resolve().as_uri(),
        )
        for name, value in settings.items():
            value = value if isinstance(value, str) else json.dumps(value)
            environment[f"CLOUD_EXPORT_{name.upper()}"] = value
        return environment

    def run(self, server, statuses=(0,), attempts=None, **settings):
        """Collects, with settings as of `environment`."""
        environment = self.environment(server, **settings)
        if attempts is not None:
            environment["AWS_MAX_ATTEMPTS"] = str(attempts)
        self.runs += 1
        begun = time.monotonic()
        child = subprocess.Popen(
            [self.binary, "collect", "--json"],
            env=environment,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        try:
            stdout, stderr = child.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            _, stderr = child.communicate()
            raise Failure(f"collect did not end in {self.seconds} s: {stderr.decode()[-2000:]}") from None
        seconds = time.monotonic() - begun
        (self.work / f"run-{self.runs}.stdout").write_bytes(stdout)
        (self.work / f"run-{self.runs}.stderr").write_bytes(stderr)
        stdout, stderr = stdout.decode(), stderr.decode(errors="replace")
        run = Run(child.returncode, stdout, stderr, seconds)
        if run.status in (0, 1) and 2 not in statuses:
            expect(run.summary is not None, f"status {run.status}, but no summary: {stderr[-1500:]}")
        expect(run.status in statuses, f"status {run.status}, not of {statuses}: {run.failures()[:5]} {stderr[-1500:]}")
        return run

    def snapshot(self, account, region):
        file = self.metadata / "current" / account / f"{region}.json.gz"
        expect(file.is_file(), f"there is no snapshot of {account} {region}")
        return json.loads(gzip.decompress(file.read_bytes()))

    def snapshots(self):
        found = {}
        for file in sorted((self.metadata / "current").glob("*/*.json.gz")):
            unit = (file.parent.name, file.name.removesuffix(".json.gz"))
            found[unit] = json.loads(gzip.decompress(file.read_bytes()))
        return found

    def history(self):
        return sorted((self.metadata / "history").rglob("*.json.gz"))

    def leaks(self):
        """Files below the work directory that hold a secret, compressed or not. The server's own are elsewhere."""
        found = []
        for file in sorted(self.work.rglob("*")):
            if file.is_file() and SECRET_MARK.encode() in _content(file):
                found.append(str(file.relative_to(self.work)))
        return found


def _content(file):
    content = file.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


# --- What snapshots must hold ----------------------------------------------------------------------------------------


def expected_sections(lines):
    """{(account, region or "global"): {section: value}} out of the answers in a record.

    A page asked for twice counts once, with its last answer. Sections whose parts may come in any order (those of
    calls per parent) are lists too; see `in_any_order`.
    """
    answers = {}
    for line in lines:
        operation = BY_KEY.get((line.get("service"), line.get("operation")))
        if operation is None or "answer" not in line:
            continue
        unit = (line["account"], "global" if operation.scope == "global" else line["region"])
        given = dict(line["parameters"])
        token = next((given.pop(name) for name in PAGING_INPUT if name in given), "")
        for name in PAGE_SIZES:
            given.pop(name, None)
        about = json.dumps(given, sort_keys=True)
        pages = answers.setdefault(unit, {}).setdefault(operation, {}).setdefault(about, {})
        pages[token] = (given, line["answer"])
    return {
        unit: {operation.section: section(operation, calls) for operation, calls in of_unit.items()}
        for unit, of_unit in answers.items()
    }


def section(operation, calls):
    """The section out of the pages of its calls: {parameters: {token: (parameters, answer)}}."""
    if operation.name == "SearchTransitGatewayRoutes":
        return _searched(operation, calls)
    rows = []
    for pages in calls.values():
        pages = list(pages.values())
        given, first = pages[0]
        if operation.rows == WHOLE:
            return first[operation.member]
        if operation.rows != NESTED:
            rows += [row for _, answer in pages for row in answer.get(operation.member, [])]
            continue
        row = {name: value for name, value in given.items() if name not in dict(operation.parameters)}
        left_out = PAGING_OUTPUT | NOT_KEPT.get(operation.name, set())
        row.update({name: value for name, value in first.items() if name not in left_out})
        if operation.member:
            row[operation.member] = [item for _, answer in pages for item in answer.get(operation.member, [])]
        rows.append(row)
    return redacted(operation.section, rows)


def _searched(operation, calls):
    """Searches overlap: each route once, by its prefix, in no order."""
    tables = {}
    parameter = operation.parent[2]
    for pages in calls.values():
        for given, answer in pages.values():
            routes = tables.setdefault(given[parameter], {})
            routes.update((route["DestinationCidrBlock"], route) for route in answer["Routes"])
    return [{parameter: table, operation.member: list(routes.values())} for table, routes in tables.items()]


def in_any_order(operation, value):
    """The section in an order of its own, where the collector may choose one."""
    if operation.name == "SearchTransitGatewayRoutes":
        value = [{**row, operation.member: ordered(row.get(operation.member, []))} for row in value]
    return ordered(value) if operation.parent or operation.rows == NESTED else value


def ordered(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def difference(expected, found, path=""):
    """The first difference as a sentence, or None. True is not 1; the order of members does not matter."""
    if isinstance(expected, dict) and isinstance(found, dict):
        missing, beyond = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        if missing or beyond:
            return f"{path}: missing {missing}, beyond what was answered {beyond}"
        pairs = ((f"{path}.{name}", value, found[name]) for name, value in expected.items())
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{path}: {len(found)} elements instead of {len(expected)}"
        pairs = ((f"{path}[{index}]", value, found[index]) for index, value in enumerate(expected))
    elif expected == found and isinstance(expected, bool) == isinstance(found, bool):
        return None
    else:
        return f"{path}: {found!r} instead of {expected!r}"
    return next((text for text in (difference(old, new, where) for where, old, new in pairs) if text), None)


def members_seen(value, path="", seen=None):
    """Paths of members in a value; elements of lists and of maps are alike."""
    seen = set() if seen is None else seen
    if isinstance(value, dict):
        for name, inner in value.items():
            seen.add(f"{path}.{name}")
            members_seen(inner, f"{path}.{name}", seen)
    elif isinstance(value, list):
        for inner in value:
            members_seen(inner, f"{path}[]", seen)
    return seen
