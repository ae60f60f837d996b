//! What is where, over all accounts and regions: the directory, made of a part for each unit.
//!
//! Rows name things by their ids and say which unit saw them, so that the parts of some units can be
//! replaced without the others' being collected again. What several units see stands there several times.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bytes::Bytes;

use super::format::{
    Block, Cell, File, FileKind, FormatError, Link, Row, Text, Texts, Writer, bits, rows,
};

/// The unit that saw a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Viewer {
    /// The account that was asked.
    pub account: Text,
    /// The region that was asked.
    pub region: Text,
}

impl Cell for Viewer {
    const SIZE: usize = 8;

    #[inline]
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Viewer {
            account: Text::take(bytes)?,
            region: Text::take(bytes)?,
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.account.put(out);
        self.region.put(out);
    }

    fn carry(&self, from: &File, to: &mut Writer) -> Self {
        Viewer {
            account: self.account.carry(from, to),
            region: self.region.carry(from, to),
        }
    }
}

rows! {
    /// A unit that is part of the directory. Sorted by account and region.
    PartRow = 40 {
        /// The unit.
        by: Viewer,
        /// When AWS was asked, Unix seconds.
        collected: u32,
        /// Whether it has a shard.
        has_shard: bool,
    }

    /// An account's name. Sorted by id.
    AccountRow = 41 {
        /// Who tells it.
        by: Viewer,
        /// The account.
        id: Text,
        /// Its name in the organization, or its alias.
        name: Text,
        /// Whether the organization tells the name.
        official: bool,
    }

    /// A VPC and who sees it: its owner, and those that share it. Sorted by id, owners first.
    PlacedVpcRow = 42 {
        /// Who sees it, in its region.
        by: Viewer,
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// Whose it is.
        owner: Text,
    }

    /// A block of a VPC. Sorted by VPC and block.
    PlacedBlockRow = 43 {
        /// Who sees it.
        by: Viewer,
        /// The VPC.
        vpc: Text,
        /// The block.
        block: Block,
    }

    /// A public address that belongs to somebody. Sorted by address.
    PlacedAddressRow = 44 {
        /// Who sees it.
        by: Viewer,
        /// The address.
        address: u128,
        /// What has it, when that is no interface: a regional NAT gateway, an unused allocation.
        holder: Text,
    }

    /// A peering connection. Sorted by id.
    PeeringRow = 45 {
        /// Who sees it.
        by: Viewer,
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// The VPC that asked for it.
        requester: Text,
        /// Its owner.
        requester_account: Text,
        /// Its region.
        requester_region: Text,
        /// The VPC that was asked.
        accepter: Text,
        /// Its owner.
        accepter_account: Text,
        /// Its region.
        accepter_region: Text,
        /// Whether packets pass.
        active: bool,
    }

    /// An attachment as a transit gateway has it. Sorted by what is attached, then by transit gateway, those
    /// whose route table is known first.
    AttachmentRow = 46 {
        /// Who sees it.
        by: Viewer,
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// The transit gateway.
        gateway: Text,
        /// What is attached: `vpc`, `vpn`, `direct-connect-gateway`, `peering` and others.
        kind: Text,
        /// Its id.
        resource: Text,
        /// Whose that is.
        owner: Text,
        /// The route table that decides for what comes from it.
        table: Text,
        /// The subnets that it has interfaces in.
        subnets: Texts,
    }

    /// Where an attachment of an id stands. Sorted by id.
    AttachmentIdRow = 47 {
        /// The id.
        id: Text,
        /// The attachment.
        attachment: Link<AttachmentRow>,
    }

    /// A route table of a transit gateway. Sorted by id.
    TransitTableRow = 48 {
        /// Who sees it.
        by: Viewer,
        /// Its id.
        id: Text,
        /// The transit gateway.
        gateway: Text,
        /// Whether all its routes are known.
        complete: bool,
    }

    /// A route of a transit gateway. Sorted by route table, then longest first.
    TransitRouteRow = 49 {
        /// Who sees it.
        by: Viewer,
        /// The route table.
        table: Text,
        /// Where packets go to.
        block: Block,
        /// The attachments that lead there.
        attachments: Texts,
        /// Whether packets are dropped.
        blackhole: bool,
    }

    /// A transit gateway. Sorted by id, owners first.
    TransitGatewayRow = 50 {
        /// Who sees it, in its region.
        by: Viewer,
        /// Its id.
        id: Text,
        /// Its `Name` tag.
        name: Text,
        /// Whose it is.
        owner: Text,
        /// Whether a flow log of it is active.
        logged: bool,
    }

    /// A network firewall. Sorted by name.
    FirewallRow = 51 {
        /// Who sees it, in its region.
        by: Viewer,
        /// Its name.
        name: Text,
        /// Its ARN.
        arn: Text,
        /// Whose it is.
        owner: Text,
        /// Its VPC.
        vpc: Text,
        /// Its transit gateway's attachment instead of a VPC.
        attachment: Text,
    }

    /// An endpoint of a network firewall. Sorted by firewall and zone.
    FirewallEndpointRow = 52 {
        /// Who sees it.
        by: Viewer,
        /// ARN of the firewall.
        firewall: Text,
        /// The zone's name.
        zone: Text,
        /// The VPC endpoint.
        endpoint: Text,
        /// Its subnet.
        subnet: Text,
    }

    /// What leads on-premises from a virtual private gateway. Sorted by gateway.
    HybridRow = 53 {
        /// Who sees it.
        by: Viewer,
        /// The gateway.
        gateway: Text,
        /// Whether VPN connections do.
        vpn: bool,
        /// Whether Direct Connect does.
        direct_connect: bool,
    }
}

