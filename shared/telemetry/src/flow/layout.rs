//! The columns of a text or Parquet flow log: which field stands where.

use std::sync::{Arc, LazyLock};

use super::field::{FIELD_COUNT, Field, FieldType, Offered};

/// The most columns a layout may have. AWS offers 54; the rest is room for what it adds.
pub const MAX_COLUMNS: usize = 128;

/// AWS's default format of VPC flow logs (version 2).
pub const VPC_DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport \
     protocol packets bytes start end action log-status";

/// AWS's default format of Transit Gateway flow logs (version 6).
pub const TRANSIT_GATEWAY_DEFAULT: &str = "version resource-type account-id tgw-id \
     tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id \
     tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id \
     tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes \
     start end log-status type packets-lost-no-route packets-lost-blackhole \
     packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction \
     pkt-src-aws-service pkt-dst-aws-service";

/// One column: a known field, or an unknown one that is kept under its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The known field, if the name is one.
    pub field: Option<Field>,
    /// The name in delivered records: AWS's, with `_` for `-`.
    pub name: Box<str>,
}

impl Column {
    fn new(name: &str) -> Column {
        // By the delivered name: `pkt-src_aws-service` would be delivered as a known field's.
        let name = name.replace('-', "_");
        Column {
            field: Field::from_name(&name),
            name: name.into(),
        }
    }

    /// How the column's text is read: by the field's type; unknown columns are text.
    pub fn field_type(&self) -> FieldType {
        self.field.map_or(FieldType::Text, |f| f.info().field_type)
    }
}

/// Where a layout came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutOrigin {
    /// A header line, or the schema of a Parquet file.
    Header,
    /// A format string from the configuration.
    Configured,
    /// One of AWS's default formats, recognised by its first row.
    Default,
}

/// The kind of flow log a layout describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowLogKind {
    /// VPC flow log.
    Vpc,
    /// Transit Gateway flow log.
    TransitGateway,
}

/// Why a list of names is not a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No name is a field of flow logs.
    #[error("none of the {0} column names is a flow-log field")]
    NothingKnown(usize),
    /// A name stands twice.
    #[error("column {0:?} is named twice")]
    Repeated(String),
    /// More columns than a flow log can have.
    #[error("{0} columns are named, more than the {MAX_COLUMNS} that are read")]
    TooMany(usize),
    /// A name that cannot be one.
    #[error(
        "{0:?} is not a field name: use names such as srcaddr or ${{srcaddr}}, separated by spaces"
    )]
    BadName(String),
}

/// The columns of a flow log, resolved once; rows are then read by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    columns: Vec<Column>,
    /// For each field, its column's index plus one; zero where the field is absent.
    places: [u8; FIELD_COUNT],
    origin: LayoutOrigin,
}

