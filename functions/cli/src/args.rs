//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use telemetry::generate::LogFormat;

/// The shipped samples, in the project's root.
pub const SAMPLES: &str = "samples";

/// Reads AWS flow and firewall logs and forwards them as typed records; collects what a network consists
/// of, in every account and region.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Try it on the shipped samples, from the project's root:\n  \
        cloud-export run events/s3-everything.json\n  \
        cloud-export parse samples/flow-logs-use1/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/*.gz\n  \
        cloud-export parse --inventory samples/metadata samples/flow-logs-use1/AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/*.gz\n  \
        cloud-export collect --from samples/metadata && cloud-export inventory\n\n\
        Exit codes: 0 all done, 1 some objects or files failed, 2 the command line or the configuration cannot be used."
)]
pub struct Arguments {
    /// Also write the log lines that the Lambda function writes, to standard error.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Handle an event as the Lambda function would, on this machine.
    Run(RunArguments),
    /// Forward objects that lie in a bucket already.
    Backfill(BackfillArguments),
    /// Try again what is in quarantine.
    Replay(ReplayArguments),
    /// Read log files, and write their records as NDJSON.
    Parse(ParseArguments),
    /// Print the fields that enrichment adds to records.
    Fields(FieldsArguments),
    /// Make a log: realistic rows, the same for the same arguments.
    Generate(GenerateArguments),
    /// Collect metadata: ask AWS about the network in every account and region, and keep the answers.
    Collect(CollectArguments),
    /// Read metrics: what CloudWatch measured of the network, each datapoint once.
    Metrics(MetricsArguments),
    /// Say what is wrong with a deployment, before and after it, and what mends it.
    Check(CheckArguments),
    /// Print what the collected metadata hold: kinds of resources, or the resources that are asked for.
    Inventory(InventoryArguments),
    /// Print what became of each export in each account and region: what is wrong first, and what to do.
    Status(StatusArguments),
    /// Print the IAM policies that collecting takes.
    Policy(PolicyArguments),
}

/// `cloud-export run`
#[derive(Debug, Args)]
#[command(after_help = "\
The event may have any shape that the function accepts: an S3 notification, plain or through SNS, SQS \
or both; EventBridge \"Object Created\"; {\"backfill\": {\"objects\": [{\"bucket\": …, \"key\": …}]}}. See events/ for one of each.

Without --aws, a directory stands for the buckets: the object KEY of bucket BUCKET is the file DIR/BUCKET/KEY.

Settings are taken from the function's environment variables (CLOUD_EXPORT_…, see the README) where no option is given.

Records are enriched when --inventory or --metadata says from what; the shipped samples are from samples/metadata.

Examples:
  cloud-export run events/s3-put.json
  cloud-export run events/s3-put.json --enrich none
  cloud-export run events/s3-put.json --inventory samples/metadata --enrich full
  cloud-export run events/sqs-batch-partial.json --destination file:///tmp/records
  cloud-export run my-event.json --aws --destination s3://records-use1/flows")]
pub struct RunArguments {
    /// File with the event as JSON; - for standard input.
    #[arg(value_name = "EVENT")]
    pub event: PathBuf,
    /// Directory that stands for the buckets.
    #[arg(
        long,
        value_name = "DIR",
        default_value = SAMPLES,
        conflicts_with = "aws"
    )]
    pub buckets: PathBuf,
    /// Read from Amazon S3 with this machine's credentials, instead of a directory.
    #[arg(long)]
    pub aws: bool,
    /// Where records go, and how they are made.
    #[command(flatten)]
    pub forwarding: ForwardingArguments,
}

/// What `run`, `backfill` and `replay` forward with.
#[derive(Debug, Args)]
pub struct ForwardingArguments {
    /// Where records go: stdout:, file:///dir or s3://bucket/prefix. May be given several times
    /// [default: stdout:].
    #[arg(long, value_name = "URL")]
    pub destination: Vec<String>,
    /// Format of text logs without a header line, such as '${version} ${srcaddr} ${dstaddr}'.
    #[arg(long, value_name = "FIELDS")]
    pub format: Option<String>,
    /// How records are enriched.
    #[command(flatten)]
    pub enrichment: EnrichmentArguments,
}

/// `cloud-export backfill`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --run or --enqueue it only says how much there is to do. Objects are taken in the order of their keys; with --state the \
next run goes on behind the last one that is done, after those that failed.

Reads from Amazon S3 with this machine's credentials. With --buckets a directory stands for the buckets: the object \
KEY of bucket BUCKET is the file DIR/BUCKET/KEY.

Settings are taken from the function's environment variables (CLOUD_EXPORT_…, see the README) where no option is given.

Examples:
  cloud-export backfill s3://logs-use1/AWSLogs/123456789012/ --from 2026-11-01 --to 2026-11-20
  cloud-export backfill s3://logs-use1/AWSLogs/ --from 2026-11-01 --run --state backfill.json \\
      --destination s3://records-use1/flows
  cloud-export backfill s3://flow-logs-use1/AWSLogs/ --buckets samples --run")]
pub struct BackfillArguments {
    /// Bucket, and what keys begin with: s3://bucket/prefix.
    #[arg(value_name = "URL")]
    pub source: String,
    /// Only logs of this time or later: 2026-11-20T16:20:00Z, or a day of UTC.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only logs before this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only logs of these kinds, separated by commas: flow, firewall-alert, firewall-flow, firewall-tls.
    #[arg(long, value_name = "KINDS")]
    pub kind: Option<String>,
    /// Only objects behind this key.
    #[arg(long, value_name = "KEY")]
    pub after: Option<String>,
    /// Forward the objects.
    #[arg(long)]
    pub run: bool,
    /// Hand the objects to the SQS queue that the function gets its messages from, instead of forwarding them here.
    #[arg(long, value_name = "QUEUE_URL", conflicts_with = "run")]
    pub enqueue: Option<String>,
    /// File that tells how far the backfill is; made when it is missing.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Most objects of this run.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Directory that stands for the buckets, instead of Amazon S3.
    #[arg(long, value_name = "DIR")]
    pub buckets: Option<PathBuf>,
    /// Where records go, and how they are made.
    #[command(flatten)]
    pub forwarding: ForwardingArguments,
}

/// `cloud-export replay`
#[derive(Debug, Args)]
#[command(after_help = "\
Rows are read again, with --format if their layout was wrong; batches are delivered again, as they are, to the \
destination that refused them, which has to be among those that are set; objects are forwarded again. What fails \
again stays in quarantine.

Settings are taken from the function's environment variables (CLOUD_EXPORT_…, see the README) where no option is given.

Examples:
  cloud-export replay s3://quarantine-use1/flows --destination s3://records-use1/flows --delete
  cloud-export replay file:///tmp/quarantine --kind rows --format '${version} ${srcaddr} ${dstaddr}'")]
pub struct ReplayArguments {
    /// The quarantine: file:///dir or s3://bucket/prefix.
    #[arg(value_name = "URL", required_unless_present = "dead_letters")]
    pub quarantine: Option<String>,
    /// Replay the messages of this dead-letter queue instead, and delete those that are done.
    #[arg(long, value_name = "QUEUE_URL", conflicts_with_all = ["quarantine", "kind", "delete"])]
    pub dead_letters: Option<String>,
    /// Send them to this queue, instead of handling them here.
    #[arg(long, value_name = "QUEUE_URL", requires = "dead_letters")]
    pub to: Option<String>,
    /// Only this kind.
    #[arg(long)]
    pub kind: Option<QuarantineKind>,
    /// Delete from the quarantine what is delivered.
    #[arg(long)]
    pub delete: bool,
    /// Directory that stands for the buckets that objects are read from, instead of Amazon S3.
    #[arg(long, value_name = "DIR")]
    pub buckets: Option<PathBuf>,
    /// Where records go, and how they are made.
    #[command(flatten)]
    pub forwarding: ForwardingArguments,
}

/// What is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuarantineKind {
    /// Rows that could not be read.
    Rows,
    /// Batches that a destination refused.
    Batches,
    /// Objects that could not be read.
    Objects,
}

/// `cloud-export parse`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads VPC and Transit Gateway flow logs (text and Parquet) and Network Firewall logs (JSON), plain or \
compressed with gzip or zstd; the content tells which. Records go to standard output, one JSON object a \
line; the summary goes to standard error, so that the command works in a pipe.

Records are enriched when --inventory or --metadata says from what. The path of a file tells its account and \
region where it is that of a delivered log.

Examples:
  cloud-export parse flow.log.gz | jq 'select(.action == \"REJECT\")'
  aws s3 cp s3://logs/AWSLogs/…/x.log.gz - | cloud-export parse > records.ndjson
  cloud-export parse --format '${version} ${srcaddr} ${dstaddr} ${bytes}' headerless.log
  cloud-export parse --inventory metadata/current --enrich full flow.log.gz
  aws ec2 describe-network-interfaces > enis.json && cloud-export parse --inventory enis.json flow.log.gz")]
pub struct ParseArguments {
    /// Log files; - or none for standard input.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Format of text logs without a header line, such as '${version} ${srcaddr} ${dstaddr}'.
    #[arg(long, value_name = "FIELDS")]
    pub format: Option<String>,
    /// Most bytes a file may have once decompressed.
    #[arg(long, value_name = "BYTES", value_parser = size, default_value = "4GiB")]
    pub max_decoded: u64,
    /// Do not write the summary.
    #[arg(short, long)]
    pub quiet: bool,
    /// How records are enriched.
    #[command(flatten)]
    pub enrichment: EnrichmentArguments,
}

/// What `run` and `parse` enrich records with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Enrichment")]
pub struct EnrichmentArguments {
    /// Where the collector keeps metadata, with the index: file:///dir or s3://bucket/prefix.
    #[arg(long, value_name = "URL", conflicts_with = "inventory")]
    pub metadata: Option<String>,
    /// Enrich from this directory or file instead: snapshots, output of the AWS CLI, or Batfish's aws_configs.
    #[arg(long, value_name = "PATH")]
    pub inventory: Option<PathBuf>,
    /// What is added: none, minimal, standard, full, or names of fields separated by commas [default: standard].
    #[arg(long, value_name = "FIELDS")]
    pub enrich: Option<String>,
    /// Keys of tags that are added, separated by commas.
    #[arg(long, value_name = "KEYS")]
    pub tags: Option<String>,
    /// What `device` names: vpc, subnet, interface or folder [default: vpc].
    #[arg(long, value_name = "WHAT")]
    pub device: Option<String>,
    /// Database of countries or autonomous systems, in MaxMind's format. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub geoip: Vec<String>,
    /// Price table of data transfer, as JSON.
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,
    /// AWS's ip-ranges.json.
    #[arg(long, value_name = "FILE")]
    pub aws_ranges: Option<String>,
}

/// `cloud-export fields`
#[derive(Debug, Args)]
#[command(after_help = "\
Fields of a side are in each record for the source and the destination: src_vpc_id and dst_vpc_id.

Examples:
  cloud-export fields
  cloud-export fields --level minimal
  cloud-export fields --markdown > docs/fields.md")]
pub struct FieldsArguments {
    /// Fields of this level only: minimal, standard or full.
    #[arg(long)]
    pub level: Option<String>,
    /// Write docs/fields.md instead: every field, also AWS's own, and what their values mean.
    #[arg(long, conflicts_with = "level")]
    pub markdown: bool,
}

/// `cloud-export generate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cloud-export generate --rows 1000 vpc-v2
  cloud-export generate --bytes 75MB --output flow.log.gz vpc-v5
  cloud-export generate --rows 100000 --encoding gzip firewall-flow | cloud-export parse > records.ndjson
  cloud-export generate metadata --output answers && cloud-export collect --from answers")]
pub struct GenerateArguments {
    /// Which log; or metadata, for what AWS would answer about the network that the logs tell of.
    #[arg(value_name = "LOG", value_parser = generated)]
    pub log: Generated,
    /// How many rows, headers not counted. Logs need it, or --bytes.
    #[arg(long)]
    pub rows: Option<u64>,
    /// How many bytes the output may have, compressed if it is; with --rows, whichever comes first.
    #[arg(long, value_parser = size)]
    pub bytes: Option<u64>,
    /// Another seed gives other rows.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Unix time of the first row, in seconds.
    #[arg(long, default_value_t = 1_795_190_400)]
    pub start: u64,
    /// Encoding of the output [default: by the output's name, else plain].
    #[arg(long)]
    pub encoding: Option<Encoding>,
    /// File to write, for metadata the directory that they are written below [default: standard output].
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// `cloud-export collect`
#[derive(Debug, Args)]
#[command(after_help = "\
Asks with this machine's AWS credentials, as the AWS CLI finds them; AWS_ENDPOINT_URL sends every call elsewhere. \
What is answered becomes one snapshot for each account and region, current/<account>/<region>.json.gz below --metadata; \
what could not be asked keeps what was known before.

Settings are taken from the function's environment variables (CLOUD_EXPORT_…, see docs/metadata.md) where no option is given.

Examples:
  cloud-export collect --from samples/metadata
  cloud-export collect
  cloud-export collect --regions us-east-1,eu-west-1 --metadata s3://metadata-use1/network
  cloud-export collect --primary-role arn:aws:iam::111111111111:role/cloud-export-primary \\
      --accounts organization --role cloud-export-reader")]
pub struct CollectArguments {
    /// Where snapshots are kept: file:///dir or s3://bucket/prefix [default: file://metadata].
    #[arg(long, value_name = "URL")]
    pub metadata: Option<String>,
    /// Where change events go: stdout:, file:///dir or s3://bucket/prefix. May be given several times.
    #[arg(long, value_name = "URL")]
    pub destination: Vec<String>,
    /// Who is asked.
    #[command(flatten)]
    pub estate: EstateArguments,
    /// Collect from recorded answers instead of AWS: a directory or file as snapshots, the AWS CLI
    /// or Batfish (aws_configs/accounts/ACCOUNT/REGION/*.json) write them.
    #[arg(long, value_name = "PATH")]
    pub from: Option<PathBuf>,
    /// Write one JSON object for each account and region, and a summary, instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// Who is asked, and by which roles.
#[derive(Debug, Args)]
pub struct EstateArguments {
    /// Role that is assumed first.
    #[arg(long, value_name = "ARN")]
    pub primary_role: Option<String>,
    /// External id of the primary role.
    #[arg(long, value_name = "ID")]
    pub primary_external_id: Option<String>,
    /// Accounts beside the primary role's: ids separated by commas, or organization.
    #[arg(long, value_name = "IDS")]
    pub accounts: Option<String>,
    /// Accounts that are left out.
    #[arg(long, value_name = "IDS")]
    pub blocked_accounts: Option<String>,
    /// Role to assume in each account: a name, or an ARN with {account}.
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// External id of the role in each account.
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// Regions separated by commas, or enabled [default: enabled].
    #[arg(long, value_name = "REGIONS")]
    pub regions: Option<String>,
    /// Name of the sessions of assumed roles.
    #[arg(long, value_name = "NAME")]
    pub session_name: Option<String>,
    /// Accounts, regions and role chains of any length, as a JSON list.
    #[arg(long, value_name = "JSON")]
    pub targets: Option<String>,
    /// Accounts and regions asked at once.
    #[arg(long, value_name = "N")]
    pub units_at_once: Option<String>,
}

/// `cloud-export metrics`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads what CloudWatch measured since the last run, and tells the destinations, each datapoint once: how far they were told \
is kept below --metadata, where `cloud-export collect` keeps what the datapoints are joined to.

CloudWatch charges for every metric requested: --plan lists what there is, and says what reading it costs a month, \
without reading it.

Settings are taken from the function's environment variables (CLOUD_EXPORT_…, see docs/metrics.md) where no option is given.

Examples:
  cloud-export metrics --plan
  cloud-export metrics --destination file://metrics --regions us-east-1 --namespace AWS/NATGateway
  cloud-export metrics --destination 's3://records-use1/metrics?format=parquet' --since 2026-11-20T00:00:00Z")]
pub struct MetricsArguments {
    /// Say what reading would cost, and read nothing.
    #[arg(long)]
    pub plan: bool,
    /// Where datapoints go: stdout:, file:///dir, s3://bucket/prefix, https://… or otlp+https://…. May be given several
    /// times [default: stdout:].
    #[arg(long, value_name = "URL")]
    pub destination: Vec<String>,
    /// Read from this time on what was not read before, however much it is: 2026-11-20T16:20:00Z, or a day of UTC.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only these namespaces, separated by commas: AWS/NATGateway,AWS/VPN.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Rules that choose metrics (CLOUD_EXPORT_METRIC_SELECT).
    #[arg(long, value_name = "RULES")]
    pub select: Option<String>,
    /// Where snapshots are kept, and how far was read: file:///dir or s3://bucket/prefix [default: file://metadata].
    #[arg(long, value_name = "URL")]
    pub metadata: Option<String>,
    /// Who is asked.
    #[command(flatten)]
    pub estate: EstateArguments,
    /// Write one JSON object for each account and region, and a summary, instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// `cloud-export check`
#[derive(Debug, Args)]
#[command(after_help = "\
Asks AWS with this machine's credentials, changes nothing, and says what is wrong, why it matters and what mends it: \
roles, regions, calls that are denied, buckets, notifications, flow logs and firewall logs, and whether records arrive. \
docs/check.md lists every finding.

Settings are taken from the functions' environment variables (CLOUD_EXPORT_…) where no option is given.

Exit codes: 0 nothing worse than info, 1 warnings or errors were found, 2 the configuration cannot be used.

Examples:
  cloud-export check
  cloud-export check --logs s3://logs-use1/net --metadata s3://metadata-use1/network --regions us-east-1
  cloud-export check --primary-role arn:aws:iam::111111111111:role/cloud-export-primary \\
      --accounts organization --role cloud-export-reader --json
  cloud-export check --logs s3://logs-use1 --fix-flow-logs
  cloud-export check --logs s3://logs-use1 --fix-flow-logs --yes")]
pub struct CheckArguments {
    /// Bucket that logs are delivered to, and what stands before AWSLogs/: s3://bucket/prefix. May be given several times.
    #[arg(long, value_name = "URL")]
    pub logs: Vec<String>,
    /// Where the collector keeps metadata: file:///dir or s3://bucket/prefix.
    #[arg(long, value_name = "URL")]
    pub metadata: Option<String>,
    /// Who is asked.
    #[command(flatten)]
    pub estate: EstateArguments,
    /// Also show what is as it should be.
    #[arg(long)]
    pub all: bool,
    /// Write one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
    /// Print the commands that give a flow log to every VPC and transit gateway without one.
    #[arg(long, help_heading = "Flow logs")]
    pub fix_flow_logs: bool,
    /// Run them, with the credentials that the accounts are asked with.
    #[arg(long, requires = "fix_flow_logs", help_heading = "Flow logs")]
    pub yes: bool,
    /// Format of the files of new flow logs: plain-text or parquet.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "plain-text",
        help_heading = "Flow logs"
    )]
    pub file_format: String,
    /// Name the folders of new flow logs as Hive names partitions.
    #[arg(long, help_heading = "Flow logs")]
    pub hive: bool,
    /// Give new flow logs a folder for each hour.
    #[arg(long, help_heading = "Flow logs")]
    pub hourly: bool,
}

/// `cloud-export inventory`
#[derive(Debug, Args)]
#[command(after_help = "\
Without options it counts what there is of each kind. Any of --kind, --account, --region, --vpc and --id lists \
the resources that fit all of them.

Examples:
  cloud-export inventory
  cloud-export inventory --kind interface --vpc vpc-0a1b2c3d4e5f60718
  cloud-export inventory --id eni-0a1b2c3d4e5f60718 --json
  cloud-export inventory --coverage
  aws ec2 describe-vpcs > vpcs.json && cloud-export inventory --from vpcs.json --kind vpc")]
pub struct InventoryArguments {
    /// Where snapshots are kept: file:///dir or s3://bucket/prefix [default: file://metadata].
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    pub metadata: Option<String>,
    /// Read this directory or file instead: snapshots, output of the AWS CLI, or Batfish's aws_configs.
    #[arg(long, value_name = "PATH")]
    pub from: Option<PathBuf>,
    /// Resources of this kind, such as vpc, interface or transit-gateway.
    #[arg(long)]
    pub kind: Option<String>,
    /// Resources of this account.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Resources in this region.
    #[arg(long)]
    pub region: Option<String>,
    /// Resources in this VPC.
    #[arg(long, value_name = "ID")]
    pub vpc: Option<String>,
    /// The resource with this id.
    #[arg(long)]
    pub id: Option<String>,
    /// Say instead how each call fared: in how many accounts and regions it was answered, denied, or
    /// is known from before only.
    #[arg(long, conflicts_with_all = ["kind", "account", "region", "vpc", "id", "from"])]
    pub coverage: bool,
    /// Write one JSON object for each resource, or each call.
    #[arg(long)]
    pub json: bool,
}

/// `cloud-export status`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing fails, 1 something failed or is stale, 2 the command line cannot be used. What is only missing is a \
warning, and no failure.

Examples:
  cloud-export status
  cloud-export status --metadata s3://metadata-use1/network --json
  cloud-export status --metadata s3://metadata-use1/network --html status.html")]
pub struct StatusArguments {
    /// Where snapshots are kept: file:///dir or s3://bucket/prefix [default: file://metadata].
    #[arg(long, value_name = "URL")]
    pub metadata: Option<String>,
    /// Write the document as JSON, with the issues.
    #[arg(long, conflicts_with = "html")]
    pub json: bool,
    /// Write the page into this file instead.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `cloud-export policy`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cloud-export policy
  cloud-export policy --metrics
  cloud-export policy --assume 'arn:aws:iam::*:role/cloud-export-reader'
  cloud-export policy --trust arn:aws:iam::111111111111:role/cloud-export-primary --external-id cloud-export-1f0c")]
pub struct PolicyArguments {
    /// Allow to read metrics as well.
    #[arg(long, conflicts_with_all = ["assume", "trust"])]
    pub metrics: bool,
    /// Print the policy that allows to assume these roles, instead of the one that reads an account.
    #[arg(long, value_name = "ARN", conflicts_with = "trust")]
    pub assume: Vec<String>,
    /// Print the trust policy for a role that this role may assume.
    #[arg(long, value_name = "ARN")]
    pub trust: Option<String>,
    /// External id that the trust policy asks for.
    #[arg(long, value_name = "ID", requires = "trust")]
    pub external_id: Option<String>,
}

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// A log.
    Log(LogFormat),
    /// The answers that tell what the logs are about.
    Metadata,
}

/// How a generated log is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// As text.
    Plain,
    /// As AWS does.
    Gzip,
    /// With Zstandard.
    Zstd,
    /// As Parquet; flow logs only.
    Parquet,
}

fn generated(name: &str) -> Result<Generated, String> {
    if name == "metadata" {
        return Ok(Generated::Metadata);
    }
    let log = LogFormat::from_name(name).map(Generated::Log);
    log.ok_or_else(|| {
        let names: Vec<&str> = LogFormat::ALL.iter().map(|format| format.name()).collect();
        format!(
            "the logs are {}; metadata is what they are about",
            names.join(", ")
        )
    })
}

/// Bytes with an optional unit: `75MB`, `256KiB`, `1000`.
fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write bytes as 1000, 75MB or 256KiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "write bytes as 1000, 75MB or 256KiB".to_owned())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "that is too many bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            (size("75MB"), size("4GiB"), size("12")),
            (Ok(75_000_000), Ok(4 << 30), Ok(12))
        );
        for text in [
            "",
            "MB",
            "1.5MB",
            "7X",
            "99999999999999999999",
            "18446744073709551615KB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