/// The rows of a directory while it is made.
macro_rules! tables {
    ($($field:ident: $row:ident,)+) => {
        #[derive(Default)]
        pub(super) struct Tables {
            pub writer: Writer,
            $( pub $field: Vec<$row>, )+
        }

        impl Tables {
            /// Takes over the rows of units that are not left out.
            fn carry(&mut self, from: &Directory, left_out: &BTreeSet<(String, String)>) {
                let file = &from.file;
                let mut known: BTreeMap<(u32, u32), bool> = BTreeMap::new();
                $( for row in file.rows::<$row>().iter() {
                    let key = (row.by.account.word(), row.by.region.word());
                    let kept = *known.entry(key).or_insert_with(|| {
                        let text = |text| file.text(text).unwrap_or_default().to_owned();
                        !left_out.contains(&(text(row.by.account), text(row.by.region)))
                    });
                    if kept {
                        self.$field.push(row.carry(file, &mut self.writer));
                    }
                } )+
            }
        }
    };
}

tables! {
    parts: PartRow,
    accounts: AccountRow,
    vpcs: PlacedVpcRow,
    blocks: PlacedBlockRow,
    addresses: PlacedAddressRow,
    peerings: PeeringRow,
    attachments: AttachmentRow,
    tables: TransitTableRow,
    routes: TransitRouteRow,
    gateways: TransitGatewayRow,
    firewalls: FirewallRow,
    endpoints: FirewallEndpointRow,
    hybrids: HybridRow,
}

