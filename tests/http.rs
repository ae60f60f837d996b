//! HTTP destinations against a receiver that fails in every way it can. No test waits by the clock: timers
//! are the tests' own, and a request times out when the receiver says that it hangs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use delivery::encoding::{Compression, Encoding};
use delivery::http::{HttpClient, HttpClients, HttpDestination, HttpOptions};
use delivery::retry::{RetryPolicy, Sleep, Timer};
use delivery::secret::Secret;
use delivery::{Batch, Confirmation, DeliveryError, Destination, Origin};
use e2e::chance::{Chance, setting};
use e2e::fault_server::{Ends, Fault, FaultServer, Reads, Request, TOO_LARGE, answer, certificate};
use e2e::within;
use telemetry::FailureClass;
use tokio::sync::Notify;

/// The timeout of requests, by which the timer below knows it from pauses.
const TIMEOUT: Duration = Duration::from_secs(777);

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 3,
    base: Duration::from_millis(400),
    longest: Duration::from_secs(10),
    longest_asked: Duration::from_secs(30),
};

/// Pauses are over at once and written down; timeouts are when the receiver hangs. It is 06 Nov 1994 08:49:37 GMT.
#[derive(Debug, Default)]
struct TestTimer {
    hanging: Arc<Notify>,
    paused: Mutex<Vec<Duration>>,
}

impl TestTimer {
    fn of(server: &FaultServer) -> Arc<TestTimer> {
        Arc::new(TestTimer {
            hanging: server.hanging(),
            paused: Mutex::default(),
        })
    }

    fn paused(&self) -> Vec<u64> {
        let paused = self.paused.lock().unwrap();
        paused
            .iter()
            .map(|pause| pause.as_millis() as u64)
            .collect()
    }
}

impl Timer for TestTimer {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration == TIMEOUT {
            let hanging = Arc::clone(&self.hanging);
            return Box::pin(async move { hanging.notified().await });
        }
        self.paused.lock().unwrap().push(duration);
        Box::pin(std::future::ready(()))
    }
}

fn options(url: &str) -> HttpOptions {
    HttpOptions {
        timeout: TIMEOUT,
        ..HttpOptions::new(url.parse().unwrap())
    }
}

fn destination_of(options: HttpOptions, timer: &Arc<TestTimer>) -> HttpDestination {
    let destination = HttpDestination::new(options, HttpClient::new()).unwrap();
    destination.retrying(POLICY, Arc::clone(timer) as Arc<dyn Timer>)
}

/// A destination at a server, and its timer.
fn destination(server: &FaultServer, kind: &str) -> (HttpDestination, Arc<TestTimer>) {
    let timer = TestTimer::of(server);
    let url = format!("{kind}{}", server.url("/in"));
    (destination_of(options(&url), &timer), timer)
}

fn batch(sequence: u32, body: impl Into<Bytes>) -> Batch {
    let origin = Origin {
        bucket: "logs".to_owned(),
        key: "a.log".to_owned(),
        revision: "r".to_owned(),
    };
    let bytes = body.into();
    Batch {
        origins: Arc::new([origin]),
        partition: "".into(),
        sequence,
        may_be_combined: false,
        records: bytes.iter().filter(|byte| **byte == b'\n').count() as u64,
        encoding: Encoding::NDJSON,
        bytes,
    }
}

fn record(number: usize) -> String {
    format!("{{\"n\":{number}}}")
}

fn lines(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers
        .into_iter()
        .map(|number| record(number) + "\n")
        .collect()
}

/// A field of a protobuf message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

/// An OTLP request whose records are texts: resources of two scopes of so many records.
fn otlp(numbers: &[usize], in_scope: usize) -> Vec<u8> {
    let scopes: Vec<Vec<u8>> = numbers
        .chunks(in_scope)
        .map(|numbers| {
            let records = numbers
                .iter()
                .flat_map(|number| field(2, record(*number).as_bytes()));
            field(
                2,
                &field(1, b"scope")
                    .into_iter()
                    .chain(records)
                    .collect::<Vec<_>>(),
            )
        })
        .collect();
    let resources = scopes.chunks(2).flat_map(|scopes| {
        let resource = [field(1, b"resource"), scopes.concat(), field(3, b"schema")];
        field(1, &resource.concat())
    });
    resources.collect()
}

