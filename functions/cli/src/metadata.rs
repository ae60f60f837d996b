//! Where the collected metadata are.

use delivery::{StoreUrl, StoreUrlError};
use invocation::aws;
use metadata_collector::config::METADATA;
use metadata_collector::store::SnapshotStore;

use crate::collect::DEFAULT_METADATA;
use crate::{Stop, environment};

/// The place that `--metadata` gives, else the function's environment variable, else a directory here.
pub fn url(given: Option<&String>) -> Result<StoreUrl, Stop> {
    let url = given
        .cloned()
        .or_else(|| environment(METADATA.name))
        .filter(|url| !url.trim().is_empty())
        .unwrap_or_else(|| DEFAULT_METADATA.to_owned());
    url.parse()
        .map_err(|error: StoreUrlError| Stop::Usage(format!("--metadata: {error}")))
}

/// The place, reached with this machine's credentials where it is a bucket.
pub async fn open(url: &StoreUrl) -> SnapshotStore {
    let sdk = match url.is_s3() {
        true => aws::sdk_config().await,
        false => aws::no_services(),
    };
    SnapshotStore::on(url, &sdk)
}