impl Tables {
    pub(super) fn finish(mut self) -> Option<Bytes> {
        let texts = self.writer.resolver();
        let text = |t: Text| texts.get(&t.word()).map(String::as_str);
        let shared = |owner: Text, by: Viewer| text(owner) != text(by.account);
        let viewer = |by: Viewer| (text(by.account), text(by.region));
        self.parts.sort_by_key(|r| viewer(r.by));
        self.accounts
            .sort_by_key(|r| (text(r.id), !r.official, viewer(r.by)));
        self.vpcs
            .sort_by_key(|r| (text(r.id), shared(r.owner, r.by), viewer(r.by)));
        self.blocks
            .sort_by_key(|r| (text(r.vpc), r.block, viewer(r.by)));
        self.addresses.sort_by_key(|r| (r.address, viewer(r.by)));
        self.peerings
            .sort_by_key(|r| (text(r.id), !r.active, viewer(r.by)));
        self.attachments.sort_by_key(|r| {
            let place = (text(r.resource), text(r.gateway), r.table.is_none());
            (place, text(r.id), viewer(r.by))
        });
        self.tables
            .sort_by_key(|r| (text(r.id), !r.complete, viewer(r.by)));
        self.routes.sort_by_key(|r| {
            let longest = std::cmp::Reverse(r.block.length);
            (text(r.table), longest, r.block.base, viewer(r.by))
        });
        self.gateways
            .sort_by_key(|r| (text(r.id), shared(r.owner, r.by), viewer(r.by)));
        self.firewalls.sort_by_key(|r| (text(r.name), viewer(r.by)));
        self.endpoints
            .sort_by_key(|r| (text(r.firewall), text(r.zone), viewer(r.by)));
        self.hybrids
            .sort_by_key(|r| (text(r.gateway), viewer(r.by)));
        let mut ids: Vec<AttachmentIdRow> = (0_u32..)
            .zip(&self.attachments)
            .map(|(place, row)| AttachmentIdRow {
                id: row.id,
                attachment: Link::to(place),
            })
            .collect();
        ids.sort_by_key(|r| (text(r.id), r.attachment.place()));
        let mut writer = self.writer;
        writer.table(&self.parts);
        writer.table(&self.accounts);
        writer.table(&self.vpcs);
        writer.table(&self.blocks);
        writer.table(&self.addresses);
        writer.table(&self.peerings);
        writer.table(&self.attachments);
        writer.table(&ids);
        writer.table(&self.tables);
        writer.table(&self.routes);
        writer.table(&self.gateways);
        writer.table(&self.firewalls);
        writer.table(&self.endpoints);
        writer.table(&self.hybrids);
        writer.finish(FileKind::Directory)
    }
}

/// What is where, over all accounts and regions.
#[derive(Debug, Clone)]
pub struct Directory {
    file: File,
}

impl Directory {
    /// Opens a directory, or a unit's part of one; nothing of it is decoded.
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open(bytes: Bytes) -> Result<Directory, FormatError> {
        File::open(bytes, FileKind::Directory).map(|file| Directory { file })
    }

    /// Puts parts into one directory. Of a unit that several have, the last one's part counts.
    /// `None` when it would be larger than a file can be.
    pub fn merge(parts: &[Directory]) -> Option<Bytes> {
        let mut tables = Tables::default();
        let mut newer: BTreeSet<(String, String)> = BTreeSet::new();
        for part in parts.iter().rev() {
            tables.carry(part, &newer);
            newer.extend(
                part.units()
                    .map(|(account, region, _)| (account.to_owned(), region.to_owned())),
            );
        }
        tables.finish()
    }

    /// The file.
    #[inline]
    pub fn file(&self) -> &File {
        &self.file
    }

    #[inline]
    fn text(&self, text: Text) -> Option<&str> {
        self.file.text(text)
    }

