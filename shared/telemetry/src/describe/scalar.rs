//! Scalars of answers, in the one form that snapshots have them.
//!
//! Times are written as the AWS CLI prints them and as Python's `datetime.isoformat()` does: UTC,
//! `2026-11-20T16:20:00+00:00`, with six digits of a fraction unless it is zero.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::model::Shape;

/// The value of an element's text.
pub(super) fn from_text(shape: &Shape, text: String) -> Result<Value, String> {
    let unreadable = |text: &str| format!("it holds {text:?} for a number");
    Ok(match shape {
        Shape::Integer => {
            let trimmed = text.trim();
            let integer = trimmed.parse::<i64>().map(Number::from);
            let number = integer.or_else(|_| trimmed.parse::<u64>().map(Number::from));
            Value::Number(number.map_err(|_| unreadable(trimmed))?)
        }
        Shape::Number => {
            let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
            Value::Number(number.ok_or_else(|| unreadable(text.trim()))?)
        }
        Shape::Flag => Value::Bool(text.trim() == "true"),
        Shape::Time => Value::String(time_of_text(&text)),
        _ => Value::String(text),
    })
}

/// The value of a JSON scalar.
pub(super) fn from_json(shape: &Shape, value: Value) -> Value {
    match (shape, value) {
        (Shape::Time, Value::Number(seconds)) => match seconds.as_f64().and_then(time_of_seconds) {
            Some(time) => Value::String(time),
            None => Value::Number(seconds),
        },
        (Shape::Time, Value::String(text)) => Value::String(time_of_text(&text)),
        (_, value) => value,
    }
}

/// A time in the form of snapshots.
pub fn time(timestamp: Timestamp) -> String {
    let whole = timestamp.to_zoned(TimeZone::UTC);
    match timestamp.as_microsecond().rem_euclid(1_000_000) {
        0 => whole.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        micros => format!("{}.{micros:06}+00:00", whole.strftime("%Y-%m-%dT%H:%M:%S")),
    }
}

/// A time that AWS wrote as text: ISO 8601, RFC 2822, or seconds. What is neither stays as it is.
fn time_of_text(text: &str) -> String {
    let trimmed = text.trim();
    if let Some(time) = trimmed.parse().ok().and_then(time_of_seconds) {
        return time;
    }
    let iso = trimmed.parse::<Timestamp>().ok();
    let parsed = iso
        .or_else(|| {
            jiff::fmt::rfc2822::parse(trimmed)
                .ok()
                .map(|zoned| zoned.timestamp())
        })
        // Without an offset AWS means UTC.
        .or_else(|| {
            let local: jiff::civil::DateTime = trimmed.parse().ok()?;
            Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
        });
    parsed.map_or_else(|| text.to_owned(), time)
}

/// Seconds since 1970, with a fraction rounded to microseconds.
fn time_of_seconds(seconds: f64) -> Option<String> {
    let whole = seconds.trunc();
    let micros = (seconds.fract() * 1e6).round_ties_even();
    if !(-1e11..=1e11).contains(&whole) {
        return None;
    }
    let micros = (whole as i64)
        .checked_mul(1_000_000)?
        .checked_add(micros as i64)?;
    Timestamp::from_microsecond(micros).ok().map(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_writing_come_out_in_one() {
        for (text, time) in [
            ("2026-11-20T16:20:00Z", "2026-11-20T16:20:00+00:00"),
            ("2026-11-20T16:20:00.000Z", "2026-11-20T16:20:00+00:00"),
            (
                "2026-11-20T16:20:00.097Z",
                "2026-11-20T16:20:00.097000+00:00",
            ),
            ("2026-11-20T18:20:00+02:00", "2026-11-20T16:20:00+00:00"),
            ("2026-11-20T16:20:00", "2026-11-20T16:20:00+00:00"),
            ("Fri, 20 Nov 2026 16:20:00 GMT", "2026-11-20T16:20:00+00:00"),
            ("1795191600", "2026-11-20T16:20:00+00:00"),
            ("1795191600.25", "2026-11-20T16:20:00.250000+00:00"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(time_of_text(text), time);
        }
        assert_eq!(
            time_of_seconds(1541791443.097).unwrap(),
            "2018-11-09T19:24:03.097000+00:00"
        );
        assert_eq!(time_of_seconds(f64::NAN), None);
    }

    #[test]
    fn numbers_keep_their_value_and_texts_their_spaces() {
        let read = |shape: Shape, text: &str| from_text(&shape, text.into());
        assert_eq!(
            read(Shape::Integer, " 18446744073709551615 ").unwrap(),
            u64::MAX
        );
        assert_eq!(read(Shape::Integer, "-7").unwrap(), -7);
        assert_eq!(read(Shape::Number, "0.1").unwrap(), 0.1);
        assert_eq!(read(Shape::Flag, "true").unwrap(), true);
        assert_eq!(read(Shape::Text, " a ").unwrap(), " a ");
        assert!(read(Shape::Integer, "seven").unwrap_err().contains("seven"));
    }
}
