//! Flow logs: what is logged, to where, how completely, and whether it is delivered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::access::last_role;
use super::check::Check;
use super::delivery_policy::Writing;
use super::finding::Finding;
use super::observation::{AccountObservation, BucketObservation, Observations, UnitObservation};
use super::remedy::{
    FlowLogOrder, Lacking, LogDestination, LoggedResource, SHORT_INTERVAL, repeats_tag,
};
use crate::analysis;
use crate::describe::state::State;
use crate::flow::field::Field;
use crate::flow::layout::{Layout, VPC_DEFAULT};
use crate::snapshot::GLOBAL;

/// The fields that enrichment wants besides those that nothing works without, with what is lost by each.
pub const WANTED: &[(Field, &str)] = &[
    (Field::AccountId, "whose interface it is"),
    (Field::InterfaceId, "which interface it is"),
    (Field::End, "how long a flow lasted"),
    (Field::Action, "whether it was rejected"),
    (Field::LogStatus, "whether records were skipped"),
    (Field::VpcId, "the VPC, where addresses overlap"),
    (Field::SubnetId, "the subnet"),
    (Field::InstanceId, "the instance"),
    (Field::TcpFlags, "who opened the connection"),
    (Field::PktSrcaddr, "the real source behind NAT"),
    (Field::PktDstaddr, "the real destination behind NAT"),
    (Field::AzId, "the zone, and what crossing zones costs"),
    (Field::PktSrcAwsService, "the AWS service at the source"),
    (
        Field::PktDstAwsService,
        "the AWS service at the destination",
    ),
    (Field::FlowDirection, "ingress or egress"),
    (Field::TrafficPath, "the gateway that egress takes"),
    (Field::TgwId, "the transit gateway"),
    (Field::TgwAttachmentId, "the attachment"),
    (Field::TgwPairAttachmentId, "the other attachment"),
    (Field::TgwSrcVpcId, "the source VPC"),
    (Field::TgwDstVpcId, "the destination VPC"),
    (Field::TgwSrcVpcAccountId, "the source account"),
    (Field::TgwDstVpcAccountId, "the destination account"),
];

/// A row of `DescribeFlowLogs`.
pub(super) struct FlowLog<'r> {
    row: &'r Value,
}

impl<'r> FlowLog<'r> {
    fn text(&self, name: &str) -> &'r str {
        let text = self.row.get(name).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    pub fn id(&self) -> &'r str {
        self.text("FlowLogId")
    }

    fn resource(&self) -> &'r str {
        self.text("ResourceId")
    }

    pub fn is_active(&self) -> bool {
        self.text("FlowLogStatus") == "ACTIVE"
    }

    pub fn is_failing(&self) -> bool {
        self.text("DeliverLogsStatus") == "FAILED"
    }

    /// Bucket and folder that it is delivered to; `None` when that is no bucket.
    pub fn bucket(&self) -> Option<(&'r str, &'r str)> {
        let is_s3 = self.text("LogDestinationType") == "s3";
        let (_, path) = self.text("LogDestination").split_once(":s3:::")?;
        let (bucket, folder) = path.split_once('/').unwrap_or((path, ""));
        is_s3.then_some((bucket, folder.trim_end_matches('/')))
    }

    /// Whether its folders are named as Hive names partitions.
    pub fn is_hive(&self) -> bool {
        let options = self.row.get("DestinationOptions");
        let hive = options.and_then(|options| options.get("HiveCompatiblePartitions"));
        hive.and_then(Value::as_bool) == Some(true)
    }

    pub fn created(&self) -> Option<Timestamp> {
        self.text("CreationTime").parse().ok()
    }
}

/// Whether what is delivered to a folder of a bucket is looked at.
fn reads(bucket: &BucketObservation, name: &str, folder: &str) -> bool {
    let below = |prefix: &str| {
        folder
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    bucket.bucket == name && (bucket.prefix.is_empty() || below(&bucket.prefix))
}

/// The bucket that holds what is delivered to a bucket and a folder, where it is looked at.
pub(super) fn reader<'o>(
    seen: &'o Observations,
    (name, folder): (&str, &str),
) -> Option<&'o BucketObservation> {
    let mut buckets = seen.buckets.iter();
    buckets.find(|bucket| reads(bucket, name, folder))
}

