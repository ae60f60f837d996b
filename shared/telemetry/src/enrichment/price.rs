//! What moving bytes costs, by a dated table of list prices.
//!
//! ```text
//!   list.json ──▶ PriceTable ─┐
//!   (or a user's file over it) ├─▶ USD metered for these bytes where this record was seen
//!   Sighting + Transfer ──────┘
//! ```
//!
//! A stream of packets is seen several times: at the sender, at the gateways on the way, at the receiver.
//! Each record carries what is metered *there*, so that the sum over all records of all logs is the bill,
//! once:
//!
//! - the record of a sender carries the sender's share, that of a receiver the receiver's;
//! - processing of a NAT gateway, a Gateway Load Balancer endpoint or a firewall stands in the ingress records of
//!   its own interface, because each packet comes in once and goes out once;
//! - processing of an interface endpoint stands in both directions of its interface, because one end of
//!   each packet's way there is not logged;
//! - a transit gateway's processing stands in the ingress records of its own flow log. Where it has
//!   none, the record of the sender in the VPC carries it, and what the gateway's way out costs.
//!
//! An estimate: no free tier, no discount, the first tier of each price, and bytes as the flow log counts
//! them. A GB is 2^30 bytes, as on the bill.

use serde_json::{Map, Value};

use super::transfer::{
    Attachment, Hybrid, InterfaceKind, Log, Place, Scope, Sighting, Transfer, Via,
};
use crate::flow::record::FlowDirection;

#[cfg(test)]
mod tests;

/// The table that ships with the program.
pub const SHIPPED: &str = include_str!("price/list.json");

/// Bytes of a GB on the bill.
pub const GB: f64 = 1_073_741_824.0;

/// What a price is for; each is USD per GB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Item {
    /// Between zones, at each end.
    InterAz,
    /// Between public addresses of one region, at each end.
    PublicIp,
    /// Between zones over a peering connection, at each end.
    PeeringInterAz,
    /// To another region, at the sender.
    InterRegion,
    /// To the internet, and over VPN.
    InternetEgress,
    /// Out over Direct Connect.
    DirectConnectOut,
    /// Into a transit gateway.
    TransitGateway,
    /// Through an interface endpoint.
    PrivateLink,
    /// Through a NAT gateway.
    NatGateway,
    /// Through a Gateway Load Balancer endpoint.
    GatewayLoadBalancerEndpoint,
    /// Through a firewall.
    NetworkFirewall,
    /// Into a core network. Not in the shipped table.
    CoreNetwork,
}

const ITEMS: usize = 12;

/// The keys of a region, in the order of [`Item`].
const KEYS: [&str; ITEMS] = [
    "inter-az",
    "intra-region-public-ip",
    "peering-inter-az",
    "inter-region",
    "internet-egress",
    "direct-connect-out",
    "transit-gateway",
    "privatelink",
    "nat-gateway",
    "gateway-load-balancer-endpoint",
    "network-firewall",
    "core-network",
];

/// Prices of a region, in the order of [`Item`].
type Rates = [Option<f64>; ITEMS];

/// The price from one region to another.
type Pair = ((String, String), f64);

/// A table of prices.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceTable {
    date: String,
    source: String,
    default: String,
    /// By region, sorted.
    regions: Vec<(String, Rates)>,
    /// Inter-region prices that differ from the sender's, by sender and receiver, sorted.
    pairs: Vec<Pair>,
    /// For regions that are not listed.
    fallback: Rates,
}

/// What is wrong with a table of prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the price table cannot be used: {0}")]
pub struct PriceError(String);

fn wrong<T>(text: impl Into<String>) -> Result<T, PriceError> {
    Err(PriceError(text.into()))
}

impl PriceTable {
    /// The table that ships with the program ([`SHIPPED`]).
    pub fn shipped() -> PriceTable {
        let nothing = PriceTable {
            date: String::new(),
            source: String::new(),
            default: String::new(),
            regions: Vec::new(),
            pairs: Vec::new(),
            fallback: [None; ITEMS],
        };
        // Tests read it: the empty table is never seen.
        nothing.overlaid(SHIPPED.as_bytes()).unwrap_or(nothing)
    }

