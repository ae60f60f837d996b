//! Estates made by chance: small, and full of what makes resolution hard.
//!
//! VPCs overlap on purpose, are peered with one of two that overlap, hang at transit gateways whose route
//! tables drop, prefer or hide one another, share subnets with other accounts; interfaces come and go,
//! and leave their addresses to others.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::block::Block;
use super::dice::Dice;
use super::estate::*;

/// What VPCs choose from: few, so that they overlap.
const PRIMARY: [&str; 6] = [
    "10.0.0.0/16",
    "10.1.0.0/16",
    "10.2.0.0/16",
    "10.0.128.0/17",
    "172.16.0.0/16",
    "192.168.0.0/20",
];
const SECONDARY: [&str; 4] = [
    "100.64.0.0/16",
    "10.50.0.0/16",
    "10.1.0.0/16",
    "172.17.0.0/20",
];
/// Networks that are not in the cloud; the last one hides VPCs behind it.
pub const ON_PREMISES: [&str; 4] = [
    "192.168.64.0/18",
    "172.30.0.0/16",
    "10.200.0.0/16",
    "10.0.0.0/8",
];
const WIDE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0", "10.0.0.0/15"];

/// Long before anything was collected.
const LONG_AGO: i64 = FIRST - 1_000_000;
/// Long after.
const FOREVER: i64 = SECOND + 1_000_000;

/// An estate of a seed. `complete` estates have every account collected.
pub fn build(seed: u64, complete: bool) -> Estate {
    let mut builder = Builder {
        dice: Dice::new(seed),
        estate: Estate::default(),
        used: HashSet::new(),
        publics: 0,
    };
    builder.accounts(complete);
    builder.vpcs();
    builder.gateways_of_vpcs();
    // What is first has the routes that both want.
    if builder.dice.percent(50) {
        builder.peerings();
        builder.transit_gateways();
    } else {
        builder.transit_gateways();
        builder.peerings();
    }
    builder.transit_peerings();
    builder.transit_routes();
    builder.interfaces();
    builder.estate
}

struct Builder {
    dice: Dice,
    estate: Estate,
    /// Addresses taken, by subnet.
    used: HashSet<(usize, IpAddr)>,
    publics: u32,
}

impl Builder {
    fn accounts(&mut self, complete: bool) {
        let count = self.dice.from(1, 4);
        for at in 0..count {
            let account = Account {
                id: format!("{}", 111_111_111_111_u64 * (at as u64 + 1)),
                collected: complete || at == 0 || self.dice.percent(60),
                first_zone: self.dice.below(ZONES),
            };
            self.estate.accounts.push(account);
        }
        self.estate.regions = self.dice.from(1, 3);
    }

    fn vpcs(&mut self) {
        for at in 0..self.dice.from(2, 7) {
            let mut blocks = vec![Block::of(self.dice.pick(&PRIMARY))];
            let more = Block::of(self.dice.pick(&SECONDARY));
            if self.dice.percent(40) && !more.overlaps(blocks[0]) {
                blocks.push(more);
            }
            if self.dice.percent(50) {
                blocks.push(Block::of(&format!("2600:1f18:0:{:x}00::/56", at + 1)));
            }
            let vpc = Vpc {
                id: self.dice.id("vpc"),
                account: self.dice.below(self.estate.accounts.len()),
                region: self.dice.below(self.estate.regions),
                blocks,
                main: 0,
                internet_gateway: None,
                egress_only: None,
                vpn_gateway: None,
                s3_endpoint: None,
            };
            self.estate.vpcs.push(vpc);
            self.estate.vpcs[at].main = self.table(at);
            let named: Vec<usize> = (0..self.dice.below(3)).map(|_| self.table(at)).collect();
            self.subnets(at, &named);
        }
    }

    /// A route table with the routes that every one has.
    fn table(&mut self, vpc: usize) -> usize {
        let blocks = self.estate.vpcs[vpc].blocks.clone();
        let local = |to| Route {
            to,
            target: Target::Local,
        };
        self.estate.tables.push(Table {
            id: self.dice.id("rtb"),
            vpc,
            routes: blocks.into_iter().map(local).collect(),
        });
        self.estate.tables.len() - 1
    }

