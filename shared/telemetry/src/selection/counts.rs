//! What became of the records of one object or more.

/// The most windows of limits that are told one by one.
pub const MAX_LIMITED: usize = 20;

/// A minute in which a limit left records out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limited {
    /// The limit, as a number of [`Selection::rules`](super::Selection::rules).
    pub rule: usize,
    /// The device; `None` for a limit of an export.
    pub device: Option<Box<str>>,
    /// The minute of the flows' start, Unix seconds.
    pub minute: u64,
    /// The highest rate that was reached: the last records kept stand for so many, times the rate that a rule
    /// sampled them at.
    pub rate: u32,
    /// Records that were left out.
    pub left_out: u64,
}

/// What became of records: `kept + dropped() == decided` always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectionCounts {
    /// Records that were kept.
    pub kept: u64,
    /// Those of them that stand for others too: the rate is above 1.
    pub sampled: u64,
    /// What the kept records stand for: the sum of their rates.
    pub represented: u64,
    /// Minutes of devices, or of the export, in which a limit left records out.
    pub windows_limited: u64,
    dropped: Vec<u64>,
    limited: Vec<Limited>,
}

impl SelectionCounts {
    pub(super) fn keep(&mut self, rate: u32) {
        self.kept += 1;
        self.sampled += u64::from(rate > 1);
        self.represented += u64::from(rate);
    }

    pub(super) fn drop(&mut self, rule: usize) {
        if self.dropped.len() <= rule {
            self.dropped.resize(rule + 1, 0);
        }
        if let Some(count) = self.dropped.get_mut(rule) {
            *count += 1;
        }
    }

    pub(super) fn limit(&mut self, limited: impl Iterator<Item = Limited>) {
        for limited in limited {
            self.windows_limited += 1;
            self.limited.push(limited);
        }
        self.keep_largest();
    }

    /// Records that were not kept.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Records that were not kept, by the number of the rule, zeros left out.
    pub fn dropped_by_rule(&self) -> impl Iterator<Item = (usize, u64)> {
        let counts = self.dropped.iter().copied().enumerate();
        counts.filter(|(_, count)| *count > 0)
    }

    /// The windows in which limits left most records out, at most [`MAX_LIMITED`].
    pub fn limited(&self) -> &[Limited] {
        &self.limited
    }

    /// Adds the counts of another object by the same selection.
    pub fn add(&mut self, other: &SelectionCounts) {
        self.kept += other.kept;
        self.sampled += other.sampled;
        self.represented += other.represented;
        self.windows_limited += other.windows_limited;
        if self.dropped.len() < other.dropped.len() {
            self.dropped.resize(other.dropped.len(), 0);
        }
        for (mine, theirs) in self.dropped.iter_mut().zip(&other.dropped) {
            *mine += theirs;
        }
        self.limited.extend(other.limited.iter().cloned());
        self.keep_largest();
    }

    fn keep_largest(&mut self) {
        self.limited.sort_by(|a, b| {
            let place = |l: &Limited| (l.rule, l.device.clone(), l.minute);
            (b.left_out.cmp(&a.left_out)).then_with(|| place(a).cmp(&place(b)))
        });
        self.limited.truncate(MAX_LIMITED);
    }
}
