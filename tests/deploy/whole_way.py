"""The whole way of a log object and of metadata, with the tools a user deploys with.

`sam build` makes the functions, `sam deploy` creates the stack on MiniStack (an emulator of AWS that runs the real
binaries), and log objects put into the log bucket must come out as records in the output bucket:

1. each sample once: its records appear, the queue drains, the dead-letter queue stays empty;
2. the same samples again: same keys, same contents;
3. a truncated object: no output, and its message ends in the dead-letter queue;
4. an invocation that fails without a queue behind it: its event is kept in the queue for failed invocations.

What the emulator has of a network must appear in the metadata bucket:

5. the schedule's event: a snapshot of the region and one of what is global, with the VPCs that the emulator lists, the
   index, and the status with its page; what it does not answer is a state of an endpoint, not a failure of the run;
6. a new VPC, and a unit of work in the queue: the snapshot has the VPC, and its creation is told as a change;
7. the event for metrics: what was settled in the last minutes, each datapoint once.

A JSON report goes to stdout, progress to stderr; exit status 0 or 1. Everything listens on 127.0.0.1 only.

    python whole_way.py --repo ROOT --work DIR [--sample FILE[=KEY] ...] [--expect-records N]
"""

import argparse
import contextlib
import ctypes
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ACCOUNT = "123456789012"
REGION = "us-east-1"
STACK = "cloud-export-test"
ARTEFACT_BUCKET = "cloud-export-test-artefacts"
# Logical ids in template.yaml
FORWARDER = "FlowForwarder"
COLLECTOR = "MetadataCollector"

# One region, and no second attempt: the emulator lacks services, and what it lacks it lacks again.
METADATA_PARAMETERS = [f"MetadataRegions={REGION}", "CollectMetrics=true", "MetadataTimeout=60", "MetadataMaxAttempts=1"]

# "State" of an endpoint in a snapshot
STATES = {"ok", "empty", "denied", "throttled", "region-disabled", "error"}

SAMPLE_NAME = f"{ACCOUNT}_vpcflowlogs_{REGION}_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log.gz"
SAMPLE_KEY = f"AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/2026/11/20/{SAMPLE_NAME}"
SAMPLE_RECORDS = 3
SAMPLE = b"""\
version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 123456789012 eni-0a1b2c3d4e5f60718 10.0.0.10 10.0.1.20 51000 443 6 10 8400 1795191600 1795191660 ACCEPT OK
2 123456789012 eni-0a1b2c3d4e5f60718 10.0.1.20 10.0.0.10 443 51000 6 8 5200 1795191600 1795191660 ACCEPT OK
2 123456789012 eni-0a1b2c3d4e5f60718 203.0.113.7 10.0.0.10 40022 22 6 1 40 1795191600 1795191660 REJECT OK
"""


class Failure(Exception):
    """A sentence that says what failed."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- Child processes ---------------------------------------------------------------------------------------------------


class Children:
    """The processes this script started, each the leader of a process group of its own.

    The emulators start the function as their child, so to stop one is to stop its whole group.
    """

    def __init__(self, logs):
        self.logs = pathlib.Path(logs)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.running = {}

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._interrupted)
        return self

    def __exit__(self, *_):
        # From here on a second signal must not cut the stopping short.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for name in reversed(list(self.running)):
            self.stop(name)

    @staticmethod
    def _interrupted(number, _frame):
        raise Failure(f"stopped by {signal.Signals(number).name}")

    def log(self, name):
        return self.logs / f"{name}.log"

    def tail(self, name, lines=40):
        text = self.log(name).read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])

    def start(self, name, command, environment, cwd=None, stdout=None):
        with open(self.log(name), "wb") as log:
            child = subprocess.Popen(
                command,
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log if stdout else subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self.running[name] = child
        return child

    def run(self, name, command, environment, cwd=None, seconds=1800, stdout=None):
        """Run to the end; the seconds it took."""
        begun = time.monotonic()
        child = self.start(name, command, environment, cwd, stdout)
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{name} did not end within {seconds} s:\n{self.tail(name)}") from None
        finally:
            self.stop(name)
        if status != 0:
            raise Failure(f"{name} ended with status {status}:\n{self.tail(name)}")
        return time.monotonic() - begun

    def stop(self, name):
        child = self.running.pop(name, None)
        if child is None:
            return
        _signal_group(child, signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            pass
        # The leader's end is not the group's end.
        _signal_group(child, signal.SIGKILL)
        child.wait()


def _signal_group(child, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _end_with_parent():
    """Linux: a child outlives no parent, not even one that was killed."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds, pause=0.1):
    """Poll until `condition()` is true and return its value; `what` completes 'waited in vain for'."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)


def build_environment():
    """The caller's environment with the tools beside this interpreter (cargo-lambda, zig's launcher) first on PATH."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    environment["SAM_CLI_TELEMETRY"] = "0"
    return environment


