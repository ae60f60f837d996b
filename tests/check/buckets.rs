//! S3 as far as buckets are asked about themselves, which no emulator answers wrongly on demand: the answers of the
//! *Amazon S3 API Reference*, over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a bucket answers. An error is its status and code.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub region: &'static str,
    pub head: Option<u16>,
    pub keys: Vec<String>,
    pub list: Option<(u16, &'static str)>,
    pub object_head: Option<u16>,
    pub kms_key: Option<&'static str>,
    pub read: Option<(u16, &'static str)>,
    pub delete: (u16, &'static str),
    /// The body of `GetBucketEncryption`.
    pub encryption: String,
    /// The body of `GetBucketNotificationConfiguration`.
    pub notification: String,
    /// The body of `GetBucketPolicy`.
    pub policy: Option<String>,
}

/// The server. It stops when it is dropped.
pub struct Buckets {
    endpoint: String,
    /// What was asked that no check may ask: writes, and deletions without a condition.
    changes: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Buckets {
    pub async fn start(buckets: BTreeMap<String, Bucket>) -> Buckets {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let buckets = Arc::new(buckets);
        let changes = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&changes);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (buckets, noted) = (Arc::clone(&buckets), Arc::clone(&noted));
                let service = hyper::service::service_fn(move |request| {
                    let answer = answer(&buckets, &noted, &request);
                    async move { Ok::<_, std::convert::Infallible>(answer) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(connection), service),
                );
            }
        });
        Buckets {
            endpoint,
            changes,
            server,
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn changes(&self) -> Vec<String> {
        self.changes.lock().unwrap().clone()
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Answer = Response<Full<Bytes>>;

fn xml(root: &str, body: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{body}</{root}>"
    );
    Response::new(Full::from(text))
}

fn refused((status, code): (u16, &str), with_body: bool) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{code}</Message><RequestId>1</RequestId></Error>"
    );
    let mut answer = Response::new(Full::from(if with_body { body } else { String::new() }));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
    answer
}

fn answer(
    buckets: &BTreeMap<String, Bucket>,
    changes: &Mutex<Vec<String>>,
    request: &Request<Incoming>,
) -> Answer {
    let path = request.uri().path().trim_start_matches('/');
    let (name, key) = path.split_once('/').unwrap_or((path, ""));
    let query: BTreeMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| {
            (
                name.to_owned(),
                value.replace("%2F", "/").replace("%3D", "="),
            )
        })
        .collect();
    let has_body = request.method() != Method::HEAD;
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        && (*request.method() != Method::DELETE || header("if-match").is_none())
    {
        let change = format!("{} {}", request.method(), request.uri());
        changes.lock().unwrap().push(change);
    }
    let Some(bucket) = buckets.get(name) else {
        return refused((404, "NoSuchBucket"), has_body);
    };
    let scope = header("authorization").unwrap_or_default();
    if !scope.contains(&format!("/{}/s3/", bucket.region)) {
        let mut answer = refused((301, "PermanentRedirect"), has_body);
        let region = bucket.region.parse().unwrap();
        answer.headers_mut().insert("x-amz-bucket-region", region);
        return answer;
    }
    let error = |error: Option<(u16, &str)>| error.map(|error| refused(error, has_body));
    match (request.method().as_str(), key) {
        ("HEAD", "") => {
            let refusal = bucket.head.map(|status| refused((status, ""), false));
            let mut answer = refusal.unwrap_or_default();
            let region = bucket.region.parse().unwrap();
            answer.headers_mut().insert("x-amz-bucket-region", region);
            answer
        }
        ("GET", "") if query.contains_key("list-type") => {
            error(bucket.list).unwrap_or_else(|| list(bucket, name, &query["prefix"]))
        }
        ("GET", "") if query.contains_key("notification") => {
            xml("NotificationConfiguration", &bucket.notification)
        }
        ("GET", "") if query.contains_key("encryption") => {
            xml("ServerSideEncryptionConfiguration", &bucket.encryption)
        }
        ("GET", "") if query.contains_key("policy") => match &bucket.policy {
            Some(policy) => Response::new(Full::from(policy.clone())),
            None => refused((404, "NoSuchBucketPolicy"), true),
        },
        ("HEAD", _) => {
            let refusal = bucket
                .object_head
                .map(|status| refused((status, ""), false));
            let mut answer = refusal.unwrap_or_default();
            let headers = answer.headers_mut();
            let algorithm = if bucket.kms_key.is_some() {
                "aws:kms"
            } else {
                "AES256"
            };
            headers.insert("x-amz-server-side-encryption", algorithm.parse().unwrap());
            if let Some(key) = bucket.kms_key {
                let name = "x-amz-server-side-encryption-aws-kms-key-id";
                headers.insert(name, key.parse().unwrap());
            }
            answer
        }
        ("GET", _) => error(bucket.read).unwrap_or_else(|| Response::new(Full::from("x"))),
        ("DELETE", _) => refused(bucket.delete, true),
        _ => refused((501, "NotImplemented"), has_body),
    }
}

/// `ListObjectsV2` with `/` as its delimiter.
fn list(bucket: &Bucket, name: &str, prefix: &str) -> Answer {
    let (mut folders, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for key in &bucket.keys {
        let Some(rest) = key.strip_prefix(prefix) else {
            continue;
        };
        match rest.split_once('/') {
            Some((folder, _)) => folders.insert(format!("{prefix}{folder}/")),
            None => keys.insert(key.clone()),
        };
    }
    let keys = keys
        .iter()
        .map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"));
    let folders = folders
        .iter()
        .map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"));
    let rows: String = keys.chain(folders).collect();
    xml(
        "ListBucketResult",
        &format!(
            "<Name>{name}</Name><Prefix>{prefix}</Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{rows}"
        ),
    )
}
