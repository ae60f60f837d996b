//! The pace of calls: a token bucket for each place, below what AWS publishes, that slows down when
//! AWS throttles and recovers with each answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use telemetry::describe::service::Rate;
use tokio::time::Instant;

/// Calls a second that are made however often AWS throttles; its buckets refill faster.
const LEAST_PER_SECOND: f64 = 1.0;

/// What is left of the pace when AWS throttles: others call there too.
const SLOWED: f64 = 0.5;

/// What each answer gives back of the full pace.
const RECOVERED: f64 = 0.05;

/// Says when the next call may be made.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls that may be made at once; below zero, what is already promised.
    tokens: f64,
    /// Calls a second at present.
    per_second: f64,
    at: Instant,
}

impl Pace {
    /// A pace whose bucket is full.
    pub fn new(rate: Rate) -> Pace {
        Pace {
            rate,
            state: Mutex::new(State {
                tokens: rate.burst,
                per_second: rate.per_second,
                at: Instant::now(),
            }),
        }
    }

    /// The state at the time `now`.
    fn state(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + passed * state.per_second).min(self.rate.burst);
        state.at = now;
        state
    }

    /// Takes a token at the time `now`; the wait until it may be used.
    fn take(&self, now: Instant) -> Duration {
        let mut state = self.state(now);
        state.tokens -= 1.0;
        Duration::from_secs_f64((-state.tokens / state.per_second).max(0.0))
    }

    /// Waits until a call may be made.
    pub async fn wait(&self) {
        let wait = self.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// AWS throttled: nothing is saved up any more, and calls are made half as often.
    pub fn throttled(&self) {
        let mut state = self.state(Instant::now());
        state.per_second = (state.per_second * SLOWED).max(LEAST_PER_SECOND);
        state.tokens = state.tokens.min(0.0);
    }

    /// AWS answered.
    pub fn answered(&self) {
        let mut state = self.state(Instant::now());
        let full = self.rate.per_second;
        state.per_second = (state.per_second + full * RECOVERED).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_pass_in_a_burst_and_then_at_the_rate() {
        let pace = Pace::new(Rate {
            burst: 5.0,
            per_second: 2.0,
        });
        let start = Instant::now();
        for _ in 0..5 {
            pace.wait().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..10 {
            pace.wait().await;
        }
        assert_eq!(start.elapsed().as_millis(), 5000);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let start = Instant::now();
        for _ in 0..6 {
            pace.wait().await;
        }
        assert_eq!(
            start.elapsed().as_millis(),
            500,
            "an idle hour saves up one burst"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_slows_down_and_answers_speed_up_again() {
        let pace = Pace::new(Rate {
            burst: 50.0,
            per_second: 8.0,
        });
        let millis_for = async |calls: u32| {
            let start = Instant::now();
            for _ in 0..calls {
                pace.wait().await;
            }
            start.elapsed().as_millis()
        };
        pace.throttled();
        assert_eq!(
            millis_for(4).await,
            1000,
            "4 a second, and nothing saved up"
        );
        for _ in 0..10 {
            pace.throttled();
        }
        assert_eq!(millis_for(3).await, 3000, "never slower than 1 a second");
        for _ in 0..100 {
            pace.answered();
        }
        assert_eq!(millis_for(8).await, 1000);
    }
}
