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

    /// Whether no time is left to start anything.
    pub fn is_spent(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Runs work until the budget is spent; `None` when it was not done by then.
    pub async fn run<F: Future>(&self, work: F) -> Option<F::Output> {
        match self.until {
            None => Some(work.await),
            Some(until) => tokio::time::timeout_at(until, work).await.ok(),
        }
    }
}
