//! Jobs: what one message asks for, and how events say it.

use serde_json::{Map, Value, json};
use telemetry::target::{self, Target};

/// What is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// What the network consists of.
    Metadata,
    /// What CloudWatch measured of it.
    Metrics,
}

/// What an event says that asks for everything of an export.
const EVERYTHING: &str = "all";

impl Export {
    /// Every export.
    const ALL: [Export; 2] = [Export::Metadata, Export::Metrics];

    /// The member of messages that asks for it.
    const fn member(self) -> &'static str {
        match self {
            Export::Metadata => "collect",
            Export::Metrics => "metrics",
        }
    }
}

/// Part of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The region, or `global`.
    pub region: String,
    /// The sections, or the namespaces of metrics; `None` for all.
    pub sections: Option<Vec<String>>,
}

impl Part {
    /// All of a region, or of `global`.
    pub fn whole(region: String) -> Part {
        Part {
            region,
            sections: None,
        }
    }
}

/// An account to collect, or part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What is collected of it.
    pub export: Export,
    /// The account, its regions and the way into it.
    pub target: Target,
    /// Whether the account can list the organization's accounts.
    pub lists_accounts: bool,
    /// The parts; `None` for everything.
    pub parts: Option<Vec<Part>>,
    /// How often it was handed on for want of time.
    pub handed_on: u32,
    /// Accounts whose metrics are read in jobs of their own, and not here too though they are linked to this account.
    pub elsewhere: Vec<String>,
}

/// What an invocation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Everything of an export.
    Everything(Export),
    /// One job.
    Job(Box<Job>),
    /// Messages of the queue, by their ids.
    Queue(Vec<(String, Result<Job, String>)>),
}

impl Job {
    /// Everything of a target.
    pub fn whole(export: Export, target: Target, lists_accounts: bool) -> Job {
        Job {
            export,
            target,
            lists_accounts,
            parts: None,
            handed_on: 0,
            elsewhere: Vec::new(),
        }
    }

    /// The message that asks for the job.
    pub fn to_json(&self) -> Value {
        let part = |part: &Part| {
            let mut described = Map::from_iter([("region".to_owned(), json!(part.region))]);
            described.extend(
                part.sections
                    .iter()
                    .map(|s| ("sections".to_owned(), json!(s))),
            );
            Value::Object(described)
        };
        let mut asked = Map::from_iter([("target".to_owned(), self.target.to_json())]);
        if self.export == Export::Metadata {
            asked.insert("lists_accounts".to_owned(), json!(self.lists_accounts));
        }
        if let Some(parts) = &self.parts {
            let parts: Vec<Value> = parts.iter().map(part).collect();
            asked.insert("parts".to_owned(), json!(parts));
        }
        if self.handed_on > 0 {
            asked.insert("handed_on".to_owned(), json!(self.handed_on));
        }
        if !self.elsewhere.is_empty() {
            asked.insert("elsewhere".to_owned(), json!(self.elsewhere));
        }
        json!({self.export.member(): asked})
    }

    fn from_json(message: &Value) -> Result<Job, String> {
        let asked = |export: &Export| {
            let asked = message.get(export.member()).and_then(Value::as_object);
            asked.map(|asked| (*export, asked))
        };
        let (export, collect) = Export::ALL
            .iter()
            .find_map(asked)
            .ok_or("it has neither \"collect\" nor \"metrics\"")?;
        let described = collect.get("target").ok_or("it has no target")?;
        let target =
            target::target(described, "cloud-export").map_err(|error| format!("target{error}"))?;
        let parts = match collect.get("parts") {
            None | Some(Value::Null) => None,
            Some(Value::Array(parts)) => {
                Some(parts.iter().map(part).collect::<Result<Vec<_>, String>>()?)
            }
            Some(_) => return Err("its parts are not a list".to_owned()),
        };
        let elsewhere = match collect.get("elsewhere") {
            None => Vec::new(),
            Some(accounts) => texts(accounts).ok_or("elsewhere is not a list of accounts")?,
        };
        Ok(Job {
            export,
            elsewhere,
            target,
            lists_accounts: collect.get("lists_accounts") == Some(&Value::Bool(true)),
            parts,
            handed_on: collect
                .get("handed_on")
                .and_then(Value::as_u64)
                .map_or(0, |times| u32::try_from(times).unwrap_or(u32::MAX)),
        })
    }
}

fn part(described: &Value) -> Result<Part, String> {
    let region = described.get("region").and_then(Value::as_str);
    let sections = match described.get("sections") {
        None => None,
        Some(names) => Some(texts(names).ok_or("its sections are not a list of texts")?),
    };
    Ok(Part {
        region: region.ok_or("a part has no region")?.to_owned(),
        sections,
    })
}

