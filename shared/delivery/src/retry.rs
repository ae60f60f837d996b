//! What is tried again, and when: exponential backoff with full jitter, and what the receiver asks for.
//!
//! Waiting is planned by a pure function ([`RetryPolicy::delay`]); time, chance and sleep come from a
//! [`Timer`].

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use telemetry::FailureClass;

/// How often something is sent, and how long is waited in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Times that it is sent, the first included.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles with each.
    pub base: Duration,
    /// The longest wait of those that chance chooses.
    pub longest: Duration,
    /// The longest wait that a receiver can ask for; one that asks for more is asked after this.
    pub longest_asked: Duration,
}

impl Default for RetryPolicy {
    /// Five attempts in some seconds. What still fails is handed back: the queue is a better timer
    /// than a waiting function.
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts: 5,
            base: Duration::from_millis(250),
            longest: Duration::from_secs(10),
            longest_asked: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after the attempt of this number, from 1, which failed so; `None` ends it.
    ///
    /// `asked` is what the receiver asked for ([`retry_after`]), and `random` a number from 0 up to 1.
    /// The wait is any share of the backoff ("full jitter": clients that failed together do not come
    /// back together), and not shorter than was asked for.
    pub fn delay(
        &self,
        attempt: u32,
        class: FailureClass,
        asked: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        if class != FailureClass::Retry || attempt >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let backoff = self.base.saturating_mul(doubled).min(self.longest);
        let share = Duration::try_from_secs_f64(backoff.as_secs_f64() * random);
        let jittered = share.map_or(backoff, |share| share.min(backoff));
        Some(jittered.max(asked.unwrap_or_default().min(self.longest_asked)))
    }
}

/// Reads a `Retry-After` header: seconds or an HTTP date (RFC 9110, section 10.2.3), as the time from
/// `now`; a date that is over is no time. `None` when it is neither.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number of seconds has are still a long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = DateTime::from_str(value, DateTimeFormat::HttpDate).ok()?;
    let date = SystemTime::try_from(date).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// A wait that has begun.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where waiting takes time, chance and sleep from.
pub trait Timer: fmt::Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;

    /// A number from 0 up to 1, which is another each time.
    fn random(&self) -> f64;

    /// Ends when so much time has passed.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The result of some work; `None` when it did not end in so much time, and is given up.
pub async fn within<F: Future>(timer: &dyn Timer, limit: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut sleep = timer.sleep(limit);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// The clock of this machine, the sleep of the runtime, and chance as hash maps are seeded with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTimer;

impl Timer for SystemTimer {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> f64 {
        // As many bits as the fraction of a double has.
        let bits = RandomState::new().build_hasher().finish() >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 5,
        base: Duration::from_millis(250),
        longest: Duration::from_millis(900),
        longest_asked: Duration::from_secs(30),
    };

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_attempts() {
        let waits = |random| {
            let delay = |attempt| POLICY.delay(attempt, FailureClass::Retry, None, random);
            (1..=6)
                .map(|n| delay(n).map(|d| d.as_millis()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            waits(1.0),
            [Some(250), Some(500), Some(900), Some(900), None, None]
        );
        assert_eq!(
            waits(0.5),
            [Some(125), Some(250), Some(450), Some(450), None, None]
        );
        assert_eq!(waits(0.0), [Some(0), Some(0), Some(0), Some(0), None, None]);
    }

    #[test]
    fn only_what_time_cures_is_tried_again() {
        for class in [FailureClass::Poison, FailureClass::Config] {
            assert_eq!(POLICY.delay(1, class, Some(Duration::ZERO), 0.5), None);
        }
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_up_to_a_cap() {
        let delay = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            POLICY.delay(1, FailureClass::Retry, asked, 1.0)
        };
        assert_eq!(delay(0), Some(Duration::from_millis(250)));
        assert_eq!(delay(7), Some(Duration::from_secs(7)));
        assert_eq!(delay(u64::MAX), Some(Duration::from_secs(30)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
    }

    #[test]
    fn chance_is_a_share() {
        let drawn: Vec<f64> = (0..1000).map(|_| SystemTimer.random()).collect();
        assert!(drawn.iter().all(|share| (0.0..1.0).contains(share)));
        assert!(drawn.iter().any(|share| *share < 0.5) && drawn.iter().any(|share| *share >= 0.5));
    }

    /// Time that is over at once.
    #[derive(Debug)]
    struct Over;

    impl Timer for Over {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn random(&self) -> f64 {
            0.0
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_given_up() {
        let limit = Duration::from_secs(900);
        let never = std::future::pending::<()>;
        assert_eq!(within(&Over, limit, never()).await, None);
        assert_eq!(within(&Over, limit, async { 7 }).await, Some(7));
        let soon = tokio::task::yield_now();
        assert_eq!(within(&SystemTimer, limit, soon).await, Some(()));
        assert_eq!(within(&SystemTimer, Duration::ZERO, never()).await, None);
    }

    proptest! {
        #[test]
        fn waits_stay_within_what_the_policy_says(
            attempt in any::<u32>(),
            attempts in any::<u32>(),
            asked in proptest::option::of(any::<u64>()),
            random in any::<f64>(),
        ) {
            let policy = RetryPolicy { attempts, ..POLICY };
            let asked = asked.map(Duration::from_secs);
            let delay = policy.delay(attempt, FailureClass::Retry, asked, random);
            prop_assert_eq!(delay.is_some(), attempt < attempts);
            if let Some(delay) = delay {
                prop_assert!(delay <= policy.longest.max(policy.longest_asked));
                prop_assert!(delay >= asked.unwrap_or_default().min(policy.longest_asked));
            }
        }

        #[test]
        fn any_header_can_be_read(value in ".*") {
            retry_after(&value, SystemTime::UNIX_EPOCH);
        }
    }
}
