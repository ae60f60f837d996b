//! A unit's part of the directory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::super::directory::{
    AccountRow, AttachmentRow, FirewallEndpointRow, FirewallRow, HybridRow, PartRow, PeeringRow,
    PlacedAddressRow, PlacedBlockRow, PlacedVpcRow, Tables, TransitGatewayRow, TransitRouteRow,
    TransitTableRow, Viewer,
};
use super::super::format::{Block, Texts, bits};
use super::super::shard::{PublicRow, Shard};
use super::{IndexUnit, logged, name};
use crate::inventory::{AttachmentType, Destination, Inventory};

/// Makes a unit's part of the directory; see [`Directory::merge`](crate::index::Directory::merge). `shard` is the unit's shard, which
/// tells the public addresses of interfaces that vanished.
/// `None` when it would be larger than a file can be.
pub fn directory_part(
    inventory: &Inventory,
    unit: IndexUnit<'_>,
    shard: Option<&Shard>,
) -> Option<Bytes> {
    let mut tables = Tables::default();
    let writer = &mut tables.writer;
    let by = Viewer {
        account: writer.text(unit.account),
        region: writer.text(unit.region),
    };
    tables.parts.push(PartRow {
        by,
        collected: unit.collected,
        has_shard: !inventory.interfaces.is_empty() || !inventory.vpcs.is_empty(),
    });
    for account in &inventory.accounts {
        let official = account.account_name.as_deref();
        let Some(name) = official.or(account.alias.as_deref()) else {
            continue;
        };
        tables.accounts.push(AccountRow {
            by,
            id: writer.text(account.id.as_str()),
            name: writer.text(name),
            official: official.is_some(),
        });
    }
    let logged = logged(inventory);
    for vpc in &inventory.vpcs {
        let id = writer.text(vpc.id.as_str());
        tables.vpcs.push(PlacedVpcRow {
            by,
            id,
            name: writer.text(name(&vpc.tags)),
            owner: writer.text(vpc.account.as_deref()),
        });
        let blocks = vpc.cidrs.iter().map(|cidr| PlacedBlockRow {
            by,
            vpc: id,
            block: Block::from(*cidr),
        });
        tables.blocks.extend(blocks);
    }
    let mut public: BTreeMap<u128, Option<&str>> = BTreeMap::new();
    for row in shard
        .into_iter()
        .flat_map(|shard| shard.file().rows::<PublicRow>().iter())
    {
        public.insert(row.address, None);
    }
    for address in &inventory.addresses {
        public.extend(address.public.map(|public| (bits(public), None)));
    }
    for gateway in &inventory.nat_gateways {
        for address in gateway.addresses.iter().filter_map(|a| a.public) {
            public.insert(bits(address), Some(&gateway.id));
        }
    }
    for interface in &inventory.interfaces {
        let addresses = interface.addresses.iter().filter_map(|a| a.public);
        public.extend(addresses.map(|address| (bits(address), None)));
    }
    for (address, holder) in public {
        tables.addresses.push(PlacedAddressRow {
            by,
            address,
            holder: writer.text(holder),
        });
    }
    for peering in &inventory.peerings {
        let (requester, accepter) = (&peering.requester, &peering.accepter);
        tables.peerings.push(PeeringRow {
            by,
            id: writer.text(peering.id.as_str()),
            name: writer.text(name(&peering.tags)),
            requester: writer.text(requester.vpc.as_deref()),
            requester_account: writer.text(requester.account.as_deref()),
            requester_region: writer.text(requester.region.as_deref()),
            accepter: writer.text(accepter.vpc.as_deref()),
            accepter_account: writer.text(accepter.account.as_deref()),
            accepter_region: writer.text(accepter.region.as_deref()),
            active: peering
                .state
                .as_deref()
                .is_none_or(|state| state == "active"),
        });
    }
    transit(inventory, by, &logged, &mut tables);
    core_networks(inventory, by, &mut tables);
    let writer = &mut tables.writer;
    for firewall in &inventory.firewalls {
        let arn = writer.text(firewall.id.as_str());
        let details = firewall.details.as_ref();
        tables.firewalls.push(FirewallRow {
            by,
            name: writer.text(firewall.firewall_name.as_deref()),
            arn,
            owner: writer.text(firewall.account.as_deref().unwrap_or(unit.account)),
            vpc: writer.text(details.and_then(|details| details.vpc.as_deref())),
            attachment: writer.text(firewall.transit_gateway_attachment.as_deref()),
        });
        for endpoint in details.map(|d| d.endpoints.as_slice()).unwrap_or_default() {
            tables.endpoints.push(FirewallEndpointRow {
                by,
                firewall: arn,
                zone: writer.text(endpoint.zone.as_str()),
                endpoint: writer.text(endpoint.endpoint.as_deref()),
                subnet: writer.text(endpoint.subnet.as_deref()),
            });
        }
    }
    hybrids(inventory, by, &mut tables);
    tables.finish()
}

