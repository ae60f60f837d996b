//! The collector as a Lambda function.

use std::sync::Arc;
use std::time::{Duration, Instant};

use invocation::{Budget, aws, logging};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use metadata_collector::aws_cloud::AwsCloud;
use metadata_collector::{Answer, Collector, Config};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variable = |name: &str| std::env::var(name).ok();
    logging::start(variable);
    let config = match Config::from_lookup(variable) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(error_type = "Config.Environment", %error, "the function cannot start");
            return Err(error.into());
        }
    };
    let http = aws::http_client();
    let sdk = aws::sdk_config_over(http.clone()).await;
    let cloud = Arc::new(AwsCloud::new(sdk.clone(), http, config.attempts));
    let collector = match Collector::on_aws(cloud, &sdk, config, &variable, Timestamp::now).await {
        Ok(collector) => collector,
        Err(error) => {
            tracing::error!(error_type = "Config.Environment", %error, "the function cannot start");
            return Err(error.into());
        }
    };
    let collector = &collector;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        Box::pin(invoke(collector, event))
    }))
    .await
}

async fn invoke(
    collector: &Collector<AwsCloud>,
    event: LambdaEvent<Value>,
) -> Result<Value, lambda_runtime::Diagnostic> {
    let started = Instant::now();
    let now_ms = Timestamp::now().as_millisecond().unsigned_abs();
    let reserve = collector.config().deadline_reserve;
    let budget = Budget::of_invocation(event.context.deadline, now_ms, reserve);
    let Answer { summary, result } = collector.handle(&event.payload, &budget).await;
    let function = &event.context.env_config.function_name;
    let namespace = &collector.config().metrics_namespace;
    let duration: Duration = started.elapsed();
    println!("{}", summary.metrics(namespace, function, now_ms, duration));
    result.map_err(|error| lambda_runtime::Diagnostic {
        error_type: error.error_type(),
        error_message: error.message,
    })
}
