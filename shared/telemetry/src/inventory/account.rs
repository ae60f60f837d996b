//! Accounts, their organization, regions and zones.

use super::read::{Row, entity};

entity! {
    /// An account: one of the organization, or one that was asked.
    Account {
        /// The name the organization gave it.
        account_name: Option<String> = "Name",
        /// The name it gave itself.
        alias: Option<String> = (|_| None),
        /// `ACTIVE`, `SUSPENDED` and others.
        state: Option<String> = ["State", "Status"],
        /// The organization: `o-…`.
        organization: Option<String> = (organization),
    }

    /// An organization.
    Organization {
        /// The account that manages it.
        management_account: Option<String> = "MasterAccountId",
        /// `ALL` or `CONSOLIDATED_BILLING`.
        features: Option<String> = "FeatureSet",
    }

    /// A region as an account has it. Its id is `<account>/<region>`.
    Region {
        /// The region.
        region_name: String = "RegionName",
        /// `opt-in-not-required`, `opted-in`, `not-opted-in`.
        opt_in: Option<String> = "OptInStatus",
    }

    /// An availability, local or Wavelength zone as an account has it. Its id is `<account>/<zone id>`:
    /// the same name is another place in another account, the same zone id is not.
    Zone {
        /// `use1-az2`: the same place in every account.
        zone_id: String = "ZoneId",
        /// `us-east-1d`: the account's name for it.
        zone_name: Option<String> = "ZoneName",
        /// `availability-zone`, `local-zone`, `wavelength-zone`.
        zone_type: Option<String> = "ZoneType",
        /// The zone that a local zone hangs on.
        parent: Option<String> = "ParentZoneId",
        /// Where its public addresses are announced from.
        border_group: Option<String> = "NetworkBorderGroup",
        /// `available` and others.
        state: Option<String> = "State",
        /// Whether the account uses it: as for regions.
        opt_in: Option<String> = "OptInStatus",
    }
}

impl Region {
    /// Whether the account can use it.
    pub fn is_enabled(&self) -> bool {
        self.opt_in.as_deref() != Some("not-opted-in")
    }
}

/// The organization is in the account's ARN: `arn:aws:organizations::<management>:account/o-…/<id>`.
fn organization(row: Row<'_>) -> Option<String> {
    let arn = row.text("Arn")?;
    let (_, path) = arn.split_once(":account/")?;
    path.split('/').next().map(str::to_owned)
}