fn rows<'u>(unit: &'u UnitObservation, section: &str) -> &'u [Value] {
    let mut collected = unit.collected.iter();
    let found = collected.find(|collected| collected.endpoint.section == section);
    let rows = found.and_then(|collected| collected.rows.as_array());
    rows.map_or(&[], Vec::as_slice)
}

fn text<'r>(row: &'r Value, name: &str) -> Option<&'r str> {
    row.get(name).and_then(Value::as_str)
}

pub(super) fn is_answered(unit: &UnitObservation, section: &str) -> bool {
    let mut collected = unit.collected.iter();
    collected.any(|c| c.endpoint.section == section && c.state.is_answered())
}

/// What the delivery of a flow log to a bucket and a folder asks for.
fn writing<'o>(
    account: &'o AccountObservation,
    unit: &'o UnitObservation,
    log: &FlowLog<'_>,
    (bucket, folder): (&'o str, &'o str),
) -> Writing<'o> {
    Writing {
        partition: &account.partition,
        bucket,
        folder,
        account: &account.account,
        region: &unit.region,
        hive: log.is_hive(),
    }
}

/// An active flow log whose bucket is looked at.
pub(super) struct Delivery<'o> {
    pub unit: &'o UnitObservation,
    pub log: FlowLog<'o>,
    pub bucket: &'o BucketObservation,
    pub writing: Writing<'o>,
}

/// The active flow logs whose buckets are looked at.
pub(super) fn deliveries(seen: &Observations) -> impl Iterator<Item = Delivery<'_>> {
    let units = seen.accounts.iter().flat_map(|account| {
        let units = account.units.iter().filter(|unit| unit.region != GLOBAL);
        units.map(move |unit| (account, unit))
    });
    let logs = units.flat_map(|(account, unit)| of_unit(unit).map(move |log| (account, unit, log)));
    logs.filter(|(.., log)| log.is_active())
        .filter_map(|(account, unit, log)| {
            let place = log.bucket()?;
            Some(Delivery {
                unit,
                bucket: reader(seen, place)?,
                writing: writing(account, unit, &log, place),
                log,
            })
        })
}

/// Whether a flow log has nothing to write: there is no interface where it is on.
pub(super) fn is_idle(unit: &UnitObservation, log: &FlowLog<'_>) -> bool {
    let ids = ["VpcId", "SubnetId", "NetworkInterfaceId"];
    let of_log = |row: &Value| ids.iter().any(|id| text(row, id) == Some(log.resource()));
    let by_interface = !LoggedResource::of_id(log.resource()).is_transit_gateway();
    let known = is_answered(unit, "NetworkInterfaces");
    by_interface && known && !rows(unit, "NetworkInterfaces").iter().any(of_log)
}

/// The flow logs of a region.
pub(super) fn of_unit(unit: &UnitObservation) -> impl Iterator<Item = FlowLog<'_>> {
    rows(unit, "FlowLogs").iter().map(|row| FlowLog { row })
}

/// How much of a VPC is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Coverage {
    Whole,
    /// Interfaces that are not logged, and the subnets they are in.
    Part {
        logged: usize,
        of: usize,
        subnets: Vec<String>,
    },
    None,
    /// No interface, and no flow log.
    Idle,
}

