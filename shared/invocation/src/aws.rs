//! How this program talks to AWS: credentials and region as every AWS tool finds them, retries and
//! timeouts stated.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};

/// Attempts of one call, the first included. What still fails is handed back: the queue is a better
/// timer than a waiting function.
pub(crate) const ATTEMPTS: u32 = 4;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait for the first byte of an answer, the upload of a batch included.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The behaviour that the SDK's defaults are those of.
pub fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Loads credentials, region and endpoints from the environment.
///
/// A body that stops arriving is given up by the SDK's own protection against stalled streams.
pub async fn sdk_config() -> SdkConfig {
    loader().load().await
}

/// Like [`sdk_config`], for calls that share an HTTP client.
pub async fn sdk_config_over(client: impl HttpClient + 'static) -> SdkConfig {
    loader().http_client(client).load().await
}

pub(crate) fn loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build();
    aws_config::defaults(behavior_version())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
}

/// One HTTP client for everything, so that connections are shared.
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ))
        .build_https()
}

/// A configuration for work that calls no AWS service. Nothing is looked for.
pub fn no_services() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(behavior_version())
        .build()
}
