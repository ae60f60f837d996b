//! Enrichers over estates that are at hand: that of the samples, and that of generated logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use telemetry::enrichment::{Enricher, FieldSet, Loaded, Options};
use telemetry::generate;
use telemetry::index::{Directory, DocumentIndex, Documents, Shard, of_documents};

use crate::project;

/// When the metadata of the samples and of generated logs count as collected: 2026-11-20T16:00:00Z.
const COLLECTED: u32 = 1_795_190_400;

/// What records are enriched from.
#[derive(Clone)]
pub struct Estate {
    shards: BTreeMap<(String, String), Arc<Shard>>,
    directory: Arc<Directory>,
}

impl Estate {
    /// The recorded estate that is shipped.
    pub fn samples() -> Estate {
        Estate::of(of_documents(&project().join("samples/metadata"), COLLECTED))
    }

    /// The estate that the generator's logs tell of.
    pub fn generated() -> Estate {
        let mut documents = Documents::new(COLLECTED);
        documents.add(generate::ANSWERS_PATH, generate::answers());
        Estate::of(documents.finish())
    }

    fn of(index: DocumentIndex) -> Estate {
        let shards = index.shards.into_iter();
        Estate {
            shards: shards
                .map(|(unit, shard)| (unit, Arc::new(shard)))
                .collect(),
            directory: Arc::new(index.directory.expect("the estate has a directory")),
        }
    }

    /// An enricher that adds these fields.
    pub fn enricher(&self, fields: FieldSet) -> Enricher {
        let shards = self.shards.clone();
        let load = move |account: &str, region: &str| {
            let shard = shards.get(&(account.to_owned(), region.to_owned()));
            shard.map_or(Loaded::Missing, |shard| Loaded::Ready(Arc::clone(shard)))
        };
        let directory = Loaded::Ready(Arc::clone(&self.directory));
        Enricher::new(Arc::new(Options::new(fields)), directory, Box::new(load))
    }
}