impl Layout {
    /// A layout of the given column names, in AWS's spelling or with `_` for `-`.
    ///
    /// # Errors
    /// When no name is known, a name is repeated, or there are more than [`MAX_COLUMNS`].
    pub fn new<'n>(
        names: impl IntoIterator<Item = &'n str>,
        origin: LayoutOrigin,
    ) -> Result<Layout, LayoutError> {
        let columns: Vec<Column> = names.into_iter().map(Column::new).collect();
        if columns.len() > MAX_COLUMNS {
            return Err(LayoutError::TooMany(columns.len()));
        }
        let mut places = [0; FIELD_COUNT];
        for (index, column) in columns.iter().enumerate() {
            if columns.iter().take(index).any(|c| c.name == column.name) {
                return Err(LayoutError::Repeated(column.name.to_string()));
            }
            let place = column.field.and_then(|f| places.get_mut(f as usize));
            if let Some(place) = place {
                *place = u8::try_from(index + 1).unwrap_or(0);
            }
        }
        if columns.iter().all(|c| c.field.is_none()) {
            return Err(LayoutError::NothingKnown(columns.len()));
        }
        Ok(Layout {
            columns,
            places,
            origin,
        })
    }

    /// A layout from a format string such as AWS's `LogFormat`: `${version} ${srcaddr}`, or the
    /// bare names, separated by spaces or commas.
    ///
    /// # Errors
    /// When a part is not a field name, and as [`Layout::new`].
    pub fn from_format(format: &str) -> Result<Layout, LayoutError> {
        let names = format
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let inner = part.strip_prefix("${").and_then(|p| p.strip_suffix('}'));
                let name = inner.unwrap_or(part);
                if is_name(name.as_bytes()) {
                    Ok(name)
                } else {
                    Err(LayoutError::BadName(part.to_owned()))
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        Layout::new(names, LayoutOrigin::Configured)
    }

    /// The layout of a header line, if the line is one, or why it makes none.
    ///
    /// A header is a line of names only, at least half of which are known fields. No row of data
    /// looks like that: its values hold digits, dots or capitals where names may not, and none
    /// is a field's name.
    pub fn from_header<'l>(
        tokens: impl Iterator<Item = &'l [u8]> + Clone,
    ) -> Option<Result<Layout, LayoutError>> {
        let (mut names, mut known) = (0_usize, 0_usize);
        for token in tokens.clone() {
            if !is_name(token) {
                return None;
            }
            names += 1;
            known += usize::from(text(token).is_some_and(|t| Field::from_name(t).is_some()));
        }
        if known == 0 || known * 2 < names {
            return None;
        }
        Some(Layout::new(tokens.filter_map(text), LayoutOrigin::Header))
    }

    /// The default layout that a row without a header fits, judged by its values: a version, a
    /// log status in its place, and for a transit gateway its resource type.
    pub fn default_for_row<'l>(
        tokens: impl Iterator<Item = &'l [u8]> + Clone,
    ) -> Option<Arc<Layout>> {
        let count = tokens.clone().count();
        let at = |index: usize| tokens.clone().nth(index);
        let versioned = at(0).is_some_and(|v| v.len() <= 2 && v.iter().all(u8::is_ascii_digit));
        let status_at = |index: usize| matches!(at(index), Some(b"OK" | b"NODATA" | b"SKIPDATA"));
        if !versioned {
            return None;
        }
        let vpc = Layout::vpc_default();
        if count == vpc.columns.len() && status_at(13) {
            return Some(vpc);
        }
        let gateway = Layout::transit_gateway_default();
        let resource = |r: &[u8]| r == b"-" || r.starts_with(b"TransitGateway");
        if count == gateway.columns.len() && status_at(25) && at(1).is_some_and(resource) {
            return Some(gateway);
        }
        None
    }

    /// AWS's default VPC layout (version 2, 14 columns).
    pub fn vpc_default() -> Arc<Layout> {
        static LAYOUT: LazyLock<Arc<Layout>> = LazyLock::new(|| built_in(VPC_DEFAULT));
        Arc::clone(&LAYOUT)
    }

    /// AWS's default Transit Gateway layout (version 6, 36 columns).
    pub fn transit_gateway_default() -> Arc<Layout> {
        static LAYOUT: LazyLock<Arc<Layout>> = LazyLock::new(|| built_in(TRANSIT_GATEWAY_DEFAULT));
        Arc::clone(&LAYOUT)
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The index of a field's column.
    pub fn place(&self, field: Field) -> Option<usize> {
        let place = self.places.get(field as usize).copied().unwrap_or(0);
        usize::from(place).checked_sub(1)
    }

    /// Whether the layout has a field.
    pub fn has(&self, field: Field) -> bool {
        self.place(field).is_some()
    }

    /// The names of the columns that are no known field.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.columns
            .iter()
            .filter(|c| c.field.is_none())
            .map(|c| &*c.name)
    }

    /// Where the layout came from.
    pub fn origin(&self) -> LayoutOrigin {
        self.origin
    }

    /// VPC or transit gateway: the latter when any column is offered by it alone.
    pub fn kind(&self) -> FlowLogKind {
        let transit = |c: &Column| {
            c.field
                .is_some_and(|f| f.info().offered == Offered::TransitGateway)
        };
        if self.columns.iter().any(transit) {
            FlowLogKind::TransitGateway
        } else {
            FlowLogKind::Vpc
        }
    }
}

