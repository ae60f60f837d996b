//! Names that are like one that is not known.

/// How many are told.
const TOLD: usize = 3;

/// The names that a word may have been meant for, the most likely first.
pub(super) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let word = word.to_lowercase();
    // One slip in three letters, but for a part of the name.
    let most = word.chars().count() / 3 + 1;
    let names = names.into_iter().filter_map(|name| {
        let lower = name.to_lowercase();
        let distance = distance(&word, &lower);
        (distance <= most || lower.contains(&word)).then_some((distance, name))
    });
    let mut near: Vec<(usize, &str)> = names.collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(TOLD);
    near.into_iter().map(|(_, name)| name).collect()
}

/// How many characters must be put in, left out or changed to make one of the other (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    // The distances of what is read of the one from each start of the other.
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (read, letter) in one.chars().enumerate() {
        let mut last = read + 1;
        let mut next = vec![last];
        for ((other, above), before) in other.chars().zip(row.iter().skip(1)).zip(&row) {
            let changed = before + usize::from(letter != other);
            last = changed.min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_is_told() {
        let names = ["BytesIn", "BytesOut", "PacketsIn", "AWS/NATGateway"];
        assert_eq!(nearest("BytsIn", names), ["BytesIn"]);
        assert_eq!(nearest("natgateway", names), ["AWS/NATGateway"]);
        assert_eq!(nearest("Bytes", names), ["BytesIn", "BytesOut"]);
        assert!(nearest("Latency", names).is_empty());
        for (one, other, expected) in [("", "ab", 2), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
            assert_eq!(distance(one, other), expected);
            assert_eq!(distance(other, one), expected);
        }
    }
}
