//! An estate as it really is: who owns what, where packets go, who had which address when.
//!
//! Things are named by their places in the lists. Nothing here is the product's code.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::block::Block;

/// When the estate was collected first, in Unix seconds.
pub const FIRST: i64 = 1_795_190_400;
/// When it was collected again.
pub const SECOND: i64 = FIRST + 3_600;

pub const REGIONS: [(&str, &str); 3] = [
    ("us-east-1", "use1-az"),
    ("eu-west-1", "euw1-az"),
    ("ap-south-1", "aps1-az"),
];
pub const ZONES: usize = 3;

#[derive(Debug, Default)]
pub struct Estate {
    pub accounts: Vec<Account>,
    pub regions: usize,
    pub vpcs: Vec<Vpc>,
    pub subnets: Vec<Subnet>,
    pub tables: Vec<Table>,
    pub interfaces: Vec<Interface>,
    pub peerings: Vec<Peering>,
    pub gateways: Vec<TransitGateway>,
    pub attachments: Vec<Attachment>,
    pub transit_tables: Vec<TransitTable>,
}

#[derive(Debug)]
pub struct Account {
    pub id: String,
    /// Whether it is asked at all.
    pub collected: bool,
    /// What a zone's letter means differs by account: the first letter's zone.
    pub first_zone: usize,
}

#[derive(Debug)]
pub struct Vpc {
    pub id: String,
    pub account: usize,
    pub region: usize,
    /// IPv4 first.
    pub blocks: Vec<Block>,
    pub main: usize,
    pub internet_gateway: Option<String>,
    pub egress_only: Option<String>,
    pub vpn_gateway: Option<String>,
    pub s3_endpoint: Option<String>,
}

#[derive(Debug)]
pub struct Subnet {
    pub id: String,
    pub vpc: usize,
    pub zone: usize,
    pub blocks: Vec<Block>,
    /// The account that may use it, too.
    pub shared_with: Option<usize>,
    /// Its own route table; else the main one decides.
    pub table: Option<usize>,
}

#[derive(Debug)]
pub struct Table {
    pub id: String,
    pub vpc: usize,
    pub routes: Vec<Route>,
}

#[derive(Debug, Clone)]
pub struct Route {
    pub to: Block,
    pub target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Local,
    InternetGateway,
    EgressOnly,
    /// The interface of the NAT gateway.
    Nat(usize),
    VpnGateway,
    Peering(usize),
    Transit(usize),
}

#[derive(Debug, Clone)]
pub struct Interface {
    pub id: String,
    pub owner: usize,
    pub subnet: usize,
    pub kind: Kind,
    /// The primary address first.
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
    pub prefixes: Vec<Block>,
    /// What the internet sees instead of the primary address.
    pub public: Option<Ipv4Addr>,
    pub elastic: bool,
    /// From when until when, in Unix seconds.
    pub life: Range<i64>,
    /// Whether the answers tell since when.
    pub dated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Instance(String),
    /// A task, a function: nothing that answers tell more about.
    Plain,
    Nat(String),
    /// Of an attachment to a transit gateway.
    Transit(usize),
    Endpoint(String),
    LoadBalancer(String),
}

#[derive(Debug)]
pub struct Peering {
    pub id: String,
    pub requester: usize,
    pub accepter: usize,
    pub active: bool,
}

#[derive(Debug)]
pub struct TransitGateway {
    pub id: String,
    pub account: usize,
    pub region: usize,
}

