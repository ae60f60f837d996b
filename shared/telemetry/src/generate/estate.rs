//! The estate that logs tell of: its sizes, its names, and where to look them up.

use std::sync::OnceLock;

use super::LogFormat;
use super::far::{Far, Place, SERVICE_DYNAMODB, SERVICE_S3};
use super::interface::{Interface, Role, gateway_index};
use super::random::{Exponent, Random, Zipf, mix};
use super::text::{Text, text_at};
use super::transit_gateway::{SITES, TransitFlow, transit_head};

/// The account of every generated row.
pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "us-east-1";
pub(super) const FIREWALL: &str = "inspect-use1";
pub(super) const INTERFACES: u32 = 5_000;
const FAR_ADDRESSES: u32 = 100_000;
pub(super) const FAR_IPV6: u32 = 2_048;
pub(super) const VPCS: u32 = 3;
pub(super) const ZONES: u32 = 6;
pub(super) const SUBNETS_PER_VPC: u32 = 18;
pub(super) const PODS_PER_NODE: u32 = 16;

pub(super) const VPC_IDS: [&str; 3] = [
    "vpc-0a1b2c3d4e5f60001",
    "vpc-0b2c3d4e5f6070002",
    "vpc-0c3d4e5f607180003",
];

pub(super) const ZONE_IDS: [&str; 6] = [
    "use1-az1", "use1-az2", "use1-az3", "use1-az4", "use1-az5", "use1-az6",
];

pub(super) const ZONE_NAMES: [&str; 6] = [
    "us-east-1a",
    "us-east-1b",
    "us-east-1c",
    "us-east-1d",
    "us-east-1e",
    "us-east-1f",
];

/// Where an address is looked up when a row is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Address {
    Interface(u32),
    InterfaceV6(u32),
    Far(u32),
    FarV6(u32),
    Pod(u32),
    OnPremises(u32),
}

impl Address {
    pub(super) fn interface(index: u32, v6: bool) -> Address {
        match v6 {
            true => Address::InterfaceV6(index),
            false => Address::Interface(index),
        }
    }

    pub(super) fn far(index: u32, v6: bool) -> Address {
        match v6 {
            true => Address::FarV6(index % FAR_IPV6),
            false => Address::Far(index),
        }
    }
}

/// The next hop of a VPC row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hop {
    None,
    Interface(u32),
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) interfaces: Vec<Interface>,
    fallback: Interface,
    fars: Vec<Far>,
    far_v6: Vec<Text<39>>,
    pods: Vec<Text<15>>,
    on_premises: Vec<Text<15>>,
    /// For each source and destination site (one more for "lost"), the row's head on the source's
    /// and on the destination's attachment.
    transit_heads: Vec<[Box<[u8]>; 2]>,
    pub(super) by_interface: Zipf,
    pub(super) by_far: Zipf,
}

