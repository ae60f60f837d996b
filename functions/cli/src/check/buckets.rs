//! What buckets answer. Nothing is written, and nothing is deleted.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{Event, FilterRuleName, NotificationConfigurationFilter};
use delivery::s3::S3Call;
use delivery::{StoreUrl, StoreUrlError};
use flow_forwarder::deletion::DeletionSettings;
use jiff::Timestamp;
use telemetry::describe::state::CallFailure;
use telemetry::diagnosis::arrival::newest;
use telemetry::diagnosis::{
    Answered, BucketObservation, DefaultEncryption, Deletion, Listing, MetadataObservation,
    Notifications, ObjectHead, Route, Sample,
};
use telemetry::index::DIRECTORY_KEY;

/// Calls that list folders of one bucket.
const MOST_LISTS: usize = 400;

/// Pages of keys of one folder, 1,000 each.
const MOST_PAGES: usize = 10;

/// Newest folders of each branch that are looked into: over midnight, records lie in two of them.
const LEAVES: usize = 2;

/// What an object is not: the condition under which deleting is tried.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";

/// A place that logs are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// The bucket.
    pub bucket: String,
    /// The folder before `AWSLogs/`, without a slash at the end; empty for none.
    pub prefix: String,
}

impl LogPlace {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// A sentence about a URL that is none.
    pub fn parse(url: &str) -> Result<LogPlace, String> {
        let url: StoreUrl = url
            .trim()
            .parse()
            .map_err(|error: StoreUrlError| error.to_string())?;
        let StoreUrl::S3 { bucket, prefix } = url else {
            return Err(format!("{url} is no bucket: write s3://bucket/prefix"));
        };
        let prefix = prefix.as_str();
        // Whoever names the folder of AWS itself means what stands before it.
        let prefix = match prefix.split_once("AWSLogs") {
            Some((before, rest))
                if (before.is_empty() || before.ends_with('/'))
                    && (rest.is_empty() || rest.starts_with('/')) =>
            {
                before.trim_end_matches('/')
            }
            _ => prefix,
        };
        Ok(LogPlace {
            prefix: prefix.to_owned(),
            bucket,
        })
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|raw| raw.status().as_u16())
}

/// A bucket, and who asks it.
struct Asking<'a> {
    client: Client,
    place: &'a LogPlace,
    lists: AtomicUsize,
}

/// Asks a bucket everything.
pub async fn observe(
    sdk: &SdkConfig,
    place: &LogPlace,
    deletion: Option<&DeletionSettings>,
) -> BucketObservation {
    let own_region = sdk.region().map(|region| region.as_ref().to_owned());
    let (client, head) = enter(sdk, &place.bucket).await;
    let asking = Asking {
        client,
        place,
        lists: AtomicUsize::new(0),
    };
    let mut seen = BucketObservation {
        bucket: place.bucket.clone(),
        prefix: place.prefix.clone(),
        own_region,
        head,
        encryption: None,
        notifications: None,
        policy: None,
        listing: None,
        sample: None,
        deletion: Deletion::Untried,
    };
    if seen.head.is_err() {
        return seen;
    }
    let (encryption, notifications, policy, listing) = futures_util::join!(
        asking.encryption(),
        asking.notifications(),
        asking.policy(),
        asking.listing(),
    );
    let sample = match &listing {
        Ok((_, Some(key))) => Some(asking.sample(key).await),
        _ => None,
    };
    let tried = sample.as_ref().map(|sample| sample.key.as_str());
    seen.deletion = asking.deletion(deletion, tried).await;
    seen.encryption = Some(encryption);
    seen.notifications = Some(notifications);
    seen.policy = Some(policy);
    seen.listing = Some(listing.map(|(listing, _)| listing));
    seen.sample = sample;
    seen
}

