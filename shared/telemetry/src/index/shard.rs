//! What one account has in one region: the tables that a side of a flow is looked up in.

use std::net::IpAddr;

use bytes::Bytes;

use super::format::{
    Block, Cell, File, FileKind, FormatError, Link, Row, Rows, Text, Texts, Words, Writer, bits,
    hash, rows,
};

rows! {
    /// The unit that the shard is of: one row.
    UnitRow = 3 {
        /// The account.
        account: Text,
        /// The region.
        region: Text,
        /// When AWS was asked, Unix seconds.
        collected: u32,
    }

    /// A zone by the account's own name for it. Sorted by name.
    ZoneRow = 4 {
        /// `us-east-1d`.
        name: Text,
        /// `use1-az2`.
        id: Text,
        /// Whether it is a local or Wavelength zone.
        edge: bool,
    }

    /// A VPC. Sorted by id.
    VpcRow = 10 {
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// Whose it is; the one who collected may only share it.
        account: Text,
        /// Tags: keys and values in turn.
        tags: Texts,
        /// Whether a flow log of all its traffic is active.
        logged: bool,
    }

    /// A block of a VPC. Sorted by VPC and block.
    VpcBlockRow = 11 {
        /// The VPC.
        vpc: Link<VpcRow>,
        /// The block.
        block: Block,
    }

    /// A subnet. Sorted by id.
    SubnetRow = 12 {
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// Whose it is.
        account: Text,
        /// Its VPC.
        vpc: Link<VpcRow>,
        /// The zone's id.
        zone_id: Text,
        /// The route table that decides for it.
        table: Link<RouteTableRow>,
        /// The network ACL that decides for it.
        acl: Link<AclRow>,
        /// Tags: keys and values in turn.
        tags: Texts,
        /// Whether a flow log of all its traffic is active, its own or its VPC's.
        logged: bool,
        /// Whether it is in a local or Wavelength zone.
        edge: bool,
    }

    /// A block of a subnet. Sorted by VPC and block; the blocks of a VPC's subnets do not overlap.
    SubnetBlockRow = 13 {
        /// The VPC.
        vpc: Link<VpcRow>,
        /// The block.
        block: Block,
        /// The subnet.
        subnet: Link<SubnetRow>,
    }

    /// An interface, also one that vanished. Sorted by id.
    InterfaceRow = 14 {
        /// Its id.
        id: Text,
        /// Whose it is.
        account: Text,
        /// Its VPC.
        vpc: Link<VpcRow>,
        /// Its subnet.
        subnet: Link<SubnetRow>,
        /// The zone's id.
        zone_id: Text,
        /// What kind of interface it is, as AWS spells it.
        interface_type: Text,
        /// The instance it is attached to.
        instance: Link<InstanceRow>,
        /// What it belongs to.
        resource: Link<ResourceRow>,
        /// Security groups: links.
        groups: Words,
        /// Tags: keys and values in turn; its own, then those of what it belongs to.
        tags: Texts,
        /// When it was there.
        tenure: Tenure,
        /// Since when AWS could not be asked for it again, Unix seconds; 0 when it could.
        stale: u32,
        /// Whether a flow log of all its traffic is active: its own, its subnet's or its VPC's.
        logged: bool,
        /// Whether it forwards others' traffic: without the check of source and destination.
        forwards: bool,
        /// Whether it has a public address.
        public: bool,
    }

    /// A slot of the hash table of interface ids; open addressing, a power of two of slots.
    SlotRow = 15 {
        /// The interface.
        interface: Link<InterfaceRow>,
    }

    /// An address in a VPC, private or IPv6. Sorted by VPC and address, interfaces that are there first.
    AddressRow = 16 {
        /// The VPC.
        vpc: Link<VpcRow>,
        /// The address.
        address: u128,
        /// Who has or had it.
        interface: Link<InterfaceRow>,
        /// When.
        tenure: Tenure,
    }

    /// A block that is delegated to an interface. Sorted by VPC and block, interfaces that are there first.
    DelegatedRow = 17 {
        /// The VPC.
        vpc: Link<VpcRow>,
        /// The block.
        block: Block,
        /// Who has or had it.
        interface: Link<InterfaceRow>,
        /// When.
        tenure: Tenure,
    }

    /// A public address. Sorted by address, interfaces that are there first.
    PublicRow = 18 {
        /// The address.
        address: u128,
        /// The interface it is translated to.
        interface: Link<InterfaceRow>,
        /// When.
        tenure: Tenure,
    }

    /// An instance.
    InstanceRow = 19 {
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
    }

    /// What an interface belongs to.
    ResourceRow = 20 {
        /// `application-load-balancer`, `nat-gateway` and others.
        resource_type: Text,
        /// Its id or ARN.
        id: Text,
        /// Its name.
        name: Text,
        /// The service behind it, of endpoints.
        service: Text,
    }

    /// A security group. Sorted by id.
    GroupRow = 21 {
        /// Its id.
        id: Text,
        /// Its name.
        name: Text,
        /// Whether its rules are known.
        known: bool,
    }

    /// A rule of a security group. Sorted by group.
    RuleRow = 22 {
        /// The group.
        group: Link<GroupRow>,
        /// Whether it is about what goes out.
        egress: bool,
        /// The protocol's number; -1 for all.
        protocol: i32,
        /// First port or ICMP type; -1 for all.
        from: i32,
        /// Last port or ICMP code; -1 for all.
        to: i32,
        /// Prefix lists of far ends: links.
        lists: Words,
        /// Whether a prefix list of a far end is not known.
        unknown_list: bool,
        /// Security groups of far ends, by their ids.
        groups: Texts,
    }

    /// A block of a rule's far ends. Sorted by rule.
    RuleBlockRow = 23 {
        /// The rule.
        rule: Link<RuleRow>,
        /// The block.
        block: Block,
    }

    /// A network ACL. Sorted by id.
    AclRow = 24 {
        /// Its id.
        id: Text,
    }

    /// An entry of a network ACL. Sorted by ACL, then as they are tried.
    AclEntryRow = 25 {
        /// The ACL.
        acl: Link<AclRow>,
        /// Its number; 32767 for the last one.
        number: u32,
        /// Whether it is about what leaves the subnet.
        egress: bool,
        /// Whether it allows.
        allows: bool,
        /// The protocol's number; -1 for all.
        protocol: i32,
        /// First port or ICMP type; -1 for all.
        from: i32,
        /// Last port or ICMP code; -1 for all.
        to: i32,
        /// The far end.
        block: Block,
    }

    /// A route table. Sorted by id.
    RouteTableRow = 26 {
        /// Its id.
        id: Text,
    }

    /// A route, prefix lists taken apart. Sorted by route table, then longest first.
    RouteRow = 27 {
        /// The route table.
        table: Link<RouteTableRow>,
        /// Where packets go to.
        block: Block,
        /// What kind of thing leads there: a [`GatewayKind`].
        kind: u32,
        /// Its id.
        gateway: Text,
        /// Whether it leads nowhere.
        blackhole: bool,
    }

    /// A prefix list. Sorted by id.
    PrefixListRow = 28 {
        /// Its id.
        id: Text,
        /// Its name.
        name: Text,
        /// Whose it is; `AWS` for those of services.
        account: Text,
    }

    /// A block of a prefix list. Sorted by block.
    ListBlockRow = 29 {
        /// The block.
        block: Block,
        /// The list.
        list: Link<PrefixListRow>,
        /// The smallest block that this one is in.
        around: Link<ListBlockRow>,
    }

    /// A gateway, endpoint or peering connection that routes lead to. Sorted by id.
    GatewayRow = 30 {
        /// Its id.
        id: Text,
        /// Its kind: a [`GatewayKind`].
        kind: u32,
        /// Its `Name` tag.
        name: Text,
        /// Its VPC.
        vpc: Link<VpcRow>,
        /// Its subnet, where it has one.
        subnet: Link<SubnetRow>,
        /// The service behind an endpoint.
        service: Text,
    }
}

