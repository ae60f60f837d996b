//! Patterns of descriptions, with holes for what they name.
//!
//! ```text
//! "Interface for NAT Gateway {nat-<word>}"   id: nat-0a1b2c
//! "AWS Lambda VPC ENI-<name>-<uuid>"         name: orders, of AWS Lambda VPC ENI-orders-4ee8638a-…
//! ```
//!
//! What stands in braces is the id, what stands for `<name>` the name. The whole description has to fit; letters
//! of either case are the same. A hole takes as much as the rest of the pattern lets it.

/// What a description names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Named<'d> {
    /// What stands in the braces.
    pub id: Option<&'d str>,
    /// What stands for `<name>`.
    pub name: Option<&'d str>,
}

/// What a hole is called, how few and how many bytes it takes, and which.
type Hole = (&'static str, usize, usize, fn(u8) -> bool);

const HOLES: [Hole; 6] = [
    ("name", 1, usize::MAX, |b| is_word(b) || b == b'.'),
    ("word", 1, usize::MAX, is_word),
    ("digits", 1, usize::MAX, |b| b.is_ascii_digit()),
    ("account", 12, 12, |b| b.is_ascii_digit()),
    ("uuid", 36, 36, |b| b.is_ascii_hexdigit() || b == b'-'),
    ("any", 0, usize::MAX, |_| true),
];

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// What a text names by a pattern; `None` when it does not fit.
pub fn named<'d>(pattern: &str, text: &'d str) -> Option<Named<'d>> {
    fit(pattern, text, 0, 0)
}

/// Fits the rest of a pattern to what is from `at` on; `brace` is where the last brace was opened.
fn fit<'d>(pattern: &str, text: &'d str, at: usize, brace: usize) -> Option<Named<'d>> {
    if pattern.is_empty() {
        return (at == text.len()).then(Named::default);
    }
    if let Some(rest) = pattern.strip_prefix('{') {
        return fit(rest, text, at, at);
    }
    if let Some(rest) = pattern.strip_prefix('}') {
        let named = fit(rest, text, at, brace)?;
        let id = text.get(brace..at);
        return Some(Named { id, ..named });
    }
    if let Some((hole, rest)) = pattern
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
    {
        let (_, least, most, takes) = HOLES.iter().find(|(name, ..)| *name == hole)?;
        let here = text.as_bytes().get(at..)?.iter();
        let run = here.take_while(|byte| takes(**byte)).count().min(*most);
        return (*least..=run).rev().find_map(|taken| {
            let end = at + taken;
            let named = fit(rest, text, end, brace)?;
            let name = match hole {
                "name" => text.get(at..end),
                _ => named.name,
            };
            Some(Named { name, ..named })
        });
    }
    let end = pattern.find(['<', '{', '}']).unwrap_or(pattern.len());
    let (literal, rest) = pattern.split_at_checked(end)?;
    let next = at + literal.len();
    let same = text
        .get(at..next)
        .is_some_and(|here| here.eq_ignore_ascii_case(literal));
    if same {
        fit(rest, text, next, brace)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pattern: &str, text: &str) -> Option<(String, String)> {
        let named = named(pattern, text)?;
        let own = |text: Option<&str>| text.unwrap_or("-").to_owned();
        Some((own(named.id), own(named.name)))
    }

    fn some(id: &str, name: &str) -> Option<(String, String)> {
        Some((id.to_owned(), name.to_owned()))
    }

    #[test]
    fn a_description_fits_as_a_whole() {
        assert_eq!(
            told("RDSNetworkInterface", "RDSNetworkInterface"),
            some("-", "-")
        );
        assert_eq!(
            told("RDSNetworkInterface", "rdsnetworkinterface"),
            some("-", "-")
        );
        for text in [
            "",
            "RDSNetworkInterfac",
            "RDSNetworkInterface ",
            "my RDSNetworkInterface",
        ] {
            assert_eq!(told("RDSNetworkInterface", text), None, "{text}");
        }
    }

    #[test]
    fn names_and_ids_are_what_stands_in_their_holes() {
        assert_eq!(
            told("ELB {app/<name>/<word>}", "ELB app/shop/0a1b"),
            some("app/shop/0a1b", "shop")
        );
        assert_eq!(told("{nat-<word>}", "nat-0a"), some("nat-0a", "-"));
        assert_eq!(told("ES <name>", "ES a.b"), some("-", "a.b"));
        assert_eq!(told("ES <name>", "ES "), None);
        assert_eq!(told("ES <name>", "ES a b"), None);
    }

    #[test]
    fn a_name_may_hold_what_separates_it() {
        let pattern = "ENI-<name>-<uuid>";
        let uuid = "4eee8638-56a2-b28b-0375-7c8300dcfeab";
        assert_eq!(
            told(pattern, &format!("ENI-a-b_c-{uuid}")),
            some("-", "a-b_c")
        );
        assert_eq!(
            told(pattern, &format!("ENI-{uuid}-{uuid}")),
            some("-", uuid)
        );
        assert_eq!(told(pattern, &format!("ENI-{uuid}")), None);
        assert_eq!(told("<any>:{<word>}<any>", "a:b:c d"), some("c", "-"));
    }

    #[test]
    fn holes_of_a_size_take_no_more_and_no_less() {
        assert_eq!(
            told("{<account>}", "123456789012"),
            some("123456789012", "-")
        );
        assert_eq!(told("{<account>}", "1234567890123"), None);
        assert_eq!(told("{<account>}", "12345678901"), None);
        assert_eq!(told("{<digits>}<any>", "12é"), some("12", "-"));
    }

    #[test]
    fn a_pattern_with_an_unknown_hole_fits_nothing() {
        assert_eq!(told("<nonsense>", "nonsense"), None);
    }

    #[test]
    fn texts_of_any_script_are_gone_through() {
        for text in ["é", "日本 语", "ELB app/é/0a", "a\u{301}:b"] {
            for pattern in [
                "<any>",
                "<any>é<any>",
                "ELB {app/<name>/<word>}",
                "<any>:{<word>}",
            ] {
                let _ = named(pattern, text);
            }
        }
        assert_eq!(told("<any>é{<any>}", "日é本"), some("本", "-"));
    }
}
