//! The whole forwarder, in a world that fails: no row is lost, none is delivered under two names, and nothing is
//! deleted that did not arrive.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_sdk_s3::config::{AsyncSleep, SharedAsyncSleep, Sleep as SdkSleep};
use delivery::destination::{Connections, Place as DestinationPlace};
use delivery::http::{HttpClient, HttpDestination, HttpOptions};
use delivery::retry::{RetryPolicy, Sleep, Timer};
use delivery::{AnyDestination, lane};
use e2e::chance::{Chance, setting};
use e2e::within;
use flow_forwarder::source::{AnySource, S3Source};
use flow_forwarder::{Answer, Config, Forwarder};
use invocation::Budget;
use invocation::scripted_http::ScriptedHttp;
use serde_json::{Value, json};

mod world;

use world::{Log, Place, Trouble, World, content, is_poison};

/// The timeout of requests, by which the timer below knows it from pauses.
const TIMEOUT: Duration = Duration::from_secs(777);

/// Attempts of a request: enough for one that fails and then does not.
const ATTEMPTS: u32 = 2;

/// Pauses are over at once, and requests never time out.
#[derive(Debug)]
struct NoPauses;

impl Timer for NoPauses {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        match duration {
            TIMEOUT => Box::pin(std::future::pending()),
            _ => Box::pin(std::future::ready(())),
        }
    }
}

impl AsyncSleep for NoPauses {
    fn sleep(&self, _: Duration) -> SdkSleep {
        SdkSleep::new(std::future::ready(()))
    }
}

/// Where records go.
const DESTINATIONS: &[&[&str]] = &[
    &["s3://lake/plain?compression=gzip&batch_records=3"],
    &["s3://lake/parts?compression=none&partition=account,hour"],
    &["https://one.example.com/in#batch_records=3"],
    &[
        "s3://lake/parts?compression=gzip&partition=account,day",
        "https://one.example.com/in#batch_records=4",
    ],
    &[
        "s3://lake/plain?compression=none&batch_records=4",
        "https://one.example.com/in#batch_records=4",
        "https://two.example.com/in#batch_records=5",
    ],
];

/// What the forwarder is configured as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Setup {
    /// Its place among the destinations.
    destinations: usize,
    keeps: bool,
    deletes: bool,
}

/// The world that all forwarders reach, and the forwarders.
struct Stage {
    world: Arc<Mutex<World>>,
    http: ScriptedHttp,
    sdk: SdkConfig,
    forwarders: BTreeMap<Setup, Forwarder>,
}

impl Stage {
    async fn new() -> Stage {
        let world = Arc::<Mutex<World>>::default();
        let answering = Arc::clone(&world);
        let http =
            ScriptedHttp::answering(move |arrived| answering.lock().unwrap().answer(arrived));
        let sdk = http.sdk_config().await.into_builder();
        let sdk = sdk
            .sleep_impl(SharedAsyncSleep::new(NoPauses))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Stage {
            world,
            http,
            sdk: sdk.build(),
            forwarders: BTreeMap::new(),
        }
    }

    async fn forwarder(&mut self, setup: Setup) -> &Forwarder {
        if !self.forwarders.contains_key(&setup) {
            let forwarder = open(setup, &self.http, &self.sdk).await;
            self.forwarders.insert(setup, forwarder);
        }
        &self.forwarders[&setup]
    }
}