def aws_environment(base, endpoint):
    """Dummy credentials and one endpoint, nothing of the caller's own configuration, and no proxy in between.

    MiniStack hands its whole environment to the functions it runs: a stray CLOUD_EXPORT_ variable would get there too.
    """
    foreign = ("AWS_", "CLOUD_EXPORT_")
    environment = {k: v for k, v in base.items() if not k.startswith(foreign) and not k.lower().endswith("_proxy")}
    environment.update(
        AWS_ACCESS_KEY_ID=ACCOUNT,  # MiniStack takes a 12-digit access key for the account
        AWS_SECRET_ACCESS_KEY="test",
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=endpoint,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        NO_PROXY="127.0.0.1",
    )
    return environment


# --- Build and deploy --------------------------------------------------------------------------------------------------


def sam_environment(base, work):
    """SAM CLI with a folder of its own, in which it believes to have looked for a newer version already."""
    folder = work / "sam-cli"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time(), "telemetryEnabled": False}))
    # An empty configuration, so that a samconfig.toml in the repository cannot change what is tested.
    (folder / "samconfig.toml").write_text("version = 0.1\n")
    return {**base, "__SAM_CLI_APP_DIR": str(folder), "SAM_CLI_POLL_DELAY": "0.5"}


def sam(work, *arguments):
    configuration = work / "sam-cli" / "samconfig.toml"
    return [sys.executable, "-m", "samcli", *arguments, "--config-file", str(configuration), "--region", REGION]


def build(children, repo, work, parameters):
    environment = sam_environment(build_environment(), work)
    environment.setdefault("CARGO_TARGET_DIR", str(work / "target"))
    command = sam(work, "build", "--template-file", str(repo / "template.yaml"), "--base-dir", str(repo))
    command += ["--build-dir", str(work / "build"), "--parameter-overrides", *parameters]
    seconds = children.run("sam-build", command, environment, cwd=work, seconds=3600)
    sizes = {}
    for function in (FORWARDER, COLLECTOR):
        bootstrap = work / "build" / function / "bootstrap"
        if not bootstrap.is_file():
            raise Failure(f"sam build ended well but left no {bootstrap}")
        sizes[function] = bootstrap.stat().st_size
    return {"sam_build_seconds": round(seconds, 1), "bootstrap_bytes": sizes}


def start_ministack(children, work, client):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = aws_environment(build_environment(), endpoint)
    scratch = work / "ministack"
    scratch.mkdir(parents=True, exist_ok=True)
    environment.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",  # the default is every interface
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        PERSIST_STATE="0",
        S3_PERSIST="0",
        STATE_DIR=str(scratch),
        TMPDIR=str(scratch),
        LAMBDA_EXECUTOR="local",
        # AWS waits one minute, then two, before it retries an asynchronous invocation.
        LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2",
    )
    # AWS_ENDPOINT_URL in MiniStack's own environment is what it hands to the functions it runs.
    child = children.start("ministack", [sys.executable, "-m", "ministack"], environment, cwd=scratch)

    def answers():
        if child.poll() is not None:
            raise Failure(f"MiniStack ended with status {child.returncode}:\n{children.tail('ministack')}")
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    until(answers, f"MiniStack to answer on {endpoint}", 120)
    client.endpoint = endpoint
    return endpoint


