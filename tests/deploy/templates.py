"""What can be said of the CloudFormation templates without AWS: they are linted, and resolved as CloudFormation would.

1. `cfn-lint` on every template, and `sam validate --lint` on template.yaml: no finding.
2. Every parameter is described, grouped and validated.
3. Cases: parameters, and which resources they make. References lead to resources that are made, rules of the template
   hold for good parameters and refuse bad ones, and the policies of roles are those of a linter's liking (parliament),
   except for the findings that are explained below.
4. Each alarm has an entry in docs/operations.md and asks for a metric that a function writes; the dashboard is JSON and
   shows such metrics.

A JSON report goes to stdout, with the policies of the roles and the formats of the flow logs, for others to compare;
exit status 0 or 1.

    python templates.py --repo ROOT
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

from checker import Failure, check, main

ACCOUNT = "123456789012"
REGION = "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "cloud-export",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()

# Findings of the policy linter that stay, and why: by the Sid of the statement and the kind of finding.
EXPLAINED = {
    # Most calls of the catalogue take no narrower resource than "*". Those that do take single firewalls, policies, route
    # tables or networks, and what there is of those is what the collector is to find out.
    ("ReadNetworkMetadata", "RESOURCE_STAR"),
}


# --- Templates ---------------------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


Loader.add_multi_constructor("!", _short_form)


class Stack:
    """A template with parameters, resolved as far as it can be without creating anything."""

    def __init__(self, template, parameters):
        unknown = parameters.keys() - template["Parameters"].keys()
        check(not unknown, f"no parameters of the template: {sorted(unknown)}")
        self.template = template
        self.parameters = {}
        for name, parameter in template["Parameters"].items():
            value = parameters.get(name, parameter.get("Default"))
            check(value is not None, f"the parameter {name} has no default and was not given")
            values = str(value).split(",") if parameter["Type"] == "CommaDelimitedList" else [str(value)]
            for each in values:
                fits = re.search(parameter.get("AllowedPattern", ""), each)
                check(fits, f"{name} refuses {each!r}")
                if "AllowedValues" in parameter:
                    check(each in map(str, parameter["AllowedValues"]), f"{name} refuses {each!r}")
            self.parameters[name] = values if parameter["Type"] == "CommaDelimitedList" else values[0]
        self.conditions = {}
        resources = {}
        for name, resource in template["Resources"].items():
            if name.startswith("Fn::ForEach::"):
                resources.update(self.each(*resource))
            else:
                resources[name] = resource
        self.declared = {n: r for n, r in resources.items() if "Condition" not in r or self.condition(r["Condition"])}
        self.resources = {name: self.resolve(resource) for name, resource in self.declared.items()}
        outputs = template.get("Outputs", {}).items()
        made = {n: o for n, o in outputs if "Condition" not in o or self.condition(o["Condition"])}
        self.outputs = {name: self.resolve(output["Value"]) for name, output in made.items()}

    def each(self, identifier, collection, body):
        """`Fn::ForEach`: the body for each value, with `${Name}`, `&{Name}` and a reference to it replaced."""
        for value in self.resolve(collection):
            text = json.dumps(body)
            text = text.replace(json.dumps({"Ref": identifier}), json.dumps(value))
            text = text.replace(f"&{{{identifier}}}", re.sub("[^A-Za-z0-9]", "", value))
            yield from json.loads(text).items()

    def broken_rules(self):
        """The descriptions of the assertions that do not hold."""
        broken = []
        for rule in self.template.get("Rules", {}).values():
            for assertion in rule["Assertions"]:
                if not self.truth(assertion["Assert"]):
                    broken.append(assertion["AssertDescription"])
        return broken

    def condition(self, name):
        if name not in self.conditions:
            self.conditions[name] = self.truth(self.template["Conditions"][name])
        return self.conditions[name]

    def truth(self, value):
        (function, given), = value.items()
        if function == "Condition":
            return self.condition(given)
        if function == "Fn::Equals":
            first, second = (self.resolve(each) for each in given)
            return str(first) == str(second)
        given = [self.truth(each) for each in given]
        return {"Fn::Not": lambda: not given[0], "Fn::And": lambda: all(given), "Fn::Or": lambda: any(given)}[function]()

    def resolve(self, value):
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (function, given), = value.items()
            if function == "Ref":
                return self.reference(given)
            if function.startswith("Fn::"):
                return self.function(function.removeprefix("Fn::"), given)
        pairs = [(name, self.resolve(each)) for name, each in value.items()]
        return {name: each for name, each in pairs if each is not NO_VALUE}

    def reference(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        check(name in self.declared, f"a reference leads to {name}, which is not made")
        return f"{name.lower()}-1"

    def function(self, name, given):
        if name == "If":
            condition, then, otherwise = given
            return self.resolve(then if self.condition(condition) else otherwise)
        if name == "GetAtt":
            resource, attribute = given
            check(resource in self.declared, f"{attribute} is asked for of {resource}, which is not made")
            service = self.declared[resource]["Type"].split("::")[1].lower()
            if attribute != "Arn":
                return f"{resource.lower()}-1"
            where = {"s3": f"s3:::{resource.lower()}-1", "iam": f"iam::{ACCOUNT}:role/{resource}"}
            where["logs"] = f"logs:{REGION}:{ACCOUNT}:log-group:{resource}:*"
            return "arn:aws:" + where.get(service, f"{service}:{REGION}:{ACCOUNT}:{resource}")
        if name == "Sub":
            text, names = given if isinstance(given, list) else (given, {})

            def value(found):
                key = found[1]
                if key.startswith("!"):
                    return "${" + key[1:] + "}"
                if key in names:
                    return str(self.resolve(names[key]))
                resource, _, attribute = key.partition(".")
                return str(self.function("GetAtt", [resource, attribute]) if attribute else self.reference(key))

            return re.sub(r"\$\{([^}]+)\}", value, text)
        given = [self.resolve(each) for each in given]
        if name == "Join":
            return given[0].join(given[1])
        if name == "Split":
            return given[1].split(given[0])
        if name == "Select":
            return given[1][int(given[0])]
        if name == "FindInMap":
            mapping, first, second = given
            return self.template["Mappings"][mapping][str(first)][second]
        raise Failure(f"Fn::{name} is not known here")


def well_described(file, template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    check(len(grouped) == len(set(grouped)), f"{file}: a parameter is in two groups")
    check(set(grouped) == template["Parameters"].keys(), f"{file}: not in the groups, or not a parameter: "
          f"{sorted(set(grouped) ^ template['Parameters'].keys())}")
    free = {"Selection", "MoreDestinations", "MetricDestinations", "MetricSelection", "SecretArns", "ParameterArns", "MetadataTargets"}
    for name, parameter in template["Parameters"].items():
        check(parameter.get("Description", "").endswith((".", "?")), f"{file}: {name} is not described by a sentence")
        validated = {"AllowedPattern", "AllowedValues", "MinValue", "MaxLength"} & parameter.keys()
        check(validated or name in free, f"{file}: {name} is not validated")
        explained = "AllowedPattern" not in parameter or "ConstraintDescription" in parameter
        check(explained, f"{file}: {name} does not say what its pattern means")


# --- Cases -------------------------------------------------------------------------------------------------------------

ROLE = "arn:aws:iam::111111111111:role/cloud-export-primary"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LOGS = {"LogQueue", "LogDeadLetterQueue", "LogQueuePolicy", "FlowForwarder", "FlowForwarderRole", "FlowForwarderLogs"}
LOG_BUCKET = {"LogBucket", "LogBucketPolicy"}
METADATA = {"MetadataCollector", "MetadataCollectorRole", "MetadataQueue", "MetadataDeadLetterQueue"}
EVERYTHING_ABSENT = {"LogAnnouncementRule", "ForeignEvents", "LogTopicSubscription"}

# Of template.yaml: parameters, resources that must be made, resources that must not.
CASES = {
    "as it comes": ({}, LOGS | LOG_BUCKET | METADATA | {"OutputBucket", "MetadataBucket", "Overview"},
                    EVERYTHING_ABSENT | {"LogsNotDeletedAlarm"}),
    "metadata only": ({"ForwardFlowLogs": "false", "ForwardFirewallLogs": "false"}, METADATA | {"MetadataBucket"},
                      LOGS | LOG_BUCKET | {"OutputBucket", "OutputBucketPolicy", "LogsLateAlarm"}),
    "logs only": ({"CollectMetadata": "false"}, LOGS | LOG_BUCKET,
                  METADATA | {"MetadataBucket", "MetadataBucketPolicy", "MetadataStaleAlarm"}),
    "firewall logs only": ({"ForwardFlowLogs": "false", "CollectMetadata": "false"}, LOGS | LOG_BUCKET, METADATA),
    "flow logs by EventBridge": ({"ForwardFirewallLogs": "false", "LogAnnouncements": "eventbridge", "LogPrefix": "net"},
                                 LOGS | LOG_BUCKET | {"LogAnnouncementRule", "AnnouncementsLostAlarm"},
                                 {"LogTopicSubscription", "ForeignEvents"}),
    "deletion": ({"DeleteAfterRead": "on", "LogPrefix": "net"}, LOGS | {"LogsNotDeletedAlarm"}, set()),
    "existing bucket, EventBridge": ({"CreateLogBucket": "false", "LogBucketName": "logs", "LogAnnouncements": "eventbridge"},
                                     LOGS | {"LogAnnouncementRule"}, LOG_BUCKET | {"ForeignEvents"}),
    "existing bucket, notification": ({"CreateLogBucket": "false", "LogBucketName": "logs"}, LOGS,
                                      LOG_BUCKET | EVERYTHING_ABSENT),
    "existing bucket, topic": ({"CreateLogBucket": "false", "LogBucketName": "logs", "LogAnnouncements": "topic",
                                "LogTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:logs"},
                               LOGS | {"LogTopicSubscription"}, LOG_BUCKET),
    "bucket of another account": ({"CreateLogBucket": "false", "LogBucketName": "logs", "LogBucketAccount": "222222222222",
                                   "LogAnnouncements": "eventbridge", "LogKmsKeyArn": KEY},
                                  LOGS | {"LogAnnouncementRule", "ForeignEvents"}, LOG_BUCKET),
    "a region beside": ({"CollectMetadata": "false", "MetadataBucketName": "metadata", "MetadataKmsKeyArn": KEY},
                        LOGS, METADATA | {"MetadataBucket"}),
    "metrics only": ({"ForwardFlowLogs": "false", "ForwardFirewallLogs": "false", "CollectMetadata": "false",
                      "CollectMetrics": "true"},
                     METADATA | {"MetadataBucket", "MetricsLateAlarm", "CollectorErrorsAlarm"},
                     LOGS | LOG_BUCKET | {"MetadataStaleAlarm", "OutputBucket"}),
    "given roles": ({"ForwarderRoleArn": ROLE, "CollectorRoleArn": ROLE}, {"FlowForwarder", "MetadataCollector"},
                    {"FlowForwarderRole", "MetadataCollectorRole"}),
    "no alarms": ({"Alarms": "false", "Dashboard": "false"}, LOGS | METADATA, {"LogsLateAlarm", "Overview"}),
    "everything": ({
        "LogBucketName": "logs", "LogAccounts": "111111111111,222222222222", "LogKmsKeyArn": KEY, "LogExpireDays": 30,
        "LogPrefix": "net", "DeleteAfterRead": "on", "OutputKmsKeyArn": KEY, "QuarantinePrefix": "kept",
        "OutputOptions": "format=parquet", "Selection": "keep action=REJECT", "MoreDestinations": "firehose://stream",
        "FirehoseStreamArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/stream",
        "SecretArns": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:token-AbCdEf",
        "ParameterArns": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/token", "Prices": "reference/prices.json",
        "AwsRanges": "reference/ip-ranges.json", "GeoIpCountry": "reference/country.mmdb",
        "GeoIpNetwork": "reference/asn.mmdb", "MetadataKmsKeyArn": KEY, "MetadataRole": "reader",
        "MetadataAccounts": "organization", "MetadataDestinations": "s3://changes/network",
        "CollectMetrics": "true", "MetricDestinations": "s3://lake/points", "MetricObjectArns": "arn:aws:s3:::lake/points/*",
        "AlarmTopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms", "BucketNamePrefix": "acme", "RoleNamePrefix": "acme-",
        "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    }, LOGS | LOG_BUCKET | METADATA | {"LogsNotDeletedAlarm"}, set()),
    "everything, by the organization": ({"LogOrganizationId": "o-exampleorgid", "MetadataPrimaryRole": ROLE,
                                         "MetadataRole": "reader", "MetadataAccounts": "organization"},
                                        LOGS | METADATA, set()),
}

# Parameters that a rule of the template refuses, and a part of what it says.
REFUSED = [
    ({"ForwardFlowLogs": "false", "ForwardFirewallLogs": "false", "CollectMetadata": "false"}, "nothing is left"),
    ({"CreateLogBucket": "false"}, "LogBucketName must be"),
    ({"LogBucketAccount": "222222222222"}, "CreateLogBucket must be false"),
    ({"LogAnnouncements": "topic"}, "LogTopicArn"),
    ({"ForwardFlowLogs": "false", "DeleteAfterRead": "on"}, "eventbridge"),
    ({"LogBucketName": "logs", "OutputBucketName": "logs"}, "OutputBucketName must not be"),
    ({"MetadataAccounts": "organization"}, "MetadataRole must be given"),
]

FORWARDER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/forwarder"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
# Of the other templates: file, parameters, resources that must be made, and that must not.
OTHER_CASES = [
    ("member-account.yaml", {"TrustedRoleArn": ROLE, "ExternalId": "cloud-export-1f0c"}, {"Reader"}, set()),
    ("member-account.yaml", {"TrustedRoleArn": ROLE, "RoleName": "cloud-export-primary",
                             "AssumedRoleName": "cloud-export-reader", "CollectMetrics": "true"}, {"Reader"}, set()),
    ("log-account.yaml", {"LogBucketName": "logs", "ForwarderRoleArn": FORWARDER_ROLE, "ForwarderEventBusArn": BUS,
                          "AllowDeletion": "true", "LogOrganizationId": "o-exampleorgid"},
     {"LogBucket", "LogBucketPolicy", "AnnouncementRule", "AnnouncementRole"}, set()),
    ("log-account.yaml", {"LogBucketName": "logs", "ForwarderRoleArn": FORWARDER_ROLE, "CreateBucket": "false",
                          "ForwarderEventBusArn": BUS},
     {"AnnouncementRule"}, {"LogBucket", "LogBucketPolicy"}),
    ("log-account.yaml", {"LogBucketName": "logs", "ForwarderRoleArn": FORWARDER_ROLE, "LogAnnouncements": "notification",
                          "LogQueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"},
     {"LogBucket", "LogBucketPolicy"}, {"AnnouncementRule", "AnnouncementRole"}),
    ("flow-logs.yaml", {"VpcIds": "vpc-0a1b2c3d4e5f60718,vpc-0b2c3d4e5f6071829", "LogBucketArn": "arn:aws:s3:::logs",
                        "TransitGatewayIds": "tgw-0abc12345def67890"},
     {"VpcFlowLogvpc0a1b2c3d4e5f60718", "VpcFlowLogvpc0b2c3d4e5f6071829", "TransitGatewayFlowLogtgw0abc12345def67890"},
     set()),
    ("flow-logs.yaml", {"LogBucketArn": "arn:aws:s3:::logs"}, set(), {"VpcFlowLog", "TransitGatewayFlowLog"}),
]


def resolved(file, template, parameters, made, not_made):
    stack = Stack(template, parameters)
    broken = stack.broken_rules()
    check(not broken, f"{file} refuses {parameters}: {broken}")
    missing, more = made - stack.resources.keys(), not_made & stack.resources.keys()
    check(not missing and not more, f"{file} with {parameters}: not made: {sorted(missing)}, made: {sorted(more)}")
    for name, resource in stack.resources.items():
        if resource["Type"] == "AWS::S3::Bucket":
            whole(file, stack, name, resource["Properties"])
        elif resource["Type"] == "AWS::SQS::Queue":
            check(resource["Properties"]["SqsManagedSseEnabled"] is True, f"{file}: {name} is not encrypted")
        elif resource["Type"] == "AWS::Logs::LogGroup":
            check("RetentionInDays" in resource["Properties"], f"{file}: {name} keeps everything")
    return stack


def whole(file, stack, name, bucket):
    """A bucket that is created is encrypted, closed to the public, kept, and answers over TLS alone."""
    for what in ("BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration"):
        check(what in bucket, f"{file}: {name} has no {what}")
    check(all(bucket["PublicAccessBlockConfiguration"].values()), f"{file}: {name} may be public")
    check(stack.declared[name]["DeletionPolicy"] == "Retain", f"{file}: {name} goes with the stack")
    policies = [r["Properties"]["PolicyDocument"]["Statement"] for r in stack.resources.values()
                if r["Type"] == "AWS::S3::BucketPolicy" and r["Properties"]["Bucket"] == stack.reference(name)]
    check(len(policies) == 1, f"{file}: {name} has {len(policies)} policies")
    tls = [s for s in policies[0] if s["Effect"] == "Deny" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}]
    check(tls and tls[0]["Action"] == "s3:*" and len(tls[0]["Resource"]) == 2, f"{file}: {name} answers without TLS")
    for statement in policies[0]:
        narrowed = "Condition" in statement
        check(narrowed, f"{file}: a statement of the policy of {name} has no condition: {statement}")


def policies(stack):
    """Name and document of each policy of each role."""
    for name, resource in stack.resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                yield name, policy["PolicyDocument"]


def lint_policies(documents):
    """Findings of parliament that are not explained."""
    import parliament

    findings, explained = {}, set()
    for name, text in sorted(documents):
        document = json.loads(text)
        for statement in document["Statement"]:
            single = json.dumps({**document, "Statement": [statement]})
            for finding in parliament.analyze_policy_string(single).findings:
                sid = statement["Sid"]
                if (sid, finding.issue) in EXPLAINED:
                    explained.add((sid, finding.issue))
                else:
                    findings[f"{name} {sid} {finding.issue}"] = str(finding.detail)
    check(explained == EXPLAINED, f"explained, but not found any more: {EXPLAINED - explained}")
    return findings


def allowed(document):
    """Actions that a policy allows, by Sid."""
    actions = {}
    for statement in document["Statement"]:
        given = statement["Action"]
        actions[statement["Sid"]] = [given] if isinstance(given, str) else given
    return actions


# --- Linters -----------------------------------------------------------------------------------------------------------


def lint(repo, work, files):
    """cfn-lint on all templates and SAM's own validation, each a process of its own."""
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION, "__SAM_CLI_APP_DIR": str(work)}
    (work / "metadata.json").write_text(json.dumps({"telemetryEnabled": False, "lastVersionCheck": 4102444800}))
    commands = [
        [str(pathlib.Path(sys.executable).parent / "cfn-lint"), "--regions", REGION, "--", *map(str, files)],
        [sys.executable, "-m", "samcli", "validate", "--lint", "--template-file", str(repo / "template.yaml")],
    ]

    def run(command):
        ended = subprocess.run(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        check(ended.returncode == 0, f"{' '.join(command[:4])} found something:\n{ended.stdout}{ended.stderr}")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(run, commands))


