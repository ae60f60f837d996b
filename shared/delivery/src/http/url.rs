//! URLs of HTTP receivers.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::protocol::HttpKind;

/// Where a receiver is, and what it speaks.
///
/// `https://host/path?query` takes NDJSON and `otlp+https://host` OTLP. `http://` and `otlp+http://`
/// are for receivers on the same machine. The query belongs to the receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    kind: HttpKind,
    secure: bool,
    /// Host and port.
    authority: String,
    /// With the slash, or empty.
    path: String,
    /// With the question mark, or empty.
    query: String,
}

/// Why a text is no URL of a receiver. The text is not repeated: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the URL {shown} cannot be used: {reason}; write https://host/path or otlp+https://host")]
pub struct HttpUrlError {
    /// As much of the URL as holds no secret.
    shown: String,
    reason: &'static str,
}

/// The schemes, what is spoken, and whether TLS is.
const SCHEMES: &[(&str, HttpKind, bool)] = &[
    ("https", HttpKind::Ndjson, true),
    ("http", HttpKind::Ndjson, false),
    ("otlp+https", HttpKind::OtlpLogs, true),
    ("otlp+http", HttpKind::OtlpLogs, false),
];

impl FromStr for HttpUrl {
    type Err = HttpUrlError;

    fn from_str(url: &str) -> Result<HttpUrl, HttpUrlError> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (path, query) = tail.split_at(tail.find('?').unwrap_or(tail.len()));
        let known = SCHEMES.iter().find(|(name, ..)| *name == scheme);
        let error = |reason| {
            let host = authority.rsplit('@').next().unwrap_or_default();
            let shown = known.map_or("", |(name, ..)| name);
            Err(HttpUrlError {
                shown: format!("{shown}://{}", host.escape_default()),
                reason,
            })
        };
        let Some((_, kind, secure)) = known else {
            return error("its scheme is not http, https or their otlp+ form");
        };
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return error("it holds characters that have to be percent-encoded");
        }
        if authority.contains('@') {
            return error("credentials in it would be logged; give them as a header");
        }
        if tail.contains('#') {
            return error("a receiver is not sent what follows #");
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The last part of an IPv6 address is no port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if !is_host(host) {
            return error("it names no host");
        }
        if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
            return error("its port is not a number from 1 to 65535");
        }
        if !secure && !is_loopback(host) {
            return error("without TLS, only receivers on this machine are sent records");
        }
        Ok(HttpUrl {
            kind: *kind,
            secure: *secure,
            authority: authority.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }
}

/// A name or an address; an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl HttpUrl {
    /// What the receiver speaks. An OTLP URL is one of logs until [`HttpUrl::with_kind`] says otherwise.
    pub fn kind(&self) -> HttpKind {
        self.kind
    }

    /// The same place for what is spoken there.
    pub fn with_kind(self, kind: HttpKind) -> HttpUrl {
        HttpUrl { kind, ..self }
    }

    /// The URL that is asked: OTLP's paths come after the one that is written, unless it has it.
    pub(crate) fn request(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        let suffix = self.kind.protocol().path;
        let path = self.path.trim_end_matches('/');
        let path = match (suffix, path) {
            ("", "") => "/".to_owned(),
            // A slash at the end can mean something to a receiver.
            ("", _) => self.path.clone(),
            _ if path.ends_with(suffix) => path.to_owned(),
            _ => format!("{path}{suffix}"),
        };
        format!("{scheme}://{}{path}{}", self.authority, self.query)
    }
}

