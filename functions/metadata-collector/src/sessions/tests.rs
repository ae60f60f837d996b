#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use futures_util::future::join_all;
use telemetry::describe::catalogue::Endpoint;

use super::*;
use crate::cloud::Granted;

/// Where each role is assumed; credentials are numbered in the order in which they are given.
#[derive(Default)]
struct Ending {
    given: Mutex<Vec<String>>,
    /// The first number that is still good, of the credentials of each role.
    good_from: Mutex<HashMap<String, usize>>,
}

impl Ending {
    /// Ends what has been given so far of these roles.
    fn end(&self, roles: &[&str]) {
        let next = self.given.lock().unwrap().len();
        let mut good_from = self.good_from.lock().unwrap();
        good_from.extend(roles.iter().map(|role| ((*role).to_owned(), next)));
    }

    fn give(&self, role: &str) -> Granted<(String, usize)> {
        let mut given = self.given.lock().unwrap();
        given.push(role.to_owned());
        Granted {
            credentials: (role.to_owned(), given.len() - 1),
            expires: None,
        }
    }

    fn check(&self, (role, number): &(String, usize)) -> Result<(), CallFailure> {
        match self.good_from.lock().unwrap().get(role) {
            Some(good) if number < good => {
                Err(CallFailure::of_code("ExpiredToken", "it has expired", None))
            }
            _ => Ok(()),
        }
    }

    /// How often each of these was given.
    fn times<const N: usize>(&self, roles: [&str; N]) -> [usize; N] {
        let given = self.given.lock().unwrap();
        roles.map(|role| given.iter().filter(|one| *one == role).count())
    }
}

impl Cloud for Ending {
    type Credentials = (String, usize);
    type Lane = ();

    async fn own(&self) -> Result<Granted<Self::Credentials>, CallFailure> {
        tokio::task::yield_now().await;
        Ok(self.give("own"))
    }

    async fn account(&self, _: &Self::Credentials) -> Result<(String, String), CallFailure> {
        panic!("nobody asks for it")
    }

    async fn assume(
        &self,
        with: &Self::Credentials,
        hop: &Hop,
    ) -> Result<Granted<Self::Credentials>, CallFailure> {
        tokio::task::yield_now().await;
        self.check(with)?;
        Ok(self.give(&hop.session_name))
    }

    fn has(&self, _: &crate::cloud::Place, _: &Endpoint) -> bool {
        true
    }

    fn lane(&self, _: crate::cloud::Place) {}

    async fn call(&self, (): &(), _: &Self::Credentials, _: &Call) -> Result<Value, CallFailure> {
        panic!("operations alone are asked")
    }

    async fn ask(
        &self,
        (): &(),
        with: &Self::Credentials,
        _: &str,
        _: &Map<String, Value>,
    ) -> Result<Value, CallFailure> {
        tokio::task::yield_now().await;
        self.check(with)?;
        Ok(Value::from(with.0.as_str()))
    }
}

fn chain(roles: &[&str]) -> Vec<Hop> {
    let hop = |role: &&str| Hop {
        role: format!("arn:aws:iam::111111111111:role/{role}")
            .parse()
            .unwrap(),
        external_id: None,
        session_name: (*role).to_owned(),
    };
    roles.iter().map(hop).collect()
}

fn sessions() -> (Arc<Ending>, Sessions<Ending>) {
    let cloud = Arc::new(Ending::default());
    let sessions = Sessions::new(Arc::clone(&cloud), || Timestamp::UNIX_EPOCH);
    (cloud, sessions)
}

/// Asks this often at once; every one is answered.
async fn ask(sessions: &Sessions<Ending>, chain: &[Hop], times: usize) {
    let asked = Asked::Operation("Operation", &Map::new());
    let answers = join_all((0..times).map(|_| sessions.ask(chain, &(), asked))).await;
    let role = &chain.last().unwrap().session_name;
    for answer in answers {
        assert_eq!(answer, Ok(Ok(Value::from(role.as_str()))));
    }
}

#[tokio::test]
async fn calls_that_meet_the_end_of_a_session_together_renew_it_once() {
    let (cloud, sessions) = sessions();
    let way = chain(&["primary", "reader"]);
    for ends in 1..=5 {
        ask(&sessions, &way, 50).await;
        assert_eq!(cloud.times(["own", "primary", "reader"]), [ends; 3]);
        cloud.end(&["own", "primary", "reader"]);
    }
}

#[tokio::test]
async fn a_call_that_meets_the_end_late_leaves_what_was_renewed() {
    let (cloud, sessions) = sessions();
    let (first, second) = (chain(&["primary", "first"]), chain(&["primary", "second"]));
    ask(&sessions, &first, 1).await;
    ask(&sessions, &second, 1).await;
    cloud.end(&["own", "primary", "first", "second"]);
    ask(&sessions, &first, 1).await;
    ask(&sessions, &second, 1).await;
    let times = cloud.times(["own", "primary", "first", "second"]);
    assert_eq!(times, [2; 4]);
}

#[tokio::test]
async fn a_role_on_the_way_that_has_ended_is_assumed_once_more_for_all_behind_it() {
    let (cloud, sessions) = sessions();
    ask(&sessions, &chain(&["primary"]), 1).await;
    cloud.end(&["primary"]);
    let names: Vec<String> = (0..20).map(|number| format!("role-{number}")).collect();
    let ways = names.iter().map(|name| chain(&["primary", name]));
    let ways: Vec<Vec<Hop>> = ways.collect();
    join_all(ways.iter().map(|way| ask(&sessions, way, 3))).await;
    assert_eq!(cloud.times(["primary", "role-0", "role-19"]), [2, 1, 1]);
}

#[tokio::test]
async fn a_role_that_ends_at_once_fails_the_call_and_is_not_assumed_for_ever() {
    let (cloud, sessions) = sessions();
    cloud
        .good_from
        .lock()
        .unwrap()
        .insert("reader".to_owned(), usize::MAX);
    let way = chain(&["reader"]);
    let asked = Asked::Operation("Operation", &Map::new());
    let answer = sessions.ask(&way, &(), asked).await.unwrap();
    assert!(answer.unwrap_err().is_expired());
    assert_eq!(cloud.times(["reader"]), [MAX_RENEWALS as usize + 1]);
}