/// The records of a body of either kind, as they stand there.
fn records(body: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(body);
    let parts = text.split("{\"n\":").skip(1);
    parts
        .map(|part| part.split('}').next().unwrap().parse().unwrap())
        .collect()
}

fn keys(requests: &[Request]) -> Vec<&str> {
    requests.iter().map(Request::key).collect()
}

async fn deliver(
    destination: &HttpDestination,
    batch: &Batch,
) -> Result<Confirmation, DeliveryError> {
    within("a delivery", destination.deliver(batch)).await
}

async fn fails(destination: &HttpDestination, batch: &Batch) -> DeliveryError {
    let delivered = deliver(destination, batch).await;
    delivered.expect_err("the batch was confirmed")
}

fn retried(retries: u32) -> Confirmation {
    Confirmation {
        retries,
        ..Confirmation::default()
    }
}

// What is sent.

#[tokio::test]
async fn a_request_says_what_it_is() {
    let server = FaultServer::plain().await;
    let text = lines(0..100);
    for (kind, body, line, content_type) in [
        (
            "",
            text.clone().into_bytes(),
            "POST /in HTTP/1.1",
            "application/x-ndjson",
        ),
        (
            "otlp+",
            otlp(&[1, 2, 3], 2),
            "POST /in/v1/logs HTTP/1.1",
            "application/x-protobuf",
        ),
    ] {
        for compression in Compression::ALL {
            server.reset();
            let mut options = options(&format!("{kind}{}", server.url("/in")));
            let encoding = match compression {
                Compression::None => None,
                other => Some(other.label()),
            };
            // gzip is what is used without the option.
            if compression != Compression::Gzip {
                options.set("compression", compression.label()).unwrap();
            }
            options
                .headers
                .push(("X-Tenant".to_owned(), Secret::new("shop")));
            let destination = destination_of(options, &TestTimer::of(&server));
            let batch = batch(7, body.clone());
            assert_eq!(deliver(&destination, &batch).await, Ok(retried(0)));
            let [request] = server.requests().try_into().unwrap();
            let header = |name: &str| request.headers.get(name).map(String::as_str);
            assert_eq!(request.line, line);
            assert_eq!(request.body, body);
            assert_eq!(header("content-type"), Some(content_type));
            assert_eq!(header("content-encoding"), encoding);
            assert_eq!(header("idempotency-key"), Some(&*batch.id()));
            assert_eq!(header("x-tenant"), Some("shop"));
            assert!(header("user-agent").unwrap().starts_with("cloud-export/"));
            let length: usize = header("content-length").unwrap().parse().unwrap();
            assert_eq!(length == body.len(), compression == Compression::None);
        }
    }
}

#[tokio::test]
async fn connections_are_reused_and_shared() {
    let server = FaultServer::plain().await;
    let client = HttpClient::new();
    let open = |path| {
        let destination = HttpDestination::new(options(&server.url(path)), client.clone());
        destination
            .unwrap()
            .retrying(POLICY, TestTimer::of(&server))
    };
    let destinations = [open("/one"), open("/two")];
    for sequence in 0..10 {
        for destination in &destinations {
            // Errors leave a connection usable too.
            server.fault(Fault::refused(answer(503, "", &[b'x'; 1000])));
            deliver(destination, &batch(sequence, "{}\n"))
                .await
                .unwrap();
        }
    }
    assert_eq!((server.requests().len(), server.connections()), (40, 1));
}

