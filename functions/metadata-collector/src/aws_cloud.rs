//! AWS itself: signed calls on the runtime of AWS's own SDK, without a crate for each service.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::TransientErrorClassifier;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError as CallError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use jiff::Timestamp;
use serde_json::{Map, Value};
use telemetry::describe::answer::{AnswerError, answer};
use telemetry::describe::catalogue::Endpoint;
use telemetry::describe::partition;
use telemetry::describe::request::{Request, request};
use telemetry::describe::service::{Host, Service};
use telemetry::describe::state::{CallFailure, Silence, State};
use telemetry::describe::walk::Call;
use telemetry::target::Hop;

use crate::cloud::{Cloud, Granted, Place};
use crate::pace::Pace;

/// The longest pause between attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// How long an assumed role lasts: what AWS allows a role that was assumed by a role.
const SESSION_SECONDS: i32 = 3600;

/// AWS.
#[derive(Debug)]
pub struct AwsCloud {
    sdk: SdkConfig,
    http: SharedHttpClient,
    timeouts: TimeoutConfig,
    retries: RetryConfig,
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
        let timeouts = sdk.timeout_config().cloned();
        AwsCloud {
            timeouts: timeouts.unwrap_or_else(TimeoutConfig::disabled),
            retries: RetryConfig::standard()
                .with_max_attempts(attempts)
                .with_max_backoff(MAX_BACKOFF),
            sdk,
            http,
        }
    }

    fn sts(&self, credentials: &Credentials) -> aws_sdk_sts::Client {
        // In the function's own region: its tokens hold everywhere, and the other account may have
        // switched STS off in its regions.
        let config = aws_sdk_sts::config::Builder::from(&self.sdk)
            .credentials_provider(credentials.clone())
            .http_client(self.http.clone())
            .build();
        aws_sdk_sts::Client::from_conf(config)
    }

    /// The URL that a service is asked at: the one that the environment redirects it to, or AWS's.
    fn endpoint(&self, service: Service, host: &Host) -> String {
        let own = self.sdk.service_config().and_then(|config| {
            let key = aws_types::service_config::ServiceConfigKey::builder()
                .service_id(service_id(service))
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .ok()?;
            config.load_config(key)
        });
        own.or_else(|| self.sdk.endpoint_url().map(str::to_owned))
            .unwrap_or_else(|| format!("https://{}", host.name))
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
        let mut config = Layer::new("call");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigV4OperationSigningConfig {
            region: Some(Region::new(host.signing_region.clone()).into()),
            name: Some(service.signing_name().into()),
            ..SigV4OperationSigningConfig::default()
        });
        config.store_put(lane.partition.clone());
        config.store_put(self.retries.clone());
        let mut components = RuntimeComponentsBuilder::new("call");
        components
            .push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
                StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
            )))
            .set_identity_cache(Some(IdentityCache::no_cache()))
            .set_identity_resolver(
                SCHEME_ID,
                SharedIdentityResolver::new(SharedCredentialsProvider::new(credentials.clone())),
            )
            .set_time_source(self.sdk.time_source())
            .set_sleep_impl(self.sdk.sleep_impl());
        let name = operation.to_owned();
        let call: Operation<Request, Value, AnswerError> = Operation::builder()
            .service_name(service.id())
            .operation_name(operation.to_owned())
            .behavior_version(invocation::aws::behavior_version())
            .http_client(self.http.clone())
            .endpoint_url(&self.endpoint(service, host))
            .standard_retry(&self.retries)
            .retry_classifier(AnswerClassifier(Arc::clone(&lane.pace)))
            .retry_classifier(TransientErrorClassifier::<AnswerError>::new())
            .timeout_config(self.timeouts.clone())
            .runtime_plugin(
                StaticRuntimePlugin::new()
                    .with_config(config.freeze())
                    .with_runtime_components(components),
            )
            .serializer(|request: Request| {
                let mut http = HttpRequest::new(SdkBody::from(request.body));
                http.set_method(&request.method)?;
                http.set_uri(request.target)?;
                for (header, value) in request.headers {
                    http.headers_mut().try_insert(header, value)?;
                }
                let agent = concat!("cloud-export/", env!("CARGO_PKG_VERSION"));
                http.headers_mut().try_insert("user-agent", agent)?;
                Ok(http)
            })
            .deserializer(move |response: &HttpResponse| {
                let body = response.body().bytes().unwrap_or_default();
                let header = |name: &str| response.headers().get(name);
                answer(service, &name, response.status().as_u16(), header, body)
                    .map_err(OrchestratorError::operation)
            })
            .build();
        lane.pace.wait().await;
        let answered = call.invoke(request).await.map_err(call_failure)?;
        lane.pace.answered();
        Ok(answered)
    }
}

