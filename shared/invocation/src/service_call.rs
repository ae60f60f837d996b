//! A signed call of any AWS service on the runtime of AWS's own SDK, without a crate for each service.
//!
//! ```text
//! Request ─▶ sign ─▶ send ─▶ read ─┬▶ Answered
//!              ▲  retries, timeouts│
//!              └───────────────────┴▶ CallError
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime::client::retries::classifiers::TransientErrorClassifier;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::{SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use telemetry::describe::answer::AnswerError;
use telemetry::describe::request::Request;
use telemetry::describe::service::Host;
use telemetry::describe::state::{CallFailure, Silence, State};

/// The longest pause between attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// Makes calls, as the environment says AWS is reached.
#[derive(Debug, Clone)]
pub struct ServiceCaller {
    sdk: SdkConfig,
    http: SharedHttpClient,
    timeouts: TimeoutConfig,
    retries: RetryConfig,
}

/// What is to be called, and by whom. Names are those of the service's model.
#[derive(Debug)]
pub struct ServiceCall {
    /// The service as the AWS CLI calls it, for messages.
    pub service: &'static str,
    /// The service's name in AWS's settings for single services: `Secrets Manager`.
    pub settings_name: &'static str,
    /// The service's name in signatures.
    pub signing_name: &'static str,
    /// Where the service answers, unless the environment redirects it.
    pub host: Host,
    /// The operation.
    pub operation: String,
    /// What calls are signed with.
    pub credentials: SharedCredentialsProvider,
    /// What remembers them.
    pub identities: SharedIdentityCache,
    /// Whom what is left of retries is shared with.
    pub partition: RetryPartition,
    /// What has to know of throttling.
    pub throttled: OnThrottling,
}

/// Is told of every answer that says that AWS was asked too often.
#[derive(Clone)]
pub struct OnThrottling(Arc<dyn Fn() + Send + Sync>);

impl OnThrottling {
    /// Calls a function.
    pub fn call(tell: impl Fn() + Send + Sync + 'static) -> OnThrottling {
        OnThrottling(Arc::new(tell))
    }

    /// Tells nobody.
    pub fn ignore() -> OnThrottling {
        OnThrottling::call(|| ())
    }
}

impl fmt::Debug for OnThrottling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnThrottling")
    }
}

/// What a service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// How often the request was sent, this time included.
    pub attempts: u32,
}

/// A call that failed at every attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct CallError {
    /// AWS's code and message, or what kept the call from being answered.
    pub failure: CallFailure,
    /// The HTTP status of the last answer, where there was one.
    pub status: Option<u16>,
    /// How often the request was sent.
    pub attempts: u32,
}

impl ServiceCaller {
    /// A caller over this HTTP client. A call is made `attempts` times at most.
    pub fn new(sdk: SdkConfig, http: SharedHttpClient, attempts: u32) -> ServiceCaller {
        let timeouts = sdk.timeout_config().cloned();
        ServiceCaller {
            timeouts: timeouts.unwrap_or_else(TimeoutConfig::disabled),
            retries: RetryConfig::standard()
                .with_max_attempts(attempts)
                .with_max_backoff(MAX_BACKOFF),
            sdk,
            http,
        }
    }

    /// How the environment says AWS is reached.
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The client that requests are sent by.
    pub fn http(&self) -> &SharedHttpClient {
        &self.http
    }

    /// The URL that a service is asked at: the one that the environment redirects it to
    /// ("Service-specific endpoints", *AWS SDKs and Tools Reference Guide*), or AWS's.
    fn endpoint(&self, settings_name: &str, host: &Host) -> String {
        let own = self.sdk.service_config().and_then(|config| {
            let key = aws_types::service_config::ServiceConfigKey::builder()
                .service_id(settings_name)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .ok()?;
            config.load_config(key)
        });
        own.or_else(|| self.sdk.endpoint_url().map(str::to_owned))
            .unwrap_or_else(|| format!("https://{}", host.name))
    }

