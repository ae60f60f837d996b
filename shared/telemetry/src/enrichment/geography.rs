//! The country and the autonomous system of public addresses, from databases in MaxMind's format.
//!
//! ```text
//! .mmdb files ─▶ Geography ── address ─▶ Place { country, asn, as_org }
//! ```
//!
//! The format is described at `https://maxmind.github.io/MaxMind-DB/`. Which members a record has is up to who
//! made the database. Read are those of MaxMind (GeoIP2 and GeoLite2: City, Country, Enterprise, ASN, ISP), which
//! DB-IP uses too, and the flat ones of IPinfo and others. Each fact is from the first database that has
//! it. A record that cannot be read tells nothing; an address in private use is never looked up.

use std::net::IpAddr;

use maxminddb::{LookupResult, PathElement, Reader};

/// What is known of a public address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Place<'g> {
    /// The country it is used in: ISO 3166-1 alpha-2, as in `DE`.
    pub country: Option<&'g str>,
    /// The number of the autonomous system that announces it.
    pub asn: Option<u32>,
    /// The organization that has the autonomous system.
    pub as_org: Option<&'g str>,
}

/// Databases of countries and autonomous systems.
#[derive(Debug, Default)]
pub struct Geography {
    databases: Vec<Reader<Vec<u8>>>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("database {number} of countries and networks cannot be used: {reason}")]
pub struct GeographyError {
    /// Which one it is, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub reason: String,
}

type Path = &'static [PathElement<'static>];

const fn key(name: &'static str) -> PathElement<'static> {
    PathElement::Key(name)
}

/// Where records have the country, the first that is there counts. `country` is an object for
/// some, and a code or a name for others.
const COUNTRY: &[Path] = &[
    &[key("country_code")],
    &[key("country"), key("iso_code")],
    &[key("country")],
];

/// Where they have the number of the autonomous system.
const ASN: &[Path] = &[
    &[key("autonomous_system_number")],
    &[key("traits"), key("autonomous_system_number")],
];

/// Where they have it as a text, as in `AS15169`, or as a number all the same.
const ASN_TEXT: &[Path] = &[&[key("asn")]];

/// Where they have its organization.
const AS_ORG: &[Path] = &[
    &[key("autonomous_system_organization")],
    &[key("as_name")],
    &[key("traits"), key("autonomous_system_organization")],
];

/// Beginnings of files that hold a database, and are none.
const WRAPPINGS: [(&[u8], &str); 3] = [
    (&[0x1f, 0x8b], "gzip"),
    (b"PK\x03\x04", "zip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
];

impl Geography {
    /// Opens databases, given as the bytes of `.mmdb` files: any of them, in any combination and number.
    pub fn new(databases: Vec<Vec<u8>>) -> Result<Geography, GeographyError> {
        let open = |(index, bytes): (usize, Vec<u8>)| {
            let number = index + 1;
            open(bytes).map_err(|reason| GeographyError { number, reason })
        };
        let databases = databases.into_iter().enumerate().map(open);
        Ok(Geography {
            databases: databases.collect::<Result<_, _>>()?,
        })
    }

    /// What is known of an address. Everything is `None` for one in private use.
    pub fn lookup(&self, address: IpAddr) -> Place<'_> {
        let mut place = Place::default();
        let address = address.to_canonical();
        if in_private_use(address) {
            return place;
        }
        for database in &self.databases {
            // An IPv6 address in a database of IPv4 is an error too.
            let Ok(record) = database.lookup(address) else {
                continue;
            };
            if !record.has_data() {
                continue;
            }
            place.country = place.country.or_else(|| country(&record));
            place.asn = place.asn.or_else(|| asn(&record));
            place.as_org = place.as_org.or_else(|| as_org(&record));
        }
        place
    }
}

fn open(bytes: Vec<u8>) -> Result<Reader<Vec<u8>>, String> {
    let wrapping = WRAPPINGS.iter().find(|(start, _)| bytes.starts_with(start));
    if let Some((_, name)) = wrapping {
        return Err(format!(
            "it is packed with {name}; expected is the .mmdb file that is in it"
        ));
    }
    let size = bytes.len();
    Reader::from_source(bytes).map_err(|error| {
        format!("{error} (of {size} bytes); expected is a whole file in MaxMind's format, .mmdb")
    })
}

type Record<'g> = LookupResult<'g, Vec<u8>>;

/// The first text at one of the paths that fits; what is of another type is passed over.
fn text<'g>(record: &Record<'g>, paths: &[Path], fits: impl Fn(&str) -> bool) -> Option<&'g str> {
    let at = |path: &Path| record.decode_path::<&str>(path).ok().flatten();
    paths.iter().filter_map(at).find(|text| fits(text))
}