/// A client for the bucket's region, and whether the bucket lets it in.
async fn enter(sdk: &SdkConfig, bucket: &str) -> (Client, Answered<Option<String>>) {
    let own = Client::new(sdk);
    let call = |error| explained("s3:ListBucket", bucket, "", error);
    let error = match own.head_bucket().bucket(bucket).send().await {
        Ok(head) => return (own, Ok(head.bucket_region().map(str::to_owned))),
        Err(error) => error,
    };
    // Another region says so, and tells which.
    let elsewhere = error.raw_response();
    let elsewhere = elsewhere.and_then(|raw| raw.headers().get("x-amz-bucket-region"));
    let set = sdk.region().map(Region::as_ref);
    let Some(region) = elsewhere.filter(|region| Some(*region) != set) else {
        return (own, Err(call(&error)));
    };
    let region = region.to_owned();
    let there = sdk.to_builder().region(Region::new(region.clone())).build();
    let there = Client::new(&there);
    match there.head_bucket().bucket(bucket).send().await {
        Ok(_) => (there, Ok(Some(region))),
        Err(error) => (there, Err(call(&error))),
    }
}

/// Why a call failed.
fn explained<E>(action: &str, bucket: &str, key: &str, error: &SdkError<E>) -> CallFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let call = S3Call {
        action,
        kms_action: "kms:Decrypt",
        bucket,
        key,
    };
    let failure = call.failure(error);
    CallFailure::of_code(&failure.code, &failure.reason, None)
}

