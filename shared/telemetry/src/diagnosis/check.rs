//! The checks, as one table: what is looked for, how bad it is, why it matters and what mends it.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing is lost by it.
    Info,
    /// Something is lost, or known less well than it could be.
    Warning,
    /// What was asked for does not work.
    Error,
}

impl Severity {
    /// Every severity, the worst first.
    pub const ALL: [Severity; 4] = [
        Severity::Error,
        Severity::Warning,
        Severity::Info,
        Severity::Ok,
    ];

    /// The name in reports.
    pub const fn label(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// One row of the table of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInfo {
    /// The check that this row describes.
    pub check: Check,
    /// The stable name in reports.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, for any number of places.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The command or policy that mends it, with `<names>` for what a finding fills in. What is left is
    /// for whoever runs it. Empty where there is nothing to mend.
    pub fix: &'static str,
}

macro_rules! checks {
    ($($variant:ident $code:literal $severity:ident $title:literal, $why:literal, $fix:literal;)*) => {
        /// Something that is looked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = $title] $variant,)*
        }

        /// Every check, in the order of [`Check`].
        pub const CHECKS: &[CheckInfo] = &[
            $(CheckInfo {
                check: Check::$variant,
                code: $code,
                severity: Severity::$severity,
                title: $title,
                why: $why,
                fix: $fix,
            },)*
        ];

        impl Check {
            /// This check's row of the table.
            pub const fn info(self) -> &'static CheckInfo {
                match self {
                    $(Check::$variant => const {
                        &CheckInfo {
                            check: Check::$variant,
                            code: $code,
                            severity: Severity::$severity,
                            title: $title,
                            why: $why,
                            fix: $fix,
                        }
                    },)*
                }
            }
        }
    };
}

