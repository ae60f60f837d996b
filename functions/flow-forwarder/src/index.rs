//! The index that records are enriched from: where it is, and what of it is in memory.
//!
//! ```text
//! place ─┬─ directory ─▶ at the first use ─┐
//!        └─ shards ────▶ as records need ──┴▶ in memory, within a budget ─▶ enrichers ─▶ one object each,
//!                                                  ▲                         ▲               │
//!             asked for anew, between invocations ─┘                         └── kept warm ──┘
//! ```
//!
//! Whatever is wrong with the index, records are forwarded, and marked so. What is wrong is remembered and
//! warned about once until the index is asked for anew.
//!
//! Enrichers run on blocking threads and wait there for a shard that is not in memory, while the runtime's
//! own thread moves the bytes. So no lock is held while something is waited for, but the turn of fetching.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::Store;
use delivery::store::Fetched;
use futures_util::StreamExt;
use invocation::Budget;
use telemetry::enrichment::{Enricher, Enrichment, LoadShard, Loaded, Options, Origin};
use telemetry::index::{DIRECTORY_KEY, Directory, DocumentIndex, FormatError, Shard, shard_key};
use telemetry::{ObjectKey, Record};
use tokio::runtime::Handle;

/// Files that are asked for anew at the same time.
const REFRESHED_AT_ONCE: usize = 4;

/// Where the index is.
#[derive(Debug)]
pub enum IndexPlace {
    /// Where the collector keeps it.
    Store(Store),
    /// Here, all of it.
    Memory(Box<DocumentIndex>),
}

/// What the index may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of its files in memory.
    pub bytes: usize,
    /// After which time files are asked for anew.
    pub refresh: Duration,
    /// The longest time to wait for one file.
    pub fetch: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 128 << 20,
            refresh: Duration::from_secs(300),
            fetch: Duration::from_secs(10),
        }
    }
}

/// A file of the index.
trait IndexFile: Sized {
    fn open(bytes: Bytes) -> Result<Self, FormatError>;
}

impl IndexFile for Directory {
    fn open(bytes: Bytes) -> Result<Directory, FormatError> {
        Directory::open(bytes)
    }
}

impl IndexFile for Shard {
    fn open(bytes: Bytes) -> Result<Shard, FormatError> {
        Shard::open(bytes)
    }
}

/// A file as it is remembered.
#[derive(Debug)]
struct Part<T> {
    loaded: Loaded<T>,
    revision: Option<String>,
    /// Its size, while it is in memory.
    bytes: usize,
    /// The larger, the later it was last asked for.
    used: u64,
}

impl<T> Part<T> {
    /// One that is not there.
    fn lacking(loaded: Loaded<T>, revision: Option<String>) -> Part<T> {
        Part {
            loaded,
            revision,
            bytes: 0,
            used: 0,
        }
    }

    /// Whether another gives the same.
    fn is_like(&self, other: &Part<T>) -> bool {
        self.revision == other.revision && self.loaded.trouble() == other.loaded.trouble()
    }

    /// Whether it is in memory and nobody uses it.
    fn is_idle(&self) -> bool {
        matches!(&self.loaded, Loaded::Ready(file) if Arc::strong_count(file) == 1)
    }
}

/// What became of asking for a file.
enum Asked<T> {
    /// It is as it was.
    Same,
    /// It is this.
    Part(Part<T>),
    /// It could not be read.
    Failed,
    /// There is no time left to ask.
    NoTime,
}

/// An account and a region.
type Unit = (String, String);

/// What is in memory, and what is known of the rest.
#[derive(Debug)]
struct State {
    directory: Option<Part<Directory>>,
    shards: HashMap<Unit, Part<Shard>>,
    uses: u64,
    /// When it was last asked whether files changed.
    checked: Option<Instant>,
    /// The invocation's time.
    budget: Budget,
    /// A file did not come in time: no other is asked for until the next check.
    gave_up: bool,
    /// It was warned that the budget is taken.
    told_full: bool,
    /// Bytes fetched in this invocation.
    fetched: u64,
    /// How often something changed.
    changes: u64,
}