impl Asking<'_> {
    fn failed<E>(&self, action: &str, key: &str, error: &SdkError<E>) -> CallFailure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        explained(action, &self.place.bucket, key, error)
    }

    async fn encryption(&self) -> Answered<DefaultEncryption> {
        let ask = self.client.get_bucket_encryption();
        let answer = match ask.bucket(&self.place.bucket).send().await {
            Ok(answer) => answer,
            Err(error)
                if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") =>
            {
                return Ok(DefaultEncryption::default());
            }
            Err(error) => return Err(self.failed("s3:GetEncryptionConfiguration", "", &error)),
        };
        let rules = answer.server_side_encryption_configuration();
        let mut rules = rules.map_or(&[][..], |rules| rules.rules()).iter();
        let rule = rules.find_map(|rule| rule.apply_server_side_encryption_by_default());
        Ok(DefaultEncryption {
            algorithm: rule.map(|rule| rule.sse_algorithm().as_str().to_owned()),
            key: rule.and_then(|rule| rule.kms_master_key_id().map(str::to_owned)),
        })
    }

    async fn notifications(&self) -> Answered<Notifications> {
        let ask = self.client.get_bucket_notification_configuration();
        let answer = ask.bucket(&self.place.bucket).send().await;
        let answer = answer.map_err(|error| self.failed("s3:GetBucketNotification", "", &error))?;
        Ok(notifications(&answer))
    }

    async fn policy(&self) -> Answered<Option<String>> {
        let ask = self.client.get_bucket_policy();
        match ask.bucket(&self.place.bucket).send().await {
            Ok(answer) => Ok(answer.policy().map(str::to_owned)),
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) => Err(self.failed("s3:GetBucketPolicy", "", &error)),
        }
    }

    /// The newest objects of each branch of folders, and the key to try.
    async fn listing(&self) -> Answered<(Listing, Option<String>)> {
        let root = match self.place.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let mut keys = Vec::new();
        let mut is_complete = true;
        // Branches that are still to look at: a folder, and how many leaves are wanted of it.
        let mut branches = vec![root];
        while let Some(folder) = branches.pop() {
            let mut leaves = LEAVES;
            let mut newest_first = vec![folder];
            while let Some(folder) = newest_first.pop() {
                if leaves == 0 {
                    break;
                }
                if self.lists.load(Ordering::Relaxed) >= MOST_LISTS {
                    is_complete = false;
                    break;
                }
                let (folders, found, whole) = self.folder(&folder).await?;
                is_complete &= whole;
                if !found.is_empty() {
                    leaves -= 1;
                    keys.extend(found);
                }
                match folders.iter().all(|folder| is_date(folder)) {
                    // Sorted by time: the newest is taken off first.
                    true => newest_first.extend(folders),
                    false => branches.extend(folders),
                }
            }
        }
        let newest = newest(keys.iter().map(String::as_str));
        let by_time = |key: &&String| telemetry::ObjectKey::parse(key).and_then(|key| key.time);
        let key = newest.iter().max_by_key(by_time).cloned();
        Ok((
            Listing {
                newest,
                is_complete,
            },
            key,
        ))
    }

    /// The folders in a folder, its objects, and whether that is everything.
    async fn folder(&self, folder: &str) -> Answered<(Vec<String>, Vec<String>, bool)> {
        let (mut folders, mut keys) = (Vec::new(), Vec::new());
        let mut token = None;
        for _ in 0..MOST_PAGES {
            self.lists.fetch_add(1, Ordering::Relaxed);
            let list = self
                .client
                .list_objects_v2()
                .bucket(&self.place.bucket)
                .prefix(folder)
                .delimiter("/")
                .set_continuation_token(token);
            let answer = list.send().await;
            let answer = answer.map_err(|error| self.failed("s3:ListBucket", folder, &error))?;
            let prefixes = answer.common_prefixes().iter();
            folders.extend(prefixes.filter_map(|found| found.prefix().map(str::to_owned)));
            let objects = answer.contents().iter();
            keys.extend(objects.filter_map(|found| found.key().map(str::to_owned)));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok((folders, keys, true));
            }
        }
        Ok((folders, keys, false))
    }

    async fn sample(&self, key: &str) -> Sample {
        let bucket = &self.place.bucket;
        let head = self.client.head_object().bucket(bucket).key(key);
        let read = self.client.get_object().bucket(bucket).key(key);
        let (head, read) = futures_util::join!(head.send(), read.range("bytes=0-0").send());
        Sample {
            key: key.to_owned(),
            head: head
                .map(|head| ObjectHead {
                    encryption: head
                        .server_side_encryption()
                        .map(|name| name.as_str().to_owned()),
                    kms_key: head.ssekms_key_id().map(str::to_owned),
                    is_versioned: head.version_id().is_some_and(|version| version != "null"),
                })
                .map_err(|error| self.failed("s3:GetObject", key, &error)),
            read: read
                .map(drop)
                .map_err(|error| self.failed("s3:GetObject", key, &error)),
        }
    }

    /// Whether deleting is allowed: an object that does not exist is to be deleted, if it were one that it is not. S3
    /// looks at permissions first.
    async fn deletion(
        &self,
        settings: Option<&DeletionSettings>,
        sample: Option<&str>,
    ) -> Deletion {
        let Some(settings) = settings else {
            return Deletion::Untried;
        };
        let LogPlace { bucket, prefix } = self.place;
        let folder = match prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let beside = sample.map(|key| format!("{key}.cloud-export-check"));
        let below = format!("{folder}AWSLogs/cloud-export-check");
        let mut keys = beside.into_iter().chain([below]);
        let Some(key) = keys.find(|key| settings.covers(bucket, key)) else {
            return Deletion::Untried;
        };
        let delete = self.client.delete_object().bucket(bucket).key(&key);
        Deletion::Tried(match delete.if_match(NO_ETAG).send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(status(&error), Some(404 | 409 | 412)) => Ok(()),
            Err(error) => Err(self.failed("s3:DeleteObject", &key, &error)),
        })
    }
}

/// Whether a folder is one of a date: `2026/`, `11/`, or Hive's `year=2026/`.
fn is_date(folder: &str) -> bool {
    let name = folder.trim_end_matches('/').rsplit('/').next();
    let name = name.unwrap_or_default();
    let hive = ["year=", "month=", "day=", "hour="];
    let digits = hive.iter().find_map(|part| name.strip_prefix(part));
    let digits = digits.unwrap_or(name);
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|b| b.is_ascii_digit())
}