#[test]
fn what_cannot_be_sent_is_refused_at_the_start() {
    let open = |name: &str, value: &str| {
        let mut options = options("https://receiver.example.com/in?key=s3cret");
        options.headers.push((name.to_owned(), Secret::new(value)));
        let opened = HttpDestination::open(options, &mut HttpClients::default());
        opened.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(open("Authorization", "Bearer s3cret"), Ok(()));
    assert_eq!(open("user-agent", "someone else"), Ok(()));
    for (name, value, reason) in [
        ("Authorization", "Bearer s3cret\n", "line end"),
        ("Authorization", "Bearer s3cret é", "headers cannot have"),
        ("Content-Type", "s3cret", "already"),
        ("Idempotency-Key", "s3cret", "already"),
        ("X Tenant", "s3cret", "letters"),
        ("", "s3cret", "letters"),
    ] {
        let error = open(name, value).unwrap_err();
        assert!(
            error.contains(reason) && error.contains("receiver.example.com/in"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    let mut options = options("https://receiver.example.com");
    for (name, value) in [
        ("compression", "brotli"),
        ("timeout_s", "0"),
        ("timeout_s", "901"),
        ("timeout_s", "1s"),
        ("ca_bundle", ""),
        ("retries", "9"),
    ] {
        let error = options.set(name, value).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    options.set("timeout_s", "5").unwrap();
    assert_eq!(options.timeout, Duration::from_secs(5));
    options.set("ca_bundle", "/no/such.pem").unwrap();
    let error = HttpDestination::open(options, &mut HttpClients::default()).unwrap_err();
    assert!(error.to_string().contains("/no/such.pem"), "{error}");
}

// Faults of the network and of the protocol: sent again, then handed back.

/// Faults by their names, and the code of the failure when they do not end.
fn faults() -> Vec<(&'static str, Fault, &'static str)> {
    let ok = answer(200, "", b"{\"done\":true}");
    let half = ok[..ok.len() - 5].to_vec();
    vec![
        (
            "reset before the body",
            Fault::refused(vec![]).after(Reads::Head).and(Ends::Resets),
            "Dispatch",
        ),
        (
            "reset in the body",
            Fault::refused(vec![])
                .after(Reads::HalfOfBody)
                .and(Ends::Resets),
            "Dispatch",
        ),
        (
            "reset before the answer",
            Fault::refused(vec![]).and(Ends::Resets),
            "Dispatch",
        ),
        (
            "reset after taking",
            Fault::taken(vec![]).and(Ends::Resets),
            "Dispatch",
        ),
        (
            "closed after taking",
            Fault::taken(vec![]).and(Ends::Closes),
            "Dispatch",
        ),
        (
            "hanging",
            Fault::refused(vec![]).and(Ends::Hangs),
            "Timeout",
        ),
        (
            "hanging after taking",
            Fault::taken(vec![]).and(Ends::Hangs),
            "Timeout",
        ),
        (
            "dripping status",
            Fault::taken(b"HTTP/1.1 2".to_vec()).and(Ends::Hangs),
            "Timeout",
        ),
        (
            "dripping body",
            Fault::taken(half.clone()).and(Ends::Hangs),
            "Timeout",
        ),
        (
            "cut answer",
            Fault::taken(half).and(Ends::Closes),
            "Truncated",
        ),
        (
            "not HTTP",
            Fault::refused(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()).and(Ends::Closes),
            "Dispatch",
        ),
        (
            "bad length",
            Fault::refused(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n".to_vec())
                .and(Ends::Closes),
            "Dispatch",
        ),
        (
            "bad chunks",
            Fault::refused(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec())
                .and(Ends::Closes),
            "Truncated",
        ),
        ("odd status", Fault::status(799), "Status799"),
        ("429", Fault::status(429), "Status429"),
        ("503", Fault::status(503), "Status503"),
    ]
}

/// Waits without an end before a second attempt.
#[derive(Debug)]
struct Patience;

impl Timer for Patience {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// Who gives up waiting can say for what.
#[tokio::test]
async fn what_a_batch_waits_for_is_known_while_it_does() {
    let server = FaultServer::plain().await;
    server.fault(Fault::status(429));
    let destination = HttpDestination::new(options(&server.url("/in")), HttpClient::new()).unwrap();
    let destination = destination.retrying(POLICY, Arc::new(Patience));
    assert_eq!(destination.trouble(), None);
    let batch = batch(0, "{\"n\":1}\n");
    {
        let mut delivering = std::pin::pin!(destination.deliver(&batch));
        let waiting = std::future::poll_fn(|context| {
            assert!(delivering.as_mut().poll(context).is_pending());
            match destination.trouble() {
                Some(trouble) => std::task::Poll::Ready(trouble),
                None => std::task::Poll::Pending,
            }
        });
        let trouble = waiting.await;
        assert!(trouble.contains("429"), "{trouble}");
    }
    let (destination, _) = self::destination(&server, "");
    assert!(deliver(&destination, &batch).await.is_ok());
    assert_eq!(destination.trouble(), None);
}

#[tokio::test]
async fn what_passes_is_sent_again_under_the_same_key() {
    let server = FaultServer::plain().await;
    for kind in ["", "otlp+"] {
        for (name, fault, _) in faults() {
            server.reset();
            server.fault(fault.clone());
            server.fault(fault.clone());
            let (destination, timer) = destination(&server, kind);
            let batch = batch(0, "{\"n\":1}\n");
            assert_eq!(
                deliver(&destination, &batch).await,
                Ok(retried(2)),
                "{kind} {name}"
            );
            let requests = server.requests();
            assert_eq!(keys(&requests), [&batch.id(); 3], "{kind} {name}");
            assert_eq!(timer.paused(), [200, 400], "{kind} {name}");
            let taken = 1 + 2 * usize::from(fault.takes);
            assert_eq!(server.taken().len(), taken, "{kind} {name}");
        }
    }
}

#[tokio::test]
async fn what_does_not_pass_is_handed_back() {
    let server = FaultServer::plain().await;
    for (name, fault, code) in faults() {
        server.reset();
        server.always(fault);
        let (destination, _) = destination(&server, "");
        let error = fails(&destination, &batch(0, "{\"n\":1}\n")).await;
        let found = (error.class, &*error.code, error.retries);
        assert_eq!(found, (FailureClass::Retry, code, 2), "{name}: {error}");
        assert_eq!(error.destination, server.url("/in"));
        assert_eq!(server.requests().len(), 3, "{name}");
    }
}

#[tokio::test]
async fn a_receiver_that_refuses_connections_is_asked_again() {
    // The server is there from the first pause on.
    #[derive(Debug)]
    struct Starts {
        address: std::net::SocketAddr,
        started: Arc<Mutex<Option<FaultServer>>>,
    }
    impl Timer for Starts {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
        fn random(&self) -> f64 {
            0.5
        }
        fn sleep(&self, duration: Duration) -> Sleep {
            if duration == TIMEOUT {
                return Box::pin(std::future::pending());
            }
            let (address, started) = (self.address, Arc::clone(&self.started));
            Box::pin(async move {
                let server = FaultServer::at(address).await;
                *started.lock().unwrap() = Some(server);
            })
        }
    }
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let started = Arc::default();
    let timer = Arc::new(Starts {
        address,
        started: Arc::clone(&started),
    });
    let options = options(&format!("http://{address}/in"));
    let destination = HttpDestination::new(options, HttpClient::new()).unwrap();
    let once = RetryPolicy {
        attempts: 1,
        ..POLICY
    };
    let destination = destination.retrying(once, Arc::clone(&timer) as Arc<dyn Timer>);
    let error = fails(&destination, &batch(0, "{}\n")).await;
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Retry, "Dispatch")
    );
    assert!(error.reason.contains("refused"), "{error}");
    let destination = destination.retrying(POLICY, timer);
    assert_eq!(
        deliver(&destination, &batch(0, "{}\n")).await,
        Ok(retried(1))
    );
    let server = started.lock().unwrap().take().unwrap();
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn the_wait_that_a_receiver_asks_for_is_kept() {
    let server = FaultServer::plain().await;
    for (value, pause) in [
        ("7", 7_000),
        ("0", 200),
        ("Sun, 06 Nov 1994 08:49:50 GMT", 13_000),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 200),
        ("86400", 30_000),
        ("later", 200),
    ] {
        for status in [429, 503] {
            let header = format!("Retry-After: {value}\r\n");
            server.fault(Fault::refused(answer(status, &header, b"")));
            let (destination, timer) = destination(&server, "");
            deliver(&destination, &batch(0, "{}\n")).await.unwrap();
            assert_eq!(timer.paused(), [pause], "{value}");
        }
    }
}

// Statuses.

#[tokio::test]
async fn each_status_means_what_the_tables_say() {
    use FailureClass::{Config, Poison, Retry};
    let server = FaultServer::plain().await;
    let (https, otlp) = ("", "otlp+");
    for (kind, class, statuses) in [
        (
            https,
            Retry,
            &[408, 409, 425, 429, 500, 501, 502, 503, 504, 507, 599][..],
        ),
        (otlp, Retry, &[429, 502, 503, 504]),
        (
            https,
            Config,
            &[
                301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407, 410, 415, 431,
            ],
        ),
        (
            otlp,
            Config,
            &[
                301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 407, 410, 415, 431,
            ],
        ),
        (https, Poison, &[400, 412, 413, 422, 451, 499]),
        (otlp, Poison, &[400, 408, 413, 422, 425, 500, 501, 507, 599]),
    ] {
        for status in statuses {
            server.reset();
            server.always(Fault::status(*status));
            let (destination, _) = destination(&server, kind);
            let error = fails(&destination, &batch(0, "{\"n\":1}\n")).await;
            let found = (error.class, error.code.clone());
            assert_eq!(
                found,
                (class, format!("Status{status}")),
                "{kind}{status}: {error}"
            );
            let requests = if class == Retry { 3 } else { 1 };
            assert_eq!(server.requests().len(), requests, "{kind}{status}");
            assert_eq!(error.retries, requests as u32 - 1, "{kind}{status}");
            assert!(error.reason.contains(&status.to_string()), "{error}");
        }
    }
    for kind in [https, otlp] {
        for status in [200, 201, 202, 204, 206, 299] {
            server.reset();
            let (destination, _) = destination(&server, kind);
            let head = format!(
                "HTTP/1.1 {status} Fine\r\n{}\r\n",
                if status == 204 {
                    ""
                } else {
                    "Content-Length: 0\r\n"
                }
            );
            server.fault(Fault::taken(head.into_bytes()));
            let delivered = deliver(&destination, &batch(0, "{\"n\":1}\n")).await;
            assert_eq!(delivered, Ok(retried(0)), "{kind}{status}");
        }
    }
}

#[tokio::test]
async fn what_a_receiver_says_is_repeated_without_secrets() {
    let server = FaultServer::plain().await;
    let mut options = options(&server.url("/in?key=query-s3cret"));
    options.headers.push((
        "authorization".to_owned(),
        Secret::new("Bearer header-s3cret"),
    ));
    let destination = destination_of(options, &TestTimer::of(&server));
    let body = br#"{"message":"token header-s3cret\nmay not write"}"#;
    server.fault(Fault::refused(answer(
        403,
        "Content-Type: application/json\r\n",
        body,
    )));
    let error = fails(&destination, &batch(0, "{}\n")).await;
    assert_eq!(
        error.to_string(),
        format!(
            "{} did not take the batch: it answered 403 \"token *** may not write\": check the credentials in the headers, and what they permit",
            server.url("/in")
        )
    );
    assert!(!format!("{destination:?} {error:?}").contains("s3cret"));
    assert_eq!(
        server.requests()[0].headers["authorization"],
        "Bearer header-s3cret"
    );

    let location = "Location: https://new.example.com/in?key=s3cret\r\n";
    server.fault(Fault::refused(answer(308, location, b"")));
    let error = fails(&destination, &batch(0, "{}\n")).await.to_string();
    assert!(error.ends_with(": https://new.example.com/in"), "{error}");
}

// Batches that are too large.

#[tokio::test]
async fn a_batch_that_is_too_large_arrives_in_halves_with_keys_of_their_own() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "");
    let text = lines(10..18);
    let batch = batch(0, text.clone());
    let id = batch.id();
    for _ in 0..2 {
        server.reset();
        server.rule(TOO_LARGE, text.len() / 3);
        let confirmation = deliver(&destination, &batch).await.unwrap();
        assert_eq!((confirmation.retries, confirmation.rejected), (0, 0));
        assert!(confirmation.message.unwrap().contains("in 4 parts"));
        let order = ["", "-1", "-1-1", "-1-2", "-2", "-2-1", "-2-2"];
        let order = order.map(|suffix| format!("{id}{suffix}"));
        assert_eq!(keys(&server.requests()), order);
        let taken: Vec<u8> = server.taken().iter().flat_map(|r| r.body.clone()).collect();
        assert_eq!(taken, text.as_bytes());
    }
}

#[tokio::test]
async fn an_otlp_batch_that_is_too_large_arrives_in_halves() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "otlp+");
    let numbers: Vec<usize> = (100..120).collect();
    let body = otlp(&numbers, 3);
    server.rule(TOO_LARGE, 60);
    deliver(&destination, &batch(0, body)).await.unwrap();
    let taken = server.taken();
    assert!(taken.len() > 4 && taken.iter().all(|request| request.body.len() <= 60));
    let arrived: Vec<usize> = taken
        .iter()
        .flat_map(|request| records(&request.body))
        .collect();
    assert_eq!(arrived, numbers);
    for request in taken {
        for shared in ["resource", "scope", "schema"] {
            assert!(String::from_utf8_lossy(&request.body).contains(shared));
        }
    }
}

#[tokio::test]
async fn a_record_that_is_too_large_is_named_and_the_others_arrive() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "");
    let long = format!("{{\"padding\":\"{}\"}}\n", "x".repeat(200));
    let batch = batch(0, lines(0..5) + &long + &lines(6..8));
    server.rule(TOO_LARGE, 100);
    let error = fails(&destination, &batch).await;
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Poison, "Status413")
    );
    assert!(
        error
            .reason
            .contains(&format!("record of {} bytes", long.len())),
        "{error}"
    );
    let place = "record 6 of the batch; 7 records of the batch arrived all the same";
    assert!(error.reason.ends_with(place), "{error}");
    let taken = server.taken();
    let arrived: Vec<usize> = taken
        .iter()
        .flat_map(|request| records(&request.body))
        .collect();
    assert_eq!(arrived, [0, 1, 2, 3, 4, 6, 7]);
}