fn transit(inventory: &Inventory, by: Viewer, logged: &BTreeSet<&str>, tables: &mut Tables) {
    let writer = &mut tables.writer;
    for gateway in &inventory.transit_gateways {
        tables.gateways.push(TransitGatewayRow {
            by,
            id: writer.text(gateway.id.as_str()),
            name: writer.text(name(&gateway.tags)),
            owner: writer.text(gateway.account.as_deref()),
            logged: logged.contains(gateway.id.as_str()),
        });
    }
    let mut associated: HashMap<&str, &str> = HashMap::new();
    for table in &inventory.transit_gateway_route_tables {
        for link in &table.associations {
            if let Some(attachment) = link.attachment.as_deref() {
                associated.insert(attachment, &table.id);
            }
        }
        let id = writer.text(table.id.as_str());
        tables.tables.push(TransitTableRow {
            by,
            id,
            gateway: writer.text(table.transit_gateway.as_deref()),
            complete: table.routes_complete,
        });
        let usable = |state: Option<&str>| {
            state.is_none_or(|state| ["active", "blackhole"].contains(&state))
        };
        for route in table.routes.iter().filter(|r| usable(r.state.as_deref())) {
            let blocks = match &route.destination {
                Some(Destination::Cidr(cidr)) => vec![*cidr],
                Some(Destination::PrefixList(list)) => {
                    let entries = inventory.prefix_list_entries(list).unwrap_or_default();
                    entries.iter().filter_map(|entry| entry.cidr).collect()
                }
                None => Vec::new(),
            };
            let to = route
                .attachments
                .iter()
                .filter_map(|l| l.attachment.as_deref());
            let attachments = writer.texts(to);
            tables
                .routes
                .extend(blocks.into_iter().map(|cidr| TransitRouteRow {
                    by,
                    table: id,
                    block: Block::from(cidr),
                    attachments,
                    blackhole: route.state.as_deref() == Some("blackhole"),
                }));
        }
    }
    for attachment in &inventory.transit_gateway_attachments {
        let subnets = attachment.vpc.as_ref().map(|vpc| vpc.subnets.as_slice());
        for side in &attachment.sides {
            let of_gateway = |table: &&str| {
                let table = inventory.transit_gateway_route_tables.get(table);
                let gateway = table.and_then(|table| table.transit_gateway.as_deref());
                gateway == side.transit_gateway.as_deref()
            };
            let by_table = associated.get(attachment.id.as_str()).copied();
            let table = side.route_table.as_deref().or(by_table.filter(of_gateway));
            let gone = ["deleted", "deleting", "failed", "rejected"];
            if side
                .state
                .as_deref()
                .is_some_and(|state| gone.contains(&state))
            {
                continue;
            }
            let kind = side.resource_type.as_ref();
            // People name the connection rather than its attachment.
            let connection = side.resource.as_deref();
            let connection = connection.and_then(|id| inventory.vpn_connections.get(id));
            let named = name(&attachment.tags).or(connection.and_then(|c| name(&c.tags)));
            tables.attachments.push(AttachmentRow {
                by,
                id: writer.text(attachment.id.as_str()),
                name: writer.text(named),
                gateway: writer.text(side.transit_gateway.as_deref()),
                kind: writer.text(kind.map(AttachmentType::as_str)),
                resource: writer.text(side.resource.as_deref()),
                owner: writer.text(side.resource_owner.as_deref()),
                table: writer.text(table),
                subnets: writer.texts(subnets.unwrap_or_default().iter().map(String::as_str)),
            });
        }
    }
}