fn notifications(answer: &GetBucketNotificationConfigurationOutput) -> Notifications {
    let queues = answer.queue_configurations().iter();
    let queues = queues.map(|to| route(to.queue_arn(), to.events(), to.filter()));
    let topics = answer.topic_configurations().iter();
    let topics = topics.map(|to| route(to.topic_arn(), to.events(), to.filter()));
    let functions = answer.lambda_function_configurations().iter();
    let functions = functions.map(|to| route(to.lambda_function_arn(), to.events(), to.filter()));
    Notifications {
        event_bridge: answer.event_bridge_configuration().is_some(),
        routes: queues.chain(topics).chain(functions).collect(),
    }
}

fn route(
    target: &str,
    events: &[Event],
    filter: Option<&NotificationConfigurationFilter>,
) -> Route {
    let rules = filter.and_then(|filter| filter.key());
    let rules = rules.map_or(&[][..], |rules| rules.filter_rules());
    let value = |name: FilterRuleName| {
        // S3 gives the names back as they were put: `prefix` and `Prefix`.
        let fits = |given: &FilterRuleName| given.as_str().eq_ignore_ascii_case(name.as_str());
        let rule = rules.iter().find(|rule| rule.name().is_some_and(fits));
        let value = rule.and_then(|rule| rule.value());
        value.unwrap_or_default().to_owned()
    };
    Route {
        target: target.to_owned(),
        events: events
            .iter()
            .map(|event| event.as_str().to_owned())
            .collect(),
        prefix: value(FilterRuleName::Prefix),
        suffix: value(FilterRuleName::Suffix),
    }
}

/// When the index of metadata was written last.
pub async fn metadata(sdk: &SdkConfig, url: &StoreUrl) -> MetadataObservation {
    let written = match url {
        StoreUrl::Directory(directory) => {
            match std::fs::metadata(directory.join(DIRECTORY_KEY)).and_then(|file| file.modified())
            {
                Ok(time) => Ok(Timestamp::try_from(time).ok()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(CallFailure::of_code("File", &error.to_string(), None)),
            }
        }
        StoreUrl::S3 { bucket, prefix } => {
            let key = match prefix.trim_matches('/') {
                "" => DIRECTORY_KEY.to_owned(),
                prefix => format!("{prefix}/{DIRECTORY_KEY}"),
            };
            written(sdk, bucket, &key).await
        }
    };
    MetadataObservation {
        url: url.to_string(),
        written,
    }
}

async fn written(sdk: &SdkConfig, bucket: &str, key: &str) -> Answered<Option<Timestamp>> {
    let (client, head) = enter(sdk, bucket).await;
    head?;
    match client.head_object().bucket(bucket).key(key).send().await {
        Ok(head) => {
            let time = head.last_modified().map(|time| time.secs());
            Ok(time.and_then(|time| Timestamp::from_second(time).ok()))
        }
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(explained("s3:GetObject", bucket, key, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_logs_are_what_stands_before_the_folder_of_aws() {
        for (url, bucket, prefix) in [
            ("s3://logs-use1", "logs-use1", ""),
            ("s3://logs-use1/net/", "logs-use1", "net"),
            ("s3://logs-use1/AWSLogs", "logs-use1", ""),
            (
                "s3://logs-use1/net/AWSLogs/111111111111/",
                "logs-use1",
                "net",
            ),
            ("s3://logs-use1/myAWSLogs", "logs-use1", "myAWSLogs"),
        ] {
            let place = LogPlace::parse(url).unwrap();
            assert_eq!(
                (place.bucket.as_str(), place.prefix.as_str()),
                (bucket, prefix)
            );
        }
        for url in ["", "logs-use1", "s3://", "https://logs/x", "s3://B"] {
            assert!(LogPlace::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn folders_of_dates_are_told_from_others() {
        for folder in ["a/2026/", "a/2026/11/", "x/year=2026/", "x/hour=09/"] {
            assert!(is_date(folder), "{folder}");
        }
        for folder in [
            "AWSLogs/",
            "AWSLogs/123456789012/",
            "us-east-1/",
            "fw1/",
            "",
        ] {
            assert!(!is_date(folder), "{folder}");
        }
    }
}