/// A country by its code. Not `Germany`, which is what some have in its place.
fn country<'g>(record: &Record<'g>) -> Option<&'g str> {
    text(record, COUNTRY, |text| {
        text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
    })
}

/// The autonomous system's number. 0 is what some have where there is none.
fn asn(record: &Record<'_>) -> Option<u32> {
    let number = |path: &Path| record.decode_path::<u32>(path).ok().flatten();
    let written = || {
        let text = text(record, ASN_TEXT, |text| !text.is_empty())?;
        text.strip_prefix("AS").unwrap_or(text).parse().ok()
    };
    let found = ASN.iter().find_map(number).or_else(written);
    let found = found.or_else(|| ASN_TEXT.iter().find_map(number));
    found.filter(|number| *number != 0)
}

fn as_org<'g>(record: &Record<'g>) -> Option<&'g str> {
    text(record, AS_ORG, |text| !text.is_empty())
}

/// Whether an address is one that no database can know: private, shared, local, multicast, reserved.
fn in_private_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || a == 0
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18)
                || a >= 224
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    /// A value of a record.
    #[derive(Clone)]
    enum Value {
        Text(&'static str),
        U16(u16),
        U32(u32),
        U64(u64),
        Map(Vec<(&'static str, Value)>),
        List(Vec<Value>),
    }
    use Value::{List, Map, Text, U16, U32, U64};

    /// The control byte of a type and size, then the size's second byte and the type's, as the format says.
    fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
        let (low, more) = match size {
            0..29 => (size as u8, None),
            29..285 => (29, Some((size - 29) as u8)),
            _ => panic!("larger than these tests need"),
        };
        if kind <= 7 {
            out.push(kind << 5 | low);
        } else {
            out.extend([low, kind - 7]);
        }
        out.extend(more);
    }

    fn write(value: &Value, out: &mut Vec<u8>) {
        let mut number = |kind, bytes: &[u8]| {
            let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            head(kind, bytes.len(), out);
            out.extend(bytes);
        };
        match value {
            Text(text) => {
                head(2, text.len(), out);
                out.extend(text.as_bytes());
            }
            U16(value) => number(5, &value.to_be_bytes()),
            U32(value) => number(6, &value.to_be_bytes()),
            U64(value) => number(9, &value.to_be_bytes()),
            Map(members) => {
                head(7, members.len(), out);
                for (name, value) in members {
                    write(&Text(name), out);
                    write(value, out);
                }
            }
            List(values) => {
                head(11, values.len(), out);
                values.iter().for_each(|value| write(value, out));
            }
        }
    }

    /// A database of blocks that do not contain each other, with 24-bit records.
    fn database(ip_version: u16, blocks: &[(&str, Value)]) -> Vec<u8> {
        let (mut data, mut nodes) = (Vec::new(), vec![[None::<usize>; 2]]);
        // A branch is the number of a node, or beyond `DATA` a place in the data.
        const DATA: usize = 1 << 32;
        for (block, value) in blocks {
            let cidr: crate::inventory::Cidr = block.parse().unwrap();
            let (bits, skip) = match (cidr.address(), ip_version) {
                (IpAddr::V4(v4), 4) => (u128::from(v4.to_bits()) << 96, 0),
                // IPv4 is below ::/96.
                (IpAddr::V4(v4), _) => (u128::from(v4.to_bits()), 96),
                (IpAddr::V6(v6), _) => (v6.to_bits(), 0),
            };
            let length = usize::from(cidr.length()) + skip;
            let mut node = 0;
            for at in 0..length {
                let branch = (bits >> (127 - at) & 1) as usize;
                if at + 1 == length {
                    nodes[node][branch] = Some(DATA + data.len());
                } else {
                    node = nodes[node][branch].unwrap_or_else(|| {
                        nodes.push([None; 2]);
                        nodes[node][branch] = Some(nodes.len() - 1);
                        nodes.len() - 1
                    });
                }
            }
            write(value, &mut data);
        }
        let mut out = Vec::new();
        let count = nodes.len();
        for branch in nodes.iter().flatten() {
            let record = match branch {
                None => count,
                Some(at) if *at >= DATA => count + 16 + at - DATA,
                Some(node) => *node,
            };
            out.extend(&(record as u32).to_be_bytes()[1..]);
        }
        out.extend([0; 16]);
        out.extend(data);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        let metadata = Map(vec![
            ("binary_format_major_version", U16(2)),
            ("binary_format_minor_version", U16(0)),
            ("build_epoch", U64(1_700_000_000)),
            ("database_type", Text("Test")),
            ("description", Map(vec![("en", Text("a test"))])),
            ("ip_version", U16(ip_version)),
            ("languages", List(vec![Text("en")])),
            ("node_count", U32(count as u32)),
            ("record_size", U16(24)),
        ]);
        write(&metadata, &mut out);
        out
    }

    /// As MaxMind's City databases have it, with more than is read.
    fn city(code: &'static str) -> Value {
        Map(vec![
            (
                "city",
                Map(vec![("names", Map(vec![("en", Text("A city"))]))]),
            ),
            (
                "country",
                Map(vec![("geoname_id", U32(1)), ("iso_code", Text(code))]),
            ),
            ("registered_country", Map(vec![("iso_code", Text("XX"))])),
        ])
    }

    fn network(number: u32, name: &'static str) -> Value {
        Map(vec![
            ("autonomous_system_number", U32(number)),
            ("autonomous_system_organization", Text(name)),
        ])
    }

    fn geography(databases: &[Vec<u8>]) -> Geography {
        Geography::new(databases.to_vec()).unwrap()
    }

    fn place<'g>(country: &'g str, asn: u32, as_org: &'g str) -> Place<'g> {
        Place {
            country: Some(country).filter(|text| !text.is_empty()),
            asn: Some(asn).filter(|number| *number != 0),
            as_org: Some(as_org).filter(|text| !text.is_empty()),
        }
    }

    fn at<'g>(geography: &'g Geography, address: &str) -> Place<'g> {
        geography.lookup(address.parse().unwrap())
    }

    #[test]
    fn countries_and_networks_come_from_databases_of_each() {
        let countries = database(
            6,
            &[
                ("2.125.160.0/20", city("GB")),
                ("2a02:cf40::/29", city("NO")),
            ],
        );
        let networks = database(
            6,
            &[
                ("2.125.0.0/16", network(5607, "Sky UK Limited")),
                ("2a02:cf40::/32", network(4_200_000_000, "A network")),
            ],
        );
        for databases in [
            [countries.clone(), networks.clone()],
            [networks.clone(), countries.clone()],
        ] {
            let geography = geography(&databases);
            assert_eq!(
                at(&geography, "2.125.160.216"),
                place("GB", 5607, "Sky UK Limited")
            );
            assert_eq!(
                at(&geography, "2.125.1.1"),
                place("", 5607, "Sky UK Limited")
            );
            assert_eq!(
                at(&geography, "2a02:cf40::1"),
                place("NO", 4_200_000_000, "A network")
            );
            assert_eq!(at(&geography, "2a02:cf41::1"), place("NO", 0, ""));
            assert_eq!(at(&geography, "8.8.8.8"), Place::default());
            assert_eq!(
                at(&geography, "::ffff:2.125.1.1"),
                place("", 5607, "Sky UK Limited")
            );
        }
        assert_eq!(
            at(&geography(&[countries]), "2.125.160.216"),
            place("GB", 0, "")
        );
    }

    #[test]
    fn the_first_database_that_knows_a_fact_tells_it() {
        let first = database(
            4,
            &[("8.8.8.0/24", Map(vec![("country_code", Text("US"))]))],
        );
        let second = database(4, &[("8.0.0.0/8", city("DE"))]);
        let geography = geography(&[first, second]);
        assert_eq!(at(&geography, "8.8.8.8"), place("US", 0, ""));
        assert_eq!(at(&geography, "8.8.9.9"), place("DE", 0, ""));
    }

    #[test]
    fn flat_records_are_read_as_well() {
        let geography = geography(&[database(
            6,
            &[
                // IPinfo, country and ASN.
                (
                    "8.8.8.0/24",
                    Map(vec![
                        ("country", Text("US")),
                        ("country_name", Text("United States")),
                        ("asn", Text("AS15169")),
                        ("as_name", Text("Google LLC")),
                    ]),
                ),
                // IPinfo Lite.
                (
                    "9.9.9.0/24",
                    Map(vec![
                        ("asn", Text("AS19281")),
                        ("as_name", Text("Quad9")),
                        ("country", Text("Switzerland")),
                        ("country_code", Text("CH")),
                    ]),
                ),
                // GeoIP2 Enterprise.
                (
                    "1.1.1.0/24",
                    Map(vec![(
                        "traits",
                        Map(vec![
                            ("autonomous_system_number", U32(13335)),
                            ("autonomous_system_organization", Text("Cloudflare")),
                        ]),
                    )]),
                ),
                // A number, and one without letters.
                ("4.4.4.0/24", Map(vec![("asn", U32(3356))])),
                ("5.5.5.0/24", Map(vec![("asn", Text("6805"))])),
            ],
        )]);
        assert_eq!(at(&geography, "8.8.8.8"), place("US", 15169, "Google LLC"));
        assert_eq!(at(&geography, "9.9.9.9"), place("CH", 19281, "Quad9"));
        assert_eq!(at(&geography, "1.1.1.1"), place("", 13335, "Cloudflare"));
        assert_eq!(at(&geography, "4.4.4.4"), place("", 3356, ""));
        assert_eq!(at(&geography, "5.5.5.5"), place("", 6805, ""));
    }

    #[test]
    fn what_is_no_code_number_or_name_is_not_told() {
        let geography = geography(&[database(
            4,
            &[
                (
                    "8.0.0.0/8",
                    Map(vec![("country", Text("Germany")), ("asn", Text(""))]),
                ),
                (
                    "9.0.0.0/8",
                    Map(vec![
                        ("country", U32(7)),
                        ("asn", U32(0)),
                        ("as_name", Text("")),
                    ]),
                ),
                ("11.0.0.0/8", Map(vec![("asn", Text("ASX"))])),
                ("12.0.0.0/8", Text("no members")),
            ],
        )]);
        for address in ["8.1.1.1", "9.1.1.1", "11.1.1.1", "12.1.1.1"] {
            assert_eq!(at(&geography, address), Place::default(), "{address}");
        }
    }

    #[test]
    fn a_database_of_ipv4_knows_no_address_of_ipv6() {
        let geography = geography(&[database(4, &[("8.0.0.0/8", city("US"))])]);
        assert_eq!(at(&geography, "8.8.8.8"), place("US", 0, ""));
        assert_eq!(at(&geography, "2a02:cf40::1"), Place::default());
    }

    #[test]
    fn addresses_in_private_use_are_never_looked_up() {
        let v4 = database(4, &[("0.0.0.0/1", city("US")), ("128.0.0.0/1", city("US"))]);
        let v6 = database(6, &[("::/1", city("US")), ("8000::/1", city("US"))]);
        let geography = geography(&[v4, v6]);
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "0.1.2.3",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(at(&geography, address), Place::default(), "{address}");
        }
        for address in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "203.0.113.7",
            "2001:db8::1",
            "2600:1f18::1",
        ] {
            assert_eq!(at(&geography, address).country, Some("US"), "{address}");
        }
    }

    #[test]
    fn without_databases_nothing_is_known() {
        assert_eq!(at(&Geography::default(), "8.8.8.8"), Place::default());
    }

    #[test]
    fn what_is_wrong_with_a_database_is_said() {
        let good = database(4, &[("8.0.0.0/8", city("US"))]);
        let error = |bytes: &[u8]| {
            let error = Geography::new(vec![good.clone(), bytes.to_vec()]).unwrap_err();
            assert_eq!(error.number, 2);
            error.to_string()
        };
        assert_eq!(
            error(&[0x1f, 0x8b, 8, 0]),
            "database 2 of countries and networks cannot be used: it is packed with gzip; \
             expected is the .mmdb file that is in it"
        );
        assert!(error(b"PK\x03\x04").contains("packed with zip"));
        for bytes in [&b""[..], b"network,country", &good[..good.len() / 2]] {
            let error = error(bytes);
            assert!(
                error.contains("expected is a whole file in MaxMind's format"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_damaged_database_is_refused_or_tells_something(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            length in any::<prop::sample::Index>(),
            cut in any::<bool>(),
            address in any::<u32>(),
        ) {
            let mut bytes = database(6, &[
                ("2.125.160.0/20", city("GB")), ("8.8.8.0/24", network(15169, "Google LLC")),
                ("2a02:cf40::/29", city("NO")),
            ]);
            if cut {
                bytes.truncate(length.index(bytes.len()));
            }
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            if let Ok(geography) = Geography::new(vec![bytes]) {
                let v6 = Ipv6Addr::from_bits(u128::from(address) << 96);
                for address in [IpAddr::from(address.to_be_bytes()), v6.into(), [8, 8, 8, 8].into()] {
                    geography.lookup(address);
                }
            }
        }
    }
}