def deploy(children, work, endpoint, aws, parameters):
    aws.s3.create_bucket(Bucket=ARTEFACT_BUCKET)
    command = sam(work, "deploy", "--template-file", str(work / "build" / "template.yaml"), "--stack-name", STACK)
    command += ["--s3-bucket", ARTEFACT_BUCKET, "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"]
    command += ["--no-progressbar", "--parameter-overrides", *parameters]
    environment = sam_environment(aws_environment(build_environment(), endpoint), work)
    seconds = children.run("sam-deploy", command, environment, cwd=work, seconds=600)
    stack = aws.cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise Failure(f"the stack is {stack['StackStatus']} after sam deploy")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    sizes = {}
    for function in (FORWARDER, COLLECTOR):
        deployed = aws.awslambda.get_function(FunctionName=outputs[f"{function}Name"])
        sizes[function] = deployed["Configuration"]["CodeSize"]
    return outputs, {"sam_deploy_seconds": round(seconds, 1), "zip_bytes": sizes}


class Aws:
    """boto3 clients for the emulator, made when first used."""

    def __init__(self):
        self.endpoint = None
        self.clients = {}

    def __getattr__(self, service):
        if service not in self.clients:
            import boto3
            import botocore.config

            style = {"addressing_style": "path"}  # virtual-hosted style would need a DNS name
            configuration = botocore.config.Config(s3=style, proxies={}, retries={"max_attempts": 2})
            self.clients[service] = boto3.client(
                service.removeprefix("aws"),
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key="test",
                config=configuration,
            )
        return self.clients[service]


# --- What happens to an object -----------------------------------------------------------------------------------------


class Deployment:
    def __init__(self, aws, outputs, seconds):
        self.aws = aws
        self.seconds = seconds
        self.log_bucket = outputs["LogBucketName"]
        self.output_bucket = outputs["OutputBucketName"]
        self.queue = outputs["LogQueueUrl"]
        self.dead_letters = outputs["LogDeadLetterQueueUrl"]
        self.failed_invocations = outputs["FailedInvocationQueueUrl"]
        self.function = outputs["FlowForwarderName"]
        self.mapping = queue_mapping(aws, self.function)
        self.collector = outputs["MetadataCollectorName"]
        self.metadata_bucket = outputs["MetadataBucketName"]
        self.metadata_queue = outputs["MetadataQueueUrl"]
        self.metadata_dead_letters = outputs["MetadataDeadLetterQueueUrl"]
        queue_mapping(aws, self.collector)
        self.log_groups = [outputs["FlowForwarderLogGroup"], outputs["MetadataCollectorLogGroup"]]

    def set_mapping(self, **values):
        self.aws.awslambda.update_event_source_mapping(UUID=self.mapping, **values)

    def waiting(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names += ["ApproximateNumberOfMessagesDelayed"]
        attributes = self.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes.get(name, 0)) for name in names)

    def drained(self):
        return self.waiting(self.queue) == 0

    def deliver(self, objects):
        """Put the objects and let the function have their messages.

        The mapping is off until every message is in the queue: only so does an empty queue afterwards mean that
        they were taken, rather than not yet announced.
        """
        until(self.drained, "the queue to drain before anything was put", self.seconds)
        self.set_mapping(Enabled=False)
        for key, body in objects:
            self.aws.s3.put_object(Bucket=self.log_bucket, Key=key, Body=body)
        announced = lambda: self.waiting(self.queue) == len(objects)
        until(announced, f"{len(objects)} announcements in the queue", self.seconds)
        self.set_mapping(Enabled=True)

    def output(self):
        contents = {}
        for page in self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.output_bucket):
            for item in page.get("Contents", []):
                answer = self.aws.s3.get_object(Bucket=self.output_bucket, Key=item["Key"])
                contents[item["Key"]] = answer["Body"].read()
        return contents

    def log_lines(self):
        lines = []
        for group in self.log_groups:
            with contextlib.suppress(self.aws.logs.exceptions.ResourceNotFoundException):
                for page in self.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                    lines += [event["message"] for event in page["events"]]
        return lines

    def metadata(self):
        """The objects of the metadata bucket by key: JSON documents, of changes and datapoints lists of records, of the
        index and the status bytes."""
        objects = {}
        for page in self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.metadata_bucket):
            for item in page.get("Contents", []):
                body = self.aws.s3.get_object(Bucket=self.metadata_bucket, Key=item["Key"])["Body"].read()
                if item["Key"].endswith(".json.gz"):
                    objects[item["Key"]] = json.loads(gzip.decompress(body))
                elif item["Key"].startswith(("index/", "status/")):
                    objects[item["Key"]] = body
                else:
                    objects[item["Key"]] = [json.loads(line) for line in unpacked(body).splitlines()]
        return objects

    def vpcs(self):
        return {vpc["VpcId"] for vpc in self.aws.ec2.describe_vpcs()["Vpcs"]}