impl State {
    fn bytes(&self) -> usize {
        let directory = self.directory.as_ref().map_or(0, |part| part.bytes);
        directory + self.shards.values().map(|part| part.bytes).sum::<usize>()
    }

    fn shard(&mut self, unit: &Unit) -> Option<Loaded<Shard>> {
        self.uses += 1;
        let uses = self.uses;
        self.shards.get_mut(unit).map(|part| {
            part.used = uses;
            part.loaded.clone()
        })
    }

    /// The shard that was used longest ago, of those that nobody uses.
    fn oldest_idle(&self) -> Option<Unit> {
        let idle = self.shards.iter().filter(|(_, part)| part.is_idle());
        let oldest = idle.min_by_key(|(_, part)| part.used);
        oldest.map(|(unit, _)| unit.clone())
    }
}

/// An enricher that waits for the next object.
struct Idle {
    enricher: Enricher,
    origin: Origin,
    /// Set when it was refused something that the next may get.
    lacking: Arc<AtomicBool>,
    /// The state it is of.
    changes: u64,
}

/// An enricher for the records of one object.
pub struct Lease(Idle);

impl Lease {
    /// Says that the next records are of another object. Objects of the same account and region share what is
    /// known of their ends.
    pub fn begin(&mut self, origin: Origin) {
        self.0.enricher.begin(origin.clone());
        self.0.origin = origin;
    }

    /// What is added to a record.
    #[inline]
    pub fn enrich(&mut self, record: &Record<'_>) -> Enrichment<'_> {
        self.0.enricher.enrich(record)
    }
}

/// The index.
pub struct Index {
    place: IndexPlace,
    options: Arc<Options>,
    limits: Limits,
    now: Box<dyn Fn() -> Instant + Send + Sync>,
    state: Mutex<State>,
    idle: Mutex<Vec<Idle>>,
    /// Held while a file is fetched: what several objects need is fetched once, and files do not come
    /// faster than there is room for them.
    turn: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Index { place, limits, .. } = self;
        let mut text = f.debug_struct("Index");
        text.field("place", place).field("limits", limits);
        text.finish_non_exhaustive()
    }
}

impl Index {
    /// The index at a place, and how records are enriched from it.
    pub fn new(place: IndexPlace, options: Options, limits: Limits) -> Arc<Index> {
        Index::with_clock(place, options, limits, Instant::now)
    }

