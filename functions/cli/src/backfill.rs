//! `cloud-export backfill`: objects that lie in a bucket already.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use delivery::directory::written_beside;
use flow_forwarder::Forwarder;
use flow_forwarder::event::ObjectRef;
use flow_forwarder::listing::{self, Listing};
use flow_forwarder::message_queue::{self, MessageQueue};
use flow_forwarder::prefix::Prefix;
use flow_forwarder::source::ObjectSource;
use indicatif::ProgressBar;
use invocation::Budget;
use serde_json::{Value, json};

use crate::args::BackfillArguments;
use crate::forwarding::{self, setting};
use crate::progress;
use crate::summary::{Summary, grouped, say};
use crate::{Stop, queue, runtime};

/// Objects that are forwarded before it is noted how far the backfill is.
const OBJECTS_AT_ONCE: usize = 64;

/// Plans the backfill, or runs it, and writes the summary to standard error.
pub fn backfill(arguments: &BackfillArguments) -> Result<(), Stop> {
    let listing = listing(arguments)?;
    let state = State::open(arguments.state.as_deref(), &listing)?;
    let config = forwarding::config(|name| setting(&arguments.forwarding, name))?;
    let inventory = arguments.forwarding.enrichment.inventory.as_deref();
    let documents = inventory.map(crate::enrichment::documents).transpose()?;
    runtime()?.block_on(async {
        let buckets = arguments.buckets.as_deref();
        let forwarder = forwarding::forwarder(config, buckets, documents).await?;
        let walk = Walk {
            forwarder,
            listing,
            state,
            limit: arguments.limit.unwrap_or(u64::MAX),
            bar: progress::of_count(),
        };
        match (&arguments.enqueue, arguments.run) {
            (Some(url), _) => walk.enqueue(&queue::open(url).await?).await,
            (None, true) => walk.run().await,
            (None, false) => walk.plan().await,
        }
    })
}

fn listing(arguments: &BackfillArguments) -> Result<Listing, Stop> {
    let usage = |option: &str| {
        let option = option.to_owned();
        move |problem: String| Stop::Usage(format!("{option}: {problem}"))
    };
    let place = Prefix::parse(&arguments.source).map_err(Stop::Usage)?;
    let time = |text: &Option<String>, option: &str| {
        let time = text.as_deref().map(listing::time).transpose();
        time.map_err(usage(option))
    };
    let from = time(&arguments.from, "--from")?;
    let to = time(&arguments.to, "--to")?;
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        let problem = "--to: it is not after --from, so that there is nothing between them";
        return Err(Stop::Usage(problem.to_owned()));
    }
    Ok(Listing {
        bucket: place.bucket,
        // Keys may go on after any text, as S3 lists them; a slash at the end is meant.
        prefix: match arguments.source.ends_with('/') && !place.prefix.is_empty() {
            true => format!("{}/", place.prefix),
            false => place.prefix,
        },
        region: None,
        from,
        to,
        kinds: listing::kinds(arguments.kind.as_deref().unwrap_or_default())
            .map_err(usage("--kind"))?,
        after: arguments.after.clone(),
    })
}

/// How far a backfill is, kept in a file so that the next run goes on from there.
#[derive(Debug)]
struct State {
    file: Option<PathBuf>,
    /// What is asked for, without how far it is.
    listing: Value,
    /// All up to this key is done, or stands among those that failed.
    after: Option<String>,
    /// What failed, and is tried again first.
    failed: Vec<ObjectRef>,
}

impl State {
    fn open(file: Option<&Path>, listing: &Listing) -> Result<State, Stop> {
        let asked = Listing {
            after: None,
            ..listing.clone()
        };
        let state = State {
            file: file.map(Path::to_owned),
            listing: asked.to_json(),
            after: listing.after.clone(),
            failed: Vec::new(),
        };
        let Some(file) = file else {
            return Ok(state);
        };
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(state),
            read => read.map_err(|error| state.problem(&error))?,
        };
        let value: Value = serde_json::from_str(&text).map_err(|error| state.problem(&error))?;
        if value.get("listing") != Some(&state.listing) {
            return Err(state.problem(&format!(
                "it is of another backfill, {}; name another file",
                value.get("listing").unwrap_or(&Value::Null)
            )));
        }
        let failed = json!({"backfill": {"objects": value.get("failed")}});
        let failed = flow_forwarder::event::unwrap(&failed).into_requests();
        let failed = failed.filter_map(|request| match request {
            flow_forwarder::event::Request::Object(object) => Some(object),
            _ => None,
        });
        let after = value.get("after").and_then(Value::as_str);
        if state.after.is_some() {
            return Err(state.problem(&"it says behind which key to go on; leave --after out"));
        }
        Ok(State {
            after: after.map(str::to_owned),
            failed: failed.collect(),
            ..state
        })
    }

    fn problem(&self, problem: &dyn std::fmt::Display) -> Stop {
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        Stop::Usage(format!("the state file {}: {problem}", file.display()))
    }

    fn save(&self) -> Result<(), Stop> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let failed: Vec<Value> = self.failed.iter().map(ObjectRef::to_json).collect();
        let state = json!({"listing": self.listing, "after": self.after, "failed": failed});
        let written = written_beside(file, format!("{state}\n").as_bytes());
        let written = written.and_then(|written| written.persist(file).map_err(|e| e.error));
        written
            .map(drop)
            .map_err(|error| self.problem(&format!("it cannot be written: {error}")))
    }
}

