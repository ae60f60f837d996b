//! What the enricher says of flows, held against the truth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use telemetry::enrichment::field::End;
use telemetry::enrichment::{
    Enricher, Enrichment, FieldSet, How, Level, Loaded, Options, Origin, Side, Status,
};
use telemetry::index::{self, Directory, IndexUnit, Shard};
use telemetry::inventory::InventoryBuilder;
use telemetry::{LogReader, ReadOptions, Row};

use super::answers;
use super::dice::Dice;
use super::estate::{Estate, FIRST, Kind, REGIONS, SECOND, is_global};
use super::flows::{Flow, Known, Traffic, Truth, V2, V5, V6};

/// How long vanished interfaces are kept, in seconds.
const KEEP: u32 = 24 * 3_600;

/// Enrichers over the index of an estate: collected twice, each time as an own run of the collector.
fn enrichers(estate: &Estate, denied: &HashSet<&str>) -> impl Fn() -> Enricher + use<> {
    let mut shards: HashMap<(String, String), Arc<Shard>> = HashMap::new();
    let mut parts: Vec<Directory> = Vec::new();
    for time in [FIRST, SECOND] {
        parts.clear();
        for document in answers::documents(estate, time, denied) {
            let mut builder = InventoryBuilder::new();
            builder.add(&document.snapshot, Default::default());
            let inventory = builder.finish();
            assert_eq!(inventory.read.unplaced, BTreeMap::new());
            let unit = IndexUnit {
                account: &document.account,
                region: &document.region,
                collected: time as u32,
            };
            let key = (document.account.clone(), document.region.clone());
            let before = shards.get(&key).cloned();
            let shard = index::shard(&inventory, unit, before.as_deref(), KEEP).unwrap();
            let shard = Shard::open(shard).unwrap();
            let part = index::directory_part(&inventory, unit, Some(&shard)).unwrap();
            shards.insert(key, Arc::new(shard));
            parts.push(Directory::open(part).unwrap());
        }
    }
    let directory = Arc::new(Directory::open(Directory::merge(&parts).unwrap()).unwrap());
    let options = Arc::new(Options::new(FieldSet::of(Level::Full)));
    let shards = Arc::new(shards);
    move || {
        let shards = Arc::clone(&shards);
        let load = move |account: &str, region: &str| match shards
            .get(&(account.to_owned(), region.to_owned()))
        {
            Some(shard) => Loaded::Ready(Arc::clone(shard)),
            None => Loaded::Missing,
        };
        let directory = Loaded::Ready(Arc::clone(&directory));
        Enricher::new(Arc::clone(&options), directory, Box::new(load))
    }
}

/// What came of the flows of an estate.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How often what came out, by kind of flow.
    pub tally: BTreeMap<(&'static str, &'static str), usize>,
    /// Sides that could be known, and those of them that are.
    pub knowable: usize,
    /// What is said and is not so, or could be said and is not.
    pub faults: Vec<String>,
}

/// What is demanded.
struct Demands<'d> {
    estate: &'d Estate,
    /// Whether all that AWS would tell is there.
    nothing_denied: bool,
    /// Whether the way of all packets is told.
    tells_ways: bool,
    /// Whether routes, or else all that VPCs are connected with, are told.
    tells_connections: bool,
    /// Whether it is told what interfaces are.
    tells_interfaces: bool,
}

