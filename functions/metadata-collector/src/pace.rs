//! The pace of calls: a token bucket for each place, below what AWS publishes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use telemetry::describe::service::Rate;
use tokio::time::Instant;

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
    at: Instant,
}

impl Pace {
    /// A pace whose bucket is full.
    pub fn new(rate: Rate) -> Pace {
        Pace {
            rate,
            state: Mutex::new(State {
                tokens: rate.burst,
                at: Instant::now(),
            }),
        }
    }

    /// Takes a token at the time `now`; the wait until it may be used.
    fn take(&self, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(state.at).as_secs_f64();
        state.tokens = (state.tokens + passed * self.rate.per_second).min(self.rate.burst);
        state.at = now;
        state.tokens -= 1.0;
        Duration::from_secs_f64((-state.tokens / self.rate.per_second).max(0.0))
    }

    /// Waits until a call may be made.
    pub async fn wait(&self) {
        let wait = self.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
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
}