    /// A user's table, with the keys of the shipped one: `date`, `currency` (USD), `source`, `default`, `regions`
    /// and `pairs`. A price that a region does not give is that of the `default` region, and one that this
    /// does not give either is the shipped one. Shipped pairs count only when `pairs` is absent.
    ///
    /// # Errors
    /// What in the text is not as the table wants it.
    pub fn from_slice(json: &[u8]) -> Result<PriceTable, PriceError> {
        PriceTable::shipped().overlaid(json)
    }

    /// The day the prices are of, `2026-11-21`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Where the prices are from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Which region's prices stand for regions that are not listed.
    pub fn default_region(&self) -> &str {
        &self.default
    }

    /// What is metered for these bytes where this record was seen, in USD. `None` when it is not known, which is
    /// never the same as nothing.
    pub fn cost(&self, sighting: &Sighting<'_>, transfer: &Transfer, bytes: u64) -> Option<f64> {
        let rate = self.per_gb(sighting, transfer)?;
        Some(rate * (bytes as f64 / GB))
    }

    /// What is metered for each GB where this record was seen, in USD.
    pub fn per_gb(&self, sighting: &Sighting<'_>, transfer: &Transfer) -> Option<f64> {
        if sighting.rejected {
            return Some(0.0);
        }
        match sighting.log {
            Log::Firewall => Some(0.0),
            Log::TransitGateway { entered, left } => {
                self.at_transit_gateway(sighting, transfer, entered, left)
            }
            Log::Vpc => Some(self.of_leg(sighting, transfer)? + self.of_processing(sighting)?),
        }
    }

    /// The price of moving bytes over the leg at the place of the log.
    fn of_leg(&self, s: &Sighting<'_>, transfer: &Transfer) -> Option<f64> {
        let egress = s.direction == FlowDirection::Egress;
        let at_sender = |price: Option<f64>| if egress { price } else { Some(0.0) };
        let rates = self.rates(s.here.region);
        let leg = transfer.leg;
        match (leg.over, leg.scope) {
            (Via::Unknown, _) => None,
            // Since 1 April 2022 zones do not matter to these; the endpoint of S3 and DynamoDB is in none.
            (Via::InterfaceEndpoint | Via::GatewayEndpoint, _) => Some(0.0),
            (Via::TransitGateway | Via::TransitGatewayPeering, _) => {
                // The gateway's own interface passes on what was paid for at the sender.
                let own = s.here.kind == InterfaceKind::TransitGateway;
                match egress && !s.gateway_logged && !own {
                    true => self.onward(s, transfer),
                    false => Some(0.0),
                }
            }
            (Via::CoreNetwork, Scope::InterRegion) => {
                at_sender(sum(priced(rates, Item::CoreNetwork), self.inter_region(s)))
            }
            (Via::CoreNetwork, _) => at_sender(priced(rates, Item::CoreNetwork)),
            (Via::EdgeZone | Via::LocalGateway | Via::HybridVgw, _) => None,
            (Via::Vpn, _) => at_sender(priced(rates, Item::InternetEgress)),
            (Via::DirectConnect, _) => at_sender(priced(rates, Item::DirectConnectOut)),
            (_, Scope::IntraAz | Scope::AwsServicePublic | Scope::CloudFrontOrigin) => Some(0.0),
            (Via::Peering, Scope::InterAz) => priced(rates, Item::PeeringInterAz),
            (_, Scope::InterAz) => priced(rates, Item::InterAz),
            (_, Scope::IntraRegionPublicIp) => priced(rates, Item::PublicIp),
            (_, Scope::InterRegion | Scope::InterRegionPublic) => at_sender(self.inter_region(s)),
            (_, Scope::Internet) => at_sender(priced(rates, Item::InternetEgress)),
            (_, Scope::IntraRegion | Scope::OnPremises | Scope::EdgeZone | Scope::Unknown) => None,
        }
    }

