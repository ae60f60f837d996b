//! The cloud: what can be asked, and by whom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value};
use telemetry::describe::catalogue::Endpoint;
use telemetry::describe::service::Service;
use telemetry::describe::state::CallFailure;
use telemetry::describe::walk::Call;
use telemetry::target::Hop;

/// Where calls are made: one service in one region of one account, which AWS counts and throttles
/// on its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The service.
    pub service: Service,
}

impl Place {
    /// Where an endpoint is asked for an account, `region` being the one that regional endpoints are
    /// asked in and global ones are asked through.
    pub fn of(endpoint: &Endpoint, account: &str, region: &str) -> Place {
        Place {
            account: account.to_owned(),
            region: region.to_owned(),
            service: endpoint.service,
        }
    }
}

/// The lanes to the places of one account, each made once.
#[derive(Debug)]
pub struct Lanes<L>(Mutex<HashMap<Place, Arc<L>>>);

impl<L> Default for Lanes<L> {
    fn default() -> Lanes<L> {
        Lanes(Mutex::default())
    }
}

impl<L> Lanes<L> {
    /// The lane to a place.
    pub fn to<C: Cloud<Lane = L>>(&self, cloud: &C, place: Place) -> Arc<L> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes
            .entry(place)
            .or_insert_with_key(|place| Arc::new(cloud.lane(place.clone())));
        Arc::clone(lane)
    }
}

/// Credentials that were given, and until when they are good.
#[derive(Debug, Clone)]
pub struct Granted<C> {
    /// The credentials.
    pub credentials: C,
    /// When they end; `None` when that is not known.
    pub expires: Option<Timestamp>,
}

/// Answers calls.
pub trait Cloud: Send + Sync {
    /// What a call is signed with.
    type Credentials: Clone + Send + Sync;

    /// What has to be kept between calls to one place, such as how often it was asked lately.
    type Lane: Send + Sync;

    /// The credentials at hand.
    fn own(&self) -> impl Future<Output = Result<Granted<Self::Credentials>, CallFailure>> + Send;

    /// The account that credentials belong to, and its partition.
    fn account(
        &self,
        credentials: &Self::Credentials,
    ) -> impl Future<Output = Result<(String, String), CallFailure>> + Send;

    /// Credentials of a role, asked for with those of the hop before.
    fn assume(
        &self,
        with: &Self::Credentials,
        hop: &Hop,
    ) -> impl Future<Output = Result<Granted<Self::Credentials>, CallFailure>> + Send;

    /// Whether an endpoint exists in a place. What does not is not asked, and nothing is concluded.
    fn has(&self, place: &Place, endpoint: &Endpoint) -> bool;

    /// A lane to a place.
    fn lane(&self, place: Place) -> Self::Lane;

    /// Makes a call of the catalogue, as often as its answer takes, at the pace that the place bears.
    fn call(
        &self,
        lane: &Self::Lane,
        credentials: &Self::Credentials,
        call: &Call,
    ) -> impl Future<Output = Result<Value, CallFailure>> + Send;

    /// Makes a call that need not be in the catalogue, in the same way.
    fn ask(
        &self,
        lane: &Self::Lane,
        credentials: &Self::Credentials,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> impl Future<Output = Result<Value, CallFailure>> + Send;
}
