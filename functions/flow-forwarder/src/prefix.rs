//! Prefixes of buckets: which objects lie below them.

use std::fmt;

use delivery::destination::Place;
use delivery::{StoreUrl, StoreUrlError};

/// A prefix of a bucket: the objects whose keys go on after it with a slash, or all of them when it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Bucket.
    pub bucket: String,
    /// The prefix, without a slash at either end; may be empty.
    pub prefix: String,
}

impl Prefix {
    /// Reads `s3://bucket/prefix`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(url: &str) -> Result<Prefix, String> {
        let url: StoreUrl = url
            .parse()
            .map_err(|error: StoreUrlError| error.to_string())?;
        Prefix::of_store(&url)
            .ok_or_else(|| format!("{url} is no bucket: write s3://bucket/prefix"))
    }

    /// Where a store keeps its objects; `None` when that is no bucket.
    pub fn of_store(url: &StoreUrl) -> Option<Prefix> {
        match url {
            StoreUrl::S3 { bucket, prefix } => Some(Prefix {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
            }),
            StoreUrl::Directory(_) => None,
        }
    }

    /// Where a destination keeps its objects; `None` when that is no bucket.
    pub fn of_place(place: &Place) -> Option<Prefix> {
        match place {
            Place::S3 { bucket, prefix, .. } => Some(Prefix {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
            }),
            _ => None,
        }
    }

    /// What is left of the key of an object below the prefix; `None` for an object that lies elsewhere.
    pub fn below<'k>(&self, bucket: &str, key: &'k str) -> Option<&'k str> {
        if bucket != self.bucket {
            return None;
        }
        match self.prefix.as_str() {
            "" => Some(key),
            prefix => key.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    /// Whether an object lies below the prefix.
    pub fn contains(&self, bucket: &str, key: &str) -> bool {
        self.below(bucket, key).is_some()
    }

    /// Whether some object could lie below both.
    pub fn overlaps(&self, other: &Prefix) -> bool {
        let holds = |outer: &Prefix, inner: &Prefix| {
            outer.contains(&inner.bucket, &format!("{}/", inner.prefix))
        };
        holds(self, other) || holds(other, self)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(url: &str) -> Prefix {
        Prefix::parse(url).unwrap()
    }

    #[test]
    fn objects_lie_below_whole_parts_of_a_prefix() {
        let flows = prefix("s3://logs/flows/");
        assert_eq!(flows.below("logs", "flows/a/b.gz"), Some("a/b.gz"));
        for (bucket, key) in [
            ("logs", "flows-2/a"),
            ("logs", "flows"),
            ("other", "flows/a"),
        ] {
            assert!(!flows.contains(bucket, key), "{bucket}/{key}");
        }
        assert!(prefix("s3://logs").contains("logs", "any"));
        assert!(
            Prefix::parse("file:///tmp")
                .unwrap_err()
                .contains("no bucket")
        );
        assert!(
            Prefix::parse("logs/flows")
                .unwrap_err()
                .contains("s3://bucket/prefix")
        );
    }

    #[test]
    fn prefixes_overlap_when_one_holds_the_other() {
        for (one, other, overlaps) in [
            ("s3://logs/a", "s3://logs/a/b", true),
            ("s3://logs/a", "s3://logs/a", true),
            ("s3://logs", "s3://logs/a/b", true),
            ("s3://logs", "s3://logs", true),
            ("s3://logs/a", "s3://logs/ab", false),
            ("s3://logs/a", "s3://other/a", false),
        ] {
            let (one, other) = (prefix(one), prefix(other));
            assert_eq!(one.overlaps(&other), overlaps, "{one} {other}");
            assert_eq!(other.overlaps(&one), overlaps, "{other} {one}");
        }
    }
}