impl fmt::Display for HttpUrl {
    /// Without the query, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = SCHEMES.iter().find(|(_, kind, secure)| {
            kind.is_otlp() == self.kind.is_otlp() && *secure == self.secure
        });
        let scheme = scheme.map_or("https", |(name, ..)| name);
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_say_what_is_spoken_and_where() {
        for (url, kind, request, shown) in [
            (
                "https://host",
                HttpKind::Ndjson,
                "https://host/",
                "https://host",
            ),
            (
                "https://host/in?token=x",
                HttpKind::Ndjson,
                "https://host/in?token=x",
                "https://host/in",
            ),
            (
                "https://host/in/",
                HttpKind::Ndjson,
                "https://host/in/",
                "https://host/in/",
            ),
            (
                "https://host?a=b",
                HttpKind::Ndjson,
                "https://host/?a=b",
                "https://host",
            ),
            (
                "https://host:8443/",
                HttpKind::Ndjson,
                "https://host:8443/",
                "https://host:8443/",
            ),
            (
                "https://[2001:db8::1]/in",
                HttpKind::Ndjson,
                "https://[2001:db8::1]/in",
                "https://[2001:db8::1]/in",
            ),
            (
                "otlp+https://host",
                HttpKind::OtlpLogs,
                "https://host/v1/logs",
                "otlp+https://host",
            ),
            (
                "otlp+https://host/",
                HttpKind::OtlpLogs,
                "https://host/v1/logs",
                "otlp+https://host/",
            ),
            (
                "otlp+https://host/otlp/?k=v",
                HttpKind::OtlpLogs,
                "https://host/otlp/v1/logs?k=v",
                "otlp+https://host/otlp/",
            ),
            (
                "otlp+https://host/v1/logs",
                HttpKind::OtlpLogs,
                "https://host/v1/logs",
                "otlp+https://host/v1/logs",
            ),
            (
                "otlp+http://localhost:4318",
                HttpKind::OtlpLogs,
                "http://localhost:4318/v1/logs",
                "otlp+http://localhost:4318",
            ),
            (
                "http://127.1.2.3:80/x",
                HttpKind::Ndjson,
                "http://127.1.2.3:80/x",
                "http://127.1.2.3:80/x",
            ),
            (
                "http://[::1]:9000",
                HttpKind::Ndjson,
                "http://[::1]:9000/",
                "http://[::1]:9000",
            ),
        ] {
            let parsed: HttpUrl = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
            let found = (parsed.kind(), parsed.request(), parsed.to_string());
            assert_eq!(found, (kind, request.to_owned(), shown.to_owned()), "{url}");
        }
        let metrics: HttpUrl = "otlp+https://host".parse().unwrap();
        let metrics = metrics.with_kind(HttpKind::OtlpMetrics);
        assert_eq!(metrics.request(), "https://host/v1/metrics");
        assert_eq!(metrics.to_string(), "otlp+https://host");
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_secrets() {
        for (url, reason) in [
            ("ftp://host", "scheme"),
            ("host/path", "scheme"),
            ("https://", "no host"),
            ("https:///path", "no host"),
            ("https://ho%st/", "no host"),
            ("https://[::g]/", "no host"),
            ("https://host:0/", "port"),
            ("https://host:99999/", "port"),
            ("https://host:/", "port"),
            ("https://user:s3cret@host/", "header"),
            ("https://host/a b?s3cret", "percent-encoded"),
            ("https://host/é?s3cret", "percent-encoded"),
            ("https://host/in?s3cret#compression=gzip", "#"),
            ("http://host/", "without TLS"),
            ("http://127.0.0.1.example.com/", "without TLS"),
            ("http://10.0.0.1/", "without TLS"),
            ("otlp+http://[2001:db8::1]/", "without TLS"),
            ("http://localhost.example.com/", "without TLS"),
        ] {
            let error = url.parse::<HttpUrl>().unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains("otlp+https://host"),
                "{error}"
            );
            assert!(!error.contains("s3cret"), "{error}");
        }
        let url: HttpUrl = "https://host/in?key=s3cret".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("s3cret"));
    }

    proptest! {
        #[test]
        fn any_text_can_be_judged(text in "(https|otlp\\+http|x)?(://)?.{0,40}") {
            if let Ok(url) = text.parse::<HttpUrl>() {
                prop_assert!(url.request().starts_with("http"));
            }
        }
    }
}
