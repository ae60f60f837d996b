//! What switches missing flow logs on: `CreateFlowLogs`, as a command and as a call.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::flow::field::{FIELDS, Field, Offered};
use crate::target::Hop;

/// The most resources of one call ("CreateFlowLogs", *EC2 API Reference*).
const MAX_RESOURCES: usize = 1000;

/// The same for transit gateways.
const MAX_TRANSIT_GATEWAYS: usize = 25;

/// The shortest aggregation interval, in seconds.
pub const SHORT_INTERVAL: u64 = 60;

/// Where new flow logs are delivered to, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDestination {
    /// The bucket; `None` where nobody said which.
    pub bucket: Option<String>,
    /// The folder before `AWSLogs/`, without a slash at the end; empty for none.
    pub prefix: String,
    /// The format of files.
    pub file_format: FileFormat,
    /// Whether folders are named as Hive names partitions.
    pub hive: bool,
    /// Whether there is a folder for each hour.
    pub hourly: bool,
}

/// The format of files with flow logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// Text, compressed with gzip.
    #[default]
    Text,
    /// Apache Parquet.
    Parquet,
}

impl FileFormat {
    /// The name in requests.
    pub const fn label(self) -> &'static str {
        match self {
            FileFormat::Text => "plain-text",
            FileFormat::Parquet => "parquet",
        }
    }
}

impl FromStr for FileFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<FileFormat, String> {
        [FileFormat::Text, FileFormat::Parquet]
            .into_iter()
            .find(|format| format.label() == text)
            .ok_or_else(|| format!("{text:?} is neither plain-text nor parquet"))
    }
}

/// What a flow log is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoggedResource {
    /// A VPC.
    Vpc,
    /// A subnet.
    Subnet,
    /// A network interface.
    NetworkInterface,
    /// A regional NAT gateway.
    RegionalNatGateway,
    /// A transit gateway.
    TransitGateway,
    /// What is attached to a transit gateway.
    TransitGatewayAttachment,
}

impl LoggedResource {
    /// The name in requests.
    pub const fn label(self) -> &'static str {
        match self {
            LoggedResource::Vpc => "VPC",
            LoggedResource::Subnet => "Subnet",
            LoggedResource::NetworkInterface => "NetworkInterface",
            LoggedResource::RegionalNatGateway => "RegionalNatGateway",
            LoggedResource::TransitGateway => "TransitGateway",
            LoggedResource::TransitGatewayAttachment => "TransitGatewayAttachment",
        }
    }

    /// What an id is one of.
    pub fn of_id(id: &str) -> LoggedResource {
        const PREFIXES: [(&str, LoggedResource); 5] = [
            ("subnet-", LoggedResource::Subnet),
            ("eni-", LoggedResource::NetworkInterface),
            ("nat-", LoggedResource::RegionalNatGateway),
            ("tgw-attach-", LoggedResource::TransitGatewayAttachment),
            ("tgw-", LoggedResource::TransitGateway),
        ];
        let known = PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix));
        known.map_or(LoggedResource::Vpc, |(_, kind)| *kind)
    }

    /// Whether its flow logs are those of transit gateways: with fields of their own, and without kinds of traffic.
    pub const fn is_transit_gateway(self) -> bool {
        matches!(
            self,
            LoggedResource::TransitGateway | LoggedResource::TransitGatewayAttachment
        )
    }

    const fn most(self) -> usize {
        match self.is_transit_gateway() {
            true => MAX_TRANSIT_GATEWAYS,
            false => MAX_RESOURCES,
        }
    }

    /// The fields that its flow logs offer, in the order of versions.
    ///
    /// Fields that repeat a tag are left out: they need the keys of tags (`TagFieldSpecifications`).
    pub fn fields(self) -> impl Iterator<Item = Field> {
        FIELDS
            .iter()
            .filter(move |info| self.offers(info.offered) && !repeats_tag(info.field))
            .map(|info| info.field)
    }

    /// Whether its flow logs offer what is offered so.
    pub const fn offers(self, offered: Offered) -> bool {
        match offered {
            Offered::Both => true,
            Offered::Vpc => !self.is_transit_gateway(),
            Offered::TransitGateway => self.is_transit_gateway(),
        }
    }
}

