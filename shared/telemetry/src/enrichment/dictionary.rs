//! The data dictionary: every field of the delivered records, as a page of Markdown.
//!
//! ```text
//! field.rs, side.rs, transfer.rs, resource.rs, list.json, flow/field.rs ─▶ tables ─┐
//!                                                             prose, in here ─────┴─▶ docs/fields.md
//! ```
//!
//! The page is checked in, and a test compares it with what is made here: what a field means is written once, beside
//! the field.

use std::fmt::{Display, Write};

use serde_json::{Map, Value};

use super::field::{End, FlowField, Level, SideField};
use super::price::{PriceTable, SHIPPED};
use super::side::How;
use super::transfer::{Confidence, Scope, Via};
use crate::flow::field::{FIELDS, FieldType, Offered};
use crate::index::GatewayKind;
use crate::index::resource::RESOURCE_TYPES;

#[cfg(test)]
mod tests;

/// What a side may belong to beside [`RESOURCE_TYPES`]: things that are no interface.
#[rustfmt::skip]
const FAR_TYPES: &[(&str, &str)] = &[
    ("regional-nat-gateway", "Regional NAT gateway, which has no interface"),
    ("prefix-list", "Prefix list that has the address"),
    ("virtual-private-gateway", "On-premises, behind this virtual private gateway"),
    ("vpn-connection", "On-premises, behind this VPN connection of a transit gateway"),
    ("direct-connect-gateway", "On-premises, behind this Direct Connect gateway"),
    ("transit-gateway-connect", "Behind this Connect attachment (GRE, SD-WAN)"),
    ("local-gateway", "On-premises, behind this local gateway of an Outpost"),
    ("peering-connection", "Behind this peering connection, whose other VPC is not known"),
];

/// Prices: the key, what it is for, and which records carry it.
#[rustfmt::skip]
const PRICES: &[(&str, &str, &str)] = &[
    ("inter-az", "Between two zones of a region, by private addresses", "egress of the sender, ingress of the receiver"),
    ("intra-region-public-ip", "Between public addresses of own interfaces in one region", "egress of the sender, ingress of the receiver"),
    ("peering-inter-az", "Between two zones of a region, over VPC peering", "egress of the sender, ingress of the receiver"),
    ("inter-region", "To another region", "egress of the sender, or of the transit gateway's log at its peering"),
    ("internet-egress", "To the internet, and over VPN", "egress"),
    ("direct-connect-out", "Out over Direct Connect", "egress"),
    ("transit-gateway", "Into a transit gateway", "ingress of the gateway's own log, except from a peering; without such a log, egress of the sender"),
    ("privatelink", "Through an interface endpoint", "both directions of the endpoint's interface"),
    ("nat-gateway", "Through a NAT gateway", "ingress of the gateway's interface"),
    ("gateway-load-balancer-endpoint", "Through a Gateway Load Balancer endpoint", "ingress of the endpoint's interface"),
    ("network-firewall", "Through a network firewall", "ingress of the firewall endpoint's interface"),
    ("core-network", "Into a core network (Cloud WAN)", "egress of the sender"),
];

const INTRODUCTION: &str = "\
# Fields of the delivered records

Made from the code by `cloud-export fields --markdown`. How enrichment is set up and how it behaves is in
[enrichment.md](enrichment.md).

A record has AWS's own fields first, as the log has them, and then what enrichment adds. A field without a value is
left out. A field that is added never replaces one that the record has already.
";

const LEVELS: &str = "\
`CLOUD_EXPORT_ENRICH` takes a level, names of fields, or both, separated by commas: `minimal,src_security_groups`. A
level has the fields of the levels before it. The name of a side's field without its prefix stands for both sides:
`subnet_id`.
";

const SIDES: &str = "\
Each record has these twice: with `src_` before the name for who sends, with `dst_` for who receives. The sides are
who talks to whom: `pkt-srcaddr` and `pkt-dstaddr` where the record has them, else `srcaddr` and `dstaddr`.

`CLOUD_EXPORT_TAGS` adds tags of the side's interface, which has those of its instance as well: `src_tag_<key>` and
`dst_tag_<key>`.
";