#[tokio::test]
async fn a_refusal_before_the_body_is_read_is_understood() {
    let server = FaultServer::plain().await;
    let mut options = options(&server.url("/in"));
    options.compression = Compression::None;
    let destination = destination_of(options, &TestTimer::of(&server));
    let text = lines(0..800_000);
    let refusal = Fault::status(413)
        .after(Reads::Head)
        .and(Ends::ClosesWhenRead);
    server.fault(refusal);
    deliver(&destination, &batch(0, text.clone()))
        .await
        .unwrap();
    let taken: Vec<u8> = server.taken().iter().flat_map(|r| r.body.clone()).collect();
    assert!(taken == text.as_bytes());
    assert_eq!(server.requests().len(), 3);
}

// OTLP.

#[tokio::test]
async fn records_that_an_otlp_receiver_did_not_keep_are_counted_and_not_sent_again() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "otlp+");
    let protobuf = field(1, &[&[8, 2][..], &field(2, b"timestamp too old")].concat());
    let json =
        br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"timestamp too old"}}"#;
    for (content_type, body) in [("x-protobuf", &protobuf[..]), ("json", json)] {
        server.reset();
        let header = format!("Content-Type: application/{content_type}\r\n");
        server.fault(Fault::taken(answer(200, &header, body)));
        let confirmation = deliver(&destination, &batch(0, otlp(&[1, 2, 3], 9)))
            .await
            .unwrap();
        assert_eq!((confirmation.retries, confirmation.rejected), (0, 2));
        assert_eq!(confirmation.message.as_deref(), Some("timestamp too old"));
        assert_eq!(server.requests().len(), 1);
    }
    // Each half has its own.
    server.reset();
    server.fault(Fault::status(413));
    for _ in 0..2 {
        server.fault(Fault::taken(answer(200, "", &protobuf)));
    }
    let confirmation = deliver(&destination, &batch(0, otlp(&[1, 2, 3], 9)))
        .await
        .unwrap();
    assert_eq!(confirmation.rejected, 4);
}