/// The texts of a list.
fn texts(list: &Value) -> Option<Vec<String>> {
    let texts = list.as_array()?.iter();
    texts.map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// Reads an event: the schedule of EventBridge or EventBridge Scheduler, which asks for metadata unless its input
/// says `{"metrics": "all"}`, messages of the queue, or one job by itself.
///
/// # Errors
/// A sentence about an event that is none of these.
pub fn read(event: &Value) -> Result<Invocation, String> {
    if let Some(records) = event.get("Records").and_then(Value::as_array) {
        let message = |record: &Value| {
            let text = |name: &str| record.get(name).and_then(Value::as_str);
            if text("eventSource") != Some("aws:sqs") {
                return None;
            }
            let job = serde_json::from_str(text("body").unwrap_or_default())
                .map_err(|error| format!("it is not JSON: {error}"))
                .and_then(|body: Value| Job::from_json(&body));
            Some((text("messageId")?.to_owned(), job))
        };
        let messages: Option<Vec<_>> = records.iter().map(message).collect();
        return messages
            .map(Invocation::Queue)
            .ok_or_else(|| "the event has records that are not messages of SQS".to_owned());
    }
    let members = Export::ALL.map(Export::member);
    if members
        .iter()
        .any(|member| event.get(*member).is_some_and(Value::is_object))
    {
        return Job::from_json(event).map(|job| Invocation::Job(Box::new(job)));
    }
    let all = |export: &Export| event.get(export.member()) == Some(&json!(EVERYTHING));
    if let Some(export) = Export::ALL.into_iter().find(all) {
        return Ok(Invocation::Everything(export));
    }
    let everything = Ok(Invocation::Everything(Export::Metadata));
    let source = event.get("source").and_then(Value::as_str);
    match (source, event) {
        (Some("aws.events" | "aws.scheduler"), _) => everything,
        (None, Value::Null) => everything,
        (None, Value::Object(members)) if members.is_empty() => everything,
        _ => Err("the event is neither a schedule's, nor {}, nor {\"metrics\": \"all\"}, nor {\"collect\": {\"target\": …}}, nor {\"metrics\": {\"target\": …}}, nor a message of the queue".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(parts: Option<Vec<Part>>) -> Job {
        let described = json!({"regions": ["eu-west-1"], "chain": [
            {"role": "arn:aws:iam::111111111111:role/hub", "external_id": "x1", "session_name": "netops"},
            {"role": "arn:aws:iam::222222222222:role/reader"}]});
        Job {
            export: Export::Metadata,
            target: target::target(&described, "cloud-export").unwrap(),
            lists_accounts: true,
            handed_on: u32::from(parts.is_some()),
            parts,
            elsewhere: Vec::new(),
        }
    }

    #[test]
    fn a_job_survives_the_queue() {
        let part = |region: &str, sections: Option<Vec<String>>| Part {
            region: region.into(),
            sections,
        };
        let jobs = [
            job(None),
            job(Some(vec![
                part("global", None),
                part("eu-west-1", Some(vec!["Vpcs".into()])),
            ])),
            Job {
                export: Export::Metrics,
                lists_accounts: false,
                elsewhere: vec!["222222222222".into()],
                ..job(None)
            },
        ];
        for job in &jobs {
            assert_eq!(
                read(&job.to_json()),
                Ok(Invocation::Job(Box::new(job.clone())))
            );
        }
        let record = |id: &str, body: String| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
        let event = json!({"Records": [record("a", jobs[0].to_json().to_string()), record("b", "x".into())]});
        let Ok(Invocation::Queue(messages)) = read(&event) else {
            panic!("messages were expected");
        };
        assert_eq!(messages[0], ("a".into(), Ok(jobs[0].clone())));
        assert!(messages[1].1.as_ref().unwrap_err().contains("not JSON"));
    }

    #[test]
    fn schedules_are_known_and_other_events_are_not() {
        for event in [
            json!({}),
            json!({"source": "aws.events", "detail-type": "Scheduled Event"}),
            json!({"source": "aws.scheduler", "detail-type": "Scheduled Event"}),
        ] {
            assert_eq!(read(&event), Ok(Invocation::Everything(Export::Metadata)));
        }
        let metrics = Invocation::Everything(Export::Metrics);
        assert_eq!(read(&json!({"metrics": "all"})), Ok(metrics));
        for event in [
            json!({"source": "aws.s3"}),
            json!({"Records": [{"eventSource": "aws:s3"}]}),
            json!({"collect": {"target": {"chain": [{}]}}}),
            json!([1]),
        ] {
            assert!(read(&event).is_err(), "{event}");
        }
    }
}