    /// The price of processing at the interface of the log.
    fn of_processing(&self, s: &Sighting<'_>) -> Option<f64> {
        let (item, both) = match s.here.kind {
            InterfaceKind::NatGateway | InterfaceKind::RegionalNatGateway => {
                (Item::NatGateway, false)
            }
            InterfaceKind::GatewayLoadBalancerEndpoint => {
                (Item::GatewayLoadBalancerEndpoint, false)
            }
            InterfaceKind::FirewallEndpoint => (Item::NetworkFirewall, false),
            InterfaceKind::VpcEndpoint => (Item::PrivateLink, true),
            _ => return Some(0.0),
        };
        match both || s.direction == FlowDirection::Ingress {
            true => priced(self.rates(s.here.region), item),
            false => Some(0.0),
        }
    }

    /// What a transit gateway without a log takes, and its way out, at the sender.
    fn onward(&self, s: &Sighting<'_>, transfer: &Transfer) -> Option<f64> {
        let rates = self.rates(s.here.region);
        let processing = priced(rates, Item::TransitGateway);
        let beyond = match (transfer.scope, s.far().place) {
            (Scope::InterRegion, _) => self.inter_region(s),
            (Scope::OnPremises, Place::OnPremises(Hybrid::Vpn)) => {
                priced(rates, Item::InternetEgress)
            }
            (Scope::OnPremises, Place::OnPremises(Hybrid::DirectConnect)) => {
                priced(rates, Item::DirectConnectOut)
            }
            (Scope::OnPremises | Scope::Unknown | Scope::EdgeZone, _) => None,
            // The way to the internet is metered where it leaves for it: in another VPC.
            _ => Some(0.0),
        };
        sum(processing, beyond)
    }

    /// What the records of a transit gateway's own log carry.
    fn at_transit_gateway(
        &self,
        s: &Sighting<'_>,
        transfer: &Transfer,
        entered: Attachment,
        left: Attachment,
    ) -> Option<f64> {
        let rates = self.rates(s.here.region);
        match s.direction {
            FlowDirection::Ingress => match entered {
                Attachment::Unknown => None,
                // It was processed by the gateway at the other side.
                Attachment::Peering => Some(0.0),
                _ => priced(rates, Item::TransitGateway),
            },
            FlowDirection::Egress => match left {
                Attachment::Vpc => Some(0.0),
                Attachment::Vpn => priced(rates, Item::InternetEgress),
                Attachment::DirectConnect => priced(rates, Item::DirectConnectOut),
                Attachment::Peering => match transfer.scope {
                    Scope::IntraAz | Scope::InterAz | Scope::IntraRegion => Some(0.0),
                    _ => self.inter_region(s),
                },
                Attachment::Other | Attachment::Unknown => None,
            },
        }
    }

    /// From the region of the log to that of the receiver.
    fn inter_region(&self, s: &Sighting<'_>) -> Option<f64> {
        let rates = self.rates(s.here.region);
        let pair = (s.here.region?, s.destination.region.unwrap_or_default());
        let found = self
            .pairs
            .binary_search_by(|((from, to), _)| (from.as_str(), to.as_str()).cmp(&pair));
        match found.ok().and_then(|at| self.pairs.get(at)) {
            Some((_, price)) => Some(*price),
            None => priced(rates, Item::InterRegion),
        }
    }

    fn rates(&self, region: Option<&str>) -> &Rates {
        let listed = region.and_then(|region| {
            let at = self
                .regions
                .binary_search_by(|(name, _)| name.as_str().cmp(region));
            self.regions.get(at.ok()?)
        });
        listed.map_or(&self.fallback, |(_, rates)| rates)
    }