const HOW: &str = "\
`src_how` and `dst_how` say where the answer is from, or why there is none. A side that was found has the status `hit`,
or `stale` when it was so and may have changed since: the metadata are older than `CLOUD_EXPORT_INDEX_MAX_AGE_H` at the
time of the flow, could not be asked for again, or the interface has vanished.
";

const CLASSES: &str = "\
What carries the traffic (`via`) and how far it goes (`scope`) are two things: through a transit gateway, to another
zone. The distance is that between the two sides; for a NAT gateway, it is that between the interface and the gateway,
because the gateway's own records tell what is beyond it. Formats before version 5 have no `traffic-path`, and ingress
never has: what then follows from route tables and addresses has a lower `confidence`.
";

const COUNTING: &str = "\
One stream of packets between two logged interfaces is in the logs twice, and once more at each gateway on the way.
`sum(bytes)` over all records counts it each time. `sum(bytes)` over those with `count_volume` counts it once.

| record | counts |
| --- | --- |
| egress of an interface that sends for itself | always |
| ingress of an interface | when the sender is not logged, unless a gateway's interface in the same logged VPC saw it before |
| ingress of a NAT gateway, a Gateway Load Balancer endpoint or a firewall endpoint | when the sender is not logged |
| egress of one of these | never: it came in before |
| egress of a transit gateway's interface into a VPC | when the sender is not logged |
| a transit gateway's own log | ingress, when the sender is not logged |
| a network firewall's flow log | when neither side is logged; `alert` and `tls` entries have no `count_volume` |

A side is logged when `DescribeFlowLogs` shows an active flow log of its accepted traffic, on the interface, its subnet
or its VPC. A side that is not known counts as not logged.

What is *not* recognised: several flow logs of the same interface deliver every record several times, and both copies
count. Rejected records count as others do; leave them out by `action`.

Costs are different: each record carries what is metered where it was logged, so that costs are summed over *all*
records.
";

const COST: &str = "\
`transfer_cost_usd` is what AWS meters for the bytes of this record, at the place where it was logged, at list price.
The sum over all records of all logs is the estimate of the bill; the cost of one record is not the cost of a
connection. A GB has 2^30 bytes, as on the bill.

Free tiers, discounts, lower prices for large volumes and prices by the hour (NAT gateways, endpoints, attachments, VPN
connections) are not in it, and bytes are as the flow log counts them. Sums are too low where a place on the way is not
logged. Where a transit gateway has no flow log, the sender's record carries the gateway's part as well.

The way itself costs 0 within a zone; for what comes in from the internet, VPN and Direct Connect; by gateway endpoints;
between a workload and an interface endpoint; to public addresses of AWS's services in the same region; and to
CloudFront. What a NAT gateway, an endpoint or a firewall processes is metered at its own interface. Rejected records
and entries of a firewall's log cost 0.

The field is absent, which is not the same as 0, where the way is not known; where the region is known and the zones
are not; for Local Zones, Wavelength Zones and local gateways; for a virtual private gateway that has both VPN and Direct
Connect; for Connect attachments; and where the table has no price.
";

/// The page.
pub fn markdown() -> String {
    let mut page = Page::default();
    page.text(INTRODUCTION);
    page.contents();
    page.levels();
    page.sides();
    page.flow();
    page.how();
    page.classes();
    page.gateways();
    page.resources();
    page.counting();
    page.cost();
    page.of_aws();
    page.0
}

