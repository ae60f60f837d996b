use invocation::scripted_http::{Reply, ScriptedHttp};
use proptest::prelude::*;

use super::*;

fn credential(text: &str) -> Credential {
    text.parse().unwrap()
}

fn variable(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("s3cret\n".to_owned()),
        "EMPTY" => Some("\n".to_owned()),
        _ => None,
    }
}

async fn read(text: &str, reply: Reply) -> Result<Secret, CredentialError> {
    let http = ScriptedHttp::answering(move |_| Some(reply.clone()));
    let sdk = http.sdk_config().await;
    credential(text).read(variable, &sdk).await
}

#[test]
fn credentials_print_as_they_are_written() {
    for text in [
        "env:TOKEN",
        "secretsmanager:prod/splunk-token",
        "secretsmanager:prod/splunk#hec_token",
        "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/splunk-AbCdEf#t",
        "ssm:/prod/splunk",
        "ssm:/prod/splunk:3",
        "ssm:arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/prod/splunk",
    ] {
        assert_eq!(credential(text).to_string(), text);
    }
}

#[test]
fn what_is_no_place_is_refused_without_being_repeated() {
    for (text, reason) in [
        ("sk-live-1234", "does not say where"),
        ("env:", "nothing stands"),
        ("env:A B", "environment variable"),
        ("env:1A", "environment variable"),
        ("Bearer:sk-live-1234", "env, secretsmanager or ssm"),
        ("secretsmanager:a b", "name or ARN of the secret"),
        ("secretsmanager:a#", "nothing stands after #"),
        (
            "secretsmanager:arn:aws:ssm:eu-west-1:1:secret:sk-live-1234",
            "name or ARN",
        ),
        (
            "ssm:arn:aws:ssm:nowhere:1:parameter/sk-live-1234",
            "name or ARN",
        ),
        ("ssm:/a b", "name or ARN of the parameter"),
    ] {
        let error = text.parse::<Credential>().unwrap_err().to_string();
        assert!(
            error.contains(reason) && !error.contains("sk-live"),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn what_can_be_read_prints_as_it_was(text in "(env|secretsmanager|ssm):[A-Za-z0-9_/.:#-]{0,20}") {
        if let Ok(credential) = text.parse::<Credential>() {
            prop_assert_eq!(credential.to_string(), text);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn values_are_read_from_where_they_are_kept() {
    let secret = |text: &str| Reply::answer(200, json!({"SecretString": text}));
    for (text, reply, value) in [
        ("env:TOKEN", Reply::Refused, "s3cret"),
        ("secretsmanager:a", secret("s3cret\r\n"), "s3cret"),
        (
            "secretsmanager:a",
            Reply::answer(200, json!({"SecretBinary": "czNjcmV0"})),
            "s3cret",
        ),
        (
            "secretsmanager:a#token",
            secret(r#"{"token":"s3cret"}"#),
            "s3cret",
        ),
        ("secretsmanager:a#pin", secret(r#"{"pin":1234}"#), "1234"),
        (
            "ssm:/a",
            Reply::answer(200, json!({"Parameter": {"Value": "s3cret"}})),
            "s3cret",
        ),
    ] {
        assert_eq!(read(text, reply).await.unwrap().expose(), value, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_name_the_secret_and_go_to_its_region() {
    for (text, url, target, body) in [
        (
            "secretsmanager:prod/a#k",
            "https://secretsmanager.us-east-1.amazonaws.com/",
            "secretsmanager.GetSecretValue",
            json!({"SecretId": "prod/a"}),
        ),
        (
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf",
            "https://secretsmanager.eu-west-1.amazonaws.com/",
            "secretsmanager.GetSecretValue",
            json!({"SecretId": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf"}),
        ),
        (
            "ssm:/prod/a",
            "https://ssm.us-east-1.amazonaws.com/",
            "AmazonSSM.GetParameter",
            json!({"Name": "/prod/a", "WithDecryption": true}),
        ),
    ] {
        let http = ScriptedHttp::replies([Reply::answer(200, "{}")]);
        let sdk = http.sdk_config().await;
        credential(text).read(variable, &sdk).await.unwrap_err();
        let request = &http.arrived()[0];
        assert_eq!(request.url, url);
        assert_eq!(request.header("x-amz-target"), Some(target));
        assert_eq!(
            serde_json::from_slice::<Value>(&request.body).unwrap(),
            body
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_with_what_to_allow_and_without_the_secret() {
    use FailureClass::{Config, Retry};
    let error =
        |code: &str, message: &str| Reply::answer(400, json!({"__type": code, "Message": message}));
    let secret = |text: &str| Reply::answer(200, json!({"SecretString": text}));
    for (text, reply, class, said) in [
        (
            "env:ABSENT",
            Reply::Refused,
            Config,
            "environment variable ABSENT is not set",
        ),
        ("env:EMPTY", Reply::Refused, Config, "it is empty"),
        (
            "secretsmanager:prod/a",
            error(
                "AccessDeniedException",
                "no identity-based policy allows it",
            ),
            Config,
            "allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:us-east-1:*:secret:prod/a-?????? in",
        ),
        (
            "secretsmanager:prod/a",
            error("AccessDeniedException", "Access to KMS is not allowed"),
            Config,
            "allow kms:Decrypt",
        ),
        (
            "secretsmanager:prod/a",
            error(
                "ResourceNotFoundException",
                "can't find the specified secret",
            ),
            Config,
            "there is no secret prod/a in us-east-1",
        ),
        (
            "secretsmanager:a",
            error("InvalidRequestException", "it was marked for deletion."),
            Config,
            "marked for deletion",
        ),
        (
            "ssm:/prod/a:3",
            error("AccessDeniedException", "no"),
            Config,
            "allow ssm:GetParameter on arn:aws:ssm:us-east-1:*:parameter/prod/a in",
        ),
        (
            "ssm:/prod/a",
            error("ParameterNotFound", ""),
            Config,
            "no parameter /prod/a",
        ),
        (
            "ssm:/prod/a",
            error("InvalidKeyId", ""),
            Config,
            "allow kms:Decrypt",
        ),
        (
            "ssm:/prod/a",
            error("ThrottlingException", "Rate exceeded"),
            Retry,
            "Rate exceeded",
        ),
        ("ssm:/prod/a", Reply::Silence, Retry, "got no answer"),
        (
            "ssm:/prod/a",
            Reply::answer(200, "{\"s3cret\""),
            Retry,
            "it is not JSON",
        ),
        (
            "secretsmanager:a#k",
            secret("{\"s3cret"),
            Config,
            "it is not JSON",
        ),
        (
            "secretsmanager:a#k",
            secret(r#"{"other":"s3cret"}"#),
            Config,
            "has no member k",
        ),
        (
            "secretsmanager:a#k",
            secret(r#"{"k":{"s3cret":1}}"#),
            Config,
            "k is not text",
        ),
        (
            "secretsmanager:a#k",
            secret(r#"["s3cret"]"#),
            Config,
            "has no member k",
        ),
        (
            "secretsmanager:a",
            Reply::answer(200, json!({"SecretBinary": "/////w=="})),
            Config,
            "neither text nor UTF-8",
        ),
    ] {
        let error = read(text, reply).await.unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(said) && !message.contains("s3cret"),
            "{message}"
        );
        assert!(message.starts_with(&format!("the credential {text} cannot be read: ")));
        assert_eq!(error.class, class, "{message}");
    }
}