    /// A table over this one.
    fn overlaid(&self, json: &[u8]) -> Result<PriceTable, PriceError> {
        let value: Value = match serde_json::from_slice(json) {
            Ok(value) => value,
            Err(error) => return wrong(format!("it is not JSON: {error}")),
        };
        let Value::Object(table) = value else {
            return wrong("it is not a JSON object");
        };
        let known = ["date", "currency", "source", "default", "regions", "pairs"];
        known_keys(&table, &known, "the table")?;
        let date = text(&table, "date")?;
        if date.parse::<jiff::civil::Date>().is_err() {
            return wrong(format!(
                "date is {date:?}, which is not a day as in 2026-11-21"
            ));
        }
        match text(&table, "currency")? {
            "USD" => {}
            other => {
                return wrong(format!(
                    "currency is {other:?}; costs are delivered in USD, so prices must be in USD"
                ));
            }
        }
        let given = regions(&table)?;
        let default = match table.get("default") {
            None => self.default.as_str(),
            Some(_) => text(&table, "default")?,
        };
        if table.contains_key("default") && !given.iter().any(|(name, _)| name == default) {
            return wrong(format!(
                "default names the region {default:?}, which is not among its regions"
            ));
        }
        let of_default = given.iter().find(|(name, _)| name == default);
        let fallback = of_default.map_or(self.fallback, |(_, own)| or(own, &self.fallback));
        let mut regions: Vec<_> = given
            .iter()
            .map(|(name, own)| (name.clone(), or(own, &fallback)))
            .collect();
        regions.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut pairs = match table.contains_key("pairs") {
            true => pairs(&table)?,
            false => self.pairs.clone(),
        };
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(PriceTable {
            date: date.to_owned(),
            source: match table.get("source") {
                None => String::new(),
                Some(_) => text(&table, "source")?.to_owned(),
            },
            default: default.to_owned(),
            regions,
            pairs,
            fallback,
        })
    }
}

/// The price of an item, where it is known.
fn priced(rates: &Rates, item: Item) -> Option<f64> {
    rates.get(item as usize).copied().flatten()
}

fn sum(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? + b?)
}

/// Each price of the first, or else of the second.
fn or(own: &Rates, other: &Rates) -> Rates {
    let mut rates = *own;
    for (rate, other) in rates.iter_mut().zip(other) {
        *rate = rate.or(*other);
    }
    rates
}

fn known_keys(object: &Map<String, Value>, known: &[&str], of: &str) -> Result<(), PriceError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => wrong(format!(
            "{of} has the key {key:?}; the keys known here are {}",
            known.join(", ")
        )),
    }
}

fn text<'v>(table: &'v Map<String, Value>, key: &str) -> Result<&'v str, PriceError> {
    match table.get(key).map(Value::as_str) {
        Some(Some(text)) if !text.is_empty() => Ok(text),
        None => wrong(format!("it has no {key}")),
        _ => wrong(format!("{key} is not a text")),
    }
}

fn object<'v>(value: &'v Value, name: &str) -> Result<&'v Map<String, Value>, PriceError> {
    match value.as_object() {
        Some(object) => Ok(object),
        None => wrong(format!("{name} is not a JSON object")),
    }
}

fn price(value: &Value, name: &str) -> Result<f64, PriceError> {
    match value.as_f64() {
        Some(price) if price.is_finite() && price >= 0.0 => Ok(price),
        _ => wrong(format!(
            "{name} is {value}, which is not a price in USD per GB: a number from 0 on"
        )),
    }
}

fn regions(table: &Map<String, Value>) -> Result<Vec<(String, Rates)>, PriceError> {
    let Some(regions) = table.get("regions") else {
        return wrong("it has no regions");
    };
    let mut all = Vec::new();
    for (region, prices) in object(regions, "regions")? {
        let of = format!("the region {region:?}");
        let prices = object(prices, &of)?;
        known_keys(prices, &KEYS, &of)?;
        let mut rates = [None; ITEMS];
        for (rate, key) in rates.iter_mut().zip(KEYS) {
            if let Some(value) = prices.get(key) {
                *rate = Some(price(value, &format!("{key} of {of}"))?);
            }
        }
        all.push((region.clone(), rates));
    }
    Ok(all)
}

fn pairs(table: &Map<String, Value>) -> Result<Vec<Pair>, PriceError> {
    let Some(pairs) = table.get("pairs") else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (pair, prices) in object(pairs, "pairs")? {
        let of = format!("the pair {pair:?}");
        let (from, to) = match pair.split_once('>') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() && !to.contains('>') => {
                (from, to)
            }
            _ => {
                return wrong(format!(
                    "{of} does not name two regions as in \"us-east-1>us-east-2\""
                ));
            }
        };
        let prices = object(prices, &of)?;
        known_keys(prices, &["inter-region"], &of)?;
        if let Some(value) = prices.get("inter-region") {
            let price = price(value, &format!("inter-region of {of}"))?;
            all.push(((from.to_owned(), to.to_owned()), price));
        }
    }
    Ok(all)
}