/// Headings, in the order of the page.
const HEADINGS: [&str; 10] = [
    "Levels",
    "Fields of a side",
    "Fields of the flow",
    "How a side is found",
    "Classes of data transfer",
    "Types of gateways",
    "Types of resources",
    "Double counting",
    "Cost",
    "Fields of AWS",
];

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn code(text: impl Display) -> String {
    format!("`{text}`")
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn heading(&mut self, heading: &str) {
        self.line(format_args!("\n## {heading}\n"));
    }

    /// A table; a bar in a cell would end it.
    fn table<const N: usize>(
        &mut self,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        self.line(format_args!("| {} |", header.join(" | ")));
        self.line(format_args!("|{}", " --- |".repeat(N)));
        for row in rows {
            let cells = row.map(|cell| cell.replace('|', "\\|"));
            self.line(format_args!("| {} |", cells.join(" | ")));
        }
    }

    fn contents(&mut self) {
        self.line("");
        for heading in HEADINGS {
            self.line(format_args!("- [{heading}](#{})", anchor(heading)));
        }
    }

    fn levels(&mut self) {
        self.heading("Levels");
        self.text(LEVELS);
        self.line("");
        let meanings = Level::ALL.map(|level| {
            let of_sides = SideField::ALL.iter().filter(|f| f.level() <= level).count();
            let of_flow = FlowField::ALL.iter().filter(|f| f.level() <= level).count();
            let adds = match level {
                Level::Minimal => "who, by ids, and which way",
                Level::Standard => "names, resources, gateways, cost and reasons",
                Level::Full => "everything that is known",
            };
            [
                code(level.label()),
                (of_sides * End::BOTH.len() + of_flow).to_string(),
                adds.to_owned(),
            ]
        });
        let none = [code("none"), "0".to_owned(), "nothing".to_owned()];
        self.table(
            ["level", "fields", "adds"],
            std::iter::once(none).chain(meanings),
        );
    }

    fn sides(&mut self) {
        self.heading("Fields of a side");
        self.text(SIDES);
        self.line("");
        let rows = SideField::ALL.iter().map(|field| {
            [
                code(field.name()),
                field.value_type().label().to_owned(),
                field.level().label().to_owned(),
                field.meaning().to_owned(),
                field.source().to_owned(),
            ]
        });
        self.table(["field", "type", "from level", "meaning", "source"], rows);
    }

    fn flow(&mut self) {
        self.heading("Fields of the flow");
        let rows = FlowField::ALL.iter().map(|field| {
            [
                code(field.name()),
                field.value_type().label().to_owned(),
                field.level().label().to_owned(),
                field.meaning().to_owned(),
                field.source().to_owned(),
            ]
        });
        self.table(["field", "type", "from level", "meaning", "source"], rows);
    }

    fn how(&mut self) {
        self.heading("How a side is found");
        self.text(HOW);
        self.line("");
        let rows = How::ALL.iter().map(|how| {
            [
                code(how.label()),
                how.status().label().to_owned(),
                how.meaning().to_owned(),
            ]
        });
        self.table(["how", "status", "meaning"], rows);
    }

    fn classes(&mut self) {
        self.heading("Classes of data transfer");
        self.text(CLASSES);
        let row =
            |name: &str, meaning: &str| [code(name), meaning.trim_end_matches('.').to_owned()];
        self.line("");
        let rows = Via::ALL.iter().map(|c| row(c.as_str(), c.meaning()));
        self.table(["`via`", "meaning"], rows);
        self.line("");
        let rows = Scope::ALL.iter().map(|c| row(c.as_str(), c.meaning()));
        self.table(["`scope`", "meaning"], rows);
        self.line("");
        let rows = Confidence::ALL.iter().map(|c| row(c.as_str(), c.meaning()));
        self.table(["`confidence`", "meaning"], rows);
    }

    fn gateways(&mut self) {
        self.heading("Types of gateways");
        self.line("What `gateway_type` names.\n");
        let rows = GatewayKind::ALL.iter().filter_map(|kind| {
            let meaning = gateway_meaning(*kind)?;
            Some([code(kind.label()), meaning.to_owned()])
        });
        self.table(["type", "meaning"], rows);
    }

    fn resources(&mut self) {
        self.heading("Types of resources");
        self.line("What `src_resource_type` and `dst_resource_type` name.\n");
        let types = RESOURCE_TYPES.iter().chain(FAR_TYPES);
        let rows = types.map(|(name, meaning)| [code(name), (*meaning).to_owned()]);
        self.table(["type", "meaning"], rows);
    }

    fn counting(&mut self) {
        self.heading("Double counting");
        self.text(COUNTING);
    }

    fn cost(&mut self) {
        self.heading("Cost");
        self.text(COST);
        let table = PriceTable::shipped();
        self.line(format_args!(
            "\nPrices are of {}, in USD for a GB. Regions that are not listed have the prices of `{}`.\n{}.\n\
             `CLOUD_EXPORT_PRICES` takes a table of one's own; [enrichment.md](enrichment.md#prices) has its form.\n",
            table.date(),
            table.default_region(),
            table.source(),
        ));
        let shipped: Value = serde_json::from_str(SHIPPED).unwrap_or_default();
        let members = |name| match shipped.get(name) {
            Some(Value::Object(members)) => members.clone(),
            _ => Map::new(),
        };
        let (regions, pairs) = (members("regions"), members("pairs"));
        let price = |prices: &Value, key: &str| match prices.get(key) {
            Some(price) => price.to_string(),
            None => "none".to_owned(),
        };
        let names: Vec<&str> = regions.keys().map(String::as_str).collect();
        let rows = PRICES.iter().map(|(key, meaning, records)| {
            let prices = regions.values().map(|prices| price(prices, key));
            [
                code(key),
                (*meaning).to_owned(),
                (*records).to_owned(),
                prices.collect::<Vec<_>>().join(" | "),
            ]
        });
        // A column for each region.
        self.line(format_args!(
            "| key | for | records that carry it | {} |",
            names.join(" | ")
        ));
        self.line(format_args!("|{}", " --- |".repeat(3 + names.len())));
        for row in rows {
            self.line(format_args!("| {} |", row.join(" | ")));
        }
        self.line("\nBetween some regions, `inter-region` has another price:\n");
        let rows = pairs.iter().filter_map(|(pair, prices)| {
            let (from, to) = pair.split_once('>')?;
            Some([
                from.to_owned(),
                to.to_owned(),
                price(prices, "inter-region"),
            ])
        });
        self.table(["from", "to", "USD for a GB"], rows);
    }

    fn of_aws(&mut self) {
        self.heading("Fields of AWS");
        self.line(
            "VPC and Transit Gateway flow logs, in AWS's own names with `_` for `-`. Which of them a record has is up to \
             the format of\nthe flow log; columns that are not listed here are delivered as text. Entries of Network \
             Firewall logs keep AWS's\nstructure, and what is added stands beside `event`.\n",
        );
        let rows = FIELDS.iter().map(|info| {
            let logs = match info.offered {
                Offered::Vpc => "VPC",
                Offered::TransitGateway => "transit gateway",
                Offered::Both => "both",
            };
            [
                code(info.column),
                type_label(info.field_type).to_owned(),
                info.since.to_string(),
                logs.to_owned(),
                info.meaning.to_owned(),
            ]
        });
        self.table(["field", "type", "since version", "logs", "meaning"], rows);
    }
}