async fn open(setup: Setup, http: &ScriptedHttp, sdk: &SdkConfig) -> Forwarder {
    let value = |name: &str| {
        Some(match name {
            "CLOUD_EXPORT_DESTINATIONS" => DESTINATIONS[setup.destinations].join(" "),
            "CLOUD_EXPORT_QUARANTINE" if setup.keeps => "s3://aside/q".to_owned(),
            "CLOUD_EXPORT_DELETE_AFTER_READ" if setup.deletes => "on".to_owned(),
            "CLOUD_EXPORT_DELETE_PREFIXES" => "s3://logs/AWSLogs/111111111111".to_owned(),
            _ => return None,
        })
    };
    let config = Config::from_lookup(value).unwrap();
    let mut connections = Connections::to_aws(sdk);
    let mut lanes = lane::open(&config.destinations, &mut connections)
        .await
        .unwrap();
    // Receivers are in the same world, and are asked again at once.
    for outlet in lanes.iter_mut().flat_map(|lane| &mut lane.outlets) {
        let url = config
            .destinations
            .iter()
            .find(|url| url.to_string() == outlet.url);
        if let DestinationPlace::Http { options, .. } = &url.unwrap().place {
            let options = HttpOptions {
                timeout: TIMEOUT,
                compression: delivery::encoding::Compression::None,
                ..options.clone()
            };
            let client = HttpClient::over(http.clone());
            let policy = RetryPolicy {
                attempts: ATTEMPTS,
                ..RetryPolicy::default()
            };
            let destination = HttpDestination::new(options, client).unwrap();
            let destination = destination.retrying(policy, Arc::new(NoPauses));
            outlet.destination = AnyDestination::Http(Box::new(destination));
        }
    }
    let source = AnySource::S3(Box::new(S3Source::new(sdk.clone())));
    Forwarder::into_lanes(config, source, None, sdk, lanes)
}

/// A message of a queue, about logs by their numbers.
#[derive(Debug, Clone)]
struct Message {
    id: String,
    logs: Vec<usize>,
    /// How often it was received.
    received: u64,
}

impl Message {
    fn new(logs: Vec<usize>) -> Message {
        Message {
            id: format!("m-{logs:?}"),
            logs,
            received: 0,
        }
    }

    fn notification(&self, world: &World) -> Value {
        let records = self.logs.iter().map(|number| {
            let log = &world.history[*number];
            json!({
                "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "logs"}, "object": {
                    "key": log.key, "size": log.bytes.len(), "eTag": log.etag.trim_matches('"'),
                    "versionId": log.version,
                }},
            })
        });
        json!({"Records": records.collect::<Vec<_>>()})
    }
}

