//! Listing: which objects of a bucket a backfill asks for.
//!
//! Objects are taken in the order of their keys, which S3 lists them in, so that one key tells how far a backfill is.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use telemetry::ObjectKey;
use telemetry::object_key::KeyKind;

use crate::event::ObjectRef;

/// Kinds of logs, and what they are called.
const KINDS: [(&str, KeyKind); 4] = [
    ("flow", KeyKind::FlowLog),
    ("firewall-alert", KeyKind::FirewallAlert),
    ("firewall-flow", KeyKind::FirewallFlow),
    ("firewall-tls", KeyKind::FirewallTls),
];

/// What a backfill asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Bucket.
    pub bucket: String,
    /// What keys begin with; any text, not only whole folders.
    pub prefix: String,
    /// The bucket's region, if it is not that of the function.
    pub region: Option<String>,
    /// Only logs of this time or later, in Unix seconds.
    pub from: Option<i64>,
    /// Only logs before this time, in Unix seconds.
    pub to: Option<i64>,
    /// Only logs of these kinds; of any kind when there are none.
    pub kinds: Vec<&'static str>,
    /// Only keys behind this one.
    pub after: Option<String>,
}

/// An object that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object.
    pub object: ObjectRef,
    /// When it was written, in Unix seconds.
    pub modified: Option<i64>,
}

/// What a listing is told by.
const MEMBERS: [&str; 7] = ["bucket", "prefix", "region", "from", "to", "kinds", "after"];

/// Some of the objects, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub listed: Vec<Listed>,
    /// Whether there are more behind the last one.
    pub is_cut: bool,
}

impl Listing {
    /// Reads `{"bucket", "prefix", "region", "from", "to", "kinds", "after"}`; all but the bucket may be left out.
    ///
    /// # Errors
    /// A sentence about the first member that cannot be used.
    pub fn from_json(value: &Value) -> Result<Listing, String> {
        let text = |name: &str| match value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("backfill.{name} is no text")),
        };
        let time = |name: &str| -> Result<Option<i64>, String> {
            let time = text(name)?.map(|text| time(&text)).transpose();
            time.map_err(|problem| format!("backfill.{name}: {problem}"))
        };
        let members = value.as_object().into_iter().flat_map(Map::keys);
        let mut unknown = members.filter(|name| !MEMBERS.contains(&name.as_str()));
        if let Some(unknown) = unknown.next() {
            return Err(format!(
                "backfill.{unknown} is none of {}; objects stand alone",
                MEMBERS.join(", ")
            ));
        }
        let bucket = text("bucket")?.filter(|bucket| !bucket.is_empty());
        Ok(Listing {
            bucket: bucket.ok_or("backfill names neither objects nor a bucket")?,
            prefix: text("prefix")?.unwrap_or_default(),
            region: text("region")?,
            from: time("from")?,
            to: time("to")?,
            kinds: kinds(&text("kinds")?.unwrap_or_default())
                .map_err(|problem| format!("backfill.kinds: {problem}"))?,
            after: text("after")?,
        })
    }

    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
        let option = |text: &Option<String>| text.as_deref().map(Value::from);
        let time = |time: Option<i64>| {
            let time = Timestamp::from_second(time?).ok()?;
            Some(Value::from(time.to_string()))
        };
        let members = [
            ("bucket", text(&self.bucket)),
            ("prefix", text(&self.prefix)),
            ("region", option(&self.region)),
            ("from", time(self.from)),
            ("to", time(self.to)),
            ("kinds", text(&self.kinds.join(","))),
            ("after", option(&self.after)),
        ];
        let members = members.into_iter();
        let members = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// Whether an object is asked for: by the time that its key tells, or else when it was written, and by its kind.
    /// Folder markers never are.
    pub fn chooses(&self, listed: &Listed) -> bool {
        let key = ObjectKey::parse(&listed.object.key);
        let kind = key.as_ref().and_then(|key| {
            let known = KINDS.iter().find(|(_, kind)| *kind == key.kind);
            known.map(|(name, _)| *name)
        });
        let time = key.and_then(|key| key.time).or(listed.modified);
        let is_kind = self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.contains(&kind));
        // An object of unknown time is taken: a record too many is better than one too few.
        let begins = self.from.zip(time).is_none_or(|(from, time)| time >= from);
        let ends = self.to.zip(time).is_none_or(|(to, time)| time < to);
        is_kind && begins && ends && !listed.object.key.ends_with('/')
    }
}

