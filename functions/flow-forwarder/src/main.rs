//! The forwarder as a Lambda function.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flow_forwarder::source::{AnySource, S3Source};
use flow_forwarder::{Config, Failure, Forwarder};
use invocation::{Budget, SettingError, aws, logging};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    logging::start(variable);
    let forwarder = match start(variable).await {
        Ok(forwarder) => forwarder,
        Err(error) => {
            tracing::error!(error_type = "Config.Environment", %error, "the function cannot start");
            return Err(error.into());
        }
    };
    let forwarder = &forwarder;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        invoke(forwarder, event)
    }))
    .await
}

async fn start(
    variable: impl Fn(&str) -> Option<String> + Sync,
) -> Result<Forwarder, SettingError> {
    let config = Config::from_lookup(&variable)?;
    let aws = aws::sdk_config().await;
    let index = config.enrichment.start(None, &aws).await?;
    let source = AnySource::S3(Box::new(S3Source::new(aws.clone())));
    Forwarder::new(config, source, index, &aws, &variable).await
}

async fn invoke(forwarder: &Forwarder, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let started = Instant::now();
    let reserve = forwarder.config().deadline_reserve;
    let budget = Budget::of_invocation(event.context.deadline, unix_ms(), reserve);
    let handled = forwarder.handle(&event.payload, &budget).await;
    let function = &event.context.env_config.function_name;
    let namespace = &forwarder.config().metrics_namespace;
    println!(
        "{}",
        handled
            .report
            .metrics(namespace, function, unix_ms(), started.elapsed())
    );
    handled.answer.into_json().map_err(diagnostic)
}

fn diagnostic(failure: Failure) -> Diagnostic {
    Diagnostic {
        error_type: failure.error_type(),
        error_message: failure.message,
    }
}

fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    since_epoch.as_millis() as u64
}
