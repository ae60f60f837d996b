//! Texts of the index that many sides have: each is taken out once.

use std::collections::HashMap;
use std::sync::Arc;

use super::NO_SHARD;
use crate::enrichment::enricher::Mixing;
use crate::index::format::{File, Text, Words};
use crate::index::shard::GroupRow;

/// The file that the directory is, beside the shards.
pub(super) const DIRECTORY: u16 = NO_SHARD;

/// Texts and lists by the file that they are in, and their place there.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: HashMap<(u16, u32), Arc<str>, Mixing>,
    groups: HashMap<(u16, Words), Arc<[Arc<str>]>, Mixing>,
}

impl Names {
    /// A text of a file.
    pub fn text(&mut self, number: u16, file: &File, text: Text) -> Option<Arc<str>> {
        let key = (number, text.word());
        if let Some(known) = self.texts.get(&key) {
            return Some(Arc::clone(known));
        }
        let name: Arc<str> = file.text(text)?.into();
        self.texts.insert(key, Arc::clone(&name));
        Some(name)
    }

    /// The ids of a list of security groups.
    pub fn groups(&mut self, number: u16, file: &File, list: Words) -> Arc<[Arc<str>]> {
        let key = (number, list);
        if let Some(known) = self.groups.get(&key) {
            return Arc::clone(known);
        }
        let groups = file.linked::<GroupRow>(list);
        let ids: Vec<Arc<str>> = groups
            .filter_map(|group| self.text(number, file, group.id))
            .collect();
        let ids: Arc<[Arc<str>]> = ids.into();
        self.groups.insert(key, Arc::clone(&ids));
        ids
    }

    pub fn clear(&mut self) {
        self.texts.clear();
        self.groups.clear();
    }
}