    fn subnets(&mut self, vpc: usize, named: &[usize]) {
        let blocks = self.estate.vpcs[vpc].blocks.clone();
        let v4: Vec<Block> = blocks.iter().copied().filter(|b| b.is_v4()).collect();
        let v6 = blocks.iter().copied().find(|b| !b.is_v4());
        let mut taken: HashSet<Block> = HashSet::new();
        for at in 0..self.dice.from(1, 4) {
            let block = self.dice.pick(&v4);
            // The first few and the last ones, so that subnets of overlapping VPCs overlap, too.
            let place = self.dice.pick(&[0, 1, 2, block.parts(24) - 1]);
            let block = block.part(24, place);
            if !taken.insert(block) {
                continue;
            }
            let own = v6.filter(|_| self.dice.percent(70));
            let account = self.estate.vpcs[vpc].account;
            let other = self.dice.below(self.estate.accounts.len());
            let subnet = Subnet {
                id: self.dice.id("subnet"),
                vpc,
                zone: self.dice.below(ZONES),
                blocks: std::iter::once(block)
                    .chain(own.map(|v6| v6.part(64, at)))
                    .collect(),
                shared_with: (other != account && self.dice.percent(40)).then_some(other),
                table: self.dice.any(named).filter(|_| self.dice.percent(60)),
            };
            self.estate.subnets.push(subnet);
        }
    }

    /// One destination has one route; the first one stays. Nothing leads out of a VPC to a part of it.
    fn route(&mut self, table: usize, to: Block, target: Target) {
        let vpc = self.estate.tables[table].vpc;
        let mut own = self.estate.vpcs[vpc].blocks.iter();
        if own.any(|block| block.contains(to.first) && block.length < to.length) {
            return;
        }
        let routes = &mut self.estate.tables[table].routes;
        if routes.iter().all(|route| route.to != to) {
            routes.push(Route { to, target });
        }
    }

    fn tables_of(&self, vpc: usize) -> Vec<usize> {
        (0..self.estate.tables.len())
            .filter(|at| self.estate.tables[*at].vpc == vpc)
            .collect()
    }

    fn subnets_of(&self, vpc: usize) -> Vec<usize> {
        (0..self.estate.subnets.len())
            .filter(|at| self.estate.subnets[*at].vpc == vpc)
            .collect()
    }

    fn gateways_of_vpcs(&mut self) {
        for vpc in 0..self.estate.vpcs.len() {
            if self.dice.percent(65) {
                self.internet(vpc);
            }
            if self.dice.percent(20) {
                self.estate.vpcs[vpc].vpn_gateway = Some(self.dice.id("vgw"));
                let to = Block::of(self.dice.pick(&ON_PREMISES[..3]));
                for table in self.tables_of(vpc) {
                    if self.dice.percent(70) {
                        self.route(table, to, Target::VpnGateway);
                    }
                }
            }
        }
    }

    /// An internet gateway, a public subnet with a NAT gateway in it, and the routes to them.
    fn internet(&mut self, vpc: usize) {
        let everywhere = Block::of("0.0.0.0/0");
        let everywhere_v6 = Block::of("::/0");
        self.estate.vpcs[vpc].internet_gateway = Some(self.dice.id("igw"));
        let public = self.table(vpc);
        self.route(public, everywhere, Target::InternetGateway);
        self.route(public, everywhere_v6, Target::InternetGateway);
        let subnets = self.subnets_of(vpc);
        let subnet = self.dice.pick(&subnets);
        self.estate.subnets[subnet].table = Some(public);
        if self.dice.percent(50) {
            let id = self.dice.id("nat");
            let seen = Some(self.public_address());
            let nat = self.interface(subnet, Kind::Nat(id), LONG_AGO..FOREVER);
            self.estate.interfaces[nat].public = seen;
            self.estate.interfaces[nat].elastic = true;
            self.estate.interfaces[nat].owner = self.estate.vpcs[vpc].account;
            for table in self.tables_of(vpc) {
                if self.dice.percent(70) {
                    self.route(table, everywhere, Target::Nat(nat));
                }
            }
        }
        if self.dice.percent(40) {
            self.estate.vpcs[vpc].egress_only = Some(self.dice.id("eigw"));
            for table in self.tables_of(vpc) {
                self.route(table, everywhere_v6, Target::EgressOnly);
            }
        }
        if self.dice.percent(40) {
            self.estate.vpcs[vpc].s3_endpoint = Some(self.dice.id("vpce"));
        }
    }

    fn public_address(&mut self) -> Ipv4Addr {
        self.publics += 1;
        Ipv4Addr::from(0x0350_0000 + self.publics * 7)
    }

