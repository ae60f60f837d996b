//! Flows of an estate, as rows of logs, with what is true of both sides.

use std::net::IpAddr;

use super::answers::S3;
use super::block::Block;
use super::build::ON_PREMISES;
use super::dice::Dice;
use super::estate::*;
use super::walk::{End, Path, Transit, reaches, through_transit, walk};

pub const V2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
     end action log-status";
pub const V5: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
     end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id \
     sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path";
pub const V6: &str = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id \
     tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni \
     tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol \
     packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole \
     packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service \
     pkt-dst-aws-service";

/// Kinds of flows.
pub const KINDS: [&str; 17] = [
    "out within the VPC",
    "out through peering",
    "out through a transit gateway",
    "out through a virtual private gateway",
    "out to a public address",
    "out to elsewhere",
    "in from the VPC",
    "in through peering",
    "in through a transit gateway",
    "in from a public address",
    "into a NAT gateway",
    "out of a NAT gateway",
    "into an attachment",
    "out of an attachment",
    "in a transit gateway",
    "in a transit gateway behind another",
    "lost in a transit gateway",
];

/// A row, and the truth about it.
#[derive(Debug)]
pub struct Flow {
    /// What kind of flow it is: one of [`KINDS`].
    pub what: &'static str,
    pub header: &'static str,
    /// Where it is logged.
    pub region: usize,
    /// When it begins, in Unix seconds.
    pub time: i64,
    pub row: String,
    /// The way the packets take, for messages.
    pub way: String,
    /// Source and destination.
    pub sides: [Truth; 2],
}

/// What is true of one side.
#[derive(Debug, Clone)]
pub struct Truth {
    pub address: IpAddr,
    /// Who has the address; nobody when it is free, not in the cloud, or not reached.
    pub holder: Option<usize>,
    pub vpc: Option<usize>,
    pub subnet: Option<usize>,
    /// A VPC that the row itself names for the side.
    pub told: Option<usize>,
    /// Whether packets to the address are dropped on the way.
    pub lost: bool,
    /// What can be known from what is collected.
    pub known: Known,
}

/// What can be known of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// The packets come from where the answers do not go: the routes tell of somebody else.
    OneWay,
    /// Not for sure: nobody saw the interface, or not then; or the path is another account's secret.
    Perhaps,
    /// All of it: the interface, or where there is none the VPC and subnet.
    Surely,
}

/// What a row is made of.
struct Sighting {
    what: &'static str,
    near: usize,
    egress: bool,
    /// Addresses as the interface sees them, and as the packet has them.
    hop: [IpAddr; 2],
    packet: [IpAddr; 2],
    /// The truth about both.
    of_hop: [Truth; 2],
    of_packet: [Truth; 2],
    path: char,
    way: String,
}

/// Makes flows of an estate.
pub struct Traffic<'e> {
    pub estate: &'e Estate,
    pub dice: Dice,
    /// Whether every account is collected.
    pub complete: bool,
}

