//! Sessions: role chains, assumed once for all that share them and again before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::target::Hop;
use tokio::sync::Mutex as AsyncMutex;

use crate::cloud::{Cloud, Granted};

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
    /// Tells these credentials from earlier ones of the same chain.
    generation: u64,
}

enum Held<C> {
    Nothing,
    Granted(Granted<C>, u64),
    Refused(CallFailure, Timestamp),
}

type Place<C> = Arc<AsyncMutex<Held<C>>>;

/// The sessions of a program, kept from one run to the next.
pub struct Sessions<C: Cloud> {
    cloud: Arc<C>,
    now: fn() -> Timestamp,
    held: Mutex<HashMap<Vec<Hop>, Place<C::Credentials>>>,
}

impl<C: Cloud> Sessions<C> {
    /// No sessions yet. `now` is the clock.
    pub fn new(cloud: Arc<C>, now: fn() -> Timestamp) -> Sessions<C> {
        Sessions {
            cloud,
            now,
            held: Mutex::new(HashMap::new()),
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
        match self.walk(chain).await {
            // A role on the way ended early: the whole way again, once.
            Err(failed) if failed.failure.is_expired() => {
                self.end(chain).await;
                self.walk(chain).await
            }
            walked => walked,
        }
    }

    async fn walk(&self, chain: &[Hop]) -> Result<Session<C::Credentials>, ChainFailure> {
        let mut before: Option<Session<C::Credentials>> = None;
        for (hops, way) in ways(chain).enumerate() {
            let place = self.place(way);
            let mut held = place.lock().await;
            let now = (self.now)();
            let (valid, generation) = match &*held {
                Held::Nothing => (None, 0),
                Held::Refused(failure, until) if now < *until => {
                    return Err(chain_failure(chain, hops, failure.clone()));
                }
                Held::Refused(..) => (None, 0),
                Held::Granted(granted, generation) => {
                    let lasting = granted.expires.is_none_or(|end| now + BEFORE_THE_END < end);
                    (lasting.then(|| granted.credentials.clone()), *generation)
                }
            };
            if let Some(credentials) = valid {
                before = Some(Session {
                    credentials,
                    generation,
                });
                continue;
            }
            let granted = match (way.last(), &before) {
                (Some(hop), Some(before)) => self.cloud.assume(&before.credentials, hop).await,
                _ => self.cloud.own().await,
            };
            match granted {
                Ok(granted) => {
                    before = Some(Session {
                        credentials: granted.credentials.clone(),
                        generation: generation + 1,
                    });
                    *held = Held::Granted(granted, generation + 1);
                }
                Err(failure) => {
                    if !failure.is_expired() {
                        *held = Held::Refused(failure.clone(), now + REFUSED_FOR);
                    }
                    return Err(chain_failure(chain, hops, failure));
                }
            }
        }
        before.ok_or_else(|| {
            let failure = CallFailure::of_code("NoCredentials", "No credentials.", None);
            chain_failure(chain, 0, failure)
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

    /// Gives a session up that AWS says has ended, however long it should have lasted: the next one
    /// asks anew, the whole chain.
    async fn give_up(&self, chain: &[Hop], ended: &Session<C::Credentials>) {
        let place = self.place(chain);
        if !matches!(&*place.lock().await, Held::Granted(_, g) if *g == ended.generation) {
            // Somebody was faster.
            return;
        }
        self.end(chain).await;
    }

    /// Takes every session on the way for ended.
    async fn end(&self, chain: &[Hop]) {
        for way in ways(chain) {
            let place = self.place(way);
            let mut held = place.lock().await;
            if let Held::Granted(granted, _) = &mut *held {
                granted.expires = Some(Timestamp::UNIX_EPOCH);
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