def queue_mapping(aws, function):
    """The id of the function's one event source mapping, once it is as it has to be."""
    mappings = aws.awslambda.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    if len(mappings) != 1:
        raise Failure(f"{function} has {len(mappings)} event source mappings, not one")
    mapping = mappings[0]
    if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
        raise Failure(f"the event source mapping of {function} does not ask for ReportBatchItemFailures")
    # MiniStack keeps what a template refers to as text, and its poller then fails to compare it with a number.
    # Given again through the API it is a number. AWS converts it by itself.
    most = int(mapping["ScalingConfig"]["MaximumConcurrency"])
    aws.awslambda.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most})
    return mapping["UUID"]


def unpacked(body):
    """Lines of an output object, as its first bytes say they are compressed."""
    if body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    if body[:4] == b"\x28\xb5\x2f\xfd":
        import pyarrow

        return pyarrow.CompressedInputStream(pyarrow.BufferReader(body), "zstd").read()
    return body


def records(contents):
    """Number of NDJSON lines in each output object."""
    counts = {}
    for key, body in contents.items():
        lines = unpacked(body).splitlines()
        for number, line in enumerate(lines, 1):
            try:
                good = isinstance(json.loads(line), dict)
            except ValueError:
                good = False
            if not good:
                raise Failure(f"line {number} of output object {key} is not a JSON object: {line[:200]!r}")
        counts[key] = len(lines)
    return counts


def read_samples(arguments):
    if not arguments:
        return [(SAMPLE_KEY, gzip.compress(SAMPLE, mtime=0))]
    samples = []
    for argument in arguments:
        file, _, key = argument.partition("=")
        key = key or key_of(pathlib.Path(file))
        body = pathlib.Path(file).read_bytes()
        if key.endswith(".gz") and body[:2] != b"\x1f\x8b":
            body = gzip.compress(body, mtime=0)
        samples.append((key, body))
    if len({key for key, _ in samples}) != len(samples):
        raise Failure("two samples have the same key")
    return samples


def key_of(file):
    """The part of the path from AWSLogs on; else a VPC flow log's key, which a file name of its own keeps apart."""
    parts = file.parts
    if "AWSLogs" in parts:
        return "/".join(parts[parts.index("AWSLogs"):])
    distinct = hashlib.sha256(file.name.encode()).hexdigest()[:8]
    return SAMPLE_KEY.replace("fe123456", distinct)


def forward(deployment, samples, expected):
    deployment.deliver(samples)
    until(deployment.drained, "the function to acknowledge the samples", deployment.seconds)
    dead = deployment.waiting(deployment.dead_letters)
    if dead:
        raise Failure(f"{dead} messages of good samples are in the dead-letter queue")
    # A message is acknowledged after its output is written, so nothing is left to wait for.
    contents = deployment.output()
    if not contents:
        raise Failure("the samples were acknowledged but the output bucket is empty")
    counts = records(contents)
    total = sum(counts.values())
    if expected is not None and total != expected:
        raise Failure(f"{total} records came out, {expected} were expected: {counts}")
    return contents, counts


def forward_again(deployment, samples, before):
    deployment.deliver(samples)
    until(deployment.drained, "the function to acknowledge the samples the second time", deployment.seconds)
    after = deployment.output()
    if after.keys() != before.keys():
        raise Failure(f"a repeated delivery changed the output keys: {sorted(after.keys() ^ before.keys())}")
    changed = sorted(key for key in after if after[key] != before[key])
    if changed:
        raise Failure(f"a repeated delivery changed the contents of {changed}")