/// What kind of thing a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum GatewayKind {
    /// The VPC itself.
    Local = 0,
    /// Internet gateway.
    Internet = 1,
    /// Egress-only internet gateway.
    EgressOnly = 2,
    /// NAT gateway.
    Nat = 3,
    /// Virtual private gateway.
    VirtualPrivate = 4,
    /// Transit gateway.
    Transit = 5,
    /// Peering connection.
    Peering = 6,
    /// Endpoint of S3 or DynamoDB.
    GatewayEndpoint = 7,
    /// Endpoint of a Gateway Load Balancer.
    LoadBalancerEndpoint = 8,
    /// Endpoint of a network firewall.
    Firewall = 9,
    /// Interface endpoint.
    InterfaceEndpoint = 10,
    /// Interface of an appliance.
    Interface = 11,
    /// Core network.
    CoreNetwork = 12,
    /// Carrier gateway (Wavelength).
    Carrier = 13,
    /// Local gateway (Outposts).
    LocalGateway = 14,
    /// Anything else.
    Other = 15,
}

impl GatewayKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [GatewayKind; 16] = [
        GatewayKind::Local,
        GatewayKind::Internet,
        GatewayKind::EgressOnly,
        GatewayKind::Nat,
        GatewayKind::VirtualPrivate,
        GatewayKind::Transit,
        GatewayKind::Peering,
        GatewayKind::GatewayEndpoint,
        GatewayKind::LoadBalancerEndpoint,
        GatewayKind::Firewall,
        GatewayKind::InterfaceEndpoint,
        GatewayKind::Interface,
        GatewayKind::CoreNetwork,
        GatewayKind::Carrier,
        GatewayKind::LocalGateway,
        GatewayKind::Other,
    ];

    /// The kind of that number.
    pub fn of(number: u32) -> GatewayKind {
        let kind = GatewayKind::ALL.get(number as usize);
        kind.copied().unwrap_or(GatewayKind::Other)
    }

    /// As `gateway_type` says it.
    pub const fn label(self) -> &'static str {
        match self {
            GatewayKind::Local => "local",
            GatewayKind::Internet => "internet-gateway",
            GatewayKind::EgressOnly => "egress-only-internet-gateway",
            GatewayKind::Nat => "nat-gateway",
            GatewayKind::VirtualPrivate => "virtual-private-gateway",
            GatewayKind::Transit => "transit-gateway",
            GatewayKind::Peering => "peering-connection",
            GatewayKind::GatewayEndpoint => "gateway-endpoint",
            GatewayKind::LoadBalancerEndpoint => "gateway-load-balancer-endpoint",
            GatewayKind::Firewall => "firewall",
            GatewayKind::InterfaceEndpoint => "interface-endpoint",
            GatewayKind::Interface => "interface",
            GatewayKind::CoreNetwork => "core-network",
            GatewayKind::Carrier => "carrier-gateway",
            GatewayKind::LocalGateway => "local-gateway",
            GatewayKind::Other => "other",
        }
    }
}