/// Enriches flows of an estate, log by log, and holds every side against the truth.
pub fn try_flows(
    estate: &Estate,
    seed: u64,
    count: usize,
    complete: bool,
    denied: &HashSet<&str>,
) -> Outcome {
    let mut traffic = Traffic {
        estate,
        dice: Dice::new(!seed),
        complete,
    };
    let flows: Vec<Flow> = (0..count).filter_map(|_| traffic.flow()).collect();
    let enrichers = enrichers(estate, denied);
    let mut enricher = enrichers();
    let mut outcome = Outcome::default();
    let demands = Demands {
        estate,
        nothing_denied: denied.is_empty(),
        tells_ways: complete && denied.is_empty(),
        tells_interfaces: !denied.contains("NetworkInterfaces"),
        tells_connections: {
            let told = |sections: [&str; 2]| !sections.iter().any(|s| denied.contains(s));
            told(["RouteTables", "Subnets"])
                || told(["TransitGatewayAttachments", "VpcPeeringConnections"])
        },
    };
    for header in [V2, V5, V6] {
        // The folder tells the region, as it does in a bucket that AWS delivers to.
        for (region, (name, _)) in REGIONS.iter().enumerate() {
            let of_log = |flow: &&Flow| flow.header == header && flow.region == region;
            let flows: Vec<&Flow> = flows.iter().filter(of_log).collect();
            let origin = Origin {
                account: None,
                region: Some((*name).to_owned()),
                folder: String::new(),
            };
            enricher.begin(origin.clone());
            let mut log = format!("{header}\n");
            for flow in &flows {
                log += &flow.row;
                log.push('\n');
            }
            let options = ReadOptions::new(std::env::temp_dir());
            let mut reader = LogReader::open(log.as_bytes(), &options).unwrap();
            for flow in flows {
                let Ok(Some(Row::Record(record))) = reader.next_row() else {
                    panic!("not a record: {}", flow.row);
                };
                let enrichment = enricher.enrich(&record);
                let mut other = enrichers();
                other.begin(origin.clone());
                outcome.compare(&enrichment, &other.enrich(&record), flow);
                demands.hold(&enrichment, flow, &mut outcome);
            }
        }
    }
    outcome
}

impl Demands<'_> {
    /// Holds both sides of a flow against the truth.
    fn hold(&self, enrichment: &Enrichment<'_>, flow: &Flow, outcome: &mut Outcome) {
        for (end, truth) in End::BOTH.into_iter().zip(&flow.sides) {
            let side = enrichment.side(end).unwrap();
            let is_knowable = self.nothing_denied && truth.known == Known::Surely;
            outcome.knowable += usize::from(is_knowable);
            let missed = missed(self.estate, side, truth).filter(|_| is_knowable);
            let wrong = wrong(self.estate, side, truth, flow.time);
            let is_excused = self.nobody_can_know(truth) || self.is_guessed(side, flow);
            let came = match (wrong, missed) {
                (Some(_), _) if is_excused => "not to be known",
                (Some(what), _) => outcome.fault(end, flow, truth, side, format!("wrong: {what}")),
                (_, Some(what)) => outcome.fault(end, flow, truth, side, format!("missed: {what}")),
                _ if side.party.interface_id.is_some() => "interface",
                _ if side.party.vpc_id.is_some() => "VPC",
                _ if side.status == Status::Miss => "miss",
                _ => "elsewhere",
            };
            *outcome.tally.entry((flow.what, came)).or_default() += 1;
        }
    }

    /// Where neither routes nor connections are told, what is at the other end of the only connection that is told
    /// may be at that of another. Nor is it seen that packets come out of a gateway's interface that nobody tells of.
    fn is_guessed(&self, side: &Side, flow: &Flow) -> bool {
        let is_connected = matches!(side.how, How::Peering | How::TransitGateway);
        (!self.tells_connections && is_connected)
            || (!self.tells_interfaces && flow.what.ends_with("an attachment"))
    }

    /// Who it was that nobody ever saw, whom no route leads back to, and what was dropped on a way that nobody
    /// tells: there, what is said may be wrong.
    fn nobody_can_know(&self, truth: &Truth) -> bool {
        let seen = |holder| self.estate.seen_at(holder).contains(&true);
        let is_unseen = truth.holder.is_some_and(|holder| !seen(holder));
        truth.known == Known::OneWay || is_unseen || (truth.lost && !self.tells_ways)
    }
}

impl Outcome {
    /// A flow is enriched as if it were the only one.
    fn compare(&mut self, among: &Enrichment<'_>, alone: &Enrichment<'_>, flow: &Flow) {
        let [among, alone] =
            [among, alone].map(|of| (End::BOTH.map(|end| of.side(end)), of.facts()));
        if among != alone {
            self.faults.push(format!(
                "other than alone\n  {}\n  alone {alone:?}\n  among {among:?}",
                flow.row
            ));
        }
    }

    fn fault(
        &mut self,
        end: End,
        flow: &Flow,
        truth: &Truth,
        side: &Side,
        what: String,
    ) -> &'static str {
        self.faults.push(format!(
            "{what}\n  {} of {}\n  {}\n  is    {truth:?}\n  found {:?} {:?}: interface {:?} in {:?} of {:?}, {:?} {:?}\n  way   {}",
            end.prefix(),
            flow.what,
            flow.row,
            side.status,
            side.how,
            side.party.interface_id,
            side.party.subnet_id,
            side.party.vpc_id,
            side.party.account_id,
            side.party.region,
            flow.way,
        ));
        "fault"
    }
}