# --- Alarms and the dashboard ------------------------------------------------------------------------------------------


def written_metrics(repo, function):
    """Names of the metrics that a function writes, out of the tables in its report."""
    names = set()
    for report in sorted((repo / "functions" / function / "src").glob("**/report.rs")):
        names |= set(re.findall(r'\("([A-Z][A-Za-z]+)", "(?:Count|Bytes|Seconds|Milliseconds|Microseconds|None)"\)', report.read_text()))
    check(names, f"{function} writes no metrics")
    return names


def watched(repo, stack):
    """Alarms and widgets ask for metrics that there are."""
    own = {
        stack.reference("FlowForwarder"): written_metrics(repo, "flow-forwarder"),
        stack.reference("MetadataCollector"): written_metrics(repo, "metadata-collector"),
    }
    others = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "AWS/Events": "RuleName"}

    def known(where, namespace, name, dimensions):
        if namespace in others:
            check(list(dimensions) == [others[namespace]], f"{where}: {namespace} has no dimensions {dimensions}")
            return
        check(namespace == stack.parameters["MetricsNamespace"], f"{where}: nobody writes to {namespace}")
        check(name in own[dimensions["FunctionName"]], f"{where}: {name} is no metric of {dimensions['FunctionName']}")

    runbook = (repo / "docs" / "operations.md").read_text()
    alarms = {n: r for n, r in stack.resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alarm in alarms.items():
        asked = alarm["Properties"]
        known(name, asked["Namespace"], asked["MetricName"], {d["Name"]: d["Value"] for d in asked["Dimensions"]})
        entry = runbook.partition(f"\n### {name}\n")[2].partition("\n##")[0]
        for word in ("**Means:**", "**Look at:**", "**Do:**"):
            check(word in entry, f"docs/operations.md has no {word} for {name}")
    described = set(re.findall(r"^### (\w+Alarm)$", runbook, re.MULTILINE))
    check(described == alarms.keys(), f"docs/operations.md describes no alarm of the template: {described ^ alarms.keys()}")
    body = json.loads(stack.resources["Overview"]["Properties"]["DashboardBody"])
    for widget in body["widgets"]:
        for namespace, name, *rest in widget["properties"]["metrics"]:
            pairs = [part for part in rest if isinstance(part, str)]
            known(widget["properties"]["title"], namespace, name, dict(zip(pairs[::2], pairs[1::2])))
    return sorted(alarms)


def templates(repo, report):
    files = [repo / "template.yaml", *sorted((repo / "templates").glob("*.yaml"))]
    loaded = {file.name: yaml.load(file.read_text(), Loader) for file in files}
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor() as pool:
        linting = pool.submit(lint, repo, pathlib.Path(work), files)
        for name, template in loaded.items():
            well_described(name, template)
        stacks = {}
        main = loaded["template.yaml"]
        for case, (parameters, made, not_made) in CASES.items():
            stacks[case] = resolved(case, main, parameters, made, not_made)
        for parameters, said in REFUSED:
            broken = Stack(main, parameters).broken_rules()
            check(any(said in sentence for sentence in broken), f"{parameters} is not refused with {said!r}: {broken}")
        others = [resolved(file, loaded[file], *case) for file, *case in OTHER_CASES]
        documents = {(n, json.dumps(d)) for stack in [*stacks.values(), *others] for n, d in policies(stack)}
        findings = lint_policies(documents)
        check(not findings, f"the policy linter found: {json.dumps(findings, indent=2)}")
        everything = Stack(main, {**CASES["everything"][0], "LogAnnouncements": "eventbridge"})
        report["alarms"] = watched(repo, everything)
        # Deletion is allowed when it is on, and below AWSLogs/ only.
        for case, stack in stacks.items():
            if "FlowForwarderRole" in stack.resources:
                (_, document), = [(n, d) for n, d in policies(stack) if n == "FlowForwarderRole"]
                deletes = [s for s in document["Statement"] if "s3:DeleteObject" in s["Action"]]
                on = stack.parameters["DeleteAfterRead"] == "on"
                check(len(deletes) == int(on), f"{case}: deletion is on: {on}, and allowed by {deletes}")
                check(all(s["Resource"].endswith("/net/AWSLogs/*") for s in deletes), f"{case}: {deletes}")
        report["reader"] = [allowed(d) for stack in others for n, d in policies(stack) if n == "Reader"]
        report["formats"] = [r["Properties"]["LogFormat"] for r in others[5].resources.values()]
        report["selections"] = {
            case: stack.resources["FlowForwarder"]["Properties"]["Environment"]["Variables"].get("CLOUD_EXPORT_SELECT")
            for case, stack in stacks.items()
            if "FlowForwarder" in stack.resources
        }
        linting.result()
    report["templates"] = sorted(loaded)


if __name__ == "__main__":
    sys.exit(main("templates", __doc__, templates))