fn coverage(unit: &UnitObservation, vpc: &str, logged: &BTreeSet<&str>) -> Coverage {
    if logged.contains(vpc) {
        return Coverage::Whole;
    }
    let in_vpc = |row: &&Value| text(row, "VpcId") == Some(vpc);
    if !is_answered(unit, "NetworkInterfaces") {
        // By subnets, as far as they are known.
        let mut subnets = rows(unit, "Subnets").iter().filter(in_vpc).peekable();
        let any = subnets.peek().is_some();
        let mut ids = subnets.filter_map(|row| text(row, "SubnetId"));
        return match any && ids.all(|id| logged.contains(id)) {
            true => Coverage::Whole,
            false => Coverage::None,
        };
    }
    let interfaces = rows(unit, "NetworkInterfaces").iter().filter(in_vpc);
    let mut unlogged = BTreeSet::new();
    let (mut of, mut covered) = (0, 0);
    for interface in interfaces {
        of += 1;
        let ids = ["NetworkInterfaceId", "SubnetId"].map(|name| text(interface, name));
        match ids.into_iter().flatten().any(|id| logged.contains(id)) {
            true => covered += 1,
            false => unlogged.extend(text(interface, "SubnetId").map(str::to_owned)),
        }
    }
    // Subnets with a flow log and no interface yet count for a beginning.
    let subnets = rows(unit, "Subnets").iter().filter(in_vpc);
    let mut subnets = subnets.filter_map(|row| text(row, "SubnetId"));
    match (of, covered) {
        (0, _) if subnets.any(|subnet| logged.contains(subnet)) => Coverage::Whole,
        (0, _) => Coverage::Idle,
        (_, 0) => Coverage::None,
        (of, covered) if of == covered => Coverage::Whole,
        _ => Coverage::Part {
            logged: covered,
            of,
            subnets: unlogged.into_iter().collect(),
        },
    }
}

/// The VPCs and transit gateways of a region that belong to the account: flow logs of others' take their owner.
fn owned<'u>(
    account: &AccountObservation,
    unit: &'u UnitObservation,
    section: &str,
    member: &'static str,
) -> Vec<(&'u Value, &'u str)> {
    rows(unit, section)
        .iter()
        .filter(|row| text(row, "OwnerId").is_none_or(|owner| owner == account.account))
        .filter_map(|row| Some((row, text(row, member)?)))
        .collect()
}

/// A VPC with its name, where it has one.
fn named(row: &Value, id: &str) -> String {
    let tags = row.get("Tags").and_then(Value::as_array);
    let name = tags.into_iter().flatten();
    let mut name = name.filter(|tag| text(tag, "Key") == Some("Name"));
    match name.next().and_then(|tag| text(tag, "Value")) {
        Some(name) if !name.is_empty() => format!("{id} ({name})"),
        _ => id.to_owned(),
    }
}

/// What is concluded from one region.
struct Region<'o> {
    seen: &'o Observations,
    account: &'o AccountObservation,
    unit: &'o UnitObservation,
    destination: &'o LogDestination,
}