/// Who has an address at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody that is known has or had it.
    Nobody,
    /// This interface, by its number, and when it had it. The answer is the same at all times of the range.
    Interface(u32, Tenure, Range32),
    /// Somebody had it at other times, and nobody that is known at this one.
    NotThen(Range32),
}

/// When something was there, or belonged to somebody; in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    /// Since when, as far as is known; 0 for always.
    pub from: u32,
    /// When it was last seen.
    pub seen: u32,
    /// When it was first found gone; [`u32::MAX`] while it is there.
    pub gone: u32,
}

impl Tenure {
    /// Whether it was there when AWS was last asked.
    pub fn is_present(self) -> bool {
        self.gone == u32::MAX
    }

    /// The times at which it was there, those included at which it may have gone already.
    #[inline]
    pub fn range(self) -> Range32 {
        let to = match self.is_present() {
            true => u32::MAX,
            false => self.gone.saturating_sub(1),
        };
        Range32 {
            from: self.from,
            to,
        }
    }

    /// Whether it may have been gone at a time: later than it was last seen, and it has been found gone.
    #[inline]
    pub fn is_doubtful_at(self, time: u32) -> bool {
        !self.is_present() && time > self.seen
    }
}

impl Cell for Tenure {
    const SIZE: usize = 12;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Tenure {
            from: u32::take(bytes)?,
            seen: u32::take(bytes)?,
            gone: u32::take(bytes)?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.from.put(out);
        self.seen.put(out);
        self.gone.put(out);
    }

