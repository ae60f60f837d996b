//! Groups: which objects of an invocation may share batches.

use telemetry::ObjectKey;

use crate::event::ObjectRef;
use crate::pipeline::SMALL_BYTES;

/// The most objects of one group: all of them are named in the keys of what they share.
pub const MOST_OBJECTS: usize = 32;

/// The same where what they share becomes a file, whose name has 255 bytes at most.
pub const MOST_OBJECTS_OF_A_FILE: usize = 12;

/// The most bytes that a group has as it is stored, and so holds in memory.
const MOST_BYTES: u64 = 4 << 20;

/// An object that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'e> {
    /// The object.
    pub object: &'e ObjectRef,
    /// Whether it may have been processed before.
    pub again: bool,
}

/// Puts objects into groups: one object, or several small ones of the same account and region. Objects keep their
/// order within a group, and the same objects give the same groups.
///
/// `most` is how many objects a group has at most; 1 where they share nothing.
///
/// An object that was tried before stays alone: the group that it was in may be another by now.
pub fn groups<'e>(asked: Vec<Asked<'e>>, most: usize) -> Vec<Vec<Asked<'e>>> {
    let mut groups: Vec<Vec<Asked<'e>>> = Vec::new();
    // Where the open group of an account and region is, and how many bytes it has.
    let mut open: Vec<((&str, &str), usize, u64)> = Vec::new();
    for one in asked {
        let Some((place, size)) = small(&one).filter(|_| most > 1) else {
            groups.push(vec![one]);
            continue;
        };
        let known = open.iter_mut().find(|(known, ..)| *known == place);
        let fitting = known.and_then(|(_, at, bytes)| {
            let group = groups.get_mut(*at)?;
            let fits = group.len() < most && *bytes + size <= MOST_BYTES;
            fits.then_some((group, bytes))
        });
        match fitting {
            Some((group, bytes)) => {
                group.push(one);
                *bytes += size;
            }
            None => {
                open.retain(|(known, ..)| *known != place);
                open.push((place, groups.len(), size));
                groups.push(vec![one]);
            }
        }
    }
    groups
}

/// The account and region, and the size, of an object that may share batches.
fn small<'e>(asked: &Asked<'e>) -> Option<((&'e str, &'e str), u64)> {
    let size = asked.object.size.filter(|size| *size <= SMALL_BYTES)?;
    let key = ObjectKey::parse(&asked.object.key).filter(|_| !asked.again)?;
    Some(((key.account, key.region), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(account: &str, name: &str, size: u64) -> ObjectRef {
        ObjectRef {
            bucket: "logs".into(),
            key: format!(
                "AWSLogs/{account}/vpcflowlogs/us-east-1/2026/11/20/{account}_vpcflowlogs_us-east-1_fl-1_20261120T1600Z_{name}.log.gz"
            ),
            other_key: None,
            version: None,
            etag: None,
            region: None,
            size: Some(size),
        }
    }

    fn sizes(objects: &[ObjectRef], again: bool, most: usize) -> Vec<usize> {
        let asked = objects.iter().map(|object| Asked { object, again });
        let groups = groups(asked.collect(), most);
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), objects.len());
        groups.iter().map(Vec::len).collect()
    }

    #[test]
    fn small_objects_of_an_account_and_region_are_together() {
        let [one, two] = ["111111111111", "222222222222"];
        let objects = [
            object(one, "a", 1_000),
            object(two, "b", 1_000),
            object(one, "c", SMALL_BYTES + 1),
            object(one, "d", 1_000),
        ];
        assert_eq!(sizes(&objects, false, MOST_OBJECTS), [2, 1, 1]);
        assert_eq!(sizes(&objects, false, 1), [1, 1, 1, 1]);
        assert_eq!(sizes(&objects, true, MOST_OBJECTS), [1, 1, 1, 1]);
    }

    #[test]
    fn groups_are_bounded_by_objects_and_bytes() {
        let many: Vec<ObjectRef> = (0..70)
            .map(|i| object("111111111111", &i.to_string(), 10))
            .collect();
        assert_eq!(sizes(&many, false, MOST_OBJECTS), [32, 32, 6]);
        let large: Vec<ObjectRef> = (0..9)
            .map(|i| object("111111111111", &i.to_string(), SMALL_BYTES))
            .collect();
        assert_eq!(sizes(&large, false, MOST_OBJECTS), [8, 1]);
    }

    #[test]
    fn names_of_files_have_room_for_all_objects_of_one() {
        use delivery::Batch;
        use delivery::encoding::{Compression, Encoding, Format};
        let origins = (0..MOST_OBJECTS_OF_A_FILE).map(|number| delivery::Origin {
            bucket: "logs".into(),
            key: number.to_string(),
            revision: "1".into(),
        });
        let batch = Batch {
            origins: origins.collect(),
            partition: "day=2026-11-20".into(),
            sequence: u32::MAX,
            may_be_combined: false,
            records: 1,
            encoding: Encoding {
                format: Format::Ndjson,
                compression: Compression::Zstd,
            },
            bytes: Default::default(),
        };
        let name = batch.object_name();
        let file = name.rsplit('/').next().unwrap();
        // In quarantine, a header stands beside it.
        assert!(format!("{file}.json").len() <= 255, "{file}");
    }

    #[test]
    fn what_is_not_known_to_be_small_is_alone() {
        let mut unknown = object("111111111111", "a", 10);
        unknown.size = None;
        let mut elsewhere = object("111111111111", "b", 10);
        elsewhere.key = "b.log.gz".into();
        let objects = [unknown, elsewhere, object("111111111111", "c", 10)];
        assert_eq!(sizes(&objects, false, MOST_OBJECTS), [1, 1, 1]);
    }
}