impl Region<'_> {
    fn lacking(&self) -> Lacking<'_> {
        Lacking {
            account: &self.account.account,
            partition: &self.account.partition,
            chain: &self.account.chain,
            region: &self.unit.region,
        }
    }

    fn finding(&self, check: Check, resource: &str) -> Finding {
        Finding::of(check)
            .account(&self.account.account)
            .region(&self.unit.region)
            .resource(resource)
    }

    fn command(&self, kind: LoggedResource, resource: &str) -> String {
        self.lacking().command(kind, resource, self.destination)
    }

    /// Resources with a flow log that fits.
    fn logged(&self, fits: impl Fn(&FlowLog<'_>) -> bool) -> BTreeSet<&str> {
        of_unit(self.unit)
            .filter(|log| log.is_active() && fits(log))
            .map(|log| log.resource())
            .collect()
    }

    fn flow_log(&self, log: &FlowLog<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let resource = log.resource();
        let kind = LoggedResource::of_id(resource);
        let command = self.command(kind, resource);
        let finding = |check: Check, what: String| {
            self.finding(check, log.id())
                .what(format!("{} of {resource}: {what}", log.id()))
                .with("flow-log", log.id())
                .with("create-command", &command)
        };
        if !log.is_active() {
            let status = log.text("FlowLogStatus").to_owned();
            return vec![finding(Check::FlowLogInactive, status)];
        }
        let bucket = log.bucket();
        if log.is_failing() {
            let why = match log.text("DeliverLogsErrorMessage") {
                "" => "delivery fails, and AWS does not say why",
                why => why,
            };
            let to = format!("{why} (to {})", log.text("LogDestination"));
            let (name, folder) = bucket.unwrap_or(("<log-bucket>", ""));
            let writing = writing(self.account, self.unit, log, (name, folder));
            let finding = finding(Check::FlowLogFailed, to);
            findings.push(finding.with("delivery-policy", &writing.policy()));
        }
        match bucket {
            None => {
                let to = format!("it goes to {}", log.text("LogDestinationType"));
                findings.push(finding(Check::FlowLogElsewhere, to));
            }
            Some(place) if !self.seen.buckets.is_empty() && reader(self.seen, place).is_none() => {
                let (name, folder) = place;
                let to = match folder {
                    "" => name.to_owned(),
                    folder => format!("{name}/{folder}"),
                };
                findings.push(
                    finding(Check::FlowLogOtherBucket, format!("it goes to s3://{to}"))
                        .with("other-bucket", &to),
                );
            }
            Some(_) => {}
        }
        findings.extend(
            format_shortfall(log.text("LogFormat"), kind).map(|(check, what)| finding(check, what)),
        );
        let interval = log
            .row
            .get("MaxAggregationInterval")
            .and_then(Value::as_u64);
        if let Some(interval) = interval.filter(|interval| *interval > SHORT_INTERVAL) {
            let every = format!("a record stands for up to {interval} seconds");
            findings.push(finding(Check::FlowLogAggregation, every));
        }
        let traffic = log.text("TrafficType");
        if !kind.is_transit_gateway() && !matches!(traffic, "ALL" | "") {
            let only = format!("it records {traffic} only");
            findings.push(finding(Check::FlowLogTraffic, only));
        }
        findings
    }

    fn findings(&self) -> Vec<Finding> {
        let (account, unit) = (self.account, self.unit);
        let known = ["FlowLogs", "Vpcs"].map(|section| is_answered(unit, section));
        if known != [true, true] {
            let disabled = unit
                .collected
                .iter()
                .any(|collected| collected.state == State::RegionDisabled);
            let (role, _) = last_role(account);
            let unknown = Finding::of(Check::FlowLogUnknown)
                .account(&account.account)
                .region(&unit.region)
                .with("role", &role);
            return (!disabled).then_some(unknown).into_iter().collect();
        }
        let mut findings: Vec<Finding> = of_unit(unit).flat_map(|l| self.flow_log(&l)).collect();
        let logged = self.logged(|_| true);
        for (row, vpc) in owned(account, unit, "Vpcs", "VpcId") {
            let name = named(row, vpc);
            let (check, what) = match coverage(unit, vpc, &logged) {
                Coverage::Whole => (Check::FlowLogOk, format!("{name} is logged")),
                Coverage::None => (Check::FlowLogNone, format!("{name} has no flow log")),
                Coverage::Idle => (
                    Check::FlowLogIdle,
                    format!("{name} has no flow log, and no interface"),
                ),
                Coverage::Part {
                    logged,
                    of,
                    subnets,
                } => {
                    let what = format!("{logged} of {of} interfaces of {name} are logged");
                    let orders =
                        self.lacking()
                            .orders(LoggedResource::Subnet, &subnets, self.destination);
                    let commands: Vec<String> = orders.iter().map(ToString::to_string).collect();
                    findings.push(
                        self.finding(Check::FlowLogPartial, vpc)
                            .what(what)
                            .with("create-command", &commands.join("\n")),
                    );
                    continue;
                }
            };
            let command = self.command(LoggedResource::Vpc, vpc);
            findings.push(
                self.finding(check, vpc)
                    .what(what)
                    .with("create-command", &command),
            );
        }
        for (row, gateway) in owned(account, unit, "TransitGateways", "TransitGatewayId") {
            let name = named(row, gateway);
            let command = self.command(LoggedResource::TransitGateway, gateway);
            let (check, what) = match logged.contains(gateway) {
                true => (Check::FlowLogOk, format!("{name} is logged")),
                false => (
                    Check::FlowLogTransitGateway,
                    format!("{name} has no flow log"),
                ),
            };
            let finding = self.finding(check, gateway).what(what);
            findings.push(finding.with("create-command", &command));
        }
        findings
    }

    fn orders(&self) -> Vec<FlowLogOrder> {
        let (account, unit) = (self.account, self.unit);
        if !is_answered(unit, "FlowLogs") {
            return Vec::new();
        }
        let logged = self.logged(|log| log.bucket().is_some());
        let mut lacking: BTreeMap<LoggedResource, Vec<String>> = BTreeMap::new();
        for (_, vpc) in owned(account, unit, "Vpcs", "VpcId") {
            let (kind, ids) = match coverage(unit, vpc, &logged) {
                Coverage::Whole => continue,
                Coverage::None | Coverage::Idle => (LoggedResource::Vpc, vec![vpc.to_owned()]),
                Coverage::Part { subnets, .. } => (LoggedResource::Subnet, subnets),
            };
            lacking.entry(kind).or_default().extend(ids);
        }
        for (_, gateway) in owned(account, unit, "TransitGateways", "TransitGatewayId") {
            if !logged.contains(gateway) {
                let of_kind = lacking.entry(LoggedResource::TransitGateway);
                of_kind.or_default().push(gateway.to_owned());
            }
        }
        let orders = lacking
            .iter()
            .map(|(kind, ids)| self.lacking().orders(*kind, ids, self.destination));
        orders.flatten().collect()
    }
}