/// Whether a field repeats a tag of the owner's choice.
pub const fn repeats_tag(field: Field) -> bool {
    matches!(
        field,
        Field::InstanceTag
            | Field::InstanceTag2
            | Field::InterfaceTag
            | Field::InterfaceTag2
            | Field::AsgTag
            | Field::AsgTag2
    )
}

/// One call of `CreateFlowLogs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLogOrder {
    /// The account.
    pub account: String,
    /// The roles on the way to it.
    pub chain: Vec<Hop>,
    /// The region.
    pub region: String,
    /// What the resources are.
    pub kind: LoggedResource,
    /// Their ids.
    pub resources: Vec<String>,
    partition: String,
    destination: LogDestination,
}

/// Where resources lack flow logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lacking<'l> {
    pub account: &'l str,
    pub partition: &'l str,
    pub chain: &'l [Hop],
    pub region: &'l str,
}

impl Lacking<'_> {
    /// The calls that give resources of a kind flow logs.
    pub fn orders(
        &self,
        kind: LoggedResource,
        resources: &[String],
        destination: &LogDestination,
    ) -> Vec<FlowLogOrder> {
        let order = |resources: &[String]| FlowLogOrder {
            account: self.account.to_owned(),
            chain: self.chain.to_vec(),
            region: self.region.to_owned(),
            kind,
            resources: resources.to_vec(),
            partition: self.partition.to_owned(),
            destination: destination.clone(),
        };
        resources.chunks(kind.most()).map(order).collect()
    }

    /// The command that gives one resource a flow log.
    pub fn command(
        &self,
        kind: LoggedResource,
        resource: &str,
        destination: &LogDestination,
    ) -> String {
        let orders = self.orders(kind, &[resource.to_owned()], destination);
        orders
            .first()
            .map_or_else(String::new, FlowLogOrder::to_string)
    }
}

impl FlowLogOrder {
    fn log_destination(&self) -> String {
        let LogDestination { bucket, prefix, .. } = &self.destination;
        let bucket = bucket.as_deref().unwrap_or("<log-bucket>");
        let arn = format!("arn:{}:s3:::{bucket}", self.partition);
        match prefix.as_str() {
            "" => arn,
            folder => format!("{arn}/{folder}/"),
        }
    }

    fn log_format(&self) -> String {
        let fields = self.kind.fields();
        let names: Vec<String> = fields
            .map(|field| format!("${{{}}}", field.name()))
            .collect();
        names.join(" ")
    }

    /// The parameters of the call.
    pub fn parameters(&self) -> Map<String, Value> {
        let LogDestination {
            file_format,
            hive,
            hourly,
            ..
        } = &self.destination;
        let options = json!({
            "FileFormat": file_format.label(),
            "HiveCompatiblePartitions": hive,
            "PerHourPartition": hourly,
        });
        // Transit gateways know no kinds of traffic, and refuse the parameter.
        let traffic = (!self.kind.is_transit_gateway()).then(|| json!("ALL"));
        let parameters = [
            ("ResourceType", Some(json!(self.kind.label()))),
            ("ResourceIds", Some(json!(self.resources))),
            ("TrafficType", traffic),
            ("LogDestinationType", Some(json!("s3"))),
            ("LogDestination", Some(json!(self.log_destination()))),
            ("LogFormat", Some(json!(self.log_format()))),
            ("MaxAggregationInterval", Some(json!(SHORT_INTERVAL))),
            ("DestinationOptions", Some(options)),
        ];
        let given = parameters
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }
}

impl fmt::Display for FlowLogOrder {
    /// The command of the AWS CLI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogDestination {
            file_format,
            hive,
            hourly,
            ..
        } = &self.destination;
        let traffic = match self.kind.is_transit_gateway() {
            true => "",
            false => " --traffic-type ALL",
        };
        write!(
            f,
            "aws ec2 create-flow-logs --region {} --resource-type {} --resource-ids {}{traffic} --log-destination-type s3 --log-destination '{}' --log-format '{}' --max-aggregation-interval {SHORT_INTERVAL} --destination-options FileFormat={},HiveCompatiblePartitions={hive},PerHourPartition={hourly}",
            self.region,
            self.kind.label(),
            self.resources.join(" "),
            self.log_destination(),
            self.log_format(),
            file_format.label(),
        )
    }
}