    fn peerings(&mut self) {
        let count = self.estate.vpcs.len();
        for requester in 0..count {
            for accepter in requester + 1..count {
                let overlap = self.estate.vpcs[requester].blocks.iter().any(|block| {
                    let theirs = &self.estate.vpcs[accepter].blocks;
                    theirs.iter().any(|other| other.overlaps(*block))
                });
                if overlap || !self.dice.percent(30) {
                    continue;
                }
                let peering = self.estate.peerings.len();
                self.estate.peerings.push(Peering {
                    id: self.dice.id("pcx"),
                    requester,
                    accepter,
                    active: self.dice.percent(80),
                });
                self.peering_routes(peering, requester, accepter);
                self.peering_routes(peering, accepter, requester);
            }
        }
    }

    fn peering_routes(&mut self, peering: usize, from: usize, to: usize) {
        for table in self.tables_of(from) {
            for block in self.estate.vpcs[to].blocks.clone() {
                let to = match self.dice.below(10) {
                    0 | 1 => continue,
                    2 if block.is_v4() => block.part(24, 0),
                    3 if block.is_v4() => Block::of(self.dice.pick(&WIDE[..2])),
                    _ => block,
                };
                self.route(table, to, Target::Peering(peering));
            }
        }
    }

    fn transit_gateways(&mut self) {
        for region in 0..self.estate.regions {
            for _ in 0..self.dice.pick(&[0, 1, 1, 1, 2]) {
                let gateway = self.estate.gateways.len();
                self.estate.gateways.push(TransitGateway {
                    id: self.dice.id("tgw"),
                    account: self.dice.below(self.estate.accounts.len()),
                    region,
                });
                for _ in 0..self.dice.from(1, 3) {
                    let id = self.dice.id("tgw-rtb");
                    self.estate.transit_tables.push(TransitTable {
                        id,
                        gateway,
                        propagating: Vec::new(),
                        routes: Vec::new(),
                    });
                }
                // Some gateways connect everything, others only what is written down.
                let is_hub = self.dice.percent(60);
                for vpc in 0..self.estate.vpcs.len() {
                    if self.estate.vpcs[vpc].region == region && self.dice.percent(80) {
                        self.attach_vpc(gateway, vpc, is_hub);
                    }
                }
                if self.dice.percent(50) {
                    let id = self.dice.id("vpn");
                    let blocks = vec![Block::of(self.dice.pick(&ON_PREMISES))];
                    self.attach(gateway, Attached::Vpn { id, blocks });
                }
            }
        }
    }

    fn tables_of_gateway(&self, gateway: usize) -> Vec<usize> {
        (0..self.estate.transit_tables.len())
            .filter(|at| self.estate.transit_tables[*at].gateway == gateway)
            .collect()
    }

    /// The table of what comes in; a few attachments have none.
    fn association(&mut self, gateway: usize) -> Option<usize> {
        let tables = self.tables_of_gateway(gateway);
        let table = self.dice.pick(&tables);
        self.dice.percent(92).then_some(table)
    }

    fn attach(&mut self, gateway: usize, kind: Attached) -> usize {
        let table = self.association(gateway);
        let id = self.dice.id("tgw-attach");
        self.estate.attachments.push(Attachment {
            id,
            kind,
            sides: vec![(gateway, table)],
        });
        self.estate.attachments.len() - 1
    }

    fn attach_vpc(&mut self, gateway: usize, vpc: usize, is_hub: bool) {
        let mut subnets: Vec<usize> = Vec::new();
        for subnet in self.subnets_of(vpc) {
            let zone = self.estate.subnets[subnet].zone;
            if subnets
                .iter()
                .all(|at| self.estate.subnets[*at].zone != zone)
            {
                subnets.push(subnet);
            }
        }
        let kind = Attached::Vpc {
            vpc,
            subnets: subnets.clone(),
        };
        let attachment = self.attach(gateway, kind);
        for subnet in subnets {
            let own = self.interface(subnet, Kind::Transit(attachment), LONG_AGO..FOREVER);
            self.estate.interfaces[own].owner = self.estate.vpcs[vpc].account;
        }
        // What the VPC sends into the gateway.
        let blocks: Vec<Block> = self
            .estate
            .vpcs
            .iter()
            .flat_map(|vpc| vpc.blocks.clone())
            .chain(ON_PREMISES[..3].iter().map(|text| Block::of(text)))
            .collect();
        for table in self.tables_of(vpc) {
            if is_hub && self.dice.percent(85) {
                for wide in &WIDE[..2] {
                    self.route(table, Block::of(wide), Target::Transit(gateway));
                }
            } else if self.dice.percent(25) {
                continue;
            }
            for _ in 0..self.dice.from(1, 4) {
                let to = self.dice.pick(&blocks);
                let to = match self.dice.below(8) {
                    0 if to.is_v4() => to.part(24, 0),
                    1 | 2 => Block::of(self.dice.pick(&WIDE)),
                    _ => to,
                };
                self.route(table, to, Target::Transit(gateway));
            }
        }
    }