    fn carry(&self, _: &File, _: &mut Writer) -> Self {
        *self
    }
}

/// A range of times in Unix seconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range32 {
    /// The first second.
    pub from: u32,
    /// The last second.
    pub to: u32,
}

impl Range32 {
    /// All times.
    pub const ALWAYS: Range32 = Range32 {
        from: 0,
        to: u32::MAX,
    };

    /// Whether a time is in it.
    #[inline]
    pub fn contains(self, time: u32) -> bool {
        self.from <= time && time <= self.to
    }

    /// The times of both.
    pub fn and(self, other: Range32) -> Range32 {
        Range32 {
            from: self.from.max(other.from),
            to: self.to.min(other.to),
        }
    }
}

/// What one account has in one region.
#[derive(Debug, Clone)]
pub struct Shard {
    file: File,
}

impl Shard {
    /// Opens a shard; nothing of it is decoded.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open(bytes: Bytes) -> Result<Shard, FormatError> {
        File::open(bytes, FileKind::Shard).map(|file| Shard { file })
    }

    /// The file.
    #[inline]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The unit it is of.
    pub fn unit(&self) -> Option<UnitRow> {
        self.file.rows::<UnitRow>().get(0)
    }

    /// A row of a table that is sorted by id, with its number.
    fn named<R: Row>(&self, id: &str, id_of: impl Fn(&R) -> Text) -> Option<(u32, R)> {
        let rows = self.file.rows::<R>();
        rows.find(Some(id.as_bytes()), |row| self.file.text_bytes(id_of(row)))
    }

    /// The VPC of that id.
    pub fn vpc(&self, id: &str) -> Option<(u32, VpcRow)> {
        self.named(id, |row: &VpcRow| row.id)
    }

    /// The subnet of that id.
    pub fn subnet(&self, id: &str) -> Option<(u32, SubnetRow)> {
        self.named(id, |row: &SubnetRow| row.id)
    }

    /// The gateway, endpoint or peering connection of that id.
    pub fn gateway(&self, id: &str) -> Option<GatewayRow> {
        self.named(id, |row: &GatewayRow| row.id)
            .map(|(_, row)| row)
    }

    /// The zone of that name in the account that was collected.
    pub fn zone(&self, name: &str) -> Option<ZoneRow> {
        self.named(name, |row: &ZoneRow| row.name)
            .map(|(_, row)| row)
    }

    /// The interface of that id, and its number.
    #[inline]
    pub fn interface(&self, id: &[u8]) -> Option<(u32, InterfaceRow)> {
        let slots = self.file.rows::<SlotRow>();
        let mask = slots.len().checked_sub(1)?;
        let start = hash(id);
        for step in 0..slots.len() {
            let slot = slots.get(start.wrapping_add(step) & mask)?;
            let row = slot.interface.row()?;
            let interface = self.file.rows::<InterfaceRow>().get(row)?;
            if self.file.text_bytes(interface.id)? == id {
                return Some((row, interface));
            }
        }
        None
    }

    /// Who has an address of a VPC at a time: private or IPv6, an interface's own or in a block that is
    /// delegated to it. `time` is in Unix seconds.
    pub fn holder(&self, vpc: u32, address: IpAddr, time: u32) -> Holder {
        let bits = bits(address);
        let rows = self.file.rows::<AddressRow>();
        let found = rows.equal((vpc, bits), |row| (row.vpc.place(), row.address));
        if !found.is_empty() {
            let held = found.filter_map(|row| rows.get(row));
            return held_at(time, held.map(|row| (row.interface, row.tenure)));
        }
        let rows = self.file.rows::<DelegatedRow>();
        // Delegated blocks do not overlap, so it is the last one that begins no later.
        let end = rows.partition_point(|row| (row.vpc.place(), row.block.base) <= (vpc, bits));
        let last = end.checked_sub(1).and_then(|row| rows.get(row));
        let Some(last) = last.filter(|row| row.vpc.row() == Some(vpc) && row.block.contains(bits))
        else {
            return Holder::Nobody;
        };
        let found = rows.equal((vpc, last.block), |row| (row.vpc.place(), row.block));
        let held = found.filter_map(|row| rows.get(row));
        held_at(time, held.map(|row| (row.interface, row.tenure)))
    }

    /// Whether an interface has an address of a VPC, or ever had it.
    pub fn ever_held(&self, vpc: u32, interface: u32, address: IpAddr) -> bool {
        let bits = bits(address);
        let rows = self.file.rows::<AddressRow>();
        let found = rows.equal((vpc, bits), |row| (row.vpc.place(), row.address));
        let mut held = found.filter_map(|row| rows.get(row));
        if held.any(|row| row.interface.row() == Some(interface)) {
            return true;
        }
        let rows = self.file.rows::<DelegatedRow>();
        let end = rows.partition_point(|row| (row.vpc.place(), row.block.base) <= (vpc, bits));
        let last = end.checked_sub(1).and_then(|row| rows.get(row));
        let Some(last) = last.filter(|row| row.vpc.row() == Some(vpc) && row.block.contains(bits))
        else {
            return false;
        };
        let found = rows.equal((vpc, last.block), |row| (row.vpc.place(), row.block));
        let mut held = found.filter_map(|row| rows.get(row));
        held.any(|row| row.interface.row() == Some(interface))
    }

    /// Which interface a public address is translated to at a time.
    pub fn public_holder(&self, address: IpAddr, time: u32) -> Holder {
        let rows = self.file.rows::<PublicRow>();
        let found = rows.equal(bits(address), |row| row.address);
        let held = found.filter_map(|row| rows.get(row));
        held_at(time, held.map(|row| (row.interface, row.tenure)))
    }

    /// Whether a block of a VPC contains an address. `None` when no block of it is known.
    pub fn vpc_contains(&self, vpc: u32, address: IpAddr) -> Option<bool> {
        let mut blocks = self.vpc_blocks(vpc).peekable();
        blocks.peek()?;
        let bits = bits(address);
        Some(blocks.any(|block| block.contains(bits)))
    }

    /// The blocks of a VPC.
    pub fn vpc_blocks(&self, vpc: u32) -> impl Iterator<Item = Block> + '_ {
        let rows = self.file.rows::<VpcBlockRow>();
        rows.equal(vpc, |row| row.vpc.place())
            .filter_map(move |row| rows.get(row).map(|row| row.block))
    }

    /// The subnet of a VPC that an address belongs to, and its number.
    pub fn subnet_at(&self, vpc: u32, address: IpAddr) -> Option<(u32, SubnetRow)> {
        let bits = bits(address);
        let rows = self.file.rows::<SubnetBlockRow>();
        let end = rows.partition_point(|row| (row.vpc.place(), row.block.base) <= (vpc, bits));
        let row = rows.get(end.checked_sub(1)?)?;
        if row.vpc.row() != Some(vpc) || !row.block.contains(bits) {
            return None;
        }
        Some((row.subnet.row()?, self.file.follow(row.subnet)?))
    }

    /// The route that decides for an address: the one of the longest block.
    pub fn route(&self, table: Link<RouteTableRow>, address: IpAddr) -> Option<RouteRow> {
        let bits = bits(address);
        self.routes(table).find(|route| route.block.contains(bits))
    }

    /// The routes of a table, longest first.
    pub fn routes(&self, table: Link<RouteTableRow>) -> impl Iterator<Item = RouteRow> + '_ {
        let rows = self.file.rows::<RouteRow>();
        let range = match table.row() {
            Some(table) => rows.equal(table, |row| row.table.place()),
            None => 0..0,
        };
        range.filter_map(move |row| rows.get(row))
    }

    /// The smallest block of a prefix list that an address is in, with its list: of one's own lists where
    /// there is one, since AWS's hold much of the internet.
    pub fn prefix_list(&self, address: IpAddr) -> Option<PrefixListRow> {
        let bits = bits(address);
        let rows = self.file.rows::<ListBlockRow>();
        let mut at = rows
            .partition_point(|row| row.block.base <= bits)
            .checked_sub(1);
        while let Some(place) = at {
            let row = rows.get(place)?;
            if row.block.contains(bits) {
                return self.file.follow(row.list);
            }
            // What is around stands before; anything else would go round in circles.
            at = row.around.row().filter(|around| *around < place);
        }
        None
    }

    /// The rules of a security group, with their numbers.
    pub fn rules(&self, group: u32) -> impl Iterator<Item = (u32, RuleRow)> + '_ {
        let rows = self.file.rows::<RuleRow>();
        rows.equal(group, |row| row.group.place())
            .filter_map(move |row| Some((row, rows.get(row)?)))
    }

    /// The blocks of a rule's far ends.
    pub fn rule_blocks(&self, rule: u32) -> impl Iterator<Item = Block> + '_ {
        let rows = self.file.rows::<RuleBlockRow>();
        rows.equal(rule, |row| row.rule.place())
            .filter_map(move |row| rows.get(row).map(|row| row.block))
    }

    /// Whether a prefix list has a block that contains an address.
    pub fn list_contains(&self, list: u32, address: IpAddr) -> bool {
        let bits = bits(address);
        let rows = self.file.rows::<ListBlockRow>();
        let end = rows.partition_point(|row| row.block.base <= bits);
        let mut at = end.checked_sub(1);
        while let Some(place) = at {
            let Some(row) = rows.get(place) else { break };
            if row.block.contains(bits) && row.list.row() == Some(list) {
                return true;
            }
            at = row.around.row().filter(|around| *around < place);
        }
        false
    }

    /// The entries of a network ACL, as they are tried.
    pub fn acl_entries(&self, acl: Link<AclRow>) -> impl Iterator<Item = AclEntryRow> + Clone + '_ {
        let rows = self.file.rows::<AclEntryRow>();
        let range = match acl.row() {
            Some(acl) => rows.equal(acl, |row| row.acl.place()),
            None => 0..0,
        };
        range.filter_map(move |row| rows.get(row))
    }

    /// How many interfaces it has, vanished ones included.
    pub fn interfaces(&self) -> Rows<'_, InterfaceRow> {
        self.file.rows()
    }
}

/// The one of those who had something that had it at a time.
fn held_at(time: u32, held: impl Iterator<Item = (Link<InterfaceRow>, Tenure)>) -> Holder {
    let mut valid = Range32::ALWAYS;
    let mut anybody = false;
    for (interface, tenure) in held {
        let Some(interface) = interface.row() else {
            continue;
        };
        anybody = true;
        let range = tenure.range();
        if range.contains(time) {
            // Only up to when it was seen is it sure, so the answer differs behind.
            let sure = match tenure.is_doubtful_at(time) {
                true => Range32 {
                    from: tenure.seen.saturating_add(1),
                    to: range.to,
                },
                false if tenure.is_present() => range,
                false => Range32 {
                    from: range.from,
                    to: tenure.seen,
                },
            };
            return Holder::Interface(interface, tenure, valid.and(sure));
        }
        match time < range.from {
            true => valid.to = valid.to.min(range.from.saturating_sub(1)),
            false => valid.from = valid.from.max(range.to.saturating_add(1)),
        }
    }
    match anybody {
        true => Holder::NotThen(valid),
        false => Holder::Nobody,
    }
}