/// Reads a time, `2026-11-20T16:20:00Z`, or a day of UTC, `2026-11-20`; Unix seconds.
///
/// # Errors
/// The text is neither.
pub fn time(text: &str) -> Result<i64, String> {
    let day = || {
        let day = text.parse::<Date>().ok()?;
        Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<Timestamp>().ok().or_else(day);
    time.map(Timestamp::as_second)
        .ok_or_else(|| format!("{text:?} is no time: write 2026-11-20T16:20:00Z or 2026-11-20"))
}

/// Reads names of kinds, separated by commas; none is every kind.
///
/// # Errors
/// The first name that is none.
pub fn kinds(text: &str) -> Result<Vec<&'static str>, String> {
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let kinds = names.map(|name| {
        let known = KINDS.iter().find(|(known, _)| *known == name);
        known.map(|(known, _)| *known).ok_or_else(|| {
            let known = KINDS.map(|(known, _)| known);
            format!("{name:?} is none of {}", known.join(", "))
        })
    });
    kinds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/11/20/123456789012_vpcflowlogs_us-east-1_fl-0a1b2c3d4e5f60718_20261120T1620Z_fe123456.log.gz";

    fn listed(key: &str, modified: &str) -> Listed {
        Listed {
            object: ObjectRef::new("logs", key),
            modified: Some(time(modified).unwrap()),
        }
    }

    fn listing(members: Value) -> Listing {
        Listing::from_json(&members).unwrap()
    }

    #[test]
    fn a_listing_is_the_same_as_json() {
        for members in [
            json!({"bucket": "logs"}),
            json!({"bucket": "logs", "prefix": "AWSLogs/1", "region": "eu-west-1", "from": "2026-11-20T00:00:00Z",
                "to": "2026-11-21T00:00:00Z", "kinds": "flow,firewall-tls", "after": "AWSLogs/1/a"}),
        ] {
            assert_eq!(listing(members.clone()).to_json(), members);
        }
        for (members, problem) in [
            (json!({}), "neither objects nor a bucket"),
            (json!({"bucket": 1}), "bucket is no text"),
            (
                json!({"bucket": "b", "kind": "flow"}),
                "backfill.kind is none of bucket,",
            ),
            (
                json!({"bucket": "b", "objects": []}),
                "backfill.objects is none of bucket,",
            ),
            (
                json!({"bucket": "b", "from": "yesterday"}),
                "backfill.from: \"yesterday\" is no time",
            ),
            (
                json!({"bucket": "b", "kinds": "flow,x"}),
                "\"x\" is none of flow, firewall-alert",
            ),
        ] {
            let error = Listing::from_json(&members).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn objects_are_chosen_by_the_time_in_their_key_before_that_of_writing() {
        let day = listing(json!({"bucket": "logs", "from": "2026-11-20", "to": "2026-11-21"}));
        assert!(day.chooses(&listed(KEY, "2026-11-25")));
        assert!(day.chooses(&listed("my.log.gz", "2026-11-20")));
        assert!(!day.chooses(&listed("my.log.gz", "2026-11-21")));
        assert!(!day.chooses(&listed("folder/", "2026-11-20")));
        let later = listing(json!({"bucket": "logs", "from": "2026-11-20T16:20:01Z"}));
        assert!(!later.chooses(&listed(KEY, "2026-11-25")));
        let firewall = listing(json!({"bucket": "logs", "kinds": "firewall-alert"}));
        assert!(!firewall.chooses(&listed(KEY, "2026-11-20")));
        assert!(!firewall.chooses(&listed("my.log.gz", "2026-11-20")));
        assert!(
            listing(json!({"bucket": "logs", "kinds": "flow"})).chooses(&listed(KEY, "2026-11-20"))
        );
    }
}
