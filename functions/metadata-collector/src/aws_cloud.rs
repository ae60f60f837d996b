//! AWS itself: signed calls on the runtime of AWS's own SDK, without a crate for each service.

use std::sync::Arc;
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use invocation::service_call::{OnThrottling, ServiceCall, ServiceCaller, causes};
use jiff::Timestamp;
use serde_json::{Map, Value};
use telemetry::describe::answer::answer;
use telemetry::describe::catalogue::Endpoint;
use telemetry::describe::partition;
use telemetry::describe::request::{Request, request};
use telemetry::describe::service::{Host, Service};
use telemetry::describe::state::{CallFailure, State};
use telemetry::describe::walk::Call;
use telemetry::diagnosis::Identity;
use telemetry::target::Hop;

use crate::cloud::{Cloud, Granted, Place};
use crate::pace::Pace;

/// How long an assumed role lasts: what AWS allows a role that was assumed by a role.
const SESSION_SECONDS: i32 = 3600;

/// AWS.
#[derive(Debug)]
pub struct AwsCloud {
    caller: ServiceCaller,
}

/// Calls to one place: their pace, and the retries that are left.
#[derive(Debug)]
pub struct Lane {
    place: Place,
    host: Option<Host>,
    pace: Arc<Pace>,
    partition: RetryPartition,
}

fn failure(state: State, code: &str, message: impl Into<String>) -> CallFailure {
    CallFailure {
        state,
        code: code.to_owned(),
        message: message.into(),
        request_id: None,
    }
}

impl AwsCloud {
    /// AWS, as the environment says it is reached. A call is made `attempts` times at most.
    pub fn new(sdk: SdkConfig, http: SharedHttpClient, attempts: u32) -> AwsCloud {
        AwsCloud {
            caller: ServiceCaller::new(sdk, http, attempts),
        }
    }

    fn sts(&self, credentials: &Credentials) -> aws_sdk_sts::Client {
        // In the function's own region: its tokens hold everywhere, and the other account may have
        // switched STS off in its regions.
        let config = aws_sdk_sts::config::Builder::from(self.caller.sdk())
            .credentials_provider(credentials.clone())
            .http_client(self.caller.http().clone())
            .build();
        aws_sdk_sts::Client::from_conf(config)
    }

    /// Sends a request; gives the answer's value.
    async fn send(
        &self,
        lane: &Lane,
        credentials: &Credentials,
        operation: &str,
        request: Request,
    ) -> Result<Value, CallFailure> {
        let service = lane.place.service;
        let Some(host) = &lane.host else {
            return Err(failure(
                State::RegionDisabled,
                "NoSuchService",
                format!("{} does not exist in this partition.", service.id()),
            ));
        };
        let pace = Arc::clone(&lane.pace);
        let call = ServiceCall {
            service: service.id(),
            settings_name: settings_name(service),
            signing_name: service.signing_name(),
            host: host.clone(),
            operation: operation.to_owned(),
            credentials: SharedCredentialsProvider::new(credentials.clone()),
            identities: IdentityCache::no_cache(),
            partition: lane.partition.clone(),
            throttled: OnThrottling::call(move || pace.throttled()),
        };
        let name = operation.to_owned();
        let read = move |response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            let header = |name: &str| response.headers().get(name);
            answer(service, &name, response.status().as_u16(), header, body)
        };
        lane.pace.wait().await;
        let answered = self.caller.send(call, request, read).await;
        let answered = answered.map_err(|error| error.failure)?;
        lane.pace.answered();
        Ok(answered.value)
    }
}

/// The service's name in AWS's settings for single services.
fn settings_name(service: Service) -> &'static str {
    match service {
        Service::Ec2 => "EC2",
        Service::DirectConnect => "Direct Connect",
        Service::ElasticLoadBalancing => "Elastic Load Balancing",
        Service::ElasticLoadBalancingV2 => "Elastic Load Balancing v2",
        Service::NetworkFirewall => "Network Firewall",
        Service::NetworkManager => "NetworkManager",
        Service::Organizations => "Organizations",
        Service::Iam => "IAM",
        Service::Sqs => "SQS",
        Service::CloudWatch => "CloudWatch",
    }
}