impl Traffic<'_> {
    /// A flow, unless the estate has none of the kind that chance asked for.
    pub fn flow(&mut self) -> Option<Flow> {
        let time = match self.dice.below(100) {
            0..=44 => self.dice.time(SECOND..SECOND + 250),
            45..=74 => self.dice.time(FIRST..SECOND),
            75..=89 => self.dice.time(FIRST - 3_600..FIRST),
            _ => self.dice.time(SECOND..SECOND + 1_200),
        };
        let sighting = match self.dice.below(100) {
            0..=34 => self.egress(time)?,
            35..=59 => self.ingress(time)?,
            60..=69 => self.translated(time)?,
            70..=79 => self.at_attachment(time)?,
            _ => return self.transit(time),
        };
        Some(self.row(sighting, time))
    }

    fn alive(&self, time: i64) -> Vec<usize> {
        let interfaces = &self.estate.interfaces;
        (0..interfaces.len())
            .filter(|at| interfaces[*at].is_workload() && interfaces[*at].lives(time))
            .collect()
    }

    /// An address of an interface, of a family if it has one of it.
    fn address(&mut self, interface: usize, v4: bool) -> Option<IpAddr> {
        let interface = &self.estate.interfaces[interface];
        let own = interface.v4.iter().map(|a| IpAddr::from(*a));
        let own = own.chain(interface.v6.iter().map(|a| IpAddr::from(*a)));
        let delegated = interface.prefixes.iter();
        let place = self.dice.from(1, 14);
        let all: Vec<IpAddr> = own
            .chain(delegated.map(|prefix| prefix.at(place)))
            .filter(|address| address.is_ipv4() == v4)
            .collect();
        self.dice.any(&all)
    }

    /// Any address: of somebody, of nobody, near or far.
    fn wild(&mut self, v4: bool) -> Option<IpAddr> {
        let place = self.dice.from(5, 200);
        Some(match self.dice.below(8) {
            0 | 1 => {
                let any = self.dice.below(self.estate.interfaces.len());
                return self.address(any, v4);
            }
            2 => {
                let subnet = self.dice.below(self.estate.subnets.len());
                let blocks = &self.estate.subnets[subnet].blocks;
                blocks.iter().find(|block| block.is_v4() == v4)?.at(place)
            }
            3..=5 if v4 => Block::of(self.dice.pick(&ON_PREMISES[..3])).at(place),
            6 if v4 => Block::of(S3).at(place),
            _ if v4 => Block::of("93.184.216.0/24").at(place),
            _ => Block::of("2606:4700:10::/64").at(place),
        })
    }

    /// Two interfaces and their addresses, where packets get from one to the other.
    fn pair(&mut self, time: i64, wanted: impl Fn(&Path) -> bool) -> Option<Pair> {
        let alive = self.alive(time);
        for _ in 0..12 {
            let (from, to) = (self.dice.any(&alive)?, self.dice.any(&alive)?);
            let v4 = !self.dice.percent(25);
            let (Some(source), Some(destination)) = (self.address(from, v4), self.address(to, v4))
            else {
                continue;
            };
            let path = walk(
                self.estate,
                self.estate.interfaces[from].subnet,
                destination,
            );
            if from != to && path.end == End::Vpc(self.estate.vpc_of(to)) && wanted(&path) {
                return Some(Pair {
                    from,
                    to,
                    source,
                    destination,
                    path,
                });
            }
        }
        None
    }

    /// From an interface to anything.
    fn egress(&mut self, time: i64) -> Option<Sighting> {
        let across = self.dice.percent(60);
        let guided = match self.dice.percent(65) {
            true => self.pair(time, |path| !across || path.first != Some(Target::Local)),
            false => None,
        };
        let (near, source, destination) = match guided {
            Some(pair) => (pair.from, pair.source, pair.destination),
            None => {
                let alive = self.alive(time);
                let near = self.dice.any(&alive)?;
                let v4 = !self.dice.percent(20);
                let public = self.dice.any(&alive).filter(|_| self.dice.percent(15));
                let public = public.and_then(|at| self.estate.interfaces[at].public);
                let source = self.address(near, v4)?;
                let destination = match public {
                    Some(public) if v4 => public.into(),
                    _ => self.wild(v4)?,
                };
                (near, source, destination)
            }
        };
        let interface = &self.estate.interfaces[near];
        if interface.has(destination) {
            return None;
        }
        let path = walk(self.estate, interface.subnet, destination);
        let own = self.own(near, source);
        let far = self.far(destination, path.end, near, time);
        let shown = interface.primary(source.is_ipv4()).unwrap_or(source);
        Some(Sighting {
            what: match path.first {
                _ if is_global(destination) && destination.is_ipv4() => "out to a public address",
                Some(Target::Local) => "out within the VPC",
                Some(Target::Peering(_)) => "out through peering",
                Some(Target::Transit(_)) => "out through a transit gateway",
                Some(Target::VpnGateway) => "out through a virtual private gateway",
                _ => "out to elsewhere",
            },
            near,
            egress: true,
            hop: [shown, destination],
            packet: [source, destination],
            of_hop: [own.clone(), far.clone()],
            of_packet: [own, far],
            path: path_code(self.estate, near, &path, destination),
            way: path.told(self.estate),
        })
    }

    /// From anything to an interface.
    fn ingress(&mut self, time: i64) -> Option<Sighting> {
        if self.dice.percent(25) {
            return self.public_ingress(time);
        }
        let across = self.dice.percent(60);
        let pair = self.pair(time, |path| !across || path.first != Some(Target::Local))?;
        let own = self.own(pair.to, pair.destination);
        let far = self.sender(&pair, time, None);
        let near = &self.estate.interfaces[pair.to];
        let shown = near
            .primary(pair.destination.is_ipv4())
            .unwrap_or(pair.destination);
        Some(Sighting {
            what: match pair.path.first {
                Some(Target::Local) => "in from the VPC",
                Some(Target::Peering(_)) => "in through peering",
                _ => "in through a transit gateway",
            },
            near: pair.to,
            egress: false,
            hop: [pair.source, shown],
            packet: [pair.source, pair.destination],
            of_hop: [far.clone(), own.clone()],
            of_packet: [far, own],
            path: '-',
            way: pair.path.told(self.estate),
        })
    }

    fn public_ingress(&mut self, time: i64) -> Option<Sighting> {
        let mut public = self.alive(time);
        public.retain(|at| self.estate.interfaces[*at].public.is_some());
        let near = self.dice.any(&public)?;
        let interfaces = &self.estate.interfaces;
        let others: Vec<IpAddr> = (0..interfaces.len())
            .filter(|at| interfaces[*at].lives(time) && *at != near)
            .filter_map(|at| interfaces[at].public)
            .map(IpAddr::from)
            .collect();
        let place = self.dice.from(5, 200);
        let source = match self.dice.any(&others) {
            Some(other) if self.dice.percent(50) => other,
            _ => Block::of("93.184.216.0/24").at(place),
        };
        let shown = interfaces[near].primary(true)?;
        let own = self.own(near, shown);
        let far = self.far(source, End::Internet, near, time);
        Some(Sighting {
            what: "in from a public address",
            near,
            egress: false,
            hop: [source, shown],
            packet: [source, shown],
            of_hop: [far.clone(), own.clone()],
            of_packet: [far, own],
            path: '-',
            way: "from the internet".to_owned(),
        })
    }

    /// At a NAT gateway.
    fn translated(&mut self, time: i64) -> Option<Sighting> {
        let alive = self.alive(time);
        let place = self.dice.from(5, 200);
        let away = Block::of("93.184.216.0/24").at(place);
        for _ in 0..12 {
            let client = self.dice.any(&alive)?;
            let subnet = self.estate.interfaces[client].subnet;
            let Some(Target::Nat(near)) = walk(self.estate, subnet, away).first else {
                continue;
            };
            let inside = self.address(client, true)?;
            let nat = self.estate.interfaces[near].primary(true)?;
            let own = self.own(near, nat);
            let other = self.within(inside, client, near, time);
            let far = self.far(away, End::Internet, near, time);
            return Some(match self.dice.percent(60) {
                true => Sighting {
                    what: "into a NAT gateway",
                    near,
                    egress: false,
                    hop: [inside, nat],
                    packet: [inside, away],
                    of_hop: [other.clone(), own],
                    of_packet: [other, far],
                    path: '-',
                    way: "NAT".to_owned(),
                },
                false => Sighting {
                    what: "out of a NAT gateway",
                    near,
                    egress: true,
                    hop: [nat, away],
                    packet: [nat, away],
                    of_hop: [own.clone(), far.clone()],
                    of_packet: [own, far],
                    path: '8',
                    way: "NAT".to_owned(),
                },
            });
        }
        None
    }

    /// At the interface of an attachment to a transit gateway.
    fn at_attachment(&mut self, time: i64) -> Option<Sighting> {
        let pair = self.pair(time, |path| !path.transits.is_empty())?;
        if pair.source.is_ipv6() {
            return None;
        }
        let of = |attachment: usize| {
            let interfaces = &self.estate.interfaces;
            (0..interfaces.len())
                .filter(|at| interfaces[*at].kind == Kind::Transit(attachment))
                .collect::<Vec<usize>>()
        };
        let first = pair.path.transits.first()?.from;
        let last = pair.path.transits.last()?.to?;
        let at_source = self.dice.percent(50);
        // A gateway is entered in the zone of who sends.
        let zone = self.zone(self.estate.interfaces[pair.from].subnet);
        let near = match at_source {
            true => of(first)
                .into_iter()
                .find(|at| self.zone(self.estate.interfaces[*at].subnet) == zone)?,
            false => self.dice.any(&of(last))?,
        };
        if !self.is_told(near) {
            // Nobody tells that it is a gateway's.
            return None;
        }
        let shown = self.estate.interfaces[near].primary(true)?;
        let own = self.own(near, shown);
        Some(match at_source {
            true => {
                let source = self.within(pair.source, pair.from, near, time);
                let far = self.far(pair.destination, pair.path.end, near, time);
                Sighting {
                    what: "into an attachment",
                    near,
                    egress: false,
                    hop: [pair.source, shown],
                    packet: [pair.source, pair.destination],
                    of_hop: [source.clone(), own],
                    of_packet: [source, far],
                    path: '-',
                    way: pair.path.told(self.estate),
                }
            }
            false => {
                let source = self.sender(&pair, time, Some(last));
                let destination = self.within(pair.destination, pair.to, near, time);
                Sighting {
                    what: "out of an attachment",
                    near,
                    egress: true,
                    hop: [shown, pair.destination],
                    packet: [pair.source, pair.destination],
                    of_hop: [own, destination.clone()],
                    of_packet: [source, destination],
                    path: '1',
                    way: pair.path.told(self.estate),
                }
            }
        })
    }

    /// In the log of a transit gateway.
    fn transit(&mut self, time: i64) -> Option<Flow> {
        let (from, source, destination, path) = match self.dice.percent(70) {
            true => {
                let pair = self.pair(time, |path| !path.transits.is_empty())?;
                (pair.from, pair.source, pair.destination, pair.path)
            }
            // What is lost there, or leads on-premises.
            false => {
                let alive = self.alive(time);
                let from = self.dice.any(&alive)?;
                let destination = self.wild(true)?;
                let source = self.address(from, true)?;
                let path = walk(
                    self.estate,
                    self.estate.interfaces[from].subnet,
                    destination,
                );
                (from, source, destination, path)
            }
        };
        let place = self.dice.below(path.transits.len().max(1));
        let hop = *path.transits.get(place)?;
        let egress = hop.to.is_some() && self.dice.percent(50);
        let is_first = place == 0;
        let mut near = self.far(source, End::Vpc(self.estate.vpc_of(from)), from, time);
        if !is_first {
            // Only the way back tells who is behind another transit gateway.
            near.known = Known::Perhaps;
        }
        let mut far = self.far(destination, path.end, from, time);
        near.told = self.vpc_attached(Some(hop.from));
        far.told = self.vpc_attached(hop.to);
        let zone = self.zone(self.estate.interfaces[from].subnet);
        let row = self.transit_row(&hop, egress, [source, destination], zone, time);
        Some(Flow {
            what: match (hop.to, is_first) {
                (None, _) => "lost in a transit gateway",
                (_, true) => "in a transit gateway",
                (_, false) => "in a transit gateway behind another",
            },
            header: V6,
            region: self.estate.gateways[hop.gateway].region,
            time,
            row,
            way: path.told(self.estate),
            sides: [near, far],
        })
    }

    fn zone(&self, subnet: usize) -> usize {
        self.estate.subnets[subnet].zone
    }

    fn vpc_attached(&self, attachment: Option<usize>) -> Option<usize> {
        match self.estate.attachments[attachment?].kind {
            Attached::Vpc { vpc, .. } => Some(vpc),
            _ => None,
        }
    }

    fn transit_row(
        &self,
        hop: &Transit,
        egress: bool,
        [source, destination]: [IpAddr; 2],
        zone: usize,
        time: i64,
    ) -> String {
        let estate = self.estate;
        let gateway = &estate.gateways[hop.gateway];
        let told = |attachment: Option<usize>| -> [String; 5] {
            let inside = |at: usize| match &estate.attachments[at].kind {
                Attached::Vpc { vpc, subnets } => {
                    // In the zone of who sends, where the attachment has one.
                    let same = |subnet: &&usize| self.zone(**subnet) == zone;
                    let subnet = *subnets.iter().find(same).unwrap_or(&subnets[0]);
                    let mut own = estate.interfaces.iter();
                    let own = own.find(|interface| {
                        interface.kind == Kind::Transit(at) && interface.subnet == subnet
                    });
                    let vpc = &estate.vpcs[*vpc];
                    Some([
                        estate.accounts[vpc.account].id.clone(),
                        vpc.id.clone(),
                        estate.subnets[subnet].id.clone(),
                        own?.id.clone(),
                        estate.zone_id(subnet),
                    ])
                }
                _ => None,
            };
            attachment
                .and_then(inside)
                .unwrap_or_else(|| ["-"; 5].map(str::to_owned))
        };
        let id = |attachment: Option<usize>| {
            attachment.map_or("-".to_owned(), |at| estate.attachments[at].id.clone())
        };
        let ([sa, sv, ss, se, sz], [da, dv, ds, de, dz]) = (told(Some(hop.from)), told(hop.to));
        let (here, there) = match egress {
            true => (id(hop.to), id(Some(hop.from))),
            false => (id(Some(hop.from)), id(hop.to)),
        };
        let lost = match (hop.to, hop.blackhole) {
            (Some(_), _) => "0 0 0 0",
            (None, false) => "7 0 0 0",
            (None, true) => "0 7 0 0",
        };
        format!(
            "6 TransitGateway {} {} {here} {sa} {da} {sv} {dv} {ss} {ds} {se} {de} {sz} {dz} {there} {source} \
             {destination} 40000 443 6 7 4200 {time} {} OK {} {lost} 2 {} {} - -",
            estate.accounts[gateway.account].id,
            gateway.id,
            time + 20,
            if source.is_ipv4() { "IPv4" } else { "IPv6" },
            REGIONS[gateway.region].0,
            if egress { "egress" } else { "ingress" },
        )
    }

    fn row(&mut self, sighting: Sighting, time: i64) -> Flow {
        let estate = self.estate;
        let near = &estate.interfaces[sighting.near];
        let subnet = &estate.subnets[near.subnet];
        let vpc = &estate.vpcs[subnet.vpc];
        let [source, destination] = sighting.hop;
        let action = if self.dice.percent(85) {
            "ACCEPT"
        } else {
            "REJECT"
        };
        let (version, header, mut sides) = match self.dice.percent(50) {
            true => (2, V2, sighting.of_hop),
            false => (5, V5, sighting.of_packet),
        };
        let mut row = format!(
            "{version} {} {} {source} {destination} 40000 443 6 7 4200 {time} {} {action} OK",
            estate.accounts[near.owner].id,
            near.id,
            time + 20,
        );
        // Account and interface are all that the oldest format tells of the place.
        let is_found = estate.accounts[near.owner].collected && self.is_told(sighting.near);
        if version == 2 && !is_found {
            for side in &mut sides {
                side.known = side.known.min(Known::Perhaps);
            }
        }
        if version == 5 {
            let instance = match &near.kind {
                Kind::Instance(id) => id,
                _ => "-",
            };
            let [source, destination] = sighting.packet;
            row += &format!(
                " {} {} {instance} 2 {} {source} {destination} {} {} - - - - {} {}",
                vpc.id,
                subnet.id,
                if source.is_ipv4() { "IPv4" } else { "IPv6" },
                REGIONS[vpc.region].0,
                estate.zone_id(near.subnet),
                if sighting.egress { "egress" } else { "ingress" },
                sighting.path,
            );
        }
        Flow {
            what: sighting.what,
            header,
            region: vpc.region,
            time,
            row,
            way: sighting.way,
            sides,
        }
    }

    // ---- The truth ----

    /// The side of the interface that logs: its id tells.
    fn own(&self, near: usize, address: IpAddr) -> Truth {
        let seen = self.estate.seen_at(near).contains(&true);
        Truth {
            address,
            holder: Some(near),
            vpc: Some(self.estate.vpc_of(near)),
            subnet: Some(self.estate.interfaces[near].subnet),
            told: None,
            lost: false,
            known: if seen { Known::Surely } else { Known::Perhaps },
        }
    }

    /// An interface of the same VPC as the one that logs.
    fn within(&self, address: IpAddr, holder: usize, near: usize, time: i64) -> Truth {
        self.far(address, End::Vpc(self.estate.vpc_of(holder)), near, time)
    }

    /// A side that only its address tells, where packets to it end.
    fn far(&self, address: IpAddr, end: End, near: usize, time: i64) -> Truth {
        let estate = self.estate;
        let is_public = is_global(address) && address.is_ipv4();
        let vpc = match end {
            _ if is_public => None,
            // Addresses of IPv6 mean the same everywhere, reached or not.
            _ if address.is_ipv6() => {
                (0..estate.vpcs.len()).find(|at| estate.vpcs[*at].has(address))
            }
            End::Vpc(vpc) => Some(vpc),
            _ => None,
        };
        let holders: Vec<usize> = match vpc {
            Some(vpc) => estate.holders(vpc, address).collect(),
            None if is_public => estate.public_holders(address).collect(),
            None => Vec::new(),
        };
        let mut alive = holders.iter().copied();
        let holder = alive.find(|at| estate.interfaces[*at].lives(time));
        let vpc = vpc.or_else(|| Some(estate.vpc_of(holder?)));
        let subnet = match (holder, vpc) {
            (Some(holder), _) => Some(estate.interfaces[holder].subnet),
            (None, Some(vpc)) => estate.subnet_at(vpc, address),
            (None, None) => None,
        };
        let is_reached = is_public || vpc.is_some_and(|vpc| end == End::Vpc(vpc));
        let is_near = vpc == Some(estate.vpc_of(near));
        // Without all accounts, only the VPC of the interface that logs is certain, and only if its owner tells.
        let told = |vpc: usize| estate.accounts[estate.vpcs[vpc].account].collected;
        let is_told = self.complete || (is_near && vpc.is_some_and(told) && self.is_told(near));
        let surely = is_reached && is_told && self.is_settled(&holders, holder, time);
        Truth {
            address,
            holder,
            vpc,
            subnet,
            told: None,
            lost: end == End::Dropped,
            known: match surely && vpc.is_some() {
                true => Known::Surely,
                false => Known::Perhaps,
            },
        }
    }

    fn is_told(&self, interface: usize) -> bool {
        self.estate.seen_at(interface).contains(&true)
    }

    /// Whether the collections tell who had the address at the time.
    fn is_settled(&self, holders: &[usize], holder: Option<usize>, time: i64) -> bool {
        let Some(holder) = holder else {
            // A free address is known to be free only if nobody ever had it.
            return holders.is_empty();
        };
        let interface = &self.estate.interfaces[holder];
        let (since, until) = match self.estate.seen_at(holder) {
            [true, true] => (FIRST, i64::MAX),
            [true, false] => (FIRST, FIRST),
            [false, true] => (SECOND, i64::MAX),
            [false, false] => return false,
        };
        let since = match interface.dated {
            true => interface.life.start,
            false => since,
        };
        (since..=until).contains(&time)
    }

    /// The source of packets that came to an interface, or out of an attachment to a transit gateway.
    fn sender(&self, pair: &Pair, time: i64, out_of: Option<usize>) -> Truth {
        let estate = self.estate;
        let (from, to) = (estate.vpc_of(pair.from), estate.vpc_of(pair.to));
        let mut truth = self.far(pair.source, End::Vpc(from), pair.to, time);
        let back = match out_of {
            None => walk(estate, estate.interfaces[pair.to].subnet, pair.source).end,
            Some(attachment) => {
                let gateway = estate.attachments[attachment].sides[0].0;
                through_transit(estate, gateway, attachment, pair.source, &mut Vec::new())
            }
        };
        let others = (0..estate.vpcs.len())
            .filter(|vpc| *vpc != from && *vpc != to && estate.vpcs[*vpc].has(pair.source))
            .any(|vpc| reaches(estate, vpc, pair.destination, to));
        if from != to && pair.source.is_ipv4() && back != End::Vpc(from) {
            truth.known = Known::OneWay;
        } else if from != to && others && truth.known == Known::Surely {
            truth.known = Known::Perhaps;
        }
        truth
    }
}

struct Pair {
    from: usize,
    to: usize,
    source: IpAddr,
    destination: IpAddr,
    path: Path,
}

/// The traffic-path of an egress record.
fn path_code(estate: &Estate, near: usize, path: &Path, to: IpAddr) -> char {
    let vpc = &estate.vpcs[estate.vpc_of(near)];
    if vpc.s3_endpoint.is_some() && Block::of(S3).contains(to) {
        return '7';
    }
    match path.first {
        Some(Target::Local | Target::Nat(_) | Target::Transit(_)) => '1',
        Some(Target::InternetGateway | Target::EgressOnly) => '8',
        Some(Target::VpnGateway) => '3',
        Some(Target::Peering(at)) => {
            let peering = &estate.peerings[at];
            let [one, other] =
                [peering.requester, peering.accepter].map(|at| estate.vpcs[at].region);
            if one == other { '4' } else { '5' }
        }
        None => '-',
    }
}