    /// Sends a request; `read` reads the answer, whatever its status.
    ///
    /// Sent again is what was throttled, what the service failed at, what broke on the way, and what
    /// was answered by something that is not the service.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub async fn send<T>(
        &self,
        call: ServiceCall,
        request: Request,
        read: impl Fn(&HttpResponse) -> Result<T, AnswerError> + Send + Sync + 'static,
    ) -> Result<Answered<T>, CallError>
    where
        T: fmt::Debug + Send + Sync + 'static,
    {
        let mut config = Layer::new("call");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigV4OperationSigningConfig {
            region: Some(Region::new(call.host.signing_region.clone()).into()),
            name: Some(call.signing_name.into()),
            ..SigV4OperationSigningConfig::default()
        });
        config.store_put(call.partition);
        config.store_put(self.retries.clone());
        let mut components = RuntimeComponentsBuilder::new("call");
        components
            .push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
                StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
            )))
            .set_identity_cache(Some(call.identities))
            .set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(call.credentials))
            .set_time_source(self.sdk.time_source())
            .set_sleep_impl(self.sdk.sleep_impl());
        let counter = AttemptCounter::default();
        let operation: Operation<Request, T, AnswerError> = Operation::builder()
            .service_name(call.service)
            .operation_name(call.operation)
            .behavior_version(crate::aws::behavior_version())
            .http_client(self.http.clone())
            .endpoint_url(&self.endpoint(call.settings_name, &call.host))
            .standard_retry(&self.retries)
            .retry_classifier(AnswerClassifier(call.throttled))
            .retry_classifier(TransientErrorClassifier::<AnswerError>::new())
            .timeout_config(self.timeouts.clone())
            .interceptor(counter.clone())
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
                read(response).map_err(OrchestratorError::operation)
            })
            .build();
        let answered = operation.invoke(request).await;
        let attempts = counter.attempts();
        match answered {
            Ok(value) => Ok(Answered { value, attempts }),
            Err(error) => Err(CallError {
                status: error.raw_response().map(|r| r.status().as_u16()),
                failure: call_failure(error),
                attempts,
            }),
        }
    }
}

/// An interceptor that counts how often requests are sent; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct AttemptCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU32,
    attempts: AtomicU32,
}

impl AttemptCounter {
    /// How often requests were sent so far.
    pub fn attempts(&self) -> u32 {
        self.0.attempts.load(Ordering::Relaxed)
    }

    /// How often of these they were sent again.
    pub fn retries(&self) -> u32 {
        let requests = self.0.requests.load(Ordering::Relaxed);
        self.attempts().saturating_sub(requests)
    }
}

#[dyn_dispatch_hint]
impl Intercept for AttemptCounter {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.attempts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Which answers are worth another attempt, and who is told of them.
#[derive(Debug)]
struct AnswerClassifier(OnThrottling);

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
                let OnThrottling(tell) = &self.0;
                tell();
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

fn failure(code: &str, message: impl Into<String>) -> CallFailure {
    CallFailure {
        state: State::Error,
        code: code.to_owned(),
        message: message.into(),
        request_id: None,
    }
}

fn call_failure(error: SdkError<AnswerError, HttpResponse>) -> CallFailure {
    match error {
        SdkError::ServiceError(context) => match context.into_err() {
            AnswerError::Failure(failure) => failure,
            error => failure("UnreadableAnswer", format!("{error}.")),
        },
        SdkError::TimeoutError(_) => CallFailure::silence(
            Silence::Timeout,
            "No answer came in time; the region's endpoint may not be reachable from here.",
        ),
        SdkError::DispatchFailure(dispatch) => CallFailure::silence(
            Silence::Unreachable,
            format!(
                "The endpoint could not be reached: {}.",
                dispatch
                    .as_connector_error()
                    .map_or_else(|| "the connection failed".to_owned(), |error| causes(error))
            ),
        ),
        SdkError::ResponseError(_) => failure(
            "CutAnswer",
            "The connection ended in the middle of the answer.",
        ),
        error => failure("Call", format!("{}.", causes(&error))),
    }
}

/// What an error says, and what caused it, each once.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let text = cause.to_string();
        if !said.iter().any(|known| known.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}
