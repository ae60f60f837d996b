//! Sessions: role chains, assumed once for all that share them and again before they end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::target::Hop;
use tokio::sync::Mutex as AsyncMutex;

use crate::cloud::Cloud;

/// How long before their end credentials are replaced: longer than a call with its retries.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_mins(5);

/// How long a refused role is taken as refused, so that a thousand accounts behind one role do not
/// ask a thousand times.
const REFUSED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// How often one call is made with fresh credentials: other calls of the same session may end it too.
const MAX_RENEWALS: u32 = 3;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'c> {
    /// A call of the catalogue.
    Call(&'c Call),
    /// Another operation, with its parameters.
    Operation(&'c str, &'c Map<String, Value>),
}

/// A role on the way that was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {failure}", self.place())]
pub struct ChainFailure {
    /// The hop, from 1; 0 for the credentials at hand.
    pub hop: usize,
    /// Hops of the chain.
    pub of: usize,
    /// The role's ARN; `None` for the credentials at hand.
    pub role: Option<String>,
    /// Why.
    pub failure: CallFailure,
}

impl ChainFailure {
    fn place(&self) -> String {
        match &self.role {
            Some(role) => format!("{role} could not be used (hop {} of {})", self.hop, self.of),
            None => "the credentials at hand could not be used".to_owned(),
        }
    }
}

/// Credentials of a chain's last role.
#[derive(Clone)]
pub struct Session<C> {
    /// The credentials.
    pub credentials: C,
    /// The grants that led here, one of each way along the chain, the shortest first. No two grants have the same
    /// number, so that these credentials are not taken for earlier or later ones of the same chain.
    grants: Vec<u64>,
}

enum Held<C> {
    Nothing,
    /// With when it ends, where that is known.
    Granted(Session<C>, Option<Timestamp>),
    Refused(CallFailure, Timestamp),
}

/// Why a chain was not walked to its end, with the session that the failed hop was asked for with.
struct Stopped<C> {
    failure: ChainFailure,
    with: Option<Session<C>>,
}

type Place<C> = Arc<AsyncMutex<Held<C>>>;

/// The sessions of a program, kept from one run to the next.
pub struct Sessions<C: Cloud> {
    cloud: Arc<C>,
    now: fn() -> Timestamp,
    held: Mutex<HashMap<Vec<Hop>, Place<C::Credentials>>>,
    grants: AtomicU64,
}

impl<C: Cloud> Sessions<C> {
    /// No sessions yet. `now` is the clock.
    pub fn new(cloud: Arc<C>, now: fn() -> Timestamp) -> Sessions<C> {
        Sessions {
            cloud,
            now,
            held: Mutex::new(HashMap::new()),
            grants: AtomicU64::new(0),
        }
    }

