//! Services that speak JSON: the operation in `X-Amz-Target`, JSON both ways ("AWS JSON 1.0 protocol" and "AWS JSON
//! 1.1 protocol", *Smithy 2.0*).

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;
use telemetry::describe::answer::{AnswerError, json_failure};
use telemetry::describe::partition;
use telemetry::describe::request::Request;
use telemetry::describe::service::Host;

use crate::aws;
use crate::service_call::{Answered, CallError, OnThrottling, ServiceCall, ServiceCaller};

/// A service that is used, but not described: those that are stand in [`telemetry::describe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonService {
    /// Amazon Data Firehose.
    Firehose,
    /// Amazon SQS.
    Sqs,
    /// AWS Secrets Manager.
    SecretsManager,
    /// AWS Systems Manager, of which the Parameter Store is used.
    Ssm,
}

/// What is known of a service.
struct Facts {
    /// In hosts, signatures and IAM actions.
    name: &'static str,
    /// In settings of single services.
    settings_name: &'static str,
    /// Before the operation in `X-Amz-Target`.
    target: &'static str,
    /// The version of the protocol.
    version: &'static str,
}

impl JsonService {
    // "metadata" of each service's model, as AWS publishes it with its SDKs.
    const fn facts(self) -> Facts {
        match self {
            JsonService::Firehose => Facts {
                name: "firehose",
                settings_name: "Firehose",
                target: "Firehose_20150804",
                version: "1.1",
            },
            JsonService::Sqs => Facts {
                name: "sqs",
                settings_name: "SQS",
                target: "AmazonSQS",
                version: "1.0",
            },
            JsonService::SecretsManager => Facts {
                name: "secretsmanager",
                settings_name: "Secrets Manager",
                target: "secretsmanager",
                version: "1.1",
            },
            JsonService::Ssm => Facts {
                name: "ssm",
                settings_name: "SSM",
                target: "AmazonSSM",
                version: "1.1",
            },
        }
    }

    /// The service's name in hosts and signatures, and before the colon of its IAM actions.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }
}

/// Why a service cannot be called at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonClientError {
    /// Nothing says which region to ask.
    #[error("no region is set for {0}: set AWS_REGION, or name the region")]
    NoRegion(&'static str),
    /// The name of a region that cannot be one.
    #[error("{0:?} is not an AWS region; write it as AWS does, such as us-east-1")]
    Region(String),
    /// Nothing to sign with.
    #[error("no AWS credentials are configured")]
    NoCredentials,
}

/// Calls one service in one region.
#[derive(Debug, Clone)]
pub struct JsonClient {
    caller: ServiceCaller,
    service: JsonService,
    host: Host,
    credentials: SharedCredentialsProvider,
    identities: SharedIdentityCache,
    partition: RetryPartition,
}

impl JsonClient {
    /// A client for a service in `region`, or else in the region of the configuration.
    ///
    /// # Errors
    /// The region is none, or there is none, or there are no credentials.
    pub fn new(
        sdk: &SdkConfig,
        service: JsonService,
        region: Option<&str>,
    ) -> Result<JsonClient, JsonClientError> {
        let name = service.name();
        let region = region
            .or_else(|| sdk.region().map(AsRef::as_ref))
            .ok_or(JsonClientError::NoRegion(name))?;
        let partition = partition::of_region(region)
            .ok_or_else(|| JsonClientError::Region(region.to_owned()))?;
        let http = sdk.http_client().unwrap_or_else(aws::http_client);
        Ok(JsonClient {
            caller: ServiceCaller::new(sdk.clone(), http, aws::ATTEMPTS),
            service,
            host: Host {
                name: format!("{name}.{region}.{}", partition.dns_suffix),
                signing_region: region.to_owned(),
            },
            credentials: sdk
                .credentials_provider()
                .ok_or(JsonClientError::NoCredentials)?,
            identities: IdentityCache::lazy().build(),
            // Of its own: what is left of retries is not shared with other services.
            partition: RetryPartition::custom(name).build(),
        })
    }

    /// The region that is called.
    pub fn region(&self) -> &str {
        &self.host.signing_region
    }

    /// Calls an operation. `body` is the JSON of its input; the answer is that of its output.
    ///
    /// # Errors
    /// The call failed at every attempt.
    pub async fn call(
        &self,
        operation: &'static str,
        body: Vec<u8>,
    ) -> Result<Answered<Value>, CallError> {
        let Facts {
            name,
            settings_name,
            target,
            version,
        } = self.service.facts();
        let call = ServiceCall {
            service: name,
            settings_name,
            signing_name: name,
            host: self.host.clone(),
            operation: operation.to_owned(),
            credentials: self.credentials.clone(),
            identities: self.identities.clone(),
            partition: self.partition.clone(),
            throttled: OnThrottling::ignore(),
        };
        let request = Request {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: vec![
                ("content-type", format!("application/x-amz-json-{version}")),
                ("x-amz-target", format!("{target}.{operation}")),
            ],
            body,
        };
        let read = move |response: &HttpResponse| read(name, operation, response);
        self.caller.send(call, request, read).await
    }
}

