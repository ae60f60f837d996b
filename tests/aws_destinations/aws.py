"""An AWS of moto's with what destinations need, for tests that speak to it in Rust.

    python aws.py          prints one line of JSON, then serves until its standard input ends

It has buckets `lake`, `logs`, `aside` and, with versioning, `versions`; a KMS key with the alias `alias/lake`, a stream
`flows` that Firehose delivers to the bucket `landing`, secrets and a SecureString; and a queue `flows`, whose messages go
to the queue `dead` when they come for the second time. Neither hides a message that was received. The line names the
port, the key's ARN, the ARN of a secret, the URLs of the queues, and values.
"""

import json
import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
TOKEN = "t0ken-of-the-receiver"


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region_name=REGION)

    def client(service: str):
        return session.client(service, endpoint_url=f"http://127.0.0.1:{port}")

    s3 = client("s3")
    for bucket in ["lake", "landing", "logs", "aside", "versions"]:
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/lake", TargetKeyId=key)
    client("firehose").create_delivery_stream(
        DeliveryStreamName="flows",
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            "BucketARN": "arn:aws:s3:::landing",
        },
    )
    secrets = client("secretsmanager")
    secrets.create_secret(Name="prod/token", SecretString=TOKEN)
    secrets.create_secret(Name="prod/bytes", SecretBinary=TOKEN.encode())
    object_arn = secrets.create_secret(Name="prod/object", SecretString=json.dumps({"hec_token": TOKEN}))["ARN"]
    ssm = client("ssm")
    ssm.put_parameter(Name="/prod/token", Type="SecureString", Value="before", KeyId="alias/lake")
    ssm.put_parameter(Name="/prod/token", Type="SecureString", Value=TOKEN, KeyId="alias/lake", Overwrite=True)

    sqs = client("sqs")
    dead = sqs.create_queue(QueueName="dead", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    queue = sqs.create_queue(QueueName="flows", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": redrive})["QueueUrl"]

    started = {"port": port, "key": key, "object": object_arn, "token": TOKEN, "queue": queue, "dead": dead}
    print(json.dumps(started), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