fn queue_event(messages: &[Message], world: &World) -> Value {
    let records = messages.iter().map(|message| {
        json!({
            "messageId": message.id, "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": message.received.to_string()},
            "body": message.notification(world).to_string(),
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// One round: its world, and what is still in the queue.
struct Round<'s> {
    stage: &'s mut Stage,
    setup: Setup,
    is_queue: bool,
    queue: Vec<Message>,
    done: Vec<Message>,
    /// What objects failed with in the last invocation.
    failures: Vec<String>,
}

impl Round<'_> {
    /// Invokes the function with these messages; `stops` is the request at which it ends.
    async fn invoke(&mut self, mut messages: Vec<Message>, budget: &Budget) -> &'static str {
        for message in &mut messages {
            message.received += 1;
        }
        let world = Arc::clone(&self.stage.world);
        let (event, ended) = {
            let mut world = world.lock().unwrap();
            world.ended = Arc::default();
            let event = match self.is_queue {
                true => queue_event(&messages, &world),
                false => messages[0].notification(&world),
            };
            (event, Arc::clone(&world.ended))
        };
        let forwarder = self.stage.forwarder(self.setup).await;
        let handled = within("an invocation", async {
            tokio::select! {
                handled = forwarder.handle(&event, budget) => Some(handled),
                () = ended.notified() => None,
            }
        });
        let handled = handled.await;
        self.stage.http.forget();
        let objects = handled.iter().flat_map(|handled| &handled.objects);
        let failures = objects.filter_map(|object| object.outcome.failure.as_ref());
        self.failures = failures.map(ToString::to_string).collect();
        let (returned, outcome): (Vec<String>, _) = match handled.map(|handled| handled.answer) {
            // Killed: the queue hears nothing.
            None => (messages.iter().map(|m| m.id.clone()).collect(), "killed"),
            Some(Answer::Failed(_)) => {
                assert!(!self.is_queue, "a queue is told which messages failed");
                (messages.iter().map(|m| m.id.clone()).collect(), "failed")
            }
            Some(answer) => {
                let answer = answer.into_json().unwrap();
                let failures = answer["batchItemFailures"].as_array();
                let ids = failures.into_iter().flatten();
                let ids = ids.map(|f| f["itemIdentifier"].as_str().unwrap().to_owned());
                let ids: Vec<String> = ids.collect();
                let outcome = if ids.is_empty() { "done" } else { "returned" };
                (ids, outcome)
            }
        };
        let (back, done): (Vec<Message>, Vec<Message>) = messages
            .into_iter()
            .partition(|message| returned.contains(&message.id));
        let mut world = world.lock().unwrap();
        for number in std::mem::take(&mut world.unannounced) {
            self.queue.push(Message::new(vec![number]));
        }
        assert_eq!(world.wrong, [""; 0], "what should never come");
        for message in &done {
            for number in &message.logs {
                let lost = lost(&world, self.setup, *number);
                assert!(lost.is_empty(), "{message:?} is done, and {lost:#?}");
            }
        }
        once(&world);
        self.done.extend(done);
        self.queue.extend(back);
        outcome
    }
}

/// What is lost of a log that counts as done; empty when nothing is.
fn lost(world: &World, setup: Setup, number: usize) -> Vec<String> {
    let announced = &world.history[number];
    // Without versions, what is read is what lies there at the time.
    let candidates = world.history.iter().filter(|log| {
        log.key == announced.key
            && (log.number == number || log.number > number && !world.is_versioned)
    });
    let mut all = Vec::new();
    for log in candidates {
        let lost = lost_of(world, setup, log);
        if lost.is_empty() {
            return lost;
        }
        all.extend(lost);
    }
    all
}

fn lost_of(world: &World, setup: Setup, log: &Log) -> Vec<String> {
    let mut lost = Vec::new();
    let unreadable = world.unreadable(&log.key);
    let is_there = world
        .logs
        .get(&log.key)
        .is_some_and(|versions| versions.iter().any(|known| known.number == log.number));
    let revision = match is_there {
        true => log.revision(),
        false => "",
    };
    if unreadable
        .iter()
        .any(|known| known == log.revision() || known == revision)
    {
        return lost;
    }
    // What nobody can read any more, without having been deleted by the forwarder, is done where a missing object is.
    let has_other = !world.is_versioned && world.logs.get(&log.key).is_some_and(|v| !v.is_empty());
    let is_gone = !is_there && !has_other && !world.deleted.contains(&log.number);
    if is_gone && setup.deletes && log.key.starts_with(world::DELETABLE) {
        return lost;
    }
    if !log.is_readable {
        lost.push(format!("{} cannot be read", log.key));
    }
    for url in &world.destinations {
        let (delivered, refused) = (world.delivered(url), world.refused(url));
        let here = |row: &&u64| delivered.contains_key(row) || refused.contains_key(row);
        let missing: Vec<_> = log.good.iter().filter(|row| !here(row)).collect();
        if !missing.is_empty() {
            lost.push(format!("{missing:?} of {} are not at {url}", log.key));
        }
    }
    let unread = world.unread();
    let missing: Vec<_> = log
        .bad
        .iter()
        .filter(|row| !unread.contains_key(row))
        .collect();
    if setup.keeps && !missing.is_empty() {
        lost.push(format!("{missing:?} of {} are not in quarantine", log.key));
    }
    lost
}

fn is_replacement(world: &World, log: &Log) -> bool {
    let before = |other: &Arc<Log>| other.key == log.key && other.number < log.number;
    world.history.iter().any(before)
}

/// Every row is under one name, and was in a log.
fn once(world: &World) {
    let known = |row: &u64| world.history.iter().any(|log| log.good.contains(row));
    for url in &world.destinations {
        let (delivered, refused) = (world.delivered(url), world.refused(url));
        for (row, names) in &delivered {
            assert!(known(row), "{row} at {url} is nobody's");
            // What two messages announce, as when it replaced another before that was read, can be in a batch of its
            // own and in one of several objects.
            let is_announced_twice = names.iter().any(|name| name.contains("/combined."))
                && world
                    .history
                    .iter()
                    .any(|log| log.good.contains(row) && is_replacement(world, log));
            let most = if is_announced_twice { 2 } else { 1 };
            assert!(names.len() <= most, "{row} at {url} is in {names:?}");
            assert!(!refused.contains_key(row), "{row} is at {url} and refused");
        }
        for (row, names) in &refused {
            assert_eq!(names.len(), 1, "{row} for {url} is refused in {names:?}");
        }
    }
    for (row, files) in world.unread() {
        assert_eq!(files.len(), 1, "{row} is in {files:?}");
    }
}

/// Whether a log stays undelivered in a world where nothing fails.
fn is_hopeless(world: &World, setup: Setup, number: usize) -> bool {
    let log = &world.history[number];
    let current = world
        .logs
        .get(&log.key)
        .and_then(|versions| match world.is_versioned {
            true => versions.iter().find(|known| known.number == number),
            false => versions.last(),
        });
    let has_receiver = world
        .destinations
        .iter()
        .any(|url| url.starts_with("https"));
    let is_poisoned = |log: &Arc<Log>| {
        !log.is_readable || has_receiver && log.good.iter().copied().any(is_poison)
    };
    !setup.keeps && current.is_none_or(is_poisoned)
}

fn trouble(chance: &mut Chance) -> Trouble {
    match chance.below(8) {
        0..3 => Trouble::Never,
        3..7 => Trouble::Sometimes,
        _ => Trouble::Always,
    }
}

async fn round(stage: &mut Stage, chance: &mut Chance, outcomes: &mut BTreeMap<&'static str, u64>) {
    let setup = Setup {
        destinations: chance.below(DESTINATIONS.len()),
        keeps: chance.below(3) > 0,
        deletes: chance.below(2) == 0,
    };
    let mut world = World::new(chance);
    world.is_versioned = chance.below(3) == 0;
    let urls = DESTINATIONS[setup.destinations].iter();
    world.destinations = urls
        .map(|url| url.split(['?', '#']).next().unwrap().to_owned())
        .collect();
    for place in [Place::Source, Place::Lake, Place::Aside, Place::Receiver] {
        world.trouble[place as usize] = trouble(chance);
    }
    let mut queue = Vec::new();
    for name in 0..1 + chance.below(3) {
        let account = ["111111111111", "111111111111", "222222222222"][chance.below(3)];
        let key = format!(
            "AWSLogs/{account}/vpcflowlogs/us-east-1/2026/11/20/{account}_vpcflowlogs_us-east-1_fl-1_20261120T1600Z_{name}.log"
        );
        let number = world.put(&key, content);
        // Gone before anybody reads it.
        if chance.below(16) == 0 {
            world.logs.remove(&key);
        }
        queue.push(Message::new(vec![number]));
    }
    let is_queue = chance.below(4) > 0;
    if queue.len() > 1 && chance.below(3) == 0 {
        // One message may name several, and two messages the same.
        let logs = queue
            .iter()
            .flat_map(|message| message.logs.clone())
            .take(2);
        let several = Message::new(logs.collect());
        queue.drain(..chance.below(2));
        queue.insert(0, several);
    }
    *stage.world.lock().unwrap() = world;
    let mut round = Round {
        stage,
        setup,
        is_queue,
        queue,
        done: Vec::new(),
        failures: Vec::new(),
    };
    for _ in 0..1 + chance.below(3) {
        let at_once = if is_queue { 10 } else { 1 };
        let mut messages: Vec<Message> = Vec::new();
        while !round.queue.is_empty() && messages.len() < at_once {
            messages.push(round.queue.remove(0));
        }
        // A message that is done comes again, as queues have it.
        if !round.done.is_empty() && chance.below(3) == 0 {
            let again = chance.below(round.done.len());
            messages.push(round.done.remove(again));
        }
        messages.truncate(at_once);
        if messages.is_empty() {
            break;
        }
        let stops = (chance.below(6) == 0).then(|| chance.below(12) as u64);
        round.stage.world.lock().unwrap().left = stops;
        let outcome = round.invoke(messages, &Budget::UNLIMITED).await;
        *outcomes.entry(outcome).or_default() += 1;
    }
    // The troubles end, and the queue hands out what is left.
    round.stage.world.lock().unwrap().heal();
    for _ in 0..2 {
        let mut left = std::mem::take(&mut round.queue);
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(if is_queue { 10 } else { 1 }));
            let messages = std::mem::replace(&mut left, rest);
            round.invoke(messages, &Budget::UNLIMITED).await;
        }
    }
    let world = round.stage.world.lock().unwrap();
    for message in &round.queue {
        let hopeless = message
            .logs
            .iter()
            .any(|log| is_hopeless(&world, setup, *log));
        assert!(
            hopeless,
            "{message:?} comes back for ever: {:#?}",
            round.failures
        );
        *outcomes.entry("dead letters").or_default() += 1;
    }
    for (what, count) in &world.seen {
        *outcomes.entry(what).or_default() += count;
    }
    for (what, folder) in [
        ("batches in quarantine", "q/batches/"),
        ("rows in quarantine", "q/rows/"),
        ("objects in quarantine", "q/objects/"),
        ("combined", "parts/"),
    ] {
        let named = world.stored.keys().filter(|(_, key)| {
            key.starts_with(folder) && (what != "combined" || key.contains("/combined."))
        });
        *outcomes.entry(what).or_default() += named.count() as u64;
    }
}