fn type_label(field_type: FieldType) -> &'static str {
    match field_type {
        FieldType::Integer(_) => "integer",
        FieldType::Epoch => "integer, Unix seconds",
        FieldType::Address => "address, as text",
        FieldType::Text => "text",
    }
}

/// What a gateway is; `None` for the VPC's own routes, which lead to none.
fn gateway_meaning(kind: GatewayKind) -> Option<&'static str> {
    Some(match kind {
        GatewayKind::Local => return None,
        GatewayKind::Internet => "Internet gateway",
        GatewayKind::EgressOnly => "Egress-only internet gateway (IPv6)",
        GatewayKind::Nat => "NAT gateway, public or private, zonal or regional",
        GatewayKind::VirtualPrivate => "Virtual private gateway (VPN, Direct Connect)",
        GatewayKind::Transit => "Transit gateway",
        GatewayKind::Peering => "VPC peering connection",
        GatewayKind::GatewayEndpoint => "Gateway endpoint of S3 or DynamoDB",
        GatewayKind::LoadBalancerEndpoint => "Endpoint of a Gateway Load Balancer",
        GatewayKind::Firewall => "Endpoint of a network firewall",
        GatewayKind::InterfaceEndpoint => "Interface endpoint (PrivateLink)",
        GatewayKind::Interface => "Network interface: a NAT instance or an appliance",
        GatewayKind::CoreNetwork => "Core network (Cloud WAN)",
        GatewayKind::Carrier => "Carrier gateway of a Wavelength Zone",
        GatewayKind::LocalGateway => "Local gateway of an Outpost",
        GatewayKind::Other => "Something else that a route leads to",
    })
}