    /// Accounts and regions, and each one's row.
    pub fn units(&self) -> impl Iterator<Item = (&str, &str, PartRow)> + '_ {
        self.file
            .rows::<PartRow>()
            .iter()
            .filter_map(|row| Some((self.text(row.by.account)?, self.text(row.by.region)?, row)))
    }

    /// The rows of a table, sorted by a text, that have it.
    fn named<'d, R: Row + 'd>(
        &'d self,
        name: &str,
        name_of: impl Fn(&R) -> Text,
    ) -> impl Iterator<Item = R> + 'd {
        let rows = self.file.rows::<R>();
        rows.equal(Some(name.as_bytes()), |row| {
            self.file.text_bytes(name_of(row))
        })
        .filter_map(move |row| rows.get(row))
    }

    /// An account's name.
    pub fn account_name(&self, id: &str) -> Text {
        let mut names = self
            .named(id, |row: &AccountRow| row.id)
            .map(|row| row.name);
        names.find(|name| !name.is_none()).unwrap_or(Text::NONE)
    }

    /// Who sees a VPC: its owner first.
    pub fn vpcs(&self, id: &str) -> impl Iterator<Item = PlacedVpcRow> + '_ {
        self.named(id, |row: &PlacedVpcRow| row.id)
    }

    /// The blocks of a VPC.
    pub fn blocks(&self, vpc: &str) -> impl Iterator<Item = Block> + '_ {
        self.named(vpc, |row: &PlacedBlockRow| row.vpc)
            .map(|row| row.block)
    }

    /// Who sees a public address as somebody's.
    pub fn public(&self, address: IpAddr) -> impl Iterator<Item = PlacedAddressRow> + '_ {
        let rows = self.file.rows::<PlacedAddressRow>();
        rows.equal(bits(address), |row| row.address)
            .filter_map(move |row| rows.get(row))
    }

    /// The peering connection of that id.
    pub fn peering(&self, id: &str) -> Option<PeeringRow> {
        self.named(id, |row: &PeeringRow| row.id).next()
    }

    /// All peering connections, once for each unit that sees them.
    pub fn peerings(&self) -> impl Iterator<Item = PeeringRow> + '_ {
        self.file.rows::<PeeringRow>().iter()
    }

    /// The attachments of a resource, such as a VPC, to transit gateways.
    pub fn attachments_of(&self, resource: &str) -> impl Iterator<Item = AttachmentRow> + '_ {
        self.named(resource, |row: &AttachmentRow| row.resource)
    }

    /// The attachment of that id: as each transit gateway has it, and each unit sees it.
    pub fn attachments(&self, id: &str) -> impl Iterator<Item = AttachmentRow> + '_ {
        self.named(id, |row: &AttachmentIdRow| row.id)
            .filter_map(|row| self.file.follow(row.attachment))
    }

    /// All attachments.
    pub fn all_attachments(&self) -> impl Iterator<Item = AttachmentRow> + '_ {
        self.file.rows::<AttachmentRow>().iter()
    }

    /// The route table of a transit gateway.
    pub fn transit_table(&self, id: &str) -> Option<TransitTableRow> {
        self.named(id, |row: &TransitTableRow| row.id).next()
    }

    /// The route of a transit gateway's table that decides for an address: the one of the longest block.
    pub fn transit_route(&self, table: &str, address: IpAddr) -> Option<TransitRouteRow> {
        let bits = bits(address);
        self.named(table, |row: &TransitRouteRow| row.table)
            .find(|route| route.block.contains(bits))
    }

    /// The transit gateway of that id.
    pub fn transit_gateway(&self, id: &str) -> Option<TransitGatewayRow> {
        self.named(id, |row: &TransitGatewayRow| row.id).next()
    }

    /// Whether a flow log of a transit gateway is active, as anybody sees it.
    pub fn is_logged(&self, gateway: &str) -> bool {
        self.named(gateway, |row: &TransitGatewayRow| row.id)
            .any(|row| row.logged)
    }

    /// The firewalls of that name: one in an account and region.
    pub fn firewalls(&self, name: &str) -> impl Iterator<Item = FirewallRow> + '_ {
        self.named(name, |row: &FirewallRow| row.name)
    }

    /// The endpoints of a firewall, by its ARN.
    pub fn firewall_endpoints(
        &self,
        firewall: &str,
    ) -> impl Iterator<Item = FirewallEndpointRow> + '_ {
        self.named(firewall, |row: &FirewallEndpointRow| row.firewall)
    }

    /// What leads on-premises from a virtual private gateway: VPN connections, Direct Connect.
    pub fn hybrid(&self, gateway: &str) -> (bool, bool) {
        self.named(gateway, |row: &HybridRow| row.gateway)
            .fold((false, false), |(vpn, direct_connect), row| {
                (vpn || row.vpn, direct_connect || row.direct_connect)
            })
    }
}
