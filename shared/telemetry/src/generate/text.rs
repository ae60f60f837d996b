//! Texts held in place, and numbers and times written to rows.

/// What stands for no value.
pub(super) const MISSING: &[u8] = b"-";

/// A short text held in place, so that a table of them is one block of memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<const N: usize> {
    pub(super) length: u8,
    pub(super) bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    pub(super) fn new(text: &str) -> Text<N> {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Text {
            length: u8::try_from(text.len().min(N)).unwrap_or(0),
            bytes,
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl Text<15> {
    pub(super) fn v4(a: u32, b: u32, c: u32, d: u32) -> Text<15> {
        Text::new(&format!("{a}.{b}.{c}.{d}"))
    }
}

pub(super) fn text_at<const N: usize>(texts: &[Text<N>], index: u32) -> &[u8] {
    texts
        .get(index as usize)
        .map_or(MISSING, |text| text.as_bytes())
}

pub(super) fn boxed(text: String) -> Box<[u8]> {
    text.into_bytes().into_boxed_slice()
}

pub(super) fn pick<T: Copy>(items: &[T], index: u32, otherwise: T) -> T {
    items.get(index as usize).copied().unwrap_or(otherwise)
}

pub(super) fn integer(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut unused = digits.len();
    for digit in digits.iter_mut().rev() {
        // The remainder is below ten.
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        unused -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(unused..).unwrap_or(&[]));
}

/// Numbers, with a space after each.
pub(super) fn numbers<const N: usize>(out: &mut Vec<u8>, values: [u64; N]) {
    for value in values {
        integer(out, value);
        out.push(b' ');
    }
}

/// A number of a fixed count of digits.
fn padded(out: &mut Vec<u8>, value: u64, unit: u64) {
    let mut unit = unit;
    while unit > 0 {
        // The remainder is below ten.
        out.push(b'0' + (value / unit % 10) as u8);
        unit /= 10;
    }
}

pub(super) fn hexadecimal(out: &mut Vec<u8>, value: u64, digits: u32) {
    for place in (0..digits).rev() {
        let nibble = u32::try_from((value >> (4 * place)) & 15).unwrap_or(0);
        out.push(pick(b"0123456789abcdef", nibble, b'0'));
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) seconds: u64,
    pub(super) micros: u64,
}

impl Moment {
    pub(super) fn whole_seconds_to(self, end: Moment) -> u64 {
        let whole = end.seconds.saturating_sub(self.seconds);
        whole.saturating_sub(u64::from(end.micros < self.micros))
    }
}

/// `2026-11-20T16:25:31.006481` and a suffix.
pub(super) fn timestamp(out: &mut Vec<u8>, moment: Moment, suffix: &[u8]) {
    // Days to a civil date, with years that start in March.
    let days = moment.seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let second_of_day = moment.seconds % 86_400;
    padded(out, year, 1_000);
    out.push(b'-');
    padded(out, month, 10);
    out.push(b'-');
    padded(out, day, 10);
    out.push(b'T');
    padded(out, second_of_day / 3_600, 10);
    out.push(b':');
    padded(out, second_of_day / 60 % 60, 10);
    out.push(b':');
    padded(out, second_of_day % 60, 10);
    out.push(b'.');
    padded(out, moment.micros, 100_000);
    out.extend_from_slice(suffix);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_know_leap_years_and_year_ends() {
        for (seconds, expected) in [
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_795_191_931, "2026-11-20T16:25:31.000007Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000007Z"),
        ] {
            let mut out = Vec::new();
            timestamp(&mut out, Moment { seconds, micros: 7 }, b"Z");
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