    fn place(&self, chain: &[Hop]) -> Place<C::Credentials> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(chain) {
            Some(place) => Arc::clone(place),
            None => {
                let place = Arc::new(AsyncMutex::new(Held::Nothing));
                held.insert(chain.to_vec(), Arc::clone(&place));
                place
            }
        }
    }

    /// The session at the end of a chain. Whoever asks for the same chain, or one that begins the
    /// same, waits for the same `AssumeRole`.
    ///
    /// # Errors
    /// The hop that was refused.
    pub async fn session(&self, chain: &[Hop]) -> Result<Session<C::Credentials>, ChainFailure> {
        let walked = match self.walk(chain).await {
            // A role on the way ended early: what it led to again, once.
            Err(stopped) if stopped.failure.failure.is_expired() => {
                if let Some(ended) = &stopped.with {
                    self.give_up(chain, ended).await;
                }
                self.walk(chain).await
            }
            walked => walked,
        };
        walked.map_err(|stopped| stopped.failure)
    }

    async fn walk(
        &self,
        chain: &[Hop],
    ) -> Result<Session<C::Credentials>, Stopped<C::Credentials>> {
        let mut before: Option<Session<C::Credentials>> = None;
        for (hops, way) in ways(chain).enumerate() {
            let place = self.place(way);
            let mut held = place.lock().await;
            let now = (self.now)();
            match &*held {
                Held::Granted(session, end) if end.is_none_or(|end| now + BEFORE_THE_END < end) => {
                    before = Some(session.clone());
                    continue;
                }
                Held::Refused(failure, until) if now < *until => {
                    return Err(Stopped {
                        failure: chain_failure(chain, hops, failure.clone()),
                        with: before,
                    });
                }
                _ => {}
            }
            let granted = match (way.last(), &before) {
                (Some(hop), Some(before)) => self.cloud.assume(&before.credentials, hop).await,
                _ => self.cloud.own().await,
            };
            match granted {
                Ok(granted) => {
                    let mut grants = before.map_or_else(Vec::new, |before| before.grants);
                    grants.push(self.grants.fetch_add(1, Ordering::Relaxed));
                    let session = Session {
                        credentials: granted.credentials,
                        grants,
                    };
                    *held = Held::Granted(session.clone(), granted.expires);
                    before = Some(session);
                }
                Err(failure) => {
                    if !failure.is_expired() {
                        *held = Held::Refused(failure.clone(), now + REFUSED_FOR);
                    }
                    return Err(Stopped {
                        failure: chain_failure(chain, hops, failure),
                        with: before,
                    });
                }
            }
        }
        before.ok_or_else(|| {
            let failure = CallFailure::of_code("NoCredentials", "No credentials.", None);
            Stopped {
                failure: chain_failure(chain, 0, failure),
                with: None,
            }
        })
    }

    /// Makes a call with the session at the end of a chain; again with fresh credentials when AWS says that they have ended.
    ///
    /// # Errors
    /// The hop that was refused. That the call itself fails is its answer.
    pub async fn ask(
        &self,
        chain: &[Hop],
        lane: &C::Lane,
        asked: Asked<'_>,
    ) -> Result<Result<Value, CallFailure>, ChainFailure> {
        let mut renewals = 0;
        loop {
            let session = self.session(chain).await?;
            let answer = match asked {
                Asked::Call(call) => self.cloud.call(lane, &session.credentials, call).await,
                Asked::Operation(operation, parameters) => {
                    let with = &session.credentials;
                    self.cloud.ask(lane, with, operation, parameters).await
                }
            };
            match answer {
                Err(failure) if failure.is_expired() && renewals < MAX_RENEWALS => {
                    self.give_up(chain, &session).await;
                    renewals += 1;
                }
                answer => return Ok(answer),
            }
        }
    }

    /// Gives a session up that AWS says has ended, however long it should have lasted, with those that led to it: the
    /// next one asks anew. What somebody has renewed since stays.
    async fn give_up(&self, chain: &[Hop], ended: &Session<C::Credentials>) {
        for (way, grant) in ways(chain).zip(&ended.grants) {
            let place = self.place(way);
            let mut held = place.lock().await;
            if matches!(&*held, Held::Granted(session, _) if session.grants.last() == Some(grant)) {
                *held = Held::Nothing;
            }
        }
    }

    /// Forgets the session at the end of a chain, when nobody needs it any more.
    pub fn forget(&self, chain: &[Hop]) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(chain);
    }
}

/// The chain from its beginning, longer by one hop each time; empty first.
fn ways(chain: &[Hop]) -> impl Iterator<Item = &[Hop]> {
    (0..=chain.len()).filter_map(|hops| chain.get(..hops))
}

fn chain_failure(chain: &[Hop], hop: usize, failure: CallFailure) -> ChainFailure {
    ChainFailure {
        hop,
        of: chain.len(),
        role: hop
            .checked_sub(1)
            .and_then(|at| chain.get(at))
            .map(|hop| hop.role.to_string()),
        failure,
    }
}

#[cfg(test)]
mod tests;
