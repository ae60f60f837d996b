//! AWS partitions: separate AWS clouds, with their own accounts, ARNs and host names.
//!
//! Source: "AWS partitions" (*AWS Fault Isolation Boundaries*), and the endpoints that AWS publishes with
//! its SDKs.

/// One AWS partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// The name in ARNs.
    pub name: &'static str,
    /// What host names end with.
    pub dns_suffix: &'static str,
    /// What names of regions start with.
    region_prefixes: &'static [&'static str],
    /// The region whose endpoints answer for the whole partition where no other is named, and where
    /// calls go before any region is known.
    pub home_region: &'static str,
    /// The host of IAM and the region its requests are signed for.
    pub iam: (&'static str, &'static str),
    /// The region of AWS Organizations.
    pub organizations: &'static str,
    /// The region of Network Manager, where the partition has it.
    pub network_manager: Option<&'static str>,
}

/// Every partition, the commercial one first.
pub const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        dns_suffix: "amazonaws.com",
        region_prefixes: &[
            "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-",
        ],
        home_region: "us-east-1",
        iam: ("iam.amazonaws.com", "us-east-1"),
        organizations: "us-east-1",
        network_manager: Some("us-west-2"),
    },
    Partition {
        name: "aws-cn",
        dns_suffix: "amazonaws.com.cn",
        region_prefixes: &["cn-"],
        home_region: "cn-north-1",
        iam: ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        organizations: "cn-northwest-1",
        network_manager: None,
    },
    Partition {
        name: "aws-us-gov",
        dns_suffix: "amazonaws.com",
        region_prefixes: &["us-gov-"],
        home_region: "us-gov-west-1",
        iam: ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
        organizations: "us-gov-west-1",
        network_manager: Some("us-gov-west-1"),
    },
    Partition {
        name: "aws-eusc",
        dns_suffix: "amazonaws.eu",
        region_prefixes: &["eusc-"],
        home_region: "eusc-de-east-1",
        iam: ("iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        organizations: "eusc-de-east-1",
        network_manager: None,
    },
    Partition {
        name: "aws-iso",
        dns_suffix: "c2s.ic.gov",
        region_prefixes: &["us-iso-"],
        home_region: "us-iso-east-1",
        iam: ("iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        organizations: "us-iso-east-1",
        network_manager: None,
    },
    Partition {
        name: "aws-iso-b",
        dns_suffix: "sc2s.sgov.gov",
        region_prefixes: &["us-isob-"],
        home_region: "us-isob-east-1",
        iam: ("iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        organizations: "us-isob-east-1",
        network_manager: None,
    },
    Partition {
        name: "aws-iso-e",
        dns_suffix: "cloud.adc-e.uk",
        region_prefixes: &["eu-isoe-"],
        home_region: "eu-isoe-west-1",
        iam: ("iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        organizations: "eu-isoe-west-1",
        network_manager: None,
    },
    Partition {
        name: "aws-iso-f",
        dns_suffix: "csp.hci.ic.gov",
        region_prefixes: &["us-isof-"],
        home_region: "us-isof-south-1",
        iam: ("iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        organizations: "us-isof-south-1",
        network_manager: None,
    },
];

/// The partition of that name.
pub fn named(name: &str) -> Option<&'static Partition> {
    PARTITIONS.iter().find(|partition| partition.name == name)
}

/// The partition that a region belongs to: the one with the longest fitting prefix, so that
/// `us-gov-west-1` is not taken for a commercial region. `None` for what cannot be a region.
pub fn of_region(region: &str) -> Option<&'static Partition> {
    let fits = |partition: &&'static Partition| {
        partition
            .region_prefixes
            .iter()
            .filter(|prefix| region.starts_with(**prefix))
            .map(|prefix| prefix.len())
            .max()
    };
    if !is_region_name(region) {
        return None;
    }
    PARTITIONS
        .iter()
        .filter(|partition| fits(partition).is_some())
        .max_by_key(fits)
}

/// Whether a text has the form of a region's name: lower-case parts joined by hyphens, the last a
/// number.
pub fn is_region_name(text: &str) -> bool {
    let mut parts = text.split('-');
    let number = parts.next_back().unwrap_or_default();
    let words: Vec<&str> = parts.collect();
    !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
        && words.len() >= 2
        && words
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Whether a text is an AWS account id: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_the_partition_with_the_longest_prefix() {
        for (region, partition) in [
            ("us-east-1", Some("aws")),
            ("ap-southeast-7", Some("aws")),
            ("mx-central-1", Some("aws")),
            ("cn-northwest-1", Some("aws-cn")),
            ("us-gov-east-1", Some("aws-us-gov")),
            ("us-iso-west-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-isoe-west-1", Some("aws-iso-e")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("us-east", None),
            ("us-east-1a", None),
            ("global", None),
            ("moon-base-1", None),
            ("", None),
        ] {
            assert_eq!(of_region(region).map(|p| p.name), partition, "{region}");
        }
    }

    #[test]
    fn each_partition_is_found_by_its_name_and_its_home_region() {
        for partition in PARTITIONS {
            assert_eq!(named(partition.name), Some(partition));
            assert_eq!(of_region(partition.home_region), Some(partition));
        }
        assert_eq!(named("aws-moon"), None);
    }
}