def truncated(samples):
    for key, body in samples:
        if key.endswith(".gz"):
            name = key.rsplit("/", 1)
            return "/".join([*name[:-1], name[-1].replace(".log.gz", "0bad.log.gz")]), body[: len(body) * 2 // 3]
    raise Failure("no sample is gzip, so none can be truncated")


def refuse(deployment, key, body, before):
    """A truncated object must not be acknowledged, and must not be a shorter success."""
    attributes = {"VisibilityTimeout": "1"}  # five receipts in seconds instead of hours
    deployment.aws.sqs.set_queue_attributes(QueueUrl=deployment.queue, Attributes=attributes)
    deployment.deliver([(key, body)])

    def given_up():
        # In this order: the message moves from the queue to the dead-letter queue, never back.
        drained = deployment.drained()
        dead = deployment.waiting(deployment.dead_letters)
        if drained and not dead:
            raise Failure("the message of the truncated object was acknowledged")
        return dead

    until(given_up, "the message of the truncated object to reach the dead-letter queue", deployment.seconds)
    answer = deployment.aws.sqs.receive_message(
        QueueUrl=deployment.dead_letters, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )
    messages = answer.get("Messages", [])
    if len(messages) != 1 or key.rsplit("/", 1)[-1] not in messages[0]["Body"]:
        raise Failure(f"the dead-letter queue holds something else than the truncated object: {messages}")
    if deployment.output() != before:
        raise Failure("the truncated object changed the output")
    return int(messages[0].get("Attributes", {}).get("ApproximateReceiveCount", 0))


def keep_failed_invocation(deployment, key):
    """An asynchronous invocation has no queue that would keep its event."""
    event = {
        "Records": [
            {
                "eventVersion": "2.6",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": "2026-11-20T16:30:12.345Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AROAEXAMPLE:delivery"},
                "requestParameters": {"sourceIPAddress": "192.0.2.10"},
                "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "example"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "flowlogs",
                    "bucket": {
                        "name": deployment.log_bucket,
                        "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                        "arn": f"arn:aws:s3:::{deployment.log_bucket}",
                    },
                    "object": {"key": key, "size": 1, "eTag": "0" * 32, "sequencer": "0055AED6DCD90281E5"},
                },
            }
        ]
    }
    payload = json.dumps(event).encode()
    deployment.aws.awslambda.invoke(FunctionName=deployment.function, InvocationType="Event", Payload=payload)
    kept = lambda: deployment.waiting(deployment.failed_invocations)
    until(kept, "the failed invocation's event in its queue", deployment.seconds)


def current_key(region):
    return f"current/{ACCOUNT}/{region}.json.gz"


def collect(deployment, event):
    """The schedule's event makes a snapshot of the region and one of what is global, and no change."""
    answer = deployment.aws.awslambda.invoke(FunctionName=deployment.collector, Payload=event)
    payload = answer["Payload"].read()
    if "FunctionError" in answer:
        raise Failure(f"the collector failed: {payload.decode(errors='replace')}")
    summary = json.loads(payload)
    if summary.get("units") != 2:
        raise Failure(f"the collector did not collect a region and what is global: {summary}")
    objects = deployment.metadata()
    wanted = {current_key(region) for region in (REGION, "global")}
    if {key for key in objects if key.startswith("current/")} != wanted:
        raise Failure(f"the snapshots are not those of {REGION} and global: {sorted(objects)}")
    for region in (REGION, "global"):
        snapshot = objects[current_key(region)]
        dated = [key for key in objects if key.startswith(f"history/{ACCOUNT}/{region}/")]
        if len(dated) != 1 or objects[dated[0]] != snapshot:
            raise Failure(f"the current snapshot of {region} is not kept once in history/: {dated}")
        whose = {name: snapshot["Collection"][name] for name in ("Account", "Region")}
        if whose != {"Account": ACCOUNT, "Region": region}:
            raise Failure(f"{current_key(region)} says that it is of {whose}")
    index = {key for key in objects if key.startswith("index/")}
    if index != {f"index/{ACCOUNT}/{REGION}.idx", "index/directory.idx"}:
        raise Failure(f"the index is not that of {REGION}: {sorted(index)}")
    others = [key for key in objects if not key.startswith(("current/", "history/", "index/", "status/"))]
    if others:
        raise Failure(f"the first run told of changes: {others}")
    entries = json.loads(objects["status/status.json"])["entries"]
    if not any(entry["account"] == ACCOUNT and entry["region"] == REGION for entry in entries):
        raise Failure(f"the status does not tell of {REGION}: {entries}")
    if ACCOUNT not in objects["status/index.html"].decode():
        raise Failure("the status page does not tell of the account")
    expect_vpcs(deployment, objects)
    states = {}
    for region in (REGION, "global"):
        for endpoint in objects[current_key(region)]["Collection"]["Endpoints"]:
            if endpoint["State"] not in STATES:
                raise Failure(f"{endpoint['Section']} ended in the state {endpoint['State']!r}")
            answered = endpoint["State"] in ("ok", "empty")
            if answered == bool(endpoint["Failures"]):
                raise Failure(f"the state of {endpoint['Section']} and its failures disagree: {endpoint}")
            states.setdefault(endpoint["State"], []).append(f"{endpoint['Service']}:{endpoint['Operation']}")
    if deployment.waiting(deployment.metadata_queue):
        raise Failure("a run that was complete handed work on")
    return {"calls": summary["calls"], "rows": summary["rows"], "states": states}


