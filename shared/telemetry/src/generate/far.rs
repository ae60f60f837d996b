//! Far addresses: what interfaces talk to.

use super::estate::INTERFACES;
use super::interface::Interface;
use super::random::mix;
use super::text::{Text, pick};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Interface,
    OnPremises,
    Public,
}

/// A far address: what an interface talks to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    pub(super) v4: Text<15>,
    pub(super) place: Place,
    pub(super) service: u8,
    pub(super) port: u16,
    /// The interface behind it, or some interface when it is none of ours.
    pub(super) interface: u32,
}

impl Far {
    pub(super) fn new(index: u32, interfaces: &[Interface]) -> Far {
        let mixed = mix(0xf_0000 + u64::from(index));
        let other = u32::try_from((mixed >> 20) % u64::from(INTERFACES)).unwrap_or(0);
        let port = pick(
            &[443, 443, 443, 443, 443, 443, 80, 8080, 22, 5671, 8443, 993],
            u32::try_from((mixed >> 44) % 12).unwrap_or(0),
            443,
        );
        match mixed % 100 {
            0..=34 => {
                let own = interfaces.get(other as usize);
                Far {
                    v4: own.map_or(Text::v4(10, 20, 0, 4), |interface| interface.v4),
                    place: Place::Interface,
                    service: 0,
                    port: own.map_or(443, |interface| interface.port),
                    interface: other,
                }
            }
            35..=41 => Far {
                v4: Text::v4(10, 200, (index >> 8) & 15, index & 255),
                place: Place::OnPremises,
                service: 0,
                port,
                interface: other,
            },
            _ => Far {
                v4: public_address(index, mixed),
                place: Place::Public,
                service: match (mixed >> 8) % 100 {
                    0..=9 => 1,
                    10..=15 => 2,
                    16..=21 => SERVICE_S3,
                    22..=24 => 4,
                    25 => SERVICE_DYNAMODB,
                    26 => 6,
                    27 => 7,
                    _ => 0,
                },
                port,
                interface: other,
            },
        }
    }
}

fn public_address(index: u32, mixed: u64) -> Text<15> {
    let last = u32::try_from((mixed >> 28) & 255).unwrap_or(1).max(1);
    match (mixed >> 36) % 60 {
        0 => Text::v4(192, 0, 2, last),
        1 => Text::v4(198, 51, 100, last),
        2 => Text::v4(203, 0, 113, last),
        _ => {
            // An odd factor visits all of 198.18.0.0/15 before it repeats.
            let spread = (index + 77).wrapping_mul(75_035) & 0x1_ffff;
            Text::v4(198, 18 + (spread >> 16), (spread >> 8) & 255, spread & 255)
        }
    }
}

const SERVICES: [&str; 8] = [
    "-",
    "AMAZON",
    "EC2",
    "S3",
    "CLOUDFRONT",
    "DYNAMODB",
    "API_GATEWAY",
    "GLOBALACCELERATOR",
];

pub(super) const SERVICE_S3: u8 = 3;
pub(super) const SERVICE_DYNAMODB: u8 = 5;

pub(super) fn service(code: u8) -> &'static [u8] {
    pick(&SERVICES, u32::from(code), "-").as_bytes()
}
