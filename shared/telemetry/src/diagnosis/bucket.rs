//! Buckets: whether they can be read, decrypted and emptied, whether logs get in, and who is told of them.

use serde_json::json;

use super::arrival::spoken;
use super::check::Check;
use super::delivery_policy::is_like;
use super::finding::Finding;
use super::flow_log::{Delivery, deliveries};
use super::observation::{
    Answered, BucketObservation, Deletion, MetadataObservation, Notifications, Observations, Route,
    Sample,
};
use crate::describe::partition;
use crate::describe::state::{CallFailure, State};

/// How S3 says that there is no such bucket; of `HeadBucket` there is the status only, which the SDK calls `NotFound`.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "NoSuchKey", "NotFound"];

/// Age after which metadata count as stale unless something else is set.
const STALE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Events that a log's arrival is one of.
const CREATED: [&str; 2] = [
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:CompleteMultipartUpload",
];

struct Bucket<'o> {
    seen: &'o Observations,
    at: &'o BucketObservation,
    partition: &'static str,
}

/// Findings about a bucket.
pub(super) fn findings(seen: &Observations, at: &BucketObservation) -> Vec<Finding> {
    let region = match &at.head {
        Ok(region) => region.as_ref().or(at.own_region.as_ref()),
        Err(_) => at.own_region.as_ref(),
    };
    let partition = region.and_then(|region| partition::of_region(region));
    let bucket = Bucket {
        seen,
        at,
        partition: partition.map_or("aws", |partition| partition.name),
    };
    bucket.findings()
}