def expect_vpcs(deployment, objects):
    found = {vpc["VpcId"] for vpc in objects[current_key(REGION)]["Vpcs"]}
    there = deployment.vpcs()
    if not there or found != there:
        raise Failure(f"the snapshot has the VPCs {sorted(found)}, the emulator {sorted(there)}")


def collect_from_the_queue(deployment):
    """A unit of work out of the queue finds what is new since the schedule's run."""
    vpc = deployment.aws.ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    # A second later at the least: dated snapshots are named by the second.
    time.sleep(1.1)
    unit = {"target": {"account": ACCOUNT, "regions": [REGION]}, "parts": [{"region": REGION, "sections": ["Vpcs"]}]}
    deployment.aws.sqs.send_message(QueueUrl=deployment.metadata_queue, MessageBody=json.dumps({"collect": unit}))
    drained = lambda: deployment.waiting(deployment.metadata_queue) == 0
    until(drained, "the collector to acknowledge a unit of work", deployment.seconds)
    dead = deployment.waiting(deployment.metadata_dead_letters)
    if dead:
        raise Failure(f"{dead} units of work are in the dead-letter queue")
    objects = deployment.metadata()
    expect_vpcs(deployment, objects)
    dated = [key for key in objects if key.startswith(f"history/{ACCOUNT}/{REGION}/")]
    if len(dated) != 2:
        raise Failure(f"not every snapshot is kept in history/: {dated}")
    told = [change for key in objects if key.startswith(f"changes/{ACCOUNT}/{REGION}/") for change in objects[key]]
    changes = [(change["kind"], change["section"], change["resource"]) for change in told]
    if changes != [("created", "Vpcs", vpc)]:
        raise Failure(f"the changes are not the creation of {vpc}: {changes}")


def make_nat_gateway(deployment):
    """A gateway that the metadata have before its metrics are read."""
    subnet = deployment.aws.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = deployment.aws.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
    return made["NatGateway"]["NatGatewayId"]


def measure(deployment, gateway):
    """The schedule's event for metrics delivers what was settled in the last five minutes, joined to its resource; the
    same again delivers nothing twice."""
    now = int(time.time()) // 60 * 60
    minutes = [datetime.datetime.fromtimestamp(now - 60 * ago, datetime.timezone.utc) for ago in range(20)]
    deployment.aws.cloudwatch.put_metric_data(
        Namespace="AWS/NATGateway",
        MetricData=[
            {
                "MetricName": "BytesOutToDestination",
                "Dimensions": [{"Name": "NatGatewayId", "Value": gateway}],
                "Timestamp": minute,
                "Value": 100.0 + minute.minute,
                "Unit": "Bytes",
            }
            for minute in minutes
        ],
    )

    def run():
        payload = json.dumps({"metrics": "all"})
        answer = deployment.aws.awslambda.invoke(FunctionName=deployment.collector, Payload=payload)
        summary = json.loads(answer["Payload"].read())
        if "FunctionError" in answer or summary.get("metrics", {}).get("units") is None:
            raise Failure(f"the collector did not read metrics: {summary}")
        return summary["metrics"]

    summary = run()
    again = run()
    told = {}
    for key, points in deployment.metadata().items():
        if key.startswith("datapoints/"):
            for point in points:
                told.setdefault((point["metric"], point["time"]), []).append(point)
    twice = [key for key, points in told.items() if len(points) > 1]
    if twice:
        raise Failure(f"datapoints were delivered twice: {twice}")
    if not 5 <= len(told) <= 6 or summary["datapoints"] + again["datapoints"] != len(told):
        raise Failure(f"not the five minutes that are settled: {sorted(told)}, {summary}, {again}")
    for (metric, time_of_point), (point,) in told.items():
        minute = datetime.datetime.fromisoformat(time_of_point.replace("Z", "+00:00"))
        wanted = (100.0 + minute.minute, "Sum", gateway)
        if (point["value"], point["statistic"], point["resource"]) != wanted:
            raise Failure(f"the datapoint of {metric} is not {wanted}: {point}")
    return summary


