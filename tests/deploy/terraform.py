"""What can be said of the Terraform module without AWS and without the provider registry.

1. Every file is HCL (python-hcl2); every variable is described, and either typed narrowly or validated; every bucket has
   its companions, and what it names is declared.
2. With `terraform` on PATH: `terraform fmt -check`, and the values of the module, worked out by `terraform plan` with the
   resources of AWS left out, for several cases of variables. Without it, the report says that this was skipped.

`terraform init`, `validate` and `apply` of the module itself need the provider, which no package registry has.

A JSON report goes to stdout, with the settings, actions, formats and alarms, for others to compare; exit status 0 or 1.

    python terraform.py --repo ROOT
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import hcl2

from checker import Failure, check, main

# What stands in for resources and data of AWS, when values are worked out without a provider.
STAND_INS = {
    "data.aws_caller_identity.current.account_id": '"123456789012"',
    "data.aws_partition.current.partition": '"aws"',
    "data.aws_region.current.id": '"us-east-1"',
    "data.aws_vpcs.all[0].ids": '["vpc-0a1b2c3d4e5f60718"]',
    "aws_sqs_queue.queue": "local.stand_in_queues",
    "aws_sqs_queue.failed_invocations.arn": '"arn:aws:sqs:us-east-1:123456789012:failed-invocations"',
    "aws_cloudwatch_log_group.function": "local.stand_in_groups",
}
WORKED_OUT = """
locals {
  stand_in_queues = { for n, q in local.queues : n => { arn = "arn:aws:sqs:us-east-1:123456789012:${n}", url = "https://${n}" } }
  stand_in_groups = {
    for n in ["flow-forwarder", "metadata-collector"] : n => { arn = "arn:aws:logs:${n}", name = "/aws/lambda/x-${n}" }
  }
}