/// The service's name in AWS's settings for single services.
fn service_id(service: Service) -> &'static str {
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
    }
}

/// Which answers are worth another attempt, and what they say about the pace.
#[derive(Debug)]
struct AnswerClassifier(Arc<Pace>);

impl ClassifyRetry for AnswerClassifier {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else {
            return RetryAction::NoActionIndicated;
        };
        let answered = error
            .as_operation_error()
            .and_then(|error| error.downcast_ref::<AnswerError>());
        match answered {
            Some(AnswerError::Failure(failure)) if failure.state == State::Throttled => {
                self.0.throttled();
                RetryAction::throttling_error()
            }
            // Cut in the middle, or written by something on the way.
            Some(AnswerError::Unreadable { .. }) => RetryAction::transient_error(),
            Some(AnswerError::Failure(_)) => {
                match context.response().map(|r| r.status().as_u16()) {
                    Some(500 | 502 | 503 | 504) => RetryAction::server_error(),
                    _ => RetryAction::NoActionIndicated,
                }
            }
            Some(AnswerError::Model(_)) | None => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "answers of AWS"
    }
}

fn call_failure(error: CallError<AnswerError, HttpResponse>) -> CallFailure {
    match error {
        CallError::ServiceError(context) => match context.into_err() {
            AnswerError::Failure(failure) => failure,
            error => failure(State::Error, "UnreadableAnswer", format!("{error}.")),
        },
        CallError::TimeoutError(_) => CallFailure::silence(
            Silence::Timeout,
            "No answer came in time; the region's endpoint may not be reachable from here.",
        ),
        CallError::DispatchFailure(dispatch) => CallFailure::silence(
            Silence::Unreachable,
            format!(
                "The endpoint could not be reached: {}.",
                dispatch
                    .as_connector_error()
                    .map_or_else(|| "the connection failed".to_owned(), |error| causes(error))
            ),
        ),
        CallError::ResponseError(_) => failure(
            State::Error,
            "CutAnswer",
            "The connection ended in the middle of the answer.",
        ),
        error => failure(State::Error, "Call", format!("{}.", causes(&error))),
    }
}

/// What an error says, and what caused it, each once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let text = cause.to_string();
        if !said.iter().any(|known| known.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
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
        let provider = self.sdk.credentials_provider().ok_or_else(|| {
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
        let identity = self.sts(credentials).get_caller_identity().send().await;
        let identity = identity.map_err(sts_failure)?;
        let partition = identity
            .arn()
            .and_then(|arn| arn.split(':').nth(1))
            .unwrap_or("aws");
        match identity.account() {
            Some(account) => Ok((account.to_owned(), partition.to_owned())),
            None => Err(failure(
                State::Error,
                "Sts",
                "STS did not say whose the credentials are.",
            )),
        }
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
}

impl AwsCloud {
    /// Makes a call that need not be in the catalogue.
    pub async fn ask(
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

fn host(service: Service, region: &str) -> Option<Host> {
    service.host(partition::of_region(region)?, region)
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// One HTTP client for everything, so that connections are shared.
pub fn http_client() -> SharedHttpClient {
    use aws_smithy_http_client::{Builder, tls};
    Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ))
        .build_https()
}
