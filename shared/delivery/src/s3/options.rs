//! How objects are kept in a bucket: encryption and storage class.

use std::fmt;
use std::str::FromStr;

use aws_sdk_s3::types::StorageClass as SdkStorageClass;

/// How objects are kept. By default the bucket decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// The KMS key that objects are encrypted with (SSE-KMS); `None` for the bucket's own default encryption.
    pub kms_key: Option<KmsKey>,
    /// The storage class; `None` for S3 Standard.
    pub storage_class: Option<StorageClass>,
}

/// A KMS key, as S3 takes it: an ARN, an alias `alias/name` or a key id, the latter two of the account that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsKey(String);

impl KmsKey {
    /// The key, as S3 takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no KMS key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no KMS key; write arn:aws:kms:REGION:ACCOUNT:key/ID, alias/NAME or the id of the key"
)]
pub struct KmsKeyError(String);

impl FromStr for KmsKey {
    type Err = KmsKeyError;

    fn from_str(text: &str) -> Result<KmsKey, KmsKeyError> {
        let named = |name: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
            !name.is_empty() && name.chars().all(fits)
        };
        let resource = |resource: &str| match resource.split_once('/') {
            Some(("key" | "alias", name)) => named(name),
            _ => false,
        };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let is_key = match parts[..] {
            ["arn", partition, "kms", region, account, arn_resource] => {
                !partition.is_empty()
                    && !region.is_empty()
                    && account.len() == 12
                    && account.bytes().all(|b| b.is_ascii_digit())
                    && resource(arn_resource)
            }
            [alias] if alias.starts_with("alias/") => resource(alias),
            // A UUID, or the id of a key of several regions.
            [id] => {
                let digits = id.strip_prefix("mrk-").unwrap_or(id);
                matches!(digits.len(), 32 | 36)
                    && digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
            }
            _ => false,
        };
        match is_key {
            true => Ok(KmsKey(text.to_owned())),
            false => Err(KmsKeyError(text.to_owned())),
        }
    }
}

impl fmt::Display for KmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A storage class whose objects can be read at once, which those who query them rely on ("Storage classes", *S3 User
/// Guide*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    /// S3 Standard.
    Standard,
    /// S3 Intelligent-Tiering: moves what is not read to cheaper tiers by itself.
    IntelligentTiering,
    /// S3 Standard-Infrequent Access; at least 30 days are billed.
    StandardIa,
    /// S3 One Zone-Infrequent Access; at least 30 days are billed.
    OneZoneIa,
    /// S3 Glacier Instant Retrieval; at least 90 days are billed.
    GlacierIr,
}

impl StorageClass {
    /// Every class.
    pub const ALL: [StorageClass; 5] = [
        StorageClass::Standard,
        StorageClass::IntelligentTiering,
        StorageClass::StandardIa,
        StorageClass::OneZoneIa,
        StorageClass::GlacierIr,
    ];

    /// As `x-amz-storage-class` and URLs spell it.
    pub const fn label(self) -> &'static str {
        match self {
            StorageClass::Standard => "STANDARD",
            StorageClass::IntelligentTiering => "INTELLIGENT_TIERING",
            StorageClass::StandardIa => "STANDARD_IA",
            StorageClass::OneZoneIa => "ONEZONE_IA",
            StorageClass::GlacierIr => "GLACIER_IR",
        }
    }

    pub(super) fn to_sdk(self) -> SdkStorageClass {
        SdkStorageClass::from(self.label())
    }
}

/// Why a text is no storage class that is written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of STANDARD, INTELLIGENT_TIERING, STANDARD_IA, ONEZONE_IA, GLACIER_IR")]
pub struct StorageClassError(String);

impl FromStr for StorageClass {
    type Err = StorageClassError;

    fn from_str(text: &str) -> Result<StorageClass, StorageClassError> {
        let found = StorageClass::ALL
            .into_iter()
            .find(|class| class.label() == text);
        found.ok_or_else(|| StorageClassError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_by_arn_alias_or_id() {
        for key in [
            "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-cn:kms:cn-north-1:123456789012:alias/lake",
            "alias/flows/lake",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
        ] {
            assert_eq!(key.parse::<KmsKey>().unwrap().to_string(), key);
        }
        for wrong in [
            "",
            "lake",
            "alias/",
            "alias/a b",
            "arn:aws:kms:us-east-1:1234:key/a",
            "arn:aws:kms:us-east-1:123456789012:grant/a",
            "arn:aws:s3:us-east-1:123456789012:key/a",
            "arn:aws:kms::123456789012:key/a",
        ] {
            let error = wrong.parse::<KmsKey>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{wrong:?} is no KMS key")),
                "{error}"
            );
        }
    }

    #[test]
    fn storage_classes_are_those_that_can_be_read_at_once() {
        for class in StorageClass::ALL {
            assert_eq!(class.label().parse(), Ok(class));
            assert!(SdkStorageClass::values().contains(&class.to_sdk().as_str()));
        }
        for wrong in [
            "standard",
            "GLACIER",
            "DEEP_ARCHIVE",
            "REDUCED_REDUNDANCY",
            "",
        ] {
            let error = wrong.parse::<StorageClass>().unwrap_err().to_string();
            assert!(error.contains("GLACIER_IR"), "{error}");
        }
    }
}