/// Whether an interface that has an address at other times may have had it at this one, for all that is told.
fn is_uncertain(estate: &Estate, at: usize, address: IpAddr, time: i64) -> bool {
    let interface = &estate.interfaces[at];
    let is_its_own = interface.has(address) || interface.public.map(IpAddr::from) == Some(address);
    let seen = estate.seen_at(at);
    is_its_own
        && match time {
            _ if interface.dated && time < interface.life.start => false,
            _ if time < FIRST => seen[0],
            _ if time < SECOND => seen[0] != seen[1],
            _ => false,
        }
}

/// What is said of a side and is not so.
fn wrong(estate: &Estate, side: &Side, truth: &Truth, time: i64) -> Option<String> {
    let is_told = truth.told.is_some() && !is_global(truth.address);
    let vpc = truth.vpc.or(truth.told.filter(|_| is_told));
    let holder = truth.holder.map(|at| &estate.interfaces[at]);
    // Who had it when AWS was asked before or after may have gone, or not have come, when nobody had it.
    let may_be_gone = holder.is_none()
        && estate.interfaces.iter().enumerate().any(|(at, interface)| {
            side.party.interface_id.as_deref() == Some(interface.id.as_str())
                && is_uncertain(estate, at, truth.address, time)
        });
    let vpc_of = vpc.map(|at| &estate.vpcs[at]);
    let account = |at: usize| estate.accounts[at].id.as_str();
    let zone = truth.subnet.map(|at| estate.zone_id(at));
    let instance = match holder.map(|holder| &holder.kind) {
        Some(Kind::Instance(id)) => Some(id.as_str()),
        _ => None,
    };
    let of_holder = [
        (
            "interface",
            &side.party.interface_id,
            holder.map(|holder| holder.id.as_str()),
        ),
        ("instance", &side.party.instance_id, instance),
    ];
    let of_place = [
        ("VPC", &side.party.vpc_id, vpc_of.map(|vpc| vpc.id.as_str())),
        (
            "subnet",
            &side.party.subnet_id,
            truth.subnet.map(|at| estate.subnets[at].id.as_str()),
        ),
        ("zone", &side.party.az_id, zone.as_deref()),
        (
            "region",
            &side.party.region,
            vpc_of.map(|vpc| REGIONS[vpc.region].0),
        ),
    ];
    let of_holder = of_holder.into_iter().filter(|_| !may_be_gone);
    for (what, claim, is) in of_holder.chain(of_place) {
        if let Some(claim) = claim
            && is != Some(&**claim)
        {
            return Some(format!("{what} {claim}, and it is {is:?}"));
        }
    }
    let owner = holder.map(|holder| account(holder.owner));
    let host = vpc_of.map(|vpc| account(vpc.account));
    match side.party.account_id.as_deref() {
        // Of a shared subnet the owner is told where the interface is not known.
        Some(said) if side.party.interface_id.is_none() && host == Some(said) => None,
        Some(_) if may_be_gone => None,
        Some(said) if owner != Some(said) => Some(format!("account {said}, and it is {owner:?}")),
        _ => None,
    }
}

/// What could be said of a side and is not.
fn missed(estate: &Estate, side: &Side, truth: &Truth) -> Option<&'static str> {
    let holder = truth.holder.map(|at| &estate.interfaces[at]);
    let is_instance = holder.is_some_and(|holder| matches!(holder.kind, Kind::Instance(_)));
    let wanted = [
        ("a hit", side.status != Status::Miss, true),
        ("the VPC", side.party.vpc_id.is_some(), truth.vpc.is_some()),
        (
            "the account",
            side.party.account_id.is_some(),
            truth.vpc.is_some(),
        ),
        (
            "the region",
            side.party.region.is_some(),
            truth.vpc.is_some(),
        ),
        (
            "the subnet",
            side.party.subnet_id.is_some(),
            truth.subnet.is_some(),
        ),
        (
            "the zone",
            side.party.az_id.is_some(),
            truth.subnet.is_some(),
        ),
        (
            "the interface",
            side.party.interface_id.is_some(),
            holder.is_some(),
        ),
        (
            "the instance",
            side.party.instance_id.is_some(),
            is_instance,
        ),
    ];
    wanted
        .into_iter()
        .find(|(_, is_there, wanted)| *wanted && !is_there)
        .map(|(what, ..)| what)
}