    fn transit_peerings(&mut self) {
        let count = self.estate.gateways.len();
        for one in 0..count {
            for other in one + 1..count {
                if !self.dice.percent(60) {
                    continue;
                }
                let sides = [one, other].map(|gateway| (gateway, self.association(gateway)));
                let id = self.dice.id("tgw-attach");
                self.estate.attachments.push(Attachment {
                    id,
                    kind: Attached::Peering,
                    sides: sides.to_vec(),
                });
            }
        }
    }

    /// The blocks of what is attached, as far as it tells them.
    fn blocks_of(&self, attachment: usize) -> Vec<Block> {
        match &self.estate.attachments[attachment].kind {
            Attached::Vpc { vpc, .. } => self.estate.vpcs[*vpc].blocks.clone(),
            Attached::Vpn { blocks, .. } => blocks.clone(),
            Attached::Peering => Vec::new(),
        }
    }

    fn transit_routes(&mut self) {
        for table in 0..self.estate.transit_tables.len() {
            let gateway = self.estate.transit_tables[table].gateway;
            let attached: Vec<usize> = (0..self.estate.attachments.len())
                .filter(|at| {
                    let sides = &self.estate.attachments[*at].sides;
                    sides.iter().any(|(side, _)| *side == gateway)
                })
                .collect();
            if attached.is_empty() {
                continue;
            }
            self.written_routes(table, gateway, &attached);
            for attachment in attached {
                let blocks = self.blocks_of(attachment);
                let routes = &self.estate.transit_tables[table].routes;
                // Which of two that propagate the same block is taken is nobody's to say.
                let clash = routes
                    .iter()
                    .any(|route| route.propagated && blocks.contains(&route.to));
                if blocks.is_empty() || clash || !self.dice.percent(80) {
                    continue;
                }
                let table = &mut self.estate.transit_tables[table];
                table.propagating.push(attachment);
                for to in blocks {
                    // What is written down hides what is learned.
                    if table.routes.iter().all(|route| route.to != to) {
                        table.routes.push(TransitRoute {
                            to,
                            attachment: Some(attachment),
                            propagated: true,
                        });
                    }
                }
            }
        }
    }

    fn written_routes(&mut self, table: usize, gateway: usize, attached: &[usize]) {
        let write = |this: &mut Self, to: Block, attachment: Option<usize>| {
            let routes = &mut this.estate.transit_tables[table].routes;
            if routes.iter().all(|route| route.to != to) {
                routes.push(TransitRoute {
                    to,
                    attachment,
                    propagated: false,
                });
            }
        };
        for &attachment in attached {
            let far: Vec<usize> = match self.estate.attachments[attachment].kind {
                Attached::Peering => self.estate.attachments[attachment]
                    .sides
                    .iter()
                    .map(|(side, _)| *side)
                    .filter(|side| *side != gateway)
                    .collect(),
                _ => continue,
            };
            // A peering tells nothing: the far VPCs are written down.
            for at in 0..self.estate.attachments.len() {
                let is_far = far.contains(&self.estate.attachments[at].sides[0].0);
                if is_far && self.dice.percent(60) {
                    for to in self.blocks_of(at) {
                        write(self, to, Some(attachment));
                    }
                }
            }
        }
        for _ in 0..self.dice.below(4) {
            let vpc = self.dice.below(self.estate.vpcs.len());
            let block = self.dice.pick(&self.estate.vpcs[vpc].blocks);
            let to = match self.dice.below(6) {
                0 | 1 if block.is_v4() => block.part(24, self.dice.below(3)),
                2 => Block::of("0.0.0.0/0"),
                _ => block,
            };
            let attachment = self.dice.pick(attached);
            let drops = self.dice.percent(35);
            write(self, to, (!drops).then_some(attachment));
        }
    }

    fn free_v4(&mut self, subnet: usize) -> Ipv4Addr {
        let block = self.estate.subnets[subnet].blocks[0];
        loop {
            // The upper half is for prefixes.
            let address = block.at(self.dice.from(4, 40));
            if self.used.insert((subnet, address)) {
                let IpAddr::V4(address) = address else {
                    unreachable!("an IPv4 block has IPv4 addresses")
                };
                return address;
            }
        }
    }