fn sts_failure<E, R>(error: SdkError<E, R>) -> CallFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), message) => CallFailure::of_code(code, message.unwrap_or_default(), None),
        (None, _) => failure(
            State::Error,
            "Sts",
            format!("STS did not answer: {}.", causes(&error)),
        ),
    }
}

impl Cloud for AwsCloud {
    type Credentials = Credentials;
    type Lane = Lane;

    async fn own(&self) -> Result<Granted<Credentials>, CallFailure> {
        let provider = self.caller.sdk().credentials_provider().ok_or_else(|| {
            failure(
                State::Denied,
                "NoCredentials",
                "No AWS credentials are configured.",
            )
        })?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            failure(
                State::Denied,
                "NoCredentials",
                format!("No AWS credentials were found: {}.", causes(&error)),
            )
        })?;
        Ok(Granted {
            expires: credentials.expiry().and_then(timestamp),
            credentials,
        })
    }

    async fn account(&self, credentials: &Credentials) -> Result<(String, String), CallFailure> {
        let Identity { account, arn } = self.identity(credentials).await?;
        let partition = arn.split(':').nth(1).unwrap_or("aws");
        Ok((account, partition.to_owned()))
    }

    async fn assume(
        &self,
        with: &Credentials,
        hop: &Hop,
    ) -> Result<Granted<Credentials>, CallFailure> {
        let assumed = self
            .sts(with)
            .assume_role()
            .role_arn(hop.role.to_string())
            .role_session_name(&hop.session_name)
            .set_external_id(hop.external_id.clone())
            .duration_seconds(SESSION_SECONDS)
            .send()
            .await
            .map_err(sts_failure)?;
        let Some(granted) = assumed.credentials() else {
            return Err(failure(State::Error, "Sts", "STS gave no credentials."));
        };
        let expires = SystemTime::try_from(*granted.expiration()).ok();
        Ok(Granted {
            credentials: Credentials::new(
                granted.access_key_id(),
                granted.secret_access_key(),
                Some(granted.session_token().to_owned()),
                expires,
                "AssumeRole",
            ),
            expires: expires.and_then(timestamp),
        })
    }

    fn has(&self, place: &Place, endpoint: &Endpoint) -> bool {
        // Not every partition has every service.
        host(endpoint.service, &place.region).is_some()
    }

    fn lane(&self, place: Place) -> Lane {
        Lane {
            host: host(place.service, &place.region),
            pace: Arc::new(Pace::new(place.service.rate())),
            // Of its own: what is left of retries is not shared with other places.
            partition: RetryPartition::custom("place").build(),
            place,
        }
    }

    async fn call(
        &self,
        lane: &Lane,
        credentials: &Credentials,
        call: &Call,
    ) -> Result<Value, CallFailure> {
        self.ask(lane, credentials, call.endpoint.operation, &call.parameters)
            .await
    }

    async fn ask(
        &self,
        lane: &Lane,
        credentials: &Credentials,
        operation: &str,
        parameters: &Map<String, Value>,
    ) -> Result<Value, CallFailure> {
        let request = request(lane.place.service, operation, parameters)
            .map_err(|error| failure(State::Error, "Request", format!("{error}.")))?;
        self.send(lane, credentials, operation, request).await
    }
}

impl AwsCloud {
    /// Whose credentials these are.
    ///
    /// # Errors
    /// STS refuses them, or did not answer.
    pub async fn identity(&self, credentials: &Credentials) -> Result<Identity, CallFailure> {
        let identity = self.sts(credentials).get_caller_identity().send().await;
        let identity = identity.map_err(sts_failure)?;
        match (identity.account(), identity.arn()) {
            (Some(account), arn) => Ok(Identity {
                account: account.to_owned(),
                arn: arn.unwrap_or_default().to_owned(),
            }),
            (None, _) => Err(failure(
                State::Error,
                "Sts",
                "STS did not say whose the credentials are.",
            )),
        }
    }
}

fn host(service: Service, region: &str) -> Option<Host> {
    service.host(partition::of_region(region)?, region)
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}