    /// As [`Index::new`], with a clock that tells when files are asked for anew.
    pub fn with_clock(
        place: IndexPlace,
        options: Options,
        limits: Limits,
        now: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Arc<Index> {
        Arc::new(Index {
            place,
            options: Arc::new(options),
            limits,
            now: Box::new(now),
            state: Mutex::new(State {
                directory: None,
                shards: HashMap::new(),
                uses: 0,
                checked: None,
                budget: Budget::UNLIMITED,
                gave_up: false,
                told_full: false,
                fetched: 0,
                changes: 0,
            }),
            idle: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// How records are enriched.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Bytes of files that were fetched since the invocation began.
    pub fn fetched(&self) -> u64 {
        self.state().fetched
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an invocation: what is in memory is asked for anew, when that was long ago. No object may be in
    /// work.
    pub async fn begin(&self, budget: &Budget) {
        let IndexPlace::Store(store) = &self.place else {
            return;
        };
        let now = (self.now)();
        let (directory, shards) = {
            let mut state = self.state();
            state.budget = *budget;
            state.fetched = 0;
            let checked = state.checked;
            if checked.is_some_and(|then| now.duration_since(then) < self.limits.refresh) {
                return;
            }
            state.checked = Some(now);
            (state.gave_up, state.told_full) = (false, false);
            let directory = state.directory.as_ref().map(|part| part.revision.clone());
            let shards = state.shards.iter();
            let shards = shards.map(|(unit, part)| (unit.clone(), part.revision.clone()));
            (directory, shards.collect::<Vec<_>>())
        };
        if let Some(revision) = directory {
            let asked = self.fetch(store, DIRECTORY_KEY, revision.as_deref()).await;
            self.renew_directory(store, asked);
        }
        let asking = shards.into_iter().map(|(unit, revision)| async move {
            let asked = self.ask_shard(store, &unit, revision.as_deref()).await;
            (unit, asked)
        });
        let mut asking = futures_util::stream::iter(asking).buffer_unordered(REFRESHED_AT_ONCE);
        while let Some((unit, asked)) = asking.next().await {
            self.renew_shard(store, unit, asked);
        }
    }

    /// Something is not as it was: what enrichers remember does not hold.
    fn changed(&self) {
        self.state().changes += 1;
        self.drop_idle();
    }

    /// Drops the enrichers that wait, which lets go of the shards they used.
    fn drop_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
    }

    fn renew_directory(&self, store: &Store, asked: Asked<Directory>) {
        let Asked::Part(part) = asked else { return };
        let same = (self.state().directory.as_ref()).is_some_and(|known| known.is_like(&part));
        if !same {
            self.changed();
            self.state().directory = None;
            self.keep_directory(store, part);
        }
    }

    fn renew_shard(&self, store: &Store, unit: Unit, asked: Asked<Shard>) {
        let Asked::Part(part) = asked else { return };
        let same = (self.state().shards.get(&unit)).is_some_and(|known| known.is_like(&part));
        if !same {
            self.changed();
            self.state().shards.remove(&unit);
            // Without room for it, it is fetched when it is needed.
            self.keep_shard(store, &unit, part);
        }
    }

    /// An enricher for the records of an object, preferably one that has seen the like.
    pub async fn enricher(self: &Arc<Self>, origin: Origin) -> Lease {
        let (directory, lasting) = self.directory().await;
        let mut idle = match self.take_idle(&origin) {
            Some(idle) => idle,
            None => self.make(directory, lasting),
        };
        idle.enricher.begin(origin.clone());
        idle.origin = origin;
        Lease(idle)
    }

    fn take_idle(&self, origin: &Origin) -> Option<Idle> {
        let mut idle = self.idle();
        match idle.iter().position(|idle| idle.origin == *origin) {
            Some(place) => Some(idle.swap_remove(place)),
            None => idle.pop(),
        }
    }

    fn make(self: &Arc<Self>, directory: Loaded<Directory>, lasting: bool) -> Idle {
        let lacking = Arc::new(AtomicBool::new(!lasting));
        let loader = self.loader(Arc::clone(&lacking));
        Idle {
            enricher: Enricher::new(Arc::clone(&self.options), directory, loader),
            origin: Origin::default(),
            lacking,
            changes: self.state().changes,
        }
    }

    /// Takes an enricher back for the next object.
    ///
    /// It holds the shards of all objects it was used for. Where memory is short they would be in the way
    /// of the shards that the next object needs, and it is not kept.
    pub fn take_back(&self, lease: Lease) {
        let Lease(idle) = lease;
        let holds = {
            let state = self.state();
            let room = self.limits.bytes / 2;
            state.changes == idle.changes && state.bytes() <= room
        };
        if holds && !idle.lacking.load(Ordering::Relaxed) {
            self.idle().push(idle);
        }
    }

    fn loader(self: &Arc<Self>, lacking: Arc<AtomicBool>) -> LoadShard {
        // Enrichers are kept by the index, which must not keep itself.
        let index = Arc::downgrade(self);
        Box::new(move |account, region| {
            let loaded = index.upgrade().map(|index| index.load(account, region));
            let (loaded, lasting) = loaded.unwrap_or((Loaded::Unreadable, false));
            if !lasting {
                lacking.store(true, Ordering::Relaxed);
            }
            loaded
        })
    }

    /// A shard, and whether the answer holds until the next check. On a blocking thread: it waits for one that
    /// is not in memory.
    fn load(&self, account: &str, region: &str) -> (Loaded<Shard>, bool) {
        let unit = (account.to_owned(), region.to_owned());
        match &self.place {
            IndexPlace::Memory(index) => {
                let shard = index.shards.get(&unit).cloned();
                let loaded = shard.map_or(Loaded::Missing, |shard| Loaded::Ready(Arc::new(shard)));
                (loaded, true)
            }
            IndexPlace::Store(store) => {
                if let Some(known) = self.state().shard(&unit) {
                    return (known, true);
                }
                match Handle::try_current() {
                    Ok(runtime) => runtime.block_on(self.shard(store, &unit)),
                    Err(_) => (Loaded::Unreadable, false),
                }
            }
        }
    }

    /// The directory, and whether the answer holds until the next check.
    async fn directory(&self) -> (Loaded<Directory>, bool) {
        let store = match &self.place {
            IndexPlace::Memory(index) => {
                let directory = index.directory.clone();
                let loaded = directory.map_or(Loaded::Missing, |d| Loaded::Ready(Arc::new(d)));
                return (loaded, true);
            }
            IndexPlace::Store(store) => store,
        };
        let known = || Some(self.state().directory.as_ref()?.loaded.clone());
        if let Some(known) = known() {
            return (known, true);
        }
        let _turn = self.turn.lock().await;
        if let Some(known) = known() {
            return (known, true);
        }
        let part = match self.fetch(store, DIRECTORY_KEY, None).await {
            Asked::Part(part) => part,
            Asked::Same | Asked::Failed => Part::lacking(Loaded::Unreadable, None),
            Asked::NoTime => return (Loaded::Unreadable, false),
        };
        (self.keep_directory(store, part), true)
    }

    async fn shard(&self, store: &Store, unit: &Unit) -> (Loaded<Shard>, bool) {
        let _turn = self.turn.lock().await;
        // Another object may have needed it too.
        if let Some(known) = self.state().shard(unit) {
            return (known, true);
        }
        let part = match self.ask_shard(store, unit, None).await {
            Asked::Part(part) => part,
            Asked::Same | Asked::Failed => Part::lacking(Loaded::Unreadable, None),
            Asked::NoTime => return (Loaded::Unreadable, false),
        };
        self.keep_shard(store, unit, part)
    }

    /// Asks for a shard, unless the directory tells that there is none: accounts that are not collected are
    /// common, and who may not list a bucket is told of no object that it is missing.
    async fn ask_shard(&self, store: &Store, unit: &Unit, known: Option<&str>) -> Asked<Shard> {
        let (account, region) = (unit.0.as_str(), unit.1.as_str());
        let directory = {
            let state = self.state();
            state.directory.as_ref().map(|part| part.loaded.clone())
        };
        if let Some(Loaded::Ready(directory)) = directory {
            let mut units = directory.units();
            if !units.any(|(a, r, _)| (a, r) == (account, region)) {
                tracing::info!(
                    account,
                    region,
                    "not collected; records of it are marked with metadata=missing"
                );
                return Asked::Part(Part::lacking(Loaded::Missing, None));
            }
        }
        self.fetch(store, &shard_key(account, region), known).await
    }

    /// Asks for a file, and warns when it cannot be used.
    async fn fetch<T: IndexFile>(&self, store: &Store, key: &str, known: Option<&str>) -> Asked<T> {
        let (budget, gave_up) = {
            let state = self.state();
            (state.budget, state.gave_up)
        };
        if gave_up {
            return Asked::NoTime;
        }
        let limit = self.limits.bytes as u64;
        let get = store.get_at_most(key, known, limit);
        let get = tokio::time::timeout(self.limits.fetch, get);
        let reason = match budget.run(get).await {
            Some(Ok(Ok(fetched))) => return self.opened(store, key, fetched),
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(_)) => {
                self.state().gave_up = true;
                let place = store.place(key);
                format!("{place} did not come within {:?}", self.limits.fetch)
            }
            None => return Asked::NoTime,
        };
        tracing::warn!(
            reason,
            "the index cannot be read; what was read before stays, records that need more are marked with metadata=unreadable"
        );
        Asked::Failed
    }

    fn opened<T: IndexFile>(&self, store: &Store, key: &str, fetched: Fetched) -> Asked<T> {
        let (bytes, revision) = match fetched {
            Fetched::Unchanged => return Asked::Same,
            Fetched::Missing => {
                tracing::warn!(
                    place = store.place(key),
                    "there is no index; records that need it are marked with metadata=missing. The collector writes it: let it collect the account and region, and give both functions the same CLOUD_EXPORT_METADATA"
                );
                return Asked::Part(Part::lacking(Loaded::Missing, None));
            }
            Fetched::TooLarge { size, revision } => {
                tracing::warn!(
                    place = store.place(key),
                    size,
                    limit = self.limits.bytes,
                    "a file of the index is larger than all of it may be; records that need it are marked with metadata=unreadable. Raise CLOUD_EXPORT_INDEX_MEMORY_MIB"
                );
                return Asked::Part(Part::lacking(Loaded::Unreadable, revision));
            }
            Fetched::Object { bytes, revision } => (bytes, revision),
        };
        let size = bytes.len();
        self.state().fetched += size as u64;
        let error = match T::open(bytes) {
            Ok(file) => {
                return Asked::Part(Part {
                    loaded: Loaded::Ready(Arc::new(file)),
                    revision,
                    bytes: size,
                    used: 0,
                });
            }
            Err(error) => error,
        };
        let loaded = match error {
            FormatError::Newer(_) => Loaded::Newer,
            FormatError::Corrupt(_) => Loaded::Corrupt,
        };
        tracing::warn!(
            place = store.place(key),
            reason = %error,
            "the index cannot be used; records that need it are marked with metadata={}",
            loaded.trouble().unwrap_or_default()
        );
        Asked::Part(Part::lacking(loaded, revision))
    }

    fn keep_directory(&self, store: &Store, part: Part<Directory>) -> Loaded<Directory> {
        let part = self.fitting(store, DIRECTORY_KEY, part, 0);
        let loaded = part.loaded.clone();
        self.make_room(part.bytes);
        self.state().directory = Some(part);
        loaded
    }

    /// Keeps a shard that is not kept, where there is room for it; tells it, and whether that holds until the
    /// next check.
    fn keep_shard(&self, store: &Store, unit: &Unit, part: Part<Shard>) -> (Loaded<Shard>, bool) {
        let directory = self.state().directory.as_ref().map_or(0, |part| part.bytes);
        let mut part = self.fitting(store, &shard_key(&unit.0, &unit.1), part, directory);
        if !self.make_room(part.bytes) {
            let mut state = self.state();
            if !std::mem::replace(&mut state.told_full, true) {
                tracing::warn!(
                    place = store.place(&shard_key(&unit.0, &unit.1)),
                    "the objects in work use more of the index than the {} MiB set for it; some of their records are marked with metadata=unreadable. Raise CLOUD_EXPORT_INDEX_MEMORY_MIB, or the function's memory",
                    self.limits.bytes >> 20
                );
            }
            return (Loaded::Unreadable, false);
        }
        let mut state = self.state();
        state.uses += 1;
        part.used = state.uses;
        let loaded = part.loaded.clone();
        state.shards.insert(unit.clone(), part);
        (loaded, true)
    }

    /// A file, unless it alone is larger than the budget, of which `taken` is gone for good.
    fn fitting<T>(&self, store: &Store, key: &str, part: Part<T>, taken: usize) -> Part<T> {
        if part.bytes <= self.limits.bytes.saturating_sub(taken) {
            return part;
        }
        tracing::warn!(
            place = store.place(key),
            bytes = part.bytes,
            "a file of the index does not fit the {} MiB set for the index; records that need it are marked with metadata=unreadable. Raise CLOUD_EXPORT_INDEX_MEMORY_MIB, or the function's memory",
            self.limits.bytes >> 20
        );
        Part::lacking(Loaded::Unreadable, part.revision)
    }

    /// Lets go of shards until there is room for that many bytes; false when those in use leave none.
    fn make_room(&self, bytes: usize) -> bool {
        let has_room = |state: &State| state.bytes() + bytes <= self.limits.bytes;
        if bytes == 0 || has_room(&self.state()) {
            return true;
        }
        self.drop_idle();
        let mut state = self.state();
        while !has_room(&state) {
            let Some(unit) = state.oldest_idle() else {
                return false;
            };
            state.shards.remove(&unit);
        }
        true
    }
}

/// What an object's key tells of its records.
pub fn origin(key: &str) -> Origin {
    let told = ObjectKey::parse(key);
    let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
    Origin {
        account: told.as_ref().map(|told| told.account.to_owned()),
        region: told.as_ref().map(|told| told.region.to_owned()),
        folder: folder.to_owned(),
    }
}

#[cfg(test)]
mod tests;
