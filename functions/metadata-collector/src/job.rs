//! Jobs: what one message asks for, and how events say it.

use serde_json::{Map, Value, json};
use telemetry::target::{self, Target};

/// Part of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The region, or `global`.
    pub region: String,
    /// The sections; `None` for all.
    pub sections: Option<Vec<String>>,
}

/// An account to collect, or part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The account, its regions and the way into it.
    pub target: Target,
    /// Whether the account can list the organization's accounts.
    pub lists_accounts: bool,
    /// The parts; `None` for everything.
    pub parts: Option<Vec<Part>>,
    /// How often it was handed on for want of time.
    pub handed_on: u32,
}

/// What an invocation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Everything.
    Schedule,
    /// One job.
    Job(Box<Job>),
    /// Messages of the queue, by their ids.
    Queue(Vec<(String, Result<Job, String>)>),
}

impl Job {
    /// Everything of a target.
    pub fn whole(target: Target, lists_accounts: bool) -> Job {
        Job {
            target,
            lists_accounts,
            parts: None,
            handed_on: 0,
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
        let mut collect = Map::from_iter([
            ("target".to_owned(), self.target.to_json()),
            ("lists_accounts".to_owned(), json!(self.lists_accounts)),
        ]);
        if let Some(parts) = &self.parts {
            let parts: Vec<Value> = parts.iter().map(part).collect();
            collect.insert("parts".to_owned(), json!(parts));
        }
        if self.handed_on > 0 {
            collect.insert("handed_on".to_owned(), json!(self.handed_on));
        }
        json!({"collect": collect})
    }

    fn from_json(message: &Value) -> Result<Job, String> {
        let collect = message
            .get("collect")
            .and_then(Value::as_object)
            .ok_or("it has no \"collect\"")?;
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
        Ok(Job {
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
    let sections = match described.get("sections").map(Value::as_array) {
        None => None,
        Some(Some(names)) => {
            let names: Option<Vec<String>> = names
                .iter()
                .map(|name| Some(name.as_str()?.to_owned()))
                .collect();
            Some(names.ok_or("its sections are not texts")?)
        }
        Some(None) => return Err("its sections are not a list".to_owned()),
    };
    Ok(Part {
        region: region.ok_or("a part has no region")?.to_owned(),
        sections,
    })
}

/// Reads an event: the schedule of EventBridge or EventBridge Scheduler, messages of the queue, or
/// one job by itself.
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
    if event.get("collect").is_some_and(Value::is_object) {
        return Job::from_json(event).map(|job| Invocation::Job(Box::new(job)));
    }
    let source = event.get("source").and_then(Value::as_str);
    match (source, event) {
        (Some("aws.events" | "aws.scheduler"), _) => Ok(Invocation::Schedule),
        (None, Value::Null) => Ok(Invocation::Schedule),
        (None, Value::Object(members)) if members.is_empty() => Ok(Invocation::Schedule),
        _ => Err("the event is neither a schedule's, nor {}, nor {\"collect\": {\"target\": …}}, nor a message of the queue".to_owned()),
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
            target: target::target(&described, "cloud-export").unwrap(),
            lists_accounts: true,
            handed_on: u32::from(parts.is_some()),
            parts,
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
            assert_eq!(read(&event), Ok(Invocation::Schedule));
        }
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