output "values" {
  value = {
    buckets     = { for purpose, bucket in local.buckets : purpose => bucket.name }
    queues      = { for name, queue in local.queues : name => queue.visibility }
    settings    = { for name, function in local.functions : name => { for k, v in function.settings : k => v if v != "" } }
    permissions = {
      for function, allowed in local.permissions : function => {
        for sid, each in allowed : sid => { actions = each.actions, resources = each.resources } if length(each.resources) > 0
      }
    }
    roles       = keys(local.created_roles)
    schedules   = { for name, schedule in local.schedules : name => schedule.expression }
    alarms      = [for name, alarm in local.all_alarms : name if var.alarms && alarm.on]
    flow_logs   = local.flow_log_vpc_ids
    destination = local.flow_log_destination
  }
}
"""
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::111111111111:role/cloud-export-primary"

# Variables, and places in the values with what must stand there; None for nothing at all.
CASES = {
    "as it comes": ({}, {
        "buckets.logs": "cloud-export-logs-123456789012-us-east-1",
        "queues.logs": 1800,
        "permissions.forwarder.DeleteDeliveredLogs": None,
        "permissions.collector.ReadNetworkMetadata.resources": ["*"],
        "permissions.collector.ReadMetrics": None,
        "schedules": {"metadata": "rate(1 hour)"},
        "settings.flow-forwarder.CLOUD_EXPORT_SELECT": None,
        "settings.flow-forwarder.CLOUD_EXPORT_DESTINATIONS": "s3://cloud-export-records-123456789012-us-east-1/flows",
        "roles": ["collector", "forwarder"],
    }),
    "metadata only": ({"forward_flow_logs": False, "forward_firewall_logs": False}, {
        "buckets.logs": None, "buckets.records": None, "settings.flow-forwarder": None, "roles": ["collector"],
    }),
    "flow logs only, a region beside": (
        {"forward_firewall_logs": False, "collect_metadata": False, "metadata_bucket_name": "metadata", "metadata_kms_key_arn": KEY},
        {
            "settings.metadata-collector": None,
            "settings.flow-forwarder.CLOUD_EXPORT_METADATA": "s3://metadata",
            "settings.flow-forwarder.CLOUD_EXPORT_SELECT":
                "drop log=firewall-alert,firewall-flow,firewall-tls,firewall-other; ",
            "permissions.forwarder.Decrypt.resources": [KEY],
        },
    ),
    "metrics only": (
        {"forward_flow_logs": False, "forward_firewall_logs": False, "collect_metadata": False, "collect_metrics": True,
         "metric_minutes": 60},
        {
            "settings.metadata-collector.CLOUD_EXPORT_METRIC_INTERVAL": "3600",
            "schedules": {"metrics": "rate(1 hour)"},
            "permissions.collector.ReadMetrics.resources": ["*"],
            "permissions.collector.WriteDatapoints.resources":
                ["arn:aws:s3:::cloud-export-metadata-123456789012-us-east-1/datapoints/*"],
        },
    ),
    "deletion": ({"delete_after_read": True, "log_prefix": "net", "log_bucket_name": "logs"}, {
        "permissions.forwarder.DeleteDeliveredLogs.resources": ["arn:aws:s3:::logs/net/AWSLogs/*"],
        "settings.flow-forwarder.CLOUD_EXPORT_DELETE_PREFIXES": "s3://logs/net/AWSLogs",
        "destination": "arn:aws:s3:::logs/net",
    }),
    "roles": ({"metadata_primary_role_arn": ROLE, "metadata_role_name": "reader", "metadata_accounts": ["organization"],
               "forwarder_role_arn": ROLE}, {
        "permissions.collector.ReadNetworkMetadata": None,
        "permissions.collector.AssumeRoles.resources": [ROLE],
        "settings.metadata-collector.CLOUD_EXPORT_ACCOUNTS": "organization",
        "roles": ["collector"],
    }),
    "all VPCs": ({"flow_log_all_vpcs": True, "alarms": False}, {"flow_logs": ["vpc-0a1b2c3d4e5f60718"], "alarms": []}),
}


def plain(value):
    """hcl2 keeps the quotes of texts and names."""
    if isinstance(value, str):
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {plain(name): plain(each) for name, each in value.items() if name not in ("__is_block__", "__comments__")}
    return value


def parsed(folder):
    """The blocks of a module: kind, labels, body."""
    blocks = []
    for file in sorted(folder.glob("*.tf")):
        try:
            document = plain(hcl2.loads(file.read_text()))
        except Exception as error:  # whatever the parser raises: the file is no HCL
            raise Failure(f"{file.name} is no HCL: {error}") from None
        for kind, each in document.items():
            for block in each:
                labels = []
                while kind in ("variable", "output", "resource", "data") and len(block) == 1 and len(labels) < (
                    1 if kind in ("variable", "output") else 2
                ):
                    (label, block), = block.items()
                    labels.append(label)
                blocks.append((kind, tuple(labels), block))
    return blocks


def well_formed(folder, blocks):
    text = "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))
    declared = {labels[0] for kind, labels, _ in blocks if kind == "variable"}
    used = set(re.findall(r"\bvar\.([a-z0-9_]+)", re.sub(r'variable "[^"]+" \{.*?\n\}\n', "", text, flags=re.DOTALL)))
    check(declared == used, f"{folder.name}: declared and not used, or used and not declared: {sorted(declared ^ used)}")
    for kind, labels, body in blocks:
        if kind in ("variable", "output"):
            check(body.get("description"), f"{folder.name}: {kind} {labels[0]} is not described")
        if kind == "variable":
            check("type" in body, f"{folder.name}: {labels[0]} has no type")
    resources = {labels for kind, labels, _ in blocks if kind == "resource"}
    data = {labels for kind, labels, _ in blocks if kind == "data"}
    names = re.findall(r"(?<![\w.])(data\.)?(aws_[a-z0-9_]+)\.([a-z_]+)\b", text)
    for is_data, *labels in names:
        check(tuple(labels) in (data if is_data else resources), f"{folder.name}: nothing is named {'.'.join(labels)}")
    return resources


def fields(text, name):
    """The words of a list of a `locals` block."""
    found = re.search(rf"\n  {name} = \[(.*?)\n  \]", text, re.DOTALL)
    return re.findall(r'"([a-z0-9-]+)"', found[1])


def settings(folder):
    """Names of the settings that the module gives or lets be given to each function."""
    text = (folder / "functions.tf").read_text()
    variables = (folder / "variables.tf").read_text()
    given = {}
    for function in ("flow-forwarder", "metadata-collector"):
        body = re.search(rf"\n      {function} = \{{\n(.*?)\n      \}}\n", text, re.DOTALL)[1]
        which = re.search(r"settings = merge\(var\.(\w+)", body)[1]
        free = re.search(rf'variable "{which}" \{{.*?\n\}}\n', variables, re.DOTALL)[0]
        given[function] = sorted(set(re.findall(r"\b(CLOUD_EXPORT_[A-Z0-9_]+|AWS_[A-Z_]+)\b", body + free)))
    return given


def invariants(folder, resources):
    text = "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))
    for companion in ("server_side_encryption_configuration", "ownership_controls", "public_access_block", "policy"):
        check((f"aws_s3_bucket_{companion}", "bucket") in resources, f"buckets have no {companion}")
    check('function_response_types = ["ReportBatchItemFailures"]' in text, "the queues are not told which messages failed")
    queues = text.count('resource "aws_sqs_queue" ')
    check(text.count("sqs_managed_sse_enabled ") == queues, "a queue is not encrypted")
    check(text.count("retention_in_days ") == text.count('resource "aws_cloudwatch_log_group"'), "a log group keeps everything")


# --- With terraform ----------------------------------------------------------------------------------------------------


def run(command, folder, environment):
    ended = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    check(ended.returncode == 0, f"{' '.join(command[:3])} failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def place(values, path):
    for name in path.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def worked_out(terraform, module, work):
    """The values of the module's `locals`, for each case."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    environment.update(CHECKPOINT_DISABLE="1", TF_IN_AUTOMATION="1", TF_CLI_CONFIG_FILE=os.devnull)
    run([terraform, "fmt", "-check", "-recursive", str(module)], work, environment)
    shutil.copy(module / "variables.tf", work)
    shutil.copytree(module / "member", work / "member", ignore=shutil.ignore_patterns("*.tf"))
    blocks = []
    for file in sorted(module.glob("*.tf")):
        blocks += re.findall(r"^locals \{\n.*?^\}\n", file.read_text(), re.MULTILINE | re.DOTALL)
    text = "\n".join(blocks)
    for name, stand_in in STAND_INS.items():
        check(name in text, f"no value is made of {name} any more")
        text = text.replace(name, stand_in)
    (work / "values.tf").write_text(text + WORKED_OUT)
    run([terraform, "init", "-backend=false", "-no-color"], work, environment)
    for case, (variables, wanted) in CASES.items():
        (work / "case.tfvars.json").write_text(json.dumps(variables))
        run([terraform, "plan", "-no-color", "-out=plan", "-var-file=case.tfvars.json"], work, environment)
        plan = json.loads(run([terraform, "show", "-json", "plan"], work, environment))
        values = plan["planned_values"]["outputs"]["values"]["value"]
        for path, value in wanted.items():
            found = place(values, path)
            check(found == value, f"{case}: {path} is {json.dumps(found)}, not {json.dumps(value)}")
    return len(CASES)


def module(repo, report):
    folder = repo / "terraform"
    resources = well_formed(folder, parsed(folder))
    well_formed(folder / "member", parsed(folder / "member"))
    invariants(folder, resources)
    report["settings"] = settings(folder)
    report["reader"] = json.loads((folder / "member" / "reader.json").read_text())
    flow_logs = (folder / "flow_logs.tf").read_text()
    report["fields"] = [fields(flow_logs, "vpc_fields"), fields(flow_logs, "transit_gateway_fields")]
    report["alarms"] = sorted(re.findall(r"^    (\w+) += \{ on = ", (folder / "alarms.tf").read_text(), re.MULTILINE))
    terraform = shutil.which("terraform")
    if terraform is None:
        report["skipped"] = "terraform is not on PATH: formatting was not checked, and no value was worked out"
        return
    with tempfile.TemporaryDirectory() as work:
        report["cases"] = worked_out(terraform, folder, pathlib.Path(work))


if __name__ == "__main__":
    sys.exit(main("terraform", __doc__, module))