#[tokio::test]
async fn an_otlp_receiver_says_why_it_fails() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "otlp+");
    let status = [&[8, 3][..], &field(2, b"unknown field")].concat();
    server.fault(Fault::refused(answer(
        400,
        "Content-Type: application/x-protobuf\r\n",
        &status,
    )));
    let error = fails(&destination, &batch(0, otlp(&[1], 9))).await;
    assert_eq!(error.class, FailureClass::Poison);
    assert!(error.reason.contains("400 \"unknown field\": "), "{error}");
}

#[tokio::test]
async fn what_no_otlp_receiver_answers_is_no_confirmation() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "otlp+");
    let page = answer(200, "Content-Type: text/html\r\n", b"<html>log in</html>");
    let long = answer(200, "", &vec![0; 4 * 1024 * 1024 + 1]);
    let garbage = answer(200, "Content-Type: application/x-protobuf\r\n", b"ok");
    for (sends, class, requests) in [
        (page, FailureClass::Config, 1),
        (long, FailureClass::Config, 1),
        (garbage, FailureClass::Retry, 3),
    ] {
        server.reset();
        server.always(Fault::taken(sends));
        let error = fails(&destination, &batch(0, otlp(&[1], 9))).await;
        assert_eq!(
            (error.class, &*error.code),
            (class, "WrongAnswer"),
            "{error}"
        );
        assert_eq!(server.requests().len(), requests);
    }
    // Elsewhere an answer may be anything, and any length.
    server.reset();
    server.fault(Fault::taken(answer(200, "", &vec![b'x'; 1024 * 1024])));
    let destination = destination_of(options(&server.url("/in")), &TestTimer::of(&server));
    assert_eq!(
        deliver(&destination, &batch(0, "{}\n")).await,
        Ok(retried(0))
    );
}

