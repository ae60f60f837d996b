//! The handler: an event in, an answer out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use aws_config::SdkConfig;
use delivery::destination::Connections;
use delivery::{Confirmation, DeliveryError, Destination, Lane, Outlet, Store, lane};
use futures_util::StreamExt;
use serde_json::Value;
use telemetry::FailureClass;

use crate::answer::{Answer, MessageOutcome, worst};
use crate::backfill::Walked;
use crate::config::{Config, DESTINATIONS, ENRICH, METADATA, SELECT};
use crate::event::{self, Invocation, Message, ObjectRef, Request, Trigger};
use crate::failure::Failure;
use crate::group::{Asked, MOST_OBJECTS, MOST_OBJECTS_OF_A_FILE, groups};
use crate::index::Index;
use crate::listing::Listing;
use crate::message_queue::MessageQueue;
use crate::pipeline::Pipeline;
use crate::quarantine::{BatchFile, Quarantine};
use crate::report::{InvocationReport, ObjectReport};
use crate::source::AnySource;
use invocation::{Budget, SettingError};

/// What one invocation gave.
#[derive(Debug)]
pub struct Handled {
    /// The answer.
    pub answer: Answer,
    /// What was done, summed up.
    pub report: InvocationReport,
    /// What was done, object by object, in the order they were done.
    pub objects: Vec<ObjectReport>,
}

/// Forwards the objects that events name. Built once, used for every invocation.
#[derive(Debug)]
pub struct Forwarder {
    config: Config,
    source: AnySource,
    index: Option<Arc<Index>>,
    lanes: Vec<Lane>,
    quarantine: Option<Quarantine>,
    sdk: SdkConfig,
}