checks! {
    // ---- Who asks, and through which roles -----------------------------------------------------
    IdentityOk "identity.ok" Ok "AWS knows the credentials at hand",
        "Everything is asked with them, or with roles that they may assume.", "";
    IdentityRefused "identity.refused" Error "the credentials at hand are missing or refused",
        "Nothing can be asked without them.",
        "aws sts get-caller-identity   # then: aws configure, aws sso login, or AWS_PROFILE=…";
    RoleOk "role.ok" Ok "the role can be assumed",
        "The account is asked with it.", "";
    RoleRefused "role.refused" Error "the role cannot be assumed",
        "AWS answers AccessDenied alike when the role does not exist, when its trust policy does not name the caller, when the external id differs, and when the caller may not assume it. Nothing of the account is seen.",
        "In account <account>, compare with what is there (aws iam get-role --role-name <role-name> --query Role.AssumeRolePolicyDocument); NoSuchEntity says that there is no such role:\n<trust-policy>\nThe caller <caller> needs beside it:\n<caller-policy>";
    RoleUnanswered "role.unanswered" Error "whether the role can be assumed is not known",
        "STS did not answer, or not with yes or no. Nothing of the account is seen.",
        "AWS_REGION=<a region whose STS is active> cloud-export check";
    RoleAnyExternalId "role.any-external-id" Warning "the role can be assumed without its external id, too",
        "An external id that the trust policy does not ask for protects nobody: whoever may use the caller for another purpose reaches this account.",
        "aws iam update-assume-role-policy --role-name <role-name> --policy-document '<trust-policy>'   # in account <account>";
    AccountsUnlisted "accounts.unlisted" Error "the organization's accounts cannot be listed",
        "Only the primary role's account is looked at: nobody knows which others there are.",
        "Use a primary role in the management account or in one that it delegated to, with organizations:ListAccounts; or list the accounts in CLOUD_EXPORT_ACCOUNTS";
    // ---- Regions and calls -----------------------------------------------------------------------
    RegionOk "region.ok" Ok "the region answers", "Its calls were asked.", "";
    RegionDisabled "region.disabled" Error "the region is not enabled in the account",
        "It is on the list of regions, and AWS refuses every call there.",
        "aws account enable-region --region-name <region>   # in account <account>; or take it from CLOUD_EXPORT_REGIONS";
    RegionUnknown "region.unknown" Error "AWS has no such region",
        "It is on the list of regions, and nothing answers there. A letter or digit may be wrong.",
        "CLOUD_EXPORT_REGIONS=<known-regions>";
    RegionsUnlisted "regions.unlisted" Error "the account's regions cannot be listed",
        "The account is asked in the regions it has enabled, and nobody knows which these are.",
        "Allow ec2:DescribeRegions in the role <role>, or list the regions in CLOUD_EXPORT_REGIONS";
    EndpointDenied "endpoint.denied" Warning "a call is denied",
        "What it would tell is missing: records name no resources of this kind, and nothing is known of what changed.",
        "aws iam put-role-policy --role-name <role-name> --policy-name cloud-export-reader --policy-document \"$(cloud-export policy)\"   # in account <account>; if the policy allows <action> already, a service control policy or permissions boundary denies it";
    EndpointFailed "endpoint.failed" Warning "a call is not answered",
        "What it would tell is missing, or as old as the last answer.",
        "cloud-export check   # again: throttling and outages pass; a blocked network does not";
    // ---- Buckets ---------------------------------------------------------------------------------
    BucketOk "bucket.ok" Ok "objects of the bucket can be read", "The newest object was opened.", "";
    BucketMissing "bucket.missing" Error "there is no such bucket",
        "Logs have nowhere to go, and nothing can be read.",
        "aws s3 mb s3://<bucket> --region <region>   # or mend the name";
    BucketDenied "bucket.denied" Error "the bucket may not be used",
        "Its objects cannot be read. The identity's policy, the bucket policy, or a policy of the organization denies it.",
        "Allow in the identity's policy, and in the bucket policy when the bucket belongs to another account:\n<read-policy>";
    BucketUnanswered "bucket.unanswered" Error "the bucket does not answer",
        "Whether its objects can be read is not known.",
        "aws s3api head-bucket --bucket <bucket>   # compare network, proxy and endpoint settings";
    BucketOtherRegion "bucket.other-region" Warning "the bucket is in another region",
        "Each object that is read crosses regions and is paid for; a bucket notifies only queues, topics and functions of its own region.",
        "AWS_REGION=<region>   # and deploy the forwarder there, one for each region with a log bucket";
    BucketListDenied "bucket.list-denied" Warning "the bucket cannot be listed",
        "Whether records arrive cannot be told, nothing can be backfilled, and an object that is gone is answered like one that is forbidden.",
        "Allow in the identity's policy, and in the bucket policy when the bucket belongs to another account:\n<read-policy>";
    BucketReadDenied "bucket.read-denied" Error "objects may not be read",
        "The bucket answers, and its objects do not: no record is forwarded.",
        "Allow in the identity's policy, and in the bucket policy when the bucket belongs to another account:\n<read-policy>";
    BucketKmsDenied "bucket.kms-denied" Error "the KMS key of objects may not be used",
        "S3 grants the object and KMS does not decrypt it: no record is forwarded.",
        "Allow in the identity's policy, and in the key policy when the key belongs to another account:\n<decrypt-policy>";
    BucketSseC "bucket.sse-c" Error "objects are encrypted with a key that the reader has to bring (SSE-C)",
        "Nobody can read them without that key, which is kept by whoever wrote them. AWS's own log delivery never writes so.",
        "aws s3api put-bucket-encryption --bucket <bucket> --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"AES256\"},\"BlockedEncryptionTypes\":{\"EncryptionType\":[\"SSE-C\"]}}]}'   # then write the objects again without a key of their own";
    BucketArchived "bucket.archived" Warning "objects are archived",
        "They cannot be read before they are restored.",
        "aws s3api put-bucket-lifecycle-configuration --bucket <bucket> --lifecycle-configuration file://lifecycle.json   # with a later transition to Glacier";
    BucketUnreadable "bucket.unreadable" Error "the newest object cannot be read",
        "No record of it is forwarded.",
        "aws s3api get-object --bucket <bucket> --key '<key>' /dev/null";
    BucketEmpty "bucket.empty" Info "there is no object to try",
        "Whether objects can be read and decrypted shows when the first one has arrived.", "";
    BucketAwsManagedKey "bucket.aws-managed-key" Error "the bucket encrypts with the key that AWS manages (aws/s3)",
        "Log delivery cannot use that key, and its policy cannot be changed: logs do not arrive, or other accounts cannot read them.",
        "aws s3api put-bucket-encryption --bucket <bucket> --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"aws:kms\",\"KMSMasterKeyID\":\"<ARN of a customer managed key>\"},\"BucketKeyEnabled\":true}]}'";
    BucketKeyId "bucket.key-id" Error "the bucket names its KMS key by id, not by ARN",
        "Log delivery answers that the bucket is undeliverable.",
        "aws s3api put-bucket-encryption --bucket <bucket> --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"aws:kms\",\"KMSMasterKeyID\":\"<ARN of key <key-id>>\"},\"BucketKeyEnabled\":true}]}'";
    BucketUnasked "bucket.unasked" Info "a setting of the bucket cannot be asked",
        "What depends on it was not checked.",
        "Allow <action> on arn:<partition>:s3:::<bucket> for whoever runs this command; the functions do not need it";
    DeliveryPolicyNone "delivery-policy.none" Warning "the bucket has no policy",
        "Log delivery needs one. AWS adds it when a flow log is created by somebody who may change it, and only then.",
        "Put this policy on the bucket (aws s3api put-bucket-policy --bucket <bucket> --policy file://policy.json):\n<delivery-policy>";
    DeliveryPolicyDenies "delivery-policy.denies" Error "the bucket policy does not let logs in",
        "delivery.logs.amazonaws.com may not write what this account and region would deliver: logs of it are lost.",
        "Add these statements to the bucket policy (it replaces what is there, so read it first: aws s3api get-bucket-policy --bucket <bucket>):\n<delivery-policy>";
    NotificationOk "notification.ok" Ok "new objects are announced", "Each one becomes an event.", "";
    NotificationEventBridge "notification.event-bridge" Info "new objects are announced to EventBridge",
        "A rule has to send them on; which rules there are was not asked.",
        "aws events list-rule-names-by-target --target-arn <ARN of the forwarder's queue or function> --region <region>";
    NotificationNone "notification.none" Error "nobody is told of new objects",
        "The forwarder learns of objects by notifications: without one, nothing is forwarded.",
        "aws s3api put-bucket-notification-configuration --bucket <bucket> --notification-configuration '{\"EventBridgeConfiguration\":{}}'   # and a rule to the forwarder; or a QueueConfigurations entry for s3:ObjectCreated:*";
    NotificationFilter "notification.filter" Error "notifications leave the logs out",
        "Their filters by prefix and suffix do not fit the keys of logs: nothing of them is forwarded.",
        "aws s3api get-bucket-notification-configuration --bucket <bucket>   # change the filter, and put all of it back: putting replaces everything";
    NotificationEvents "notification.events" Warning "notifications miss some of the ways in which objects are created",
        "Logs are delivered by Put and by CompleteMultipartUpload: large objects are missed when only one is announced.",
        "aws s3api get-bucket-notification-configuration --bucket <bucket>   # ask for s3:ObjectCreated:*, and put all of it back: putting replaces everything";
    DeletionOk "deletion.ok" Ok "objects may be deleted once they are delivered", "An object that does not exist was allowed to be deleted.", "";
    DeletionDenied "deletion.denied" Error "objects may not be deleted",
        "CLOUD_EXPORT_DELETE_AFTER_READ is on: objects stay, and cost storage.",
        "Allow in the forwarder's role, and in the bucket policy when the bucket belongs to another account:\n<delete-policy>";
    DeletionOff "deletion.off" Info "objects are kept after they are read",
        "CLOUD_EXPORT_DELETE_AFTER_READ is off, or its prefixes leave the logs out: whether deleting is allowed was not tried.", "";
    DeletionUnanswered "deletion.unanswered" Warning "whether objects may be deleted is not known",
        "S3 answered neither yes nor no.",
        "cloud-export check   # again";
    DeletionVersions "deletion.versions" Info "the bucket keeps versions",
        "Deleting names the version, and takes s3:DeleteObjectVersion as well.",
        "Allow in the forwarder's role:\n<delete-policy>";
    MetadataOk "metadata.ok" Ok "the index of metadata is fresh", "Records are enriched from it.", "";
    MetadataNone "metadata.none" Warning "there is no index of metadata",
        "Records are forwarded as AWS wrote them: no names, no resources, no directions.",
        "cloud-export collect --metadata <url>   # or wait for the collector's first run";
    MetadataStale "metadata.stale" Warning "the index of metadata is old",
        "The collector has not finished a run lately. Records are enriched from what was known then, and marked stale.",
        "cloud-export inventory --coverage --metadata <url>   # and the collector's log";
    // ---- Flow logs -------------------------------------------------------------------------------
    FlowLogOk "flow-log.ok" Ok "traffic is logged", "All of it, to a log bucket.", "";
    FlowLogNone "flow-log.none" Error "the VPC has no flow log",
        "Nothing of its traffic is recorded, and what is not recorded cannot be had later.",
        "<create-command>";
    FlowLogIdle "flow-log.idle" Info "the VPC has no flow log, and no interface",
        "There is no traffic to log yet.",
        "<create-command>";
    FlowLogPartial "flow-log.partial" Warning "only a part of the VPC is logged",
        "Interfaces without a flow log of their own, of their subnet or of the VPC are not seen.",
        "<create-command>";
    FlowLogTransitGateway "flow-log.transit-gateway" Warning "the transit gateway has no flow log",
        "What passes between VPCs, VPNs and Direct Connect is seen at its ends only, and dropped packets not at all.",
        "<create-command>";
    FlowLogInactive "flow-log.inactive" Error "the flow log is not active",
        "It records nothing.",
        "aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log> && <create-command>";
    FlowLogFailed "flow-log.failed" Error "the flow log is not delivered",
        "Records are made and thrown away: AWS may not write to where they should go.",
        "Compare the policy of the bucket, and of its KMS key, with:\n<delivery-policy>";
    FlowLogElsewhere "flow-log.elsewhere" Warning "the flow log goes elsewhere than to S3",
        "The forwarder reads buckets: these records do not reach it. A VPC can have a second flow log.",
        "<create-command>";
    FlowLogOtherBucket "flow-log.other-bucket" Warning "the flow log goes to a bucket that is not read",
        "Its records do not reach the forwarder, unless another deployment reads that bucket.",
        "cloud-export check --logs s3://<other-bucket>   # or a flow log to a bucket that is read: <create-command>";
    FlowLogRequired "flow-log.required-fields" Error "the format lacks fields that nothing works without",
        "Flows cannot be counted and attributed.",
        "<create-command>   # then: aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log>";
    FlowLogDefaultFormat "flow-log.default-format" Warning "the flow log has AWS's default format",
        "Version 2 has no VPC, subnet, instance, direction, real addresses behind NAT or path: what was not recorded cannot be told later. A format cannot be changed; a new flow log replaces the old one.",
        "<create-command>   # then: aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log>";
    FlowLogFields "flow-log.fields" Warning "the format lacks fields that enrichment wants",
        "What they tell is guessed from the index or left out. A format cannot be changed; a new flow log replaces the old one.",
        "<create-command>   # then: aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log>";
    FlowLogOtherFields "flow-log.other-fields" Info "the format lacks fields that AWS offers",
        "Nothing here depends on them. Each field is paid for.", "";
    FlowLogAggregation "flow-log.aggregation" Warning "flows are aggregated over ten minutes",
        "Times, rates and bursts blur, and records come up to ten minutes later. Interfaces of Nitro instances use a minute in any case. An interval cannot be changed; a new flow log replaces the old one.",
        "<create-command>   # then: aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log>";
    FlowLogTraffic "flow-log.traffic" Warning "the flow log records only a part of the traffic",
        "What was accepted, or what was rejected, is not seen. The kind of traffic cannot be changed; a new flow log replaces the old one.",
        "<create-command>   # then: aws ec2 delete-flow-logs --region <region> --flow-log-ids <flow-log>";
    FlowLogUnknown "flow-log.unknown" Warning "flow logs cannot be listed",
        "Which VPCs, subnets, interfaces and transit gateways are logged is not known.",
        "Allow ec2:DescribeFlowLogs and ec2:DescribeVpcs in the role <role>";
    // ---- Firewall logs ---------------------------------------------------------------------------
    FirewallLogOk "firewall-log.ok" Ok "the firewall logs", "Alerts and flows go to a log bucket.", "";
    FirewallLogNone "firewall-log.none" Warning "the firewall logs nothing",
        "What it blocks, and what it lets through, is not recorded.",
        "aws network-firewall update-logging-configuration --region <region> --firewall-arn <firewall> --logging-configuration '<logging-configuration>'   # adds one entry a call";
    FirewallLogPartial "firewall-log.partial" Warning "the firewall logs only a part",
        "Alerts tell what its rules matched, flows what passed: one is missing.",
        "aws network-firewall update-logging-configuration --region <region> --firewall-arn <firewall> --logging-configuration '<logging-configuration>'   # adds one entry a call";
    FirewallLogElsewhere "firewall-log.elsewhere" Warning "the firewall's log goes where it is not read",
        "The forwarder reads the log buckets: these entries do not reach it.",
        "aws network-firewall update-logging-configuration --region <region> --firewall-arn <firewall> --logging-configuration '<logging-configuration>'   # replaces the destination of a kind of log";
    FirewallLogUnknown "firewall-log.unknown" Warning "whether the firewall logs is not known",
        "Its logging configuration cannot be asked.",
        "Allow network-firewall:DescribeLoggingConfiguration in the role <role>";
    // ---- Arrival ---------------------------------------------------------------------------------
    ArrivalOk "arrival.ok" Ok "records arrive", "As fast as AWS delivers them.", "";
    ArrivalNone "arrival.none" Error "no records arrive",
        "The flow log is on, and nothing of it lies in the newest folders of the bucket.",
        "aws ec2 describe-flow-logs --region <region> --flow-log-ids <flow-log>   # DeliverLogsStatus; then compare the bucket's policy with:\n<delivery-policy>";
    ArrivalLate "arrival.late" Warning "records arrive late",
        "AWS delivers about ten minutes after a window ends. Delivery failed since, nothing sends any more, or the objects were deleted or moved.",
        "aws ec2 describe-flow-logs --region <region> --flow-log-ids <flow-log>   # DeliverLogsStatus";
    ArrivalUnasked "arrival.unasked" Info "records arrive of an account or region that is not asked",
        "They are forwarded without names and resources: the collector does not know what they belong to.",
        "CLOUD_EXPORT_ACCOUNTS=…,<account>   # and CLOUD_EXPORT_REGIONS with <region>";
}

impl Check {
    /// The stable name in reports.
    pub const fn code(self) -> &'static str {
        self.info().code
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        self.info().severity
    }
}