/// Says how to repeat a round that fails: its seed and number.
struct Repeat(u64, u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Repeat(seed, number) = self;
            println!(
                "CLOUD_EXPORT_TEST_SEED={seed} CLOUD_EXPORT_TEST_FIRST_ROUND={number} CLOUD_EXPORT_TEST_ROUNDS=1 repeats this round"
            );
        }
    }
}

/// Rows in = delivered ∪ quarantined ∪ in a message that comes back, whatever fails; a row that is delivered twice is
/// so under one name; nothing is deleted that did not arrive; and when nothing fails any more, everything arrives.
#[test]
fn no_row_is_lost_whatever_fails() {
    let seed = setting("CLOUD_EXPORT_TEST_SEED", 20_261_121);
    let rounds = setting("CLOUD_EXPORT_TEST_ROUNDS", 2_000);
    let first = setting("CLOUD_EXPORT_TEST_FIRST_ROUND", 0);
    let run = |numbers: Vec<u64>| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let mut stage = Stage::new().await;
            let mut outcomes = BTreeMap::new();
            for number in numbers {
                let _repeat = Repeat(seed, number);
                let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ number);
                round(&mut stage, &mut chance, &mut outcomes).await;
            }
            outcomes
        })
    };
    let (even, odd): (Vec<u64>, Vec<u64>) = (first..first + rounds).partition(|n| n % 2 == 0);
    let mut outcomes = BTreeMap::<&str, u64>::new();
    std::thread::scope(|scope| {
        for half in [even, odd].map(|numbers| scope.spawn(|| run(numbers))) {
            for (what, count) in half.join().unwrap() {
                *outcomes.entry(what).or_default() += count;
            }
        }
    });
    println!("{outcomes:#?}");
    for outcome in [
        "batches in quarantine",
        "broken in the middle",
        "combined",
        "dead letters",
        "deleted",
        "done",
        "failed",
        "killed",
        "listed",
        "missing",
        "objects in quarantine",
        "received again",
        "replaced",
        "replaced and not deleted",
        "returned",
        "rows in quarantine",
        "written again",
    ] {
        let reached = outcomes.get(outcome).is_some_and(|count| *count > 0);
        assert!(reached || rounds < 1_000, "{outcome}: {outcomes:#?}");
    }
}