impl Forwarder {
    /// A forwarder that reads from `source`, and enriches records from `index`, where there is one: see
    /// [`EnrichmentSettings::start`](crate::enrichment::EnrichmentSettings::start). `aws` is what
    /// destinations are reached with, and `variable` gives the environment variables that hold credentials.
    ///
    /// # Errors
    /// A destination cannot be opened, for want of its credentials for instance.
    pub async fn new(
        config: Config,
        source: AnySource,
        index: Option<Arc<Index>>,
        aws: &SdkConfig,
        variable: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Forwarder, SettingError> {
        if let (None, Some(rule)) = (&index, config.reading.selection.needs_enrichment()) {
            return Err(SELECT.error(format!(
                "the rule {rule:?} asks for what enrichment adds, and there is none: set {} to where the collector keeps metadata, or {} to the fields that are added",
                METADATA.name,
                ENRICH.name
            )));
        }
        let mut connections = Connections::new(aws, variable);
        let lanes = lane::open(&config.destinations, &mut connections).await;
        let lanes = lanes.map_err(|error| DESTINATIONS.error(error))?;
        Ok(Forwarder::into_lanes(config, source, index, aws, lanes))
    }

    /// A forwarder to destinations that are open already, instead of those that the configuration names.
    pub fn into_lanes(
        config: Config,
        source: AnySource,
        index: Option<Arc<Index>>,
        aws: &SdkConfig,
        lanes: Vec<Lane>,
    ) -> Forwarder {
        let quarantine = config.quarantine.as_ref();
        let quarantine = quarantine.map(|url| Quarantine::new(Store::on(url, aws)));
        Forwarder {
            sdk: aws.clone(),
            quarantine,
            config,
            source,
            index,
            lanes,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Handles one event.
    ///
    /// An object that several messages name is forwarded once and answers for all of them.
    pub async fn handle(&self, event: &Value, budget: &Budget) -> Handled {
        self.handle_observed(event, budget, |_| ()).await
    }

    /// Handles one event, and tells of each object as it is done.
    pub async fn handle_observed(
        &self,
        event: &Value,
        budget: &Budget,
        mut observe: impl FnMut(&ObjectReport) + Send,
    ) -> Handled {
        let Invocation {
            trigger,
            mut messages,
        } = event::unwrap(event);
        let mut report = InvocationReport {
            quarantines: self.quarantine.is_some(),
            deletes: self.config.deletion.is_some(),
            ..InvocationReport::default()
        };
        self.leave_out_own(&mut messages);
        note_requests(&messages, &mut report);
        let mut asked: Vec<Asked<'_>> = Vec::new();
        // What has the key of another, but not all that is said of it: it may be the same object.
        let mut alike: Vec<Asked<'_>> = Vec::new();
        for message in &messages {
            for object in objects(message) {
                let is_alike = asked.iter().any(|known| known.object.has_key_of(object));
                let mut known = asked.iter_mut().chain(&mut alike);
                match known.find(|asked| asked.object == object) {
                    Some(asked) => asked.again |= message.again,
                    None if is_alike => alike.push(Asked {
                        object,
                        again: true,
                    }),
                    None => asked.push(Asked {
                        object,
                        again: message.again,
                    }),
                }
            }
        }
        // Only a queue says whether something is tried again: what does not come from one shares nothing.
        let most = match trigger {
            Trigger::Queue => self.most_combined(),
            Trigger::Direct => 1,
        };
        if let Some(index) = &self.index {
            index.begin(budget).await;
        }
        let mut objects = Vec::with_capacity(asked.len());
        let mut progress = Progress {
            report: &mut report,
            objects: &mut objects,
            observe: &mut observe,
        };
        self.forward(asked, most, budget, &mut progress).await;
        self.forward(alike, 1, budget, &mut progress).await;
        let mut outcomes: Vec<MessageOutcome> = {
            let failures: HashMap<&ObjectRef, &Failure> = (progress.objects.iter())
                .filter_map(|r| Some((&r.object, r.outcome.failure.as_ref()?)))
                .collect();
            let outcomes = messages.iter();
            outcomes
                .map(|message| message_outcome(message, &failures))
                .collect()
        };
        let mut until = None;
        for (message, outcome) in messages.iter().zip(&mut outcomes) {
            for listing in listings(message) {
                let failure = match self.walk(listing, budget, &mut progress).await {
                    Ok(Walked::Done) => continue,
                    // Only who asked for this alone can go on from there.
                    Ok(Walked::Until { after, failed })
                        if trigger == Trigger::Direct && message.requests.len() == 1 =>
                    {
                        until = Some(Answer::More { after, failed });
                        continue;
                    }
                    Ok(Walked::Until { .. }) => Failure::deadline(),
                    Err(failure) => failure,
                };
                outcome.failure = worst([&failure].into_iter().chain(&outcome.failure)).cloned();
            }
        }
        report.index_bytes = self.index.as_ref().map(|index| index.fetched());
        let answer = match (Answer::new(trigger, &outcomes), until) {
            (Answer::Done, Some(more)) => more,
            (answer, _) => answer,
        };
        Handled {
            answer,
            report,
            objects,
        }
    }

    /// The queue that backfills hand objects to, if there is one.
    pub(crate) fn backfill_queue(&self) -> Result<Option<MessageQueue>, Failure> {
        let queue = self.config.backfill_queue.as_ref();
        let queue = queue.map(|url| MessageQueue::new(url, &self.sdk));
        queue.transpose().map_err(|error| Failure {
            class: FailureClass::Config,
            code: "Queue".to_owned(),
            message: format!("the queue for backfills cannot be used: {error}"),
        })
    }

    /// Where objects are read from.
    pub fn source(&self) -> &AnySource {
        &self.source
    }

    /// How many objects may share batches.
    fn most_combined(&self) -> usize {
        let mut lanes = self.lanes.iter();
        if !lanes.any(|lane| lane.packing.combines) {
            return 1;
        }
        let outlets = self.lanes.iter().flat_map(|lane| &lane.outlets);
        let quarantine = self.config.quarantine.as_ref();
        let has_files = outlets
            .into_iter()
            .any(|outlet| outlet.destination.is_directory())
            || quarantine.is_some_and(|url| !url.is_s3());
        match has_files {
            true => MOST_OBJECTS_OF_A_FILE,
            false => MOST_OBJECTS,
        }
    }

    /// Forwards objects in groups of `most`, and notes each as it is done.
    pub(crate) async fn forward(
        &self,
        asked: Vec<Asked<'_>>,
        most: usize,
        budget: &Budget,
        progress: &mut Progress<'_>,
    ) {
        let pipeline = &Pipeline {
            source: &self.source,
            index: self.index.as_ref(),
            lanes: &self.lanes,
            reading: &self.config.reading,
            quarantine: self.quarantine.as_ref(),
            deletion: self.config.deletion.as_ref(),
            budget,
        };
        let forwarding = groups(asked, most).into_iter().map(|group| async move {
            let started = Instant::now();
            let outcomes = match &*group {
                [one] => vec![pipeline.forward(one.object, one.again).await],
                several => {
                    let several: Vec<&ObjectRef> = several.iter().map(|one| one.object).collect();
                    pipeline.forward_together(&several).await
                }
            };
            let duration = started.elapsed();
            let done = group.into_iter().zip(outcomes);
            done.map(|(asked, outcome)| ObjectReport {
                object: asked.object.clone(),
                outcome,
                duration,
            })
            .collect::<Vec<_>>()
        });
        let mut forwarding =
            futures_util::stream::iter(forwarding).buffer_unordered(self.config.concurrency);
        while let Some(group) = forwarding.next().await {
            for object in group {
                object.log();
                progress.report.add(&object.outcome);
                (progress.observe)(&object);
                progress.objects.push(object);
            }
        }
    }

    /// Delivers a batch again to the destination that refused it, as it is: the one with its tag. One at the same URL with
    /// another query or other headers may be somebody else's.
    ///
    /// # Errors
    /// What the destination said; or none that is configured is the one, which a setting mends.
    pub async fn deliver(&self, file: &BatchFile) -> Result<Confirmation, DeliveryError> {
        let outlets = self.lanes.iter().flat_map(|lane| &lane.outlets);
        let is_at_url = |outlet: &Outlet| outlet.url == file.destination;
        let outlet = match outlets.clone().find(|outlet| outlet.tag == file.tag) {
            Some(outlet) => Ok(outlet),
            None if outlets.clone().any(is_at_url) => {
                Err("those that are set at this URL have another query or other headers")
            }
            None => Err("it is none of the destinations that are set"),
        };
        let outlet = outlet.map_err(|problem| {
            let known: Vec<&str> = outlets.map(|outlet| outlet.url.as_str()).collect();
            DeliveryError {
                class: FailureClass::Config,
                code: "unknown".to_owned(),
                destination: file.destination.clone(),
                reason: format!(
                    "{problem}, {}; set the one that the batch is for",
                    known.join(" ")
                ),
                retries: 0,
            }
        })?;
        outlet.destination.deliver(&file.batch).await
    }

    /// Ignores the objects that this configuration writes: forwarding them would announce more of them, for ever.
    fn leave_out_own(&self, messages: &mut [Message]) {
        let requests = messages.iter_mut().flat_map(|m| &mut m.requests);
        for request in requests {
            let Request::Object(ObjectRef {
                bucket,
                key,
                other_key,
                ..
            }) = &*request
            else {
                continue;
            };
            let mut keys = std::iter::once(key).chain(other_key);
            let Some(place) = keys.find_map(|key| self.config.guard.own(bucket, key)) else {
                continue;
            };
            tracing::warn!(
                bucket,
                key,
                place = %place,
                "this object is output of this program, and was announced to it; leave its prefix out of the bucket's notification"
            );
            *request = Request::Ignored(format!("output of this program below {place}"));
        }
    }
}

/// What is told of objects as they are done.
pub(crate) struct Progress<'p> {
    /// What the invocation did so far.
    pub report: &'p mut InvocationReport,
    /// What it did, object by object.
    pub objects: &'p mut Vec<ObjectReport>,
    /// Who else is told.
    pub observe: &'p mut (dyn FnMut(&ObjectReport) + Send),
}

fn listings(message: &Message) -> impl Iterator<Item = &Listing> {
    message.requests.iter().filter_map(|request| match request {
        Request::Backfill(listing) => Some(listing),
        _ => None,
    })
}

fn objects(message: &Message) -> impl Iterator<Item = &ObjectRef> {
    message.requests.iter().filter_map(|request| match request {
        Request::Object(object) => Some(object),
        _ => None,
    })
}

/// Counts and logs what asks for nothing and what cannot be understood.
fn note_requests(messages: &[Message], report: &mut InvocationReport) {
    for message in messages {
        let message_id = message.id.as_deref().unwrap_or_default();
        for request in &message.requests {
            match request {
                Request::Object(_) | Request::Backfill(_) => {}
                Request::Ignored(reason) => {
                    report.ignored += 1;
                    tracing::info!(message_id, reason, "nothing to forward");
                }
                Request::Malformed(reason) => {
                    report.malformed_messages += 1;
                    tracing::error!(
                        message_id,
                        reason,
                        error_type = Failure::event(reason).error_type(),
                        "message cannot be processed"
                    );
                }
            }
        }
    }
}

fn message_outcome(message: &Message, failures: &HashMap<&ObjectRef, &Failure>) -> MessageOutcome {
    let malformed: Vec<Failure> = (message.requests.iter())
        .filter_map(|request| match request {
            Request::Malformed(reason) => Some(Failure::event(reason)),
            _ => None,
        })
        .collect();
    let failed = objects(message).filter_map(|object| failures.get(object).copied());
    MessageOutcome {
        id: message.id.clone(),
        failure: worst(failed.chain(&malformed)).cloned(),
    }
}