/// A built-in format; its names are known, which the tests assert for each.
fn built_in(format: &str) -> Arc<Layout> {
    Arc::new(
        Layout::new(format.split_whitespace(), LayoutOrigin::Default).unwrap_or_else(|_| Layout {
            columns: Vec::new(),
            places: [0; FIELD_COUNT],
            origin: LayoutOrigin::Default,
        }),
    )
}

/// Whether these bytes could be a field's name: lower-case letters, digits, `-` and `_`, and a
/// letter first.
fn is_name(token: &[u8]) -> bool {
    token.first().is_some_and(u8::is_ascii_lowercase)
        && token.len() <= 64
        && token
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

fn text(token: &[u8]) -> Option<&str> {
    std::str::from_utf8(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(line: &str) -> impl Iterator<Item = &[u8]> + Clone {
        line.split_whitespace().map(str::as_bytes)
    }

    #[test]
    fn defaults_have_aws_columns() {
        assert_eq!(Layout::vpc_default().columns().len(), 14);
        assert_eq!(Layout::vpc_default().kind(), FlowLogKind::Vpc);
        let gateway = Layout::transit_gateway_default();
        assert_eq!(gateway.columns().len(), 36);
        assert_eq!(gateway.unknown().count(), 0);
        assert_eq!(gateway.kind(), FlowLogKind::TransitGateway);
        assert_eq!(gateway.place(Field::LogStatus), Some(25));
    }

    #[test]
    fn header_in_any_order_keeps_unknown_columns_by_name() {
        let header = Layout::from_header(tokens("action zz-future bytes srcaddr"));
        let layout = header.unwrap().unwrap();
        assert_eq!(layout.place(Field::Bytes), Some(2));
        assert_eq!(layout.place(Field::Version), None);
        assert_eq!(layout.unknown().collect::<Vec<_>>(), ["zz_future"]);
    }

    #[test]
    fn rows_and_foreign_headers_are_no_header() {
        for line in [
            "2 123456789012 eni-0a1 10.0.0.1 10.0.0.2 1 2 6 1 40 1 2 ACCEPT OK",
            "eni-0a1b2c3d 443",
            "ingress egress unknown",
            "type time elb client-port target-port request-processing-time",
            "Version srcaddr",
            "",
        ] {
            assert_eq!(Layout::from_header(tokens(line)), None, "{line}");
        }
    }

    #[test]
    fn format_strings_are_read_with_and_without_braces() {
        let braces = Layout::from_format("${version} ${pkt-srcaddr}").unwrap();
        let bare = Layout::from_format("version,pkt_srcaddr").unwrap();
        assert_eq!(braces, bare);
        assert_eq!(
            Layout::from_format("$version x"),
            Err(LayoutError::BadName("$version".into()))
        );
        assert_eq!(
            Layout::from_format("version version"),
            Err(LayoutError::Repeated("version".into()))
        );
        assert_eq!(
            Layout::from_format("alpha beta"),
            Err(LayoutError::NothingKnown(2))
        );
        let many = vec!["version"; MAX_COLUMNS + 1].join(" ");
        assert!(matches!(
            Layout::from_format(&many),
            Err(LayoutError::TooMany(_))
        ));
    }

    #[test]
    fn default_layouts_are_recognised_by_values() {
        let vpc = "2 123456789012 eni-1 - - - - - - - 1 2 - NODATA";
        assert_eq!(
            Layout::default_for_row(tokens(vpc)),
            Some(Layout::vpc_default())
        );
        let fourteen_words = "2 b c d e f g h i j k l m n";
        assert_eq!(Layout::default_for_row(tokens(fourteen_words)), None);
    }
}