// TLS.

async fn over_tls(
    server_certificate: &str,
    bundle: Option<&str>,
) -> Result<Confirmation, DeliveryError> {
    let server = FaultServer::secure(server_certificate).await;
    let timer = TestTimer::of(&server);
    let mut options = options(&server.url("/in"));
    if let Some(bundle) = bundle {
        options
            .set("ca_bundle", certificate(bundle).to_str().unwrap())
            .unwrap();
    }
    let destination = HttpDestination::open(options, &mut HttpClients::default()).unwrap();
    let destination = destination.retrying(POLICY, timer);
    let delivered = deliver(&destination, &batch(0, lines(0..1000))).await;
    let taken = server.taken();
    assert_eq!(taken.len(), usize::from(delivered.is_ok()));
    assert!(
        taken
            .iter()
            .all(|request| request.body == lines(0..1000).as_bytes())
    );
    delivered
}

#[tokio::test]
async fn a_private_receiver_is_trusted_by_its_authority() {
    assert_eq!(
        over_tls("good.pem", Some("authority.pem")).await,
        Ok(retried(0))
    );
}

#[tokio::test]
async fn a_bad_certificate_is_for_a_person_to_mend() {
    for (server_certificate, bundle, reason) in [
        ("good.pem", None, "UnknownIssuer"),
        ("good.pem", Some("other-name.pem"), "UnknownIssuer"),
        ("expired.pem", Some("authority.pem"), "expired"),
        ("other-name.pem", Some("authority.pem"), "not valid for"),
    ] {
        let error = over_tls(server_certificate, bundle).await.unwrap_err();
        let found = (error.class, &*error.code, error.retries);
        assert_eq!(found, (FailureClass::Config, "Certificate", 0), "{error}");
        assert!(
            error.reason.contains(reason) && error.reason.contains("ca_bundle"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn tls_where_there_is_none_is_no_answer() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    // A plain server answers the handshake with text.
    let plain = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut hello = [0; 16];
            socket.read_exact(&mut hello).await.unwrap();
            socket
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            drop(socket.shutdown().await);
            drop(tokio::io::copy(&mut socket, &mut tokio::io::sink()).await);
        }
    });
    let options = options(&format!("https://{address}/in"));
    let destination = destination_of(options, &Arc::new(TestTimer::default()));
    let error = fails(&destination, &batch(0, "{}\n")).await;
    assert_eq!(
        (error.class, &*error.code),
        (FailureClass::Retry, "Dispatch"),
        "{error}"
    );
    plain.abort();
}

