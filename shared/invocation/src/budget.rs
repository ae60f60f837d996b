//! The time an invocation has left.

use std::time::Duration;

use tokio::time::Instant;

/// The time until which work may go on: the invocation's deadline less a reserve for answering.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    until: Option<Instant>,
}

impl Budget {
    /// Time without end, for the command line.
    pub const UNLIMITED: Budget = Budget { until: None };

    /// `remaining` time from now, of which `reserve` is kept.
    pub fn new(remaining: Duration, reserve: Duration) -> Budget {
        Budget {
            until: Some(Instant::now() + remaining.saturating_sub(reserve)),
        }
    }

    /// The budget of an invocation whose deadline is `deadline_ms` at the time `now_ms`, both Unix
    /// milliseconds, of which `reserve` is kept.
    ///
    /// Emulators of the Runtime API do not give a time of day: cargo-lambda's gives 600000, ten
    /// minutes from now, and others 0, none at all.
    pub fn of_invocation(deadline_ms: u64, now_ms: u64, reserve: Duration) -> Budget {
        const YEAR_2001: u64 = 1_000_000_000_000;
        match deadline_ms {
            0 => Budget::UNLIMITED,
            1..YEAR_2001 => Budget::new(Duration::from_millis(deadline_ms), reserve),
            _ => Budget::new(
                Duration::from_millis(deadline_ms.saturating_sub(now_ms)),
                reserve,
            ),
        }
    }

    /// Whether no time is left to start anything.
    pub fn is_spent(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The time that is left; `None` for time without end.
    pub fn remaining(&self) -> Option<Duration> {
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        self.until.map(left)
    }

    /// Runs work until the budget is spent; `None` when it was not done by then.
    pub async fn run<F: Future>(&self, work: F) -> Option<F::Output> {
        match self.until {
            None => Some(work.await),
            Some(until) => tokio::time::timeout_at(until, work).await.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_190_400_000;
    const RESERVE: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn work_may_go_on_until_the_deadline_less_the_reserve() {
        let budget = Budget::of_invocation(NOW + 10_000, NOW, RESERVE);
        tokio::time::advance(Duration::from_millis(7_999)).await;
        assert!(!budget.is_spent());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(budget.is_spent());
        assert_eq!(budget.run(std::future::pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_is_over_leaves_no_time() {
        for deadline in [NOW + 1_000, NOW, NOW - 1_000] {
            assert!(Budget::of_invocation(deadline, NOW, RESERVE).is_spent());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn emulators_give_a_duration_or_nothing() {
        let budget = Budget::of_invocation(600_000, NOW, RESERVE);
        tokio::time::advance(Duration::from_secs(597)).await;
        assert!(!budget.is_spent());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(budget.is_spent());
        assert!(!Budget::of_invocation(0, NOW, RESERVE).is_spent());
    }
}