#[derive(Debug)]
pub struct Attachment {
    pub id: String,
    pub kind: Attached,
    /// Each transit gateway that has it, and the route table there that decides for what comes from it.
    pub sides: Vec<(usize, Option<usize>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached {
    Vpc { vpc: usize, subnets: Vec<usize> },
    Vpn { id: String, blocks: Vec<Block> },
    Peering,
}

#[derive(Debug)]
pub struct TransitTable {
    pub id: String,
    pub gateway: usize,
    pub propagating: Vec<usize>,
    pub routes: Vec<TransitRoute>,
}

#[derive(Debug, Clone)]
pub struct TransitRoute {
    pub to: Block,
    /// None drops the packets.
    pub attachment: Option<usize>,
    pub propagated: bool,
}

impl Interface {
    pub fn lives(&self, time: i64) -> bool {
        self.life.contains(&time)
    }

    /// Whether the address is one of it within its VPC.
    pub fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) if self.v4.contains(&address) => true,
            IpAddr::V6(address) if self.v6.contains(&address) => true,
            _ => self.prefixes.iter().any(|prefix| prefix.contains(address)),
        }
    }

    /// What flow logs show for it: the primary address of the family.
    pub fn primary(&self, v4: bool) -> Option<IpAddr> {
        match v4 {
            true => Some(self.v4[0].into()),
            false => self.v6.first().map(|address| (*address).into()),
        }
    }

    pub fn is_workload(&self) -> bool {
        !matches!(self.kind, Kind::Nat(_) | Kind::Transit(_))
    }
}

impl Vpc {
    pub fn has(&self, address: IpAddr) -> bool {
        self.blocks.iter().any(|block| block.contains(address))
    }
}

/// Whether the address means the same everywhere. Those of private networks do not.
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && (64..128).contains(&address.octets()[1]);
            !address.is_private() && !shared
        }
        IpAddr::V6(_) => true,
    }
}

impl Estate {
    pub fn vpc_of(&self, interface: usize) -> usize {
        self.subnets[self.interfaces[interface].subnet].vpc
    }

    /// The route table that decides for a subnet.
    pub fn table_of(&self, subnet: usize) -> usize {
        let subnet = &self.subnets[subnet];
        subnet.table.unwrap_or(self.vpcs[subnet.vpc].main)
    }

    pub fn zone_id(&self, subnet: usize) -> String {
        let subnet = &self.subnets[subnet];
        let (_, zones) = REGIONS[self.vpcs[subnet.vpc].region];
        format!("{zones}{}", subnet.zone + 1)
    }

    /// The zone as the account calls it.
    pub fn zone_name(&self, account: usize, region: usize, zone: usize) -> String {
        let letter = (zone + self.accounts[account].first_zone) % ZONES;
        format!("{}{}", REGIONS[region].0, ["a", "b", "c"][letter])
    }

    /// All interfaces that ever have an address in a VPC.
    pub fn holders(&self, vpc: usize, address: IpAddr) -> impl Iterator<Item = usize> {
        (0..self.interfaces.len())
            .filter(move |at| self.vpc_of(*at) == vpc && self.interfaces[*at].has(address))
    }

    /// All interfaces that the internet ever sees at an address.
    pub fn public_holders(&self, address: IpAddr) -> impl Iterator<Item = usize> {
        (0..self.interfaces.len()).filter(move |at| {
            let interface = &self.interfaces[*at];
            match address {
                IpAddr::V4(address) => interface.public == Some(address),
                IpAddr::V6(_) => interface.has(address),
            }
        })
    }

    pub fn subnet_at(&self, vpc: usize, address: IpAddr) -> Option<usize> {
        (0..self.subnets.len()).find(|at| {
            let subnet = &self.subnets[*at];
            subnet.vpc == vpc && subnet.blocks.iter().any(|block| block.contains(address))
        })
    }

    /// Whether anybody who is asked sees the interface: its owner, or the owner of the VPC.
    pub fn is_seen(&self, interface: usize) -> bool {
        let owner = self.interfaces[interface].owner;
        let host = self.vpcs[self.vpc_of(interface)].account;
        self.accounts[owner].collected || self.accounts[host].collected
    }

    /// Whether the interface was there when the estate was collected first, and again.
    pub fn seen_at(&self, interface: usize) -> [bool; 2] {
        let seen = self.is_seen(interface);
        [FIRST, SECOND].map(|time| seen && self.interfaces[interface].lives(time))
    }
}
