//! Limits: how the share of flows that is kept falls as the records of a minute exceed a budget.
//!
//! ```text
//! kept     the budget   a sixteenth   a sixteenth   a sixteenth  …
//! rate     1            2             4             8            …
//! ```
//!
//! A minute within its budget is kept whole. Beyond, each doubling of what comes adds about a sixteenth of the budget
//! to what is kept: a sixteenth is enough for an estimate at each rate, and 1,000 times the budget is kept as 1.8
//! times. The rate never falls within a minute, and what is kept at one rate would be kept at each lower one.

use std::collections::HashMap;

use super::counts::Limited;

/// The highest power of two that a limit raises the rate by.
const MAX_LEVEL: u32 = 16;

/// The most windows that are told apart in an object: 12 MB. Records of more share the last one.
const MAX_WINDOWS: usize = 1 << 18;

/// Seconds of a window.
const MINUTE: u64 = 60;

/// What is counted in one minute of one device.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The share that is kept, as a power of two.
    level: u32,
    /// Records kept since the level was last raised.
    kept: u64,
    left_out: u64,
}

/// The windows of one limit.
#[derive(Debug)]
pub(super) struct Limit {
    /// Records of a minute.
    budget: u64,
    numbers: HashMap<(u32, u64), usize>,
    windows: Vec<((u32, u64), Window)>,
    /// The last window: records of a device and a minute come in bursts.
    last: usize,
}

/// A window of a limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

impl Limit {
    pub(super) fn new(budget: u64) -> Limit {
        Limit {
            budget,
            numbers: HashMap::new(),
            windows: Vec::new(),
            last: 0,
        }
    }

    /// The window of a device at a time in Unix seconds, and how far the rate is raised there, as a power of two.
    #[inline]
    pub(super) fn window(&mut self, device: u32, time: u64) -> (Place, u32) {
        let key = (device, time / MINUTE);
        if let Some((known, window)) = self.windows.get(self.last)
            && *known == key
        {
            return (Place(self.last), window.level);
        }
        let place = match self.numbers.get(&key) {
            Some(place) => *place,
            None if self.windows.len() >= MAX_WINDOWS => self.windows.len() - 1,
            None => {
                self.windows.push((key, Window::default()));
                self.numbers.insert(key, self.windows.len() - 1);
                self.windows.len() - 1
            }
        };
        self.last = place;
        let level = self.windows.get(place).map_or(0, |(_, w)| w.level);
        (Place(place), level)
    }

    /// Counts a record that is kept.
    #[inline]
    pub(super) fn keep(&mut self, Place(place): Place) {
        let Some((_, window)) = self.windows.get_mut(place) else {
            return;
        };
        window.kept += 1;
        let allotment = match window.level {
            0 => self.budget,
            _ => (self.budget / 16).max(1),
        };
        if window.kept >= allotment && window.level < MAX_LEVEL {
            window.level += 1;
            window.kept = 0;
        }
    }

    /// Counts a record that is left out.
    pub(super) fn leave_out(&mut self, Place(place): Place) {
        if let Some((_, window)) = self.windows.get_mut(place) {
            window.left_out += 1;
        }
    }

    /// The windows in which records were left out, and by which names the devices go.
    pub(super) fn exceeded<'l>(
        &'l self,
        rule: usize,
        devices: &'l [Box<str>],
    ) -> impl Iterator<Item = Limited> + 'l {
        let exceeded = self.windows.iter().filter(|(_, w)| w.left_out > 0);
        exceeded.map(move |((device, minute), window)| Limited {
            rule,
            device: devices.get(*device as usize).cloned(),
            minute: minute * MINUTE,
            rate: 1 << window.level,
            left_out: window.left_out,
        })
    }
}
