//! Records of Transit Gateway flow logs.

use std::net::IpAddr;

use super::facts::{CarriedKey, Facts};
use super::{Device, Enricher, Resolved, nothing};
use crate::enrichment::resolution::{Found, NONE, Told, is_public};
use crate::enrichment::side::How;
use crate::enrichment::transfer::{self, Attachment, InterfaceKind, Log};
use crate::flow::field::Field;
use crate::flow::record::{FlowDirection, FlowRecord};
use crate::index::format::Text;
use crate::index::shard::{GatewayKind, Range32};

impl Enricher {
    /// A record of a Transit Gateway flow log.
    pub(super) fn transit_gateway(&mut self, flow: &FlowRecord<'_>, time: u32) -> Resolved {
        let text = |field| flow.text(field);
        let egress = flow.direction() == Some(FlowDirection::Egress);
        let (here, there) = (
            text(Field::TgwAttachmentId),
            text(Field::TgwPairAttachmentId),
        );
        let (entered, left) = match egress {
            true => (there, here),
            false => (here, there),
        };
        let (gateway, region) = (text(Field::TgwId), text(Field::Region));
        let sender = self.attached(
            flow.address(Field::Srcaddr),
            [
                text(Field::TgwSrcVpcId),
                text(Field::TgwSrcVpcAccountId),
                text(Field::TgwSrcAzId),
            ],
            entered,
            left,
            (gateway, region),
            time,
            text(Field::PktSrcAwsService),
            false,
        );
        let receiver = self.attached(
            flow.address(Field::Dstaddr),
            [
                text(Field::TgwDstVpcId),
                text(Field::TgwDstVpcAccountId),
                // The zone of the gateway's interface, from where packets may go on to another.
                None,
            ],
            left,
            entered,
            (gateway, region),
            time,
            text(Field::PktDstAwsService),
            true,
        );
        let near = self.resolver.nowhere(How::UnknownVpc);
        let (source, destination) = (self.number(sender.0), self.number(receiver.0));
        let kinds = [
            self.attachment_kind(gateway, entered),
            self.attachment_kind(gateway, left),
        ];
        let key = CarriedKey {
            source,
            destination,
            direction: flow.direction(),
            is_flow: true,
            log: (1, self.name_number(gateway)),
            at: self.name_number(region),
            shard: u16::MAX,
            between: (kinds[0] as u32, kinds[1] as u32),
        };
        let facts = self.carried_facts(key, |enricher| {
            enricher.transit_facts(&key, (gateway, region), kinds, near.trouble)
        });
        Resolved {
            source,
            destination,
            facts,
            seat: NONE,
            far: destination,
            rejected: false,
        }
    }

    /// A side of a transit gateway's record: in the VPC that the record names, or where an attachment leads to.
    #[allow(clippy::too_many_arguments)]
    fn attached(
        &mut self,
        address: Option<IpAddr>,
        [vpc, account, zone]: [Option<&str>; 3],
        own: Option<&str>,
        other: Option<&str>,
        (gateway, region): (Option<&str>, Option<&str>),
        time: u32,
        service: Option<&str>,
        receives: bool,
    ) -> (Found, Range32) {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return (nothing(How::NoAddress), Range32::ALWAYS);
        };
        if let Some(vpc) = vpc {
            let (found, valid) =
                self.resolver
                    .in_vpc_of(vpc, account, region, address, time, How::TransitGateway);
            // A VPC on the way to somewhere else: the record names it, and it does not have the address.
            let passes = is_public(address) || found.interface == NONE;
            if passes && !self.resolver.may_have(vpc, address) {
                return match is_public(address) {
                    true => self.resolver.anywhere(address, time, service),
                    false => (nothing(How::UnknownAddress), Range32::ALWAYS),
                };
            }
            if found.interface != NONE {
                return (found, valid);
            }
            let told = self.resolver.tell(Told {
                vpc_id: Some(vpc.into()),
                account_id: account.map(Into::into),
                region: region.map(Into::into),
                az_id: zone.map(Into::into),
                ..Told::default()
            });
            return (self.resolver.told_side(found, told), valid);
        }
        // Where packets go to, the routes tell.
        if let Some(found) = other.filter(|_| receives).and_then(|other| {
            self.resolver
                .known_through(other, gateway, address, time, service)
        }) {
            return found;
        }
        if let Some(found) = own.and_then(|own| {
            self.resolver
                .behind_attachment(own, gateway, address, time, service)
        }) {
            return found;
        }
        match other {
            Some(other) => self
                .resolver
                .through_attachment(other, gateway, address, time, service),
            None => self.resolver.anywhere(address, time, service),
        }
    }

    fn attachment_kind(&self, gateway: Option<&str>, id: Option<&str>) -> Attachment {
        let directory = self.resolver.directory();
        let kind = id.and_then(|id| {
            let directory = directory?;
            let text = |text: Text| directory.file().text(text);
            let mut sides = directory.attachments(id);
            let side = sides.find(|side| text(side.gateway) == gateway)?;
            text(side.kind)
        });
        match kind {
            Some("vpc") => Attachment::Vpc,
            Some("vpn" | "vpn-concentrator") => Attachment::Vpn,
            Some("direct-connect-gateway") => Attachment::DirectConnect,
            Some("peering" | "tgw-peering") => Attachment::Peering,
            Some(_) => Attachment::Other,
            None => Attachment::Unknown,
        }
    }

    fn transit_facts(
        &self,
        key: &CarriedKey,
        (gateway, region): (Option<&str>, Option<&str>),
        [entered, left]: [Attachment; 2],
        trouble: Option<&'static str>,
    ) -> Facts {
        let directory = self.resolver.directory();
        let row = gateway.and_then(|id| directory?.transit_gateway(id));
        let (mut transfer, mut per_gb, mut counted) = (None, None, None);
        let ends = (self.side(key.source), self.side(key.destination));
        if let (Some(direction), (Some(source), Some(destination))) = (key.direction, ends) {
            let log = Log::TransitGateway { entered, left };
            let here = transfer::End {
                kind: InterfaceKind::TransitGateway,
                region,
                ..transfer::End::default()
            };
            (transfer, per_gb) = self.carried(log, direction, here, [source, destination]);
            // What came in was counted where it was sent, or else here; what goes out came in.
            let unseen = source.party.logged != Some(true);
            counted = Some(direction == FlowDirection::Ingress && unseen);
        }
        let (device, device_type) = match self.options.device {
            Device::Folder => (Some(self.origin.folder.as_str().into()), "folder"),
            _ => (gateway.map(Into::into), "transit-gateway"),
        };
        Facts {
            device_type: device.as_ref().map(|_| device_type),
            device,
            device_name: row
                .and_then(|row| directory?.file().text(row.name))
                .map(Into::into),
            direction: key.direction,
            gateway: gateway.map(|id| (GatewayKind::Transit, id.into())),
            transfer,
            per_gb,
            count_volume: counted,
            metadata: trouble,
        }
    }
}
