//! Whether a flow log's format holds what analysis needs, and what is lost where it does not.

use crate::flow::field::Field;
use crate::flow::layout::Layout;

/// The fields without which flows cannot be counted and attributed, with what is lost by each.
pub const REQUIRED: &[(Field, &str)] = &[
    (Field::Srcaddr, "who sent the traffic is unknown"),
    (Field::Dstaddr, "who received the traffic is unknown"),
    (Field::Srcport, "client and server cannot be told apart"),
    (Field::Dstport, "the application cannot be told"),
    (Field::Packets, "packet rates and sizes cannot be computed"),
    (
        Field::Bytes,
        "traffic volume and its cost cannot be computed",
    ),
    (Field::Protocol, "TCP, UDP and ICMP cannot be told apart"),
    (
        Field::Version,
        "the format's version is not stated in the records",
    ),
    (Field::Start, "when flows began is unknown"),
];

/// How many known fields a format needs besides the required ones.
pub const OTHERS_NEEDED: usize = 6;

/// What a layout lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// Required fields that are missing, with what is lost by it.
    pub missing: Vec<(Field, &'static str)>,
    /// Known fields besides the required ones.
    pub others: usize,
}

/// Checks a layout; `None` when it holds what analysis needs.
pub fn shortfall(layout: &Layout) -> Option<Shortfall> {
    let missing: Vec<_> = REQUIRED
        .iter()
        .copied()
        .filter(|(field, _)| !layout.has(*field))
        .collect();
    let known = layout
        .columns()
        .iter()
        .filter(|c| c.field.is_some())
        .count();
    let others = known - (REQUIRED.len() - missing.len());
    (!missing.is_empty() || others < OTHERS_NEEDED).then_some(Shortfall { missing, others })
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lost: Vec<String> = self
            .missing
            .iter()
            .map(|(field, loss)| format!("{} ({loss})", field.name()))
            .collect();
        if !lost.is_empty() {
            write!(f, "the log format lacks {}", lost.join(", "))?;
        }
        if self.others < OTHERS_NEEDED {
            let joint = if lost.is_empty() {
                "the log format has"
            } else {
                "; it has"
            };
            write!(
                f,
                "{joint} {} fields besides the required ones where analysis wants {OTHERS_NEEDED} (such as interface-id, end, action, log-status, vpc-id, flow-direction)",
                self.others
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_formats_lack_nothing_required() {
        // The default VPC format has 14 fields: the nine required ones and five others.
        let vpc = shortfall(&Layout::vpc_default()).unwrap();
        assert_eq!((vpc.missing.len(), vpc.others), (0, 5));
        assert_eq!(shortfall(&Layout::transit_gateway_default()), None);
    }

    #[test]
    fn what_is_missing_is_said_with_what_is_lost() {
        let layout = Layout::from_format(
            "version srcaddr dstaddr srcport dstport protocol packets start end",
        )
        .unwrap();
        let text = shortfall(&layout).unwrap().to_string();
        assert_eq!(
            text,
            "the log format lacks bytes (traffic volume and its cost cannot be computed); it has 1 fields besides the \
             required ones where analysis wants 6 (such as interface-id, end, action, log-status, vpc-id, flow-direction)"
        );
    }
}