/// A backfill under way.
struct Walk {
    forwarder: Forwarder,
    listing: Listing,
    state: State,
    limit: u64,
    bar: ProgressBar,
}

impl Walk {
    /// Says what there is to do.
    async fn plan(mut self) -> Result<(), Stop> {
        let (mut objects, mut bytes) = (0, 0);
        while let Some(chunk) = self
            .next_or_failed(self.limit.saturating_sub(objects))
            .await?
        {
            objects += chunk.len() as u64;
            let sizes = chunk.iter().filter_map(|object| object.size);
            bytes += sizes.sum::<u64>();
            self.bar.set_position(objects);
        }
        self.bar.finish_and_clear();
        say(&format!(
            "{} objects, {} bytes; --run forwards them",
            grouped(objects),
            grouped(bytes)
        ));
        Ok(())
    }

    /// Hands all there is to do to a queue.
    async fn enqueue(mut self, queue: &MessageQueue) -> Result<(), Stop> {
        let mut objects = 0;
        while let Some(chunk) = self
            .next_or_failed(self.limit.saturating_sub(objects))
            .await?
        {
            let sent = queue.send(&message_queue::messages(&chunk)).await;
            sent.map_err(|failure| Stop::Failed(failure.to_string()))?;
            objects += chunk.len() as u64;
            self.bar.set_position(objects);
            self.state.save()?;
        }
        self.bar.finish_and_clear();
        say(&format!("{} objects are handed on", grouped(objects)));
        Ok(())
    }

    /// Forwards all there is to do.
    async fn run(mut self) -> Result<(), Stop> {
        let started = Instant::now();
        let mut summary = Summary {
            unit: "objects",
            ..Summary::default()
        };
        let failed = std::mem::take(&mut self.state.failed);
        let mut asked = failed.len() as u64;
        self.forward(failed, &mut summary).await?;
        while let Some(chunk) = self.next(self.limit.saturating_sub(asked)).await? {
            asked += chunk.len() as u64;
            self.forward(chunk, &mut summary).await?;
        }
        self.bar.finish_and_clear();
        if let (Some(after), None) = (&self.state.after, &self.state.file) {
            summary.remarks.push(format!("done up to the key {after}"));
        }
        forwarding::finish(&summary, started.elapsed())
    }

    async fn forward(
        &mut self,
        objects: Vec<ObjectRef>,
        summary: &mut Summary,
    ) -> Result<(), Stop> {
        let names: Vec<Value> = objects.iter().map(ObjectRef::to_json).collect();
        let event = json!({"backfill": {"objects": names}});
        let bar = &self.bar;
        let handling = self
            .forwarder
            .handle_observed(&event, &Budget::UNLIMITED, |object| {
                bar.inc(1);
                bar.set_message(object.object.key.clone());
            });
        let handled = handling.await;
        forwarding::add(summary, &handled);
        let failed = handled.objects.into_iter();
        let failed = failed.filter(|object| object.outcome.failure.is_some());
        self.state.failed.extend(failed.map(|object| object.object));
        self.state.save()
    }

    /// Those that failed, once, then the next objects.
    async fn next_or_failed(&mut self, most: u64) -> Result<Option<Vec<ObjectRef>>, Stop> {
        match self.state.failed.is_empty() {
            true => self.next(most).await,
            false => Ok(Some(std::mem::take(&mut self.state.failed))),
        }
    }

    /// The next objects, `most` at most; `None` when there are no more.
    async fn next(&mut self, most: u64) -> Result<Option<Vec<ObjectRef>>, Stop> {
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(OBJECTS_AT_ONCE);
        let mut chosen = Vec::new();
        while chosen.len() < most {
            self.listing.after.clone_from(&self.state.after);
            let page = self.forwarder.source().list(&self.listing).await;
            let page = page.map_err(|failure| Stop::Failed(failure.to_string()))?;
            for listed in page.listed.iter() {
                if chosen.len() >= most {
                    break;
                }
                if self.listing.chooses(listed) {
                    chosen.push(listed.object.clone());
                }
                self.state.after = Some(listed.object.key.clone());
            }
            if !page.is_cut {
                break;
            }
        }
        Ok(Some(chosen).filter(|chosen| !chosen.is_empty()))
    }
}