// Giving up.

#[tokio::test]
async fn a_delivery_that_is_dropped_asks_no_more() {
    let server = FaultServer::plain().await;
    let (destination, _) = destination(&server, "");
    // The receiver hangs, and no timer ends the request: the caller does.
    let destination = destination.retrying(POLICY, Arc::new(TestTimer::default()));
    server.fault(Fault::refused(vec![]).and(Ends::Hangs));
    let (first, hanging) = (batch(0, "{}\n"), server.hanging());
    tokio::select! {
        delivered = destination.deliver(&first) => panic!("{delivered:?}"),
        () = hanging.notified() => {}
    }
    // The next delivery is the next request.
    assert_eq!(
        deliver(&destination, &batch(1, "{}\n")).await,
        Ok(retried(0))
    );
    assert_eq!(keys(&server.requests()), [first.id(), batch(1, "").id()]);
}

// The law.

/// A record that the receiver finds wrong has a number that ends so.
const WRONG: &str = "13}";

/// Rows in = delivered ∪ poison ∪ returned for retry, whatever the receiver does; and a row that arrives twice does
/// so under one key.
#[tokio::test]
async fn no_row_is_lost_and_none_arrives_under_two_keys() {
    let seed = setting("CLOUD_EXPORT_TEST_SEED", 20_261_121);
    let rounds = setting("CLOUD_EXPORT_TEST_ROUNDS", 2_000);
    println!("CLOUD_EXPORT_TEST_SEED={seed} CLOUD_EXPORT_TEST_ROUNDS={rounds}");
    let server = FaultServer::plain().await;
    let mut plain = options(&server.url("/in"));
    plain.compression = Compression::None;
    let https = destination_of(plain, &TestTimer::of(&server));
    let (otlp_https, _) = destination(&server, "otlp+");
    let mut requests = 0;
    let mut faults: Vec<Fault> = faults().into_iter().map(|(_, fault, _)| fault).collect();
    // A receiver may fail after it took the records, too.
    faults.extend([500, 503, 403].map(|status| Fault::taken(answer(status, "", b""))));
    faults.extend([401, 500, 502].map(Fault::status));
    let mut chance = Chance(seed);
    let mut outcomes = BTreeMap::<&str, u32>::new();
    for round in 0..rounds {
        let round = round as usize;
        let count = 1 + chance.below(24);
        let first = chance.below(1_000);
        let numbers: Vec<usize> = (first..first + count).collect();
        let is_otlp = chance.below(2) == 0;
        let body = if is_otlp {
            otlp(&numbers, 1 + chance.below(9))
        } else {
            lines(numbers.iter().copied()).into_bytes()
        };
        // Half of the receivers have a limit, some of them one that single records exceed.
        let limit = match chance.below(2) {
            0 => usize::MAX,
            _ => 8 + chance.below(body.len() + 20),
        };
        server.reset();
        server.rule(
            |body, limit| {
                let wrong = String::from_utf8_lossy(body).contains(WRONG);
                (body.len() > limit).then_some(413).or(wrong.then_some(422))
            },
            limit,
        );
        let trouble = 1 + chance.below(4);
        for _ in 0..chance.below(24) {
            server.fault(match chance.below(4) < trouble {
                true => faults[chance.below(faults.len())].clone(),
                false => Fault::none(),
            });
        }
        let batch = batch(round as u32, body);
        let destination = if is_otlp { &otlp_https } else { &https };
        // What is returned comes again, as a queue does it; at last the receiver is well.
        let mut poisoned = false;
        for delivery in 0..3 {
            let delivered = deliver(destination, &batch).await;
            let place =
                || format!("seed {seed}, round {round}, delivery {delivery}: {delivered:?}");
            let taken = server.taken();
            let mut under = BTreeMap::<usize, BTreeSet<&str>>::new();
            let mut content = BTreeMap::<&str, &[u8]>::new();
            for request in &taken {
                let same = content.entry(request.key()).or_insert(&request.body);
                assert_eq!(*same, request.body, "{}", place());
                for row in records(&request.body) {
                    under.entry(row).or_default().insert(request.key());
                }
            }
            for (row, keys) in &under {
                assert!(numbers.contains(row), "row {row} is nobody's; {}", place());
                assert_eq!(keys.len(), 1, "row {row} under {keys:?}; {}", place());
                assert!(
                    keys.iter().all(|key| key.starts_with(&batch.id())),
                    "{}",
                    place()
                );
            }
            let lost: Vec<_> = numbers
                .iter()
                .filter(|row| !under.contains_key(row))
                .collect();
            let outcome = match &delivered {
                Ok(_) => {
                    assert!(lost.is_empty(), "lost {lost:?}; {}", place());
                    "delivered"
                }
                Err(error) => error.class.label(),
            };
            *outcomes.entry(outcome).or_default() += 1;
            match delivered {
                Ok(_) => break,
                Err(error) if error.class == FailureClass::Poison => {
                    poisoned = true;
                    break;
                }
                // Handed back: every row of it comes again.
                Err(_) => {}
            }
        }
        requests += server.requests().len();
        assert!(
            server.requests().len() < 3 * 3 * 2 * 24 + 9,
            "round {round}"
        );
        *outcomes
            .entry(if poisoned {
                "rounds with poison"
            } else {
                "rounds without"
            })
            .or_default() += 1;
    }
    println!(
        "{requests} requests, {} connections, {outcomes:?}",
        server.connections()
    );
    // The rounds reach every end.
    for outcome in ["delivered", "Retry", "Poison", "Config"] {
        assert!(
            outcomes.contains_key(outcome) || rounds < 1_000,
            "{outcomes:?}"
        );
    }
}