impl World {
    /// The estate as a format tells of it. It never changes, so that it is built only once.
    pub(super) fn of(format: LogFormat) -> &'static World {
        static WORLDS: [OnceLock<World>; LogFormat::ALL.len()] =
            [const { OnceLock::new() }; LogFormat::ALL.len()];
        static ANY: OnceLock<World> = OnceLock::new();
        let world = WORLDS.get(format as usize).unwrap_or(&ANY);
        world.get_or_init(|| World::new(format))
    }

    fn new(format: LogFormat) -> World {
        let interfaces: Vec<Interface> = (0..INTERFACES)
            .map(|index| Interface::new(index, format))
            .collect();
        let fars = (0..FAR_ADDRESSES)
            .map(|index| Far::new(index, &interfaces))
            .collect();
        let far_v6 = (0..FAR_IPV6)
            .map(|index| {
                let mixed = mix(u64::from(index) ^ 0x6_0000);
                Text::new(&format!(
                    "2001:db8:{:x}:{:x}::{:x}",
                    0x8000 + index,
                    0x100 | (mixed & 0xff),
                    0x10 + (mixed >> 52)
                ))
            })
            .collect();
        let pods = (0..INTERFACES * PODS_PER_NODE)
            .map(|index| Text::v4(100, 64 + (index >> 16), (index >> 8) & 255, index & 255))
            .collect();
        let on_premises = (0..4_096)
            .map(|index: u32| Text::v4(10, 200, index >> 8, index & 255))
            .collect();
        let transit_heads = if format == LogFormat::TransitGateway {
            (0..SITES * (SITES + 1))
                .map(|pair| {
                    let (source, destination) = (pair / (SITES + 1), pair % (SITES + 1));
                    [
                        transit_head(source, destination, false),
                        transit_head(source, destination, true),
                    ]
                })
                .collect()
        } else {
            Vec::new()
        };
        World {
            interfaces,
            fallback: Interface::new(0, format),
            fars,
            far_v6,
            pods,
            on_premises,
            transit_heads,
            by_interface: Zipf::new(INTERFACES, Exponent::OneAndATwentieth),
            by_far: Zipf::new(FAR_ADDRESSES, Exponent::NineteenTwentieths),
        }
    }

    pub(super) fn interface(&self, index: u32) -> &Interface {
        self.interfaces
            .get(index as usize)
            .unwrap_or(&self.fallback)
    }

    pub(super) fn far(&self, index: u32) -> &Far {
        const NOWHERE: Far = Far {
            v4: Text {
                length: 0,
                bytes: [0; 15],
            },
            place: Place::Public,
            service: 0,
            port: 443,
            interface: 0,
        };
        self.fars.get(index as usize).unwrap_or(&NOWHERE)
    }

    pub(super) fn address(&self, address: Address) -> &[u8] {
        match address {
            Address::Interface(index) => self.interface(index).v4.as_bytes(),
            Address::InterfaceV6(index) => self.interface(index).v6.as_bytes(),
            Address::Far(index) => self.far(index).v4.as_bytes(),
            Address::FarV6(index) => text_at(&self.far_v6, index),
            Address::Pod(index) => text_at(&self.pods, index),
            Address::OnPremises(index) => text_at(&self.on_premises, index & 4_095),
        }
    }

    /// The first rank from `index` on whose far address is wanted.
    pub(super) fn far_where(&self, index: u32, wanted: impl Fn(&Far) -> bool) -> u32 {
        (0..200)
            .map(|step| (index + step) % FAR_ADDRESSES)
            .find(|&rank| wanted(self.far(rank)))
            .unwrap_or(index)
    }

    /// A plain interface in the same VPC as a gateway.
    pub(super) fn neighbour(&self, interface: &Interface, random: &mut Random) -> u32 {
        let mut index = self.by_interface.draw(random);
        for _ in 0..64 {
            let candidate = self.interface(index);
            if candidate.vpc == interface.vpc
                && !candidate.public
                && matches!(candidate.role, Role::Instance | Role::Node | Role::Task)
            {
                return index;
            }
            index = (index + 1) % INTERFACES;
        }
        index
    }

    /// The traffic path out, the next hop out, and the next hop in.
    pub(super) fn route(&self, interface: &Interface, far: &Far, v6: bool) -> (u8, Hop, Hop) {
        let peer = self.interface(far.interface);
        let nat = Hop::Interface(gateway_index(interface.vpc, interface.zone_index, 3));
        let transit = Hop::Interface(gateway_index(interface.vpc, interface.zone_index, 5));
        match far.place {
            _ if v6 => (b'8', Hop::None, Hop::None),
            Place::Interface if peer.vpc == interface.vpc => {
                let hop = Hop::Interface(far.interface);
                (b'1', hop, hop)
            }
            // The first two VPCs are peered; the third is reached by the transit gateway.
            Place::Interface if peer.vpc < 2 && interface.vpc < 2 => {
                let hop = Hop::Interface(far.interface);
                (b'4', hop, hop)
            }
            Place::Interface => (b'1', transit, Hop::None),
            Place::OnPremises => (b'3', Hop::None, Hop::None),
            Place::Public if matches!(far.service, SERVICE_S3 | SERVICE_DYNAMODB) => {
                (b'7', Hop::None, Hop::None)
            }
            Place::Public
                if interface.public || matches!(interface.role, Role::Nat | Role::RegionalNat) =>
            {
                (b'8', Hop::None, Hop::None)
            }
            Place::Public => (b'1', nat, nat),
        }
    }

    pub(super) fn transit_head(&self, flow: &TransitFlow) -> &[u8] {
        let pair = flow.source_site * (SITES + 1) + flow.destination_site;
        match self.transit_heads.get(pair as usize) {
            Some([at_source, at_destination]) => {
                if flow.egress {
                    at_destination
                } else {
                    at_source
                }
            }
            None => &[],
        }
    }
}