fn read(service: &str, operation: &str, response: &HttpResponse) -> Result<Value, AnswerError> {
    let body = response.body().bytes().unwrap_or_default();
    let status = response.status().as_u16();
    let unreadable = |reason: &str| AnswerError::Unreadable {
        operation: format!("{service}:{operation}"),
        reason: reason.to_owned(),
        status,
        bytes: body.len(),
    };
    if !response.status().is_success() {
        let header = |name: &str| response.headers().get(name);
        return Err(match json_failure(&header, body) {
            Some(failure) => failure.into(),
            None => unreadable("it says no error code"),
        });
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(unreadable("it is not a JSON object")),
        // Not the parser's words: they may quote the answer, which may be a secret.
        Err(_) => Err(unreadable("it is not JSON")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_http::{Reply, ScriptedHttp};

    async fn call(http: &ScriptedHttp) -> Result<Answered<Value>, CallError> {
        let sdk = http.sdk_config().await;
        let client = JsonClient::new(&sdk, JsonService::SecretsManager, None).unwrap();
        let body = br#"{"SecretId":"token"}"#.to_vec();
        client.call("GetSecretValue", body).await
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_signed_json_of_the_operation() {
        let http = ScriptedHttp::replies([Reply::answer(200, r#"{"SecretString":"s"}"#)]);
        let answered = call(&http).await.unwrap();
        assert_eq!(answered.value["SecretString"], "s");
        assert_eq!(answered.attempts, 1);
        let [request] = &http.arrived()[..] else {
            panic!("one request");
        };
        assert_eq!(request.method, "POST");
        assert_eq!(
            request.url,
            "https://secretsmanager.us-east-1.amazonaws.com/"
        );
        assert_eq!(request.body, br#"{"SecretId":"token"}"#);
        for (header, value) in [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
        ] {
            assert_eq!(request.header(header), Some(value));
        }
        let signature = request.header("authorization").unwrap();
        let scope = "/us-east-1/secretsmanager/aws4_request, SignedHeaders=";
        assert!(signature.contains(scope), "{signature}");
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("cloud-export/"), "{agent}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again() {
        let throttled = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
        let failed = r#"{"__type":"com.amazonaws#InternalServiceError"}"#;
        let http = ScriptedHttp::replies([
            Reply::answer(400, throttled),
            Reply::answer(500, failed),
            Reply::Cut,
            Reply::answer(200, "{}"),
        ]);
        assert_eq!(call(&http).await.unwrap().attempts, 4);
        for (reply, code, status) in [
            (
                Reply::answer(400, throttled),
                "ThrottlingException",
                Some(400),
            ),
            (
                Reply::answer(500, failed),
                "InternalServiceError",
                Some(500),
            ),
            (Reply::Silence, "Unreachable", None),
            (Reply::Refused, "Unreachable", None),
            (
                Reply::answer(200, r#"{"cut":"#),
                "UnreadableAnswer",
                Some(200),
            ),
            (Reply::answer(200, "[]"), "UnreadableAnswer", Some(200)),
            (Reply::answer(502, "<html>"), "UnreadableAnswer", Some(502)),
        ] {
            let http = ScriptedHttp::answering(move |_| Some(reply.clone()));
            let error = call(&http).await.unwrap_err();
            let found = (&*error.failure.code, error.status, error.attempts);
            assert_eq!(found, (code, status, 4), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_change_is_not_tried_again() {
        let denied = r#"{"__type":"AccessDeniedException","Message":"no identity-based policy"}"#;
        let http = ScriptedHttp::replies([Reply::answer(400, denied)]);
        let error = call(&http).await.unwrap_err();
        assert_eq!((error.status, error.attempts), (Some(400), 1));
        assert_eq!(
            error.to_string(),
            "AccessDeniedException: no identity-based policy"
        );
    }

    #[tokio::test]
    async fn a_region_is_needed_and_has_to_be_one() {
        let http = ScriptedHttp::replies([]);
        let sdk = http.sdk_config().await;
        let client = |region| JsonClient::new(&sdk, JsonService::Ssm, region);
        let china = client(Some("cn-north-1")).unwrap();
        assert_eq!(china.host.name, "ssm.cn-north-1.amazonaws.com.cn");
        assert_eq!(china.region(), "cn-north-1");
        let error = client(Some("us-east-1.example.org/")).unwrap_err();
        assert!(error.to_string().contains("not an AWS region"), "{error}");
        let nowhere = sdk.into_builder().region(None).build();
        let error = JsonClient::new(&nowhere, JsonService::Ssm, None).unwrap_err();
        assert_eq!(error, JsonClientError::NoRegion("ssm"));
    }
}