def init_milliseconds(lines):
    """Init duration out of platform.report or REPORT lines; none when the emulator writes no such lines."""
    for line in lines:
        found = re.search(r'"initDurationMs":\s*([0-9.]+)|Init Duration: ([0-9.]+) ms', line)
        if found:
            return float(found[1] or found[2])
    return None


def whole_way(arguments, children, report):
    repo, work = arguments.repo.resolve(), arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    samples = read_samples(arguments.sample)
    expected = SAMPLE_RECORDS if arguments.expect_records is None and not arguments.sample else arguments.expect_records
    parameters = [f"Architecture={arguments.architecture}", "FunctionTimeout=30", *METADATA_PARAMETERS]
    # SAM CLI wants quotes around an empty value.
    parameters += [f'{given}""' if given.endswith("=") else given for given in arguments.parameter]

    say("sam build")
    report.update(build(children, repo, work, parameters))
    aws = Aws()
    say("MiniStack")
    endpoint = start_ministack(children, work, aws)
    say("sam deploy")
    outputs, deployed = deploy(children, work, endpoint, aws, parameters)
    report.update(deployed)

    deployment = Deployment(aws, outputs, arguments.seconds)
    try:
        say("samples")
        contents, counts = forward(deployment, samples, expected)
        report.update(records=sum(counts.values()), keys=sorted(counts), records_by_key=counts)
        say("the same samples again")
        forward_again(deployment, samples, contents)
        report["idempotent"] = True
        say("truncated object")
        bad = truncated(samples)
        report["truncated_receive_count"] = refuse(deployment, *bad, contents)
        say("failed invocation")
        keep_failed_invocation(deployment, bad[0])
        report["failed_invocation_kept"] = True
        say("metadata")
        gateway = make_nat_gateway(deployment)
        event = repo / "functions" / "metadata-collector" / "events" / "schedule.json"
        report["metadata"] = collect(deployment, event.read_bytes())
        say("metadata, from the queue")
        collect_from_the_queue(deployment)
        report["metadata"]["queue_worked_off"] = True
        say("metrics")
        report["metrics"] = measure(deployment, gateway)
    finally:
        lines = []
        with contextlib.suppress(Exception):
            lines = deployment.log_lines()
        (work / "function.log").write_text("\n".join(lines) + "\n")
        report["log_lines"] = len(lines)
        report["init_ms"] = init_milliseconds(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=pathlib.Path, required=True, help="root of the repository")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for everything that is made")
    parser.add_argument(
        "--sample",
        action="append",
        default=[],
        metavar="FILE[=KEY]",
        help="log file and its object key; without a key, the path from AWSLogs on (repeatable)",
    )
    parser.add_argument("--expect-records", type=int, help="records that all samples together must yield")
    parser.add_argument("--architecture", choices=["x86_64", "arm64"], default="x86_64")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="template parameter")
    parser.add_argument("--seconds", type=int, default=120, help="longest wait for each thing that must happen")
    arguments = parser.parse_args()

    report = {"ok": False}
    try:
        with Children(arguments.work / "logs") as children:
            whole_way(arguments, children, report)
        report["ok"] = True
    except Failure as failure:
        report["failure"] = str(failure)
    except Exception as unexpected:  # an AWS error, a file that is not there: still a sentence, still a report
        report["failure"] = f"{type(unexpected).__name__}: {unexpected}"
    if not report["ok"]:
        say(f"whole_way: {report['failure']}")
        say(f"whole_way: logs are in {arguments.work}")
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
