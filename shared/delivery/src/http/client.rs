//! The client that destinations send with: connections that are reused, TLS, and whom it trusts.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};

/// The longest wait for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends requests over connections that are kept and shared. A clone shares them too.
#[derive(Debug, Clone)]
pub struct HttpClient {
    pub(super) connector: SharedHttpConnector,
}

/// Why a file holds no certificates to trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is no bundle of certificates: {reason}; it has to hold the receiver's certificate authority in PEM form, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----", path.display())]
pub struct CaBundleError {
    path: PathBuf,
    reason: String,
}

impl HttpClient {
    /// A client that trusts whom this machine trusts.
    pub fn new() -> HttpClient {
        HttpClient::over(connector(TlsContext::default()))
    }

    /// A client that trusts the certificate authorities of a PEM file, and no others.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificates.
    pub fn with_ca_bundle(path: &Path) -> Result<HttpClient, CaBundleError> {
        let error = |reason: &str| CaBundleError {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let pem = std::fs::read(path).map_err(|cause| error(&cause.to_string()))?;
        let begin = b"-----BEGIN CERTIFICATE-----";
        if !pem.windows(begin.len()).any(|part| part == begin) {
            return Err(error("there is no certificate in it"));
        }
        let unreadable = || error("a certificate in it cannot be read");
        let store = TrustStore::empty().with_pem_certificate(pem);
        let context = TlsContext::builder().with_trust_store(store).build();
        let context = context.map_err(|_| unreadable())?;
        // The library takes certificates for granted and panics on others.
        let built = catch_unwind(AssertUnwindSafe(|| connector(context)));
        built.map(HttpClient::over).map_err(|_| unreadable())
    }

    /// A client over any connector.
    pub fn over(connector: impl HttpConnector + 'static) -> HttpClient {
        HttpClient {
            connector: SharedHttpConnector::new(connector),
        }
    }
}

impl Default for HttpClient {
    fn default() -> HttpClient {
        HttpClient::new()
    }
}

fn connector(context: TlsContext) -> Connector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build()
}

/// Clients by whom they trust, made when they are needed: destinations that trust the same share
/// connections.
#[derive(Debug, Default)]
pub struct HttpClients {
    by_ca_bundle: BTreeMap<Option<PathBuf>, HttpClient>,
}

impl HttpClients {
    /// The client that trusts the certificate authorities of a file, or those of this machine.
    ///
    /// # Errors
    /// As [`HttpClient::with_ca_bundle`].
    pub fn client(&mut self, ca_bundle: Option<&Path>) -> Result<HttpClient, CaBundleError> {
        let key = ca_bundle.map(Path::to_owned);
        if let Some(client) = self.by_ca_bundle.get(&key) {
            return Ok(client.clone());
        }
        let client = ca_bundle.map_or_else(|| Ok(HttpClient::new()), HttpClient::with_ca_bundle)?;
        self.by_ca_bundle.insert(key, client.clone());
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        for (content, reason) in [
            ("", "no certificate in it"),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "no certificate in it",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
            (
                "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "cannot be read"),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let error = HttpClient::with_ca_bundle(file.path())
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(reason) && error.contains("PEM"),
                "{content}: {error}"
            );
        }
        let error = HttpClients::default()
            .client(Some(Path::new("/no/such.pem")))
            .unwrap_err();
        assert!(
            error.to_string().starts_with("/no/such.pem is no bundle"),
            "{error}"
        );
    }
}