fn regions<'o>(
    seen: &'o Observations,
    destination: &'o LogDestination,
) -> impl Iterator<Item = Region<'o>> {
    let units = move |account: &'o AccountObservation| {
        let units = account.units.iter().filter(|unit| unit.region != GLOBAL);
        units.map(move |unit| Region {
            seen,
            account,
            unit,
            destination,
        })
    };
    seen.accounts.iter().flat_map(units)
}

/// Findings about flow logs. `destination` is where new ones would go.
pub(super) fn findings(seen: &Observations, destination: &LogDestination) -> Vec<Finding> {
    let regions = regions(seen, destination);
    regions.flat_map(|region| region.findings()).collect()
}

/// The calls that give flow logs to a bucket to every VPC and transit gateway that has none.
pub(super) fn orders(seen: &Observations, destination: &LogDestination) -> Vec<FlowLogOrder> {
    let regions = regions(seen, destination);
    regions.flat_map(|region| region.orders()).collect()
}

/// What a format lacks, the worst first.
fn format_shortfall(format: &str, kind: LoggedResource) -> Option<(Check, String)> {
    let layout = Layout::from_format(format).ok()?;
    let names = |fields: &[(Field, &str)]| {
        let names: Vec<String> = fields
            .iter()
            .map(|(field, lost)| format!("{} ({lost})", field.name()))
            .collect();
        names.join(", ")
    };
    if let Some(shortfall) = analysis::shortfall(&layout)
        && !shortfall.missing.is_empty()
    {
        let lacks = format!("it lacks {}", names(&shortfall.missing));
        return Some((Check::FlowLogRequired, lacks));
    }
    let default = Layout::from_format(VPC_DEFAULT).ok()?;
    if layout.columns() == default.columns() {
        let what = "version 2 only: no vpc-id, flow-direction, pkt-srcaddr and others";
        return Some((Check::FlowLogDefaultFormat, what.to_owned()));
    }
    let lacked = |field: &Field| kind.offers(field.info().offered) && !layout.has(*field);
    let wanted: Vec<(Field, &str)> = WANTED
        .iter()
        .copied()
        .filter(|(field, _)| lacked(field))
        .collect();
    if !wanted.is_empty() {
        return Some((Check::FlowLogFields, format!("it lacks {}", names(&wanted))));
    }
    let others: Vec<&str> = kind
        .fields()
        .filter(|field| lacked(field) && !repeats_tag(*field))
        .map(Field::name)
        .collect();
    let what = format!("it lacks {}", others.join(", "));
    (!others.is_empty()).then_some((Check::FlowLogOtherFields, what))
}
