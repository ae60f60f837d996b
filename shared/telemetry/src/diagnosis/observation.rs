//! What was observed: the answers of AWS, as they came, before anything is concluded.

use jiff::Timestamp;

use crate::describe::state::CallFailure;
use crate::snapshot::Collected;
use crate::target::{Hop, Regions};

/// An answer, or why there is none.
pub type Answered<T> = Result<T, CallFailure>;

/// Everything that was observed.
#[derive(Debug, Clone)]
pub struct Observations {
    /// When.
    pub now: Timestamp,
    /// Whose credentials are at hand: their ARN and account.
    pub identity: Answered<Identity>,
    /// The roles that were tried, each once.
    pub roles: Vec<RoleObservation>,
    /// Why accounts are missing, where the list of them could not be had.
    pub accounts_unlisted: Option<String>,
    /// The accounts that were entered.
    pub accounts: Vec<AccountObservation>,
    /// The buckets.
    pub buckets: Vec<BucketObservation>,
    /// The index of metadata, where one is used.
    pub metadata: Option<MetadataObservation>,
}

/// Whose credentials they are (`GetCallerIdentity`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The user or role session.
    pub arn: String,
}

/// A role that was tried.
#[derive(Debug, Clone)]
pub struct RoleObservation {
    /// The roles on the way to it, and itself last.
    pub chain: Vec<Hop>,
    /// Whether it was given.
    pub assumed: Answered<()>,
    /// Whether it is given without the external id that is set, too; `None` when that was not tried.
    pub without_external_id: Option<bool>,
}

/// An account that was entered.
#[derive(Debug, Clone)]
pub struct AccountObservation {
    /// The account.
    pub account: String,
    /// Its partition.
    pub partition: String,
    /// The roles on the way to it.
    pub chain: Vec<Hop>,
    /// The regions that are wanted.
    pub regions: Regions,
    /// What each region answered, the one for what is global among them.
    pub units: Vec<UnitObservation>,
}

impl AccountObservation {
    /// The regions to ask, by what the account says of them: those that are wanted, without those that it says are
    /// not there or not enabled.
    pub fn regions_to_ask(&self) -> Vec<String> {
        let known = super::access::known_regions(self);
        let enabled = |name: &String| {
            let mut known = known.iter().flatten();
            known.any(|(known, enabled)| known == name && *enabled)
        };
        match &self.regions {
            Regions::Enabled => {
                let known = known.iter().flatten().filter(|(_, enabled)| *enabled);
                known.map(|(name, _)| name.clone()).collect()
            }
            Regions::Listed(names) if known.is_none() => names.clone(),
            Regions::Listed(names) => names.iter().filter(|n| enabled(n)).cloned().collect(),
        }
    }
}

/// What a region of an account answered.
#[derive(Debug, Clone)]
pub struct UnitObservation {
    /// The region, or [`GLOBAL`](crate::snapshot::GLOBAL).
    pub region: String,
    /// What each call gave.
    pub collected: Vec<Collected>,
}

/// A bucket with logs.
#[derive(Debug, Clone)]
pub struct BucketObservation {
    /// The bucket.
    pub bucket: String,
    /// What the keys of its logs begin with, without a slash at the end; empty for none.
    pub prefix: String,
    /// The region that the functions are set to run in.
    pub own_region: Option<String>,
    /// Its region, where it told one (`HeadBucket`).
    pub head: Answered<Option<String>>,
    /// Its default encryption (`GetBucketEncryption`). Like all below `None` when it was not asked.
    pub encryption: Option<Answered<DefaultEncryption>>,
    /// Whom it notifies (`GetBucketNotificationConfiguration`).
    pub notifications: Option<Answered<Notifications>>,
    /// Its policy as JSON, where it has one (`GetBucketPolicy`).
    pub policy: Option<Answered<Option<String>>>,
    /// The newest objects (`ListObjectsV2`).
    pub listing: Option<Answered<Listing>>,
    /// What became of reading the newest object.
    pub sample: Option<Sample>,
    /// Whether deleting is allowed.
    pub deletion: Deletion,
}

/// How a bucket encrypts what comes without a wish of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefaultEncryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: Option<String>,
    /// The KMS key, as it is written there.
    pub key: Option<String>,
}

/// Whom a bucket notifies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notifications {
    /// Whether every event goes to EventBridge.
    pub event_bridge: bool,
    /// Queues, topics and functions.
    pub routes: Vec<Route>,
}

/// A queue, topic or function that a bucket notifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its ARN.
    pub target: String,
    /// Of which events, such as `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// What keys have to begin with.
    pub prefix: String,
    /// What keys have to end with.
    pub suffix: String,
}

/// The objects of the newest folders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The newest object of each account, region, kind and source that lies there.
    pub newest: Vec<String>,
    /// Whether every folder was looked into; some are left out where there are too many.
    pub is_complete: bool,
}

/// What became of reading an object.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its key.
    pub key: String,
    /// How it is encrypted (`HeadObject`).
    pub head: Answered<ObjectHead>,
    /// Whether its first byte was given (`GetObject`).
    pub read: Answered<()>,
}

/// What S3 says of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectHead {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub encryption: Option<String>,
    /// The ARN of its KMS key.
    pub kms_key: Option<String>,
    /// Whether it is one of several versions.
    pub is_versioned: bool,
}

/// What is known of deleting.
#[derive(Debug, Clone)]
pub enum Deletion {
    /// It is off, or was not tried.
    Untried,
    /// What S3 answered to deleting an object that does not exist, if it were one that it is not.
    Tried(Answered<()>),
}

/// The index of metadata.
#[derive(Debug, Clone)]
pub struct MetadataObservation {
    /// Where it is kept.
    pub url: String,
    /// When it was last written; `None` when it is not there.
    pub written: Answered<Option<Timestamp>>,
}