    fn free_v6(&mut self, subnet: usize) -> Option<Ipv6Addr> {
        let block = *self.estate.subnets[subnet].blocks.get(1)?;
        loop {
            let address = block.at(self.dice.from(0x10, 0xffff));
            if self.used.insert((subnet, address)) {
                let IpAddr::V6(address) = address else {
                    unreachable!("an IPv6 block has IPv6 addresses")
                };
                return Some(address);
            }
        }
    }

    /// An interface with an address of its own.
    fn interface(&mut self, subnet: usize, kind: Kind, life: std::ops::Range<i64>) -> usize {
        let place = &self.estate.subnets[subnet];
        let owner = match place.shared_with {
            Some(guest) if self.dice.percent(60) => guest,
            _ => self.estate.vpcs[place.vpc].account,
        };
        let interface = Interface {
            id: self.dice.id("eni"),
            owner,
            subnet,
            v4: vec![self.free_v4(subnet)],
            v6: Vec::new(),
            prefixes: Vec::new(),
            public: None,
            elastic: false,
            dated: matches!(kind, Kind::Instance(_)) && self.dice.percent(70),
            kind,
            life,
        };
        self.estate.interfaces.push(interface);
        self.estate.interfaces.len() - 1
    }

    fn kind(&mut self) -> Kind {
        match self.dice.below(10) {
            0..=4 => Kind::Instance(self.dice.id("i")),
            5 | 6 => Kind::Plain,
            7 => Kind::Endpoint(self.dice.id("vpce")),
            _ => Kind::LoadBalancer(format!("lb-{}", self.dice.below(1_000))),
        }
    }

    fn life(&mut self) -> std::ops::Range<i64> {
        let between = self.dice.time(FIRST + 300..SECOND - 300);
        let before = self.dice.time(FIRST - 3_000..FIRST - 1_000);
        match self.dice.below(100) {
            // Vanished between the collections, or before the first.
            0..=11 => LONG_AGO..between,
            12..=15 => LONG_AGO..before,
            // Came between them, was there only between them, or came after.
            16..=20 => between..FOREVER,
            21..=23 => between..(between + 200),
            24..=26 => SECOND + 300..FOREVER,
            27..=29 => before..FOREVER,
            _ => LONG_AGO..FOREVER,
        }
    }

    fn interfaces(&mut self) {
        for subnet in 0..self.estate.subnets.len() {
            for place in 0..self.dice.from(1, 5) {
                let (kind, life) = (self.kind(), self.life());
                let at = self.interface(subnet, kind, life);
                self.addresses(at, place);
                self.heir(at);
            }
        }
    }

    /// More addresses than the one.
    fn addresses(&mut self, at: usize, place: usize) {
        let subnet = self.estate.interfaces[at].subnet;
        if self.dice.percent(30) {
            let more = self.free_v4(subnet);
            self.estate.interfaces[at].v4.push(more);
        }
        if self.dice.percent(60)
            && let Some(v6) = self.free_v6(subnet)
        {
            self.estate.interfaces[at].v6.push(v6);
        }
        let blocks = self.estate.subnets[subnet].blocks.clone();
        if self.dice.percent(15) {
            let prefix = blocks[0].part(28, 8 + place);
            self.estate.interfaces[at].prefixes.push(prefix);
        }
        if self.dice.percent(10)
            && let Some(v6) = blocks.get(1)
        {
            let prefix = v6.part(80, 0x100 + place);
            self.estate.interfaces[at].prefixes.push(prefix);
        }
        let vpc = self.estate.subnets[subnet].vpc;
        if self.estate.vpcs[vpc].internet_gateway.is_some() && self.dice.percent(35) {
            let seen = self.public_address();
            let interface = &mut self.estate.interfaces[at];
            interface.public = Some(seen);
            interface.elastic = self.dice.percent(50);
        }
    }

    /// Sometimes another interface gets the addresses of one that vanished.
    fn heir(&mut self, at: usize) {
        let gone = self.estate.interfaces[at].clone();
        if gone.life.end > SECOND || self.dice.percent(40) {
            return;
        }
        // Not in the same second, and still in the same span between collections.
        let born = gone.life.end + 100 + self.dice.below(100) as i64;
        let kind = self.kind();
        let dated = matches!(kind, Kind::Instance(_)) && self.dice.percent(70);
        let heir = Interface {
            id: self.dice.id("eni"),
            kind,
            dated,
            life: born..FOREVER,
            ..gone
        };
        self.estate.interfaces.push(heir);
    }
}