/// Core networks are to the directory what transit gateways are: a segment at an edge is a route table.
fn core_networks(inventory: &Inventory, by: Viewer, tables: &mut Tables) {
    let writer = &mut tables.writer;
    for attachment in &inventory.core_network_attachments {
        let resource = attachment.resource.as_deref().unwrap_or_default();
        let resource = resource.rsplit('/').next().unwrap_or_default();
        let kind = match attachment.attachment_type.as_deref() {
            Some("VPC") => "vpc",
            Some("SITE_TO_SITE_VPN") => "vpn",
            Some("DIRECT_CONNECT_GATEWAY") => "direct-connect-gateway",
            Some("CONNECT") => "connect",
            _ => "other",
        };
        let network = attachment.core_network.as_deref();
        for edge in &attachment.edges {
            let table = network
                .zip(attachment.segment.as_deref())
                .map(|(network, segment)| format!("{network}/segment/{segment}/{edge}"));
            tables.attachments.push(AttachmentRow {
                by,
                id: writer.text(attachment.id.as_str()),
                name: writer.text(name(&attachment.tags)),
                gateway: writer.text(network),
                kind: writer.text(kind),
                resource: writer.text(resource),
                owner: writer.text(attachment.account.as_deref()),
                table: writer.text(table.as_deref()),
                subnets: Texts::EMPTY,
            });
        }
    }
    for table in &inventory.core_network_route_tables {
        let id = writer.text(table.id.as_str());
        tables.tables.push(TransitTableRow {
            by,
            id,
            gateway: writer.text(table.core_network.as_deref()),
            complete: true,
        });
        for route in &table.routes {
            let Some(Destination::Cidr(cidr)) = &route.destination else {
                continue;
            };
            let to = route.via.iter().filter_map(|hop| hop.attachment.as_deref());
            tables.routes.push(TransitRouteRow {
                by,
                table: id,
                block: Block::from(*cidr),
                attachments: writer.texts(to),
                blackhole: route.state.as_deref() == Some("BLACKHOLE"),
            });
        }
    }
}

/// What leads on-premises from virtual private gateways.
fn hybrids(inventory: &Inventory, by: Viewer, tables: &mut Tables) {
    let mut hybrids: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    let usable = |state: Option<&str>| state.is_none_or(|s| !["deleted", "deleting"].contains(&s));
    for connection in &inventory.vpn_connections {
        let gateway = connection.vpn_gateway.as_deref();
        if let Some(gateway) = gateway.filter(|_| usable(connection.state.as_deref())) {
            hybrids.entry(gateway).or_default().0 = true;
        }
    }
    let associated = inventory.direct_connect_associations.iter();
    let associated = associated.filter_map(|association| association.gateway.as_deref());
    let virtual_interfaces = inventory.virtual_interfaces.iter();
    let direct = virtual_interfaces.filter_map(|interface| interface.vpn_gateway.as_deref());
    for gateway in associated.chain(direct) {
        hybrids.entry(gateway).or_default().1 = true;
    }
    for (gateway, (vpn, direct_connect)) in hybrids {
        tables.hybrids.push(HybridRow {
            by,
            gateway: tables.writer.text(gateway),
            vpn,
            direct_connect,
        });
    }
}