impl Bucket<'_> {
    fn finding(&self, check: Check) -> Finding {
        let (bucket, partition) = (&self.at.bucket, self.partition);
        let arn = format!("arn:{partition}:s3:::{bucket}");
        let below = match self.at.prefix.as_str() {
            "" => "AWSLogs".to_owned(),
            prefix => format!("{prefix}/AWSLogs"),
        };
        let statement = |actions: &[&str], resource: String| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        let read = json!([
            statement(&["s3:GetObject"], format!("{arn}/{below}/*")),
            statement(&["s3:ListBucket"], arn.clone()),
        ]);
        let delete = statement(
            &["s3:DeleteObject", "s3:DeleteObjectVersion"],
            format!("{arn}/{below}/*"),
        );
        let finding = Finding::of(check).resource(&format!("s3://{bucket}"));
        let finding = match &self.at.head {
            Ok(Some(region)) => finding.region(region),
            _ => finding.with(
                "region",
                self.at.own_region.as_deref().unwrap_or("us-east-1"),
            ),
        };
        finding
            .with("bucket", bucket)
            .with("partition", partition)
            .with("read-policy", &read.to_string())
            .with("delete-policy", &delete.to_string())
    }

    /// What a failure of reading means, where it is not about the object.
    fn failed(&self, failure: &CallFailure, denied: Check) -> Finding {
        let check = match failure {
            failure if NO_BUCKET.contains(&failure.code.as_str()) => Check::BucketMissing,
            failure if failure.state == State::Denied => denied,
            _ => Check::BucketUnanswered,
        };
        self.finding(check).what(failure.message.clone())
    }

    fn unasked(&self, action: &str, failure: &CallFailure) -> Finding {
        self.finding(Check::BucketUnasked)
            .what(format!("{action}: {failure}"))
            .with("action", action)
    }

    fn findings(&self) -> Vec<Finding> {
        let at = self.at;
        let region = match &at.head {
            Err(failure) => return vec![self.failed(failure, Check::BucketDenied)],
            Ok(region) => region,
        };
        let mut findings = Vec::new();
        if let (Some(region), Some(own)) = (region, &at.own_region)
            && region != own
        {
            let what = format!("{} is in {region}, and {own} is set", at.bucket);
            findings.push(self.finding(Check::BucketOtherRegion).what(what));
        }
        match &at.listing {
            Some(Err(failure)) => findings.push(self.failed(failure, Check::BucketListDenied)),
            Some(Ok(_)) if at.sample.is_none() => findings.push(self.finding(Check::BucketEmpty)),
            _ => {}
        }
        findings.extend(at.sample.iter().flat_map(|sample| self.sample(sample)));
        findings.extend(self.encryption());
        findings.extend(self.policy());
        findings.extend(self.notifications());
        findings.extend(self.deletion());
        findings
    }

    fn sample(&self, sample: &Sample) -> Vec<Finding> {
        let head = sample.head.as_ref().ok();
        let encryption = head.and_then(|head| head.encryption.as_deref());
        let by_kms = encryption.is_some_and(|name| name.starts_with("aws:kms"));
        let key = head.and_then(|head| head.kms_key.as_deref());
        let check = match &sample.read {
            Ok(()) => Check::BucketOk,
            Err(failure) if failure.code.starts_with("KMS.") => Check::BucketKmsDenied,
            // Its head is granted, which takes s3:GetObject as well, and its content is not.
            Err(failure) if failure.state == State::Denied && by_kms => Check::BucketKmsDenied,
            Err(failure) if failure.state == State::Denied => Check::BucketReadDenied,
            Err(failure) if failure.code == "InvalidRequest" => Check::BucketSseC,
            Err(failure) if failure.code == "InvalidObjectState" => Check::BucketArchived,
            Err(_) => Check::BucketUnreadable,
        };
        let what = match &sample.read {
            Ok(()) => match encryption {
                Some(encryption) => format!("{}, encrypted with {encryption}", sample.key),
                None => sample.key.clone(),
            },
            Err(failure) => failure.message.clone(),
        };
        let decrypt = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key.unwrap_or("<ARN of the key>")});
        let mut findings = vec![
            self.finding(check)
                .what(what)
                .with("key", &sample.key)
                .with("decrypt-policy", &decrypt.to_string()),
        ];
        let tried = matches!(self.at.deletion, Deletion::Tried(_));
        if tried && head.is_some_and(|head| head.is_versioned) {
            findings.push(self.finding(Check::DeletionVersions));
        }
        findings
    }

    fn encryption(&self) -> Option<Finding> {
        let default = match self.at.encryption.as_ref()? {
            Ok(default) => default,
            Err(failure) => return Some(self.unasked("s3:GetEncryptionConfiguration", failure)),
        };
        let by_kms = default.algorithm.as_deref();
        if !by_kms.is_some_and(|name| name.starts_with("aws:kms")) {
            return None;
        }
        match default.key.as_deref() {
            None => Some(self.finding(Check::BucketAwsManagedKey)),
            Some(key) if key.ends_with("alias/aws/s3") => {
                Some(self.finding(Check::BucketAwsManagedKey))
            }
            Some(key) if !key.starts_with("arn:") => {
                let finding = self.finding(Check::BucketKeyId);
                Some(finding.what(format!("it names {key}")).with("key-id", key))
            }
            Some(_) => None,
        }
    }

    /// Whether the logs that are set to go there get in.
    fn policy(&self) -> Vec<Finding> {
        let policy = match self.at.policy.as_ref() {
            None => return Vec::new(),
            Some(Err(failure)) => return vec![self.unasked("s3:GetBucketPolicy", failure)],
            Some(Ok(policy)) => policy,
        };
        let here = |delivery: &Delivery<'_>| std::ptr::eq(delivery.bucket, self.at);
        let kept_out = deliveries(self.seen).filter(here).filter_map(|delivery| {
            let Delivery { log, writing, .. } = delivery;
            let check = match policy.as_ref().map(|policy| writing.is_allowed(policy)) {
                None => Check::DeliveryPolicyNone,
                Some(Some(false)) => Check::DeliveryPolicyDenies,
                // Allowed, or no policy that can be read: S3 would not have taken it.
                Some(Some(true) | None) => return None,
            };
            let what = format!(
                "it should let in {} of account {} in {}",
                log.id(),
                writing.account,
                writing.region
            );
            let finding = self.finding(check).what(what);
            Some(finding.with("delivery-policy", &writing.policy()))
        });
        kept_out.collect()
    }

    fn notifications(&self) -> Vec<Finding> {
        let notifications = match self.at.notifications.as_ref() {
            None => return Vec::new(),
            Some(Err(failure)) => return vec![self.unasked("s3:GetBucketNotification", failure)],
            Some(Ok(notifications)) => notifications,
        };
        vec![self.judged(notifications)]
    }

    fn judged(&self, notifications: &Notifications) -> Finding {
        let created = |route: &&Route| route.events.iter().any(|event| is_creation(event));
        let routes: Vec<&Route> = notifications.routes.iter().filter(created).collect();
        let keys = self.keys();
        let fits = |route: &&&Route| {
            let fits =
                |key: &String| key.starts_with(&route.prefix) && key.ends_with(&route.suffix);
            keys.iter().all(fits)
        };
        let announcing: Vec<&&Route> = routes.iter().filter(fits).collect();
        let whole = |route: &&&&Route| {
            CREATED
                .iter()
                .all(|event| route.events.iter().any(|pattern| is_like(pattern, event)))
        };
        let names = |routes: &mut dyn Iterator<Item = &Route>| {
            let targets: Vec<String> = routes.map(|route| route.target.clone()).collect();
            targets.join(", ")
        };
        match (announcing.iter().find(whole), notifications.event_bridge) {
            (Some(route), _) => self
                .finding(Check::NotificationOk)
                .what(format!("to {}", route.target)),
            (None, true) => self.finding(Check::NotificationEventBridge),
            (None, false) if !announcing.is_empty() => {
                let to = names(&mut announcing.iter().map(|route| **route));
                let what = format!("{to} is not told of every way to create an object");
                self.finding(Check::NotificationEvents).what(what)
            }
            (None, false) if !routes.is_empty() => {
                let filter = |route: &&Route| {
                    format!(
                        "{} is told of keys that begin with {:?} and end with {:?}",
                        route.target, route.prefix, route.suffix
                    )
                };
                let filters: Vec<String> = routes.iter().map(filter).collect();
                let finding = self.finding(Check::NotificationFilter);
                finding.what(filters.join("; "))
            }
            (None, false) => self.finding(Check::NotificationNone),
        }
    }

    /// Keys that have to be announced: the newest ones, or what they would begin with.
    fn keys(&self) -> Vec<String> {
        let listing = self
            .at
            .listing
            .as_ref()
            .and_then(|listing| listing.as_ref().ok());
        let newest = listing.map_or(&[][..], |listing| &listing.newest);
        match (newest, self.at.prefix.as_str()) {
            ([], "") => vec!["AWSLogs/x.log.gz".to_owned()],
            ([], prefix) => vec![format!("{prefix}/AWSLogs/x.log.gz")],
            (newest, _) => newest.to_vec(),
        }
    }

    fn deletion(&self) -> Option<Finding> {
        let tried: &Answered<()> = match &self.at.deletion {
            Deletion::Untried => return Some(self.finding(Check::DeletionOff)),
            Deletion::Tried(tried) => tried,
        };
        Some(match tried {
            Ok(()) => self.finding(Check::DeletionOk),
            Err(failure) => {
                let check = match failure.state {
                    State::Denied => Check::DeletionDenied,
                    _ => Check::DeletionUnanswered,
                };
                self.finding(check).what(failure.message.clone())
            }
        })
    }
}

/// Whether a pattern of events has to do with the creation of objects.
fn is_creation(pattern: &str) -> bool {
    CREATED.iter().any(|event| is_like(pattern, event))
}

/// Findings about the index of metadata.
pub(super) fn metadata(seen: &Observations, metadata: &MetadataObservation) -> Finding {
    let finding = |check: Check| {
        Finding::of(check)
            .resource(&metadata.url)
            .with("url", &metadata.url)
    };
    match &metadata.written {
        Err(failure) => finding(Check::MetadataNone).what(failure.message.clone()),
        Ok(None) => finding(Check::MetadataNone),
        Ok(Some(written)) => {
            let age = seen.now.duration_since(*written);
            let check = match age > STALE {
                true => Check::MetadataStale,
                false => Check::MetadataOk,
            };
            finding(check).what(format!("it was written {} ago", spoken(age)))
        }
    }
}
