//! What holds for every log, tried on logs made by chance.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../fuzz/reference.rs"]
mod reference;

use std::io::Write;
use std::sync::{Arc, LazyLock};

use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use telemetry::flow::field::{FIELDS, FieldType};
use telemetry::generate::{Generator, LogFormat};
use telemetry::{Field, Layout, ReadError};

use reference::{Item, Naive, Outcome, Pieces, naive, options, read};

// ---- Logs made by chance ----

/// Good rows of a format, and the header that tells their columns.
struct Pool {
    header: Option<String>,
    rows: Vec<String>,
}

/// One pool for each format. Making the generator's estate takes longer than drawing rows from it.
static POOLS: LazyLock<Vec<Pool>> = LazyLock::new(|| {
    let pool = |format: &LogFormat| {
        let mut generator = Generator::new(*format, 11, 1_795_190_400);
        let mut text = Vec::new();
        for _ in 0..300 {
            generator.row(&mut text);
        }
        Pool {
            header: generator.header(),
            rows: String::from_utf8(text)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect(),
        }
    };
    LogFormat::ALL.iter().map(pool).collect()
});

const FLOW_FORMATS: usize = 4;

/// One line of a log, and what it counts as.
#[derive(Debug, Clone)]
enum Line {
    Header(usize),
    /// A header that names a column twice, which is a row that cannot be read.
    Refused(usize),
    Good(usize, Index),
    Garbage(Vec<u8>),
    Blank(&'static str),
}

fn line() -> impl Strategy<Value = Line> {
    // The first byte keeps garbage from being blank or a header.
    let garbage = vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..60);
    prop_oneof![
        2 => (0..FLOW_FORMATS).prop_map(Line::Header),
        1 => (0..FLOW_FORMATS).prop_map(Line::Refused),
        12 => ((0..FLOW_FORMATS), any::<Index>()).prop_map(|(f, i)| Line::Good(f, i)),
        1 => garbage.prop_map(|g| Line::Garbage([b"X", &g[..]].concat())),
        1 => "[A-Z0-9 .:-]{1,40}".prop_map(|g| Line::Garbage(format!("9{g}").into_bytes())),
        1 => select(vec!["", " ", "\t ", "\r"]).prop_map(Line::Blank),
    ]
}

/// How lines end and columns are separated.
#[derive(Debug, Clone)]
struct Style {
    crlf: bool,
    double: bool,
    last_feed: bool,
}

fn style() -> impl Strategy<Value = Style> {
    any::<(bool, bool, bool)>().prop_map(|(crlf, double, last_feed)| Style {
        crlf,
        double,
        last_feed,
    })
}

/// The bytes of a log, how many of its lines are rows, and how many are headers.
fn text_log(lines: &[Line], style: &Style) -> (Vec<u8>, u64, u64) {
    let (mut text, mut rows, mut headers) = (Vec::new(), 0, 0);
    let spaced = |line: &str| {
        let line = if style.double {
            line.replace(' ', "  ")
        } else {
            line.to_owned()
        };
        line.into_bytes()
    };
    for line in lines {
        let bytes = match line {
            Line::Header(format) => {
                headers += 1;
                spaced(POOLS[*format].header.as_deref().unwrap())
            }
            Line::Refused(format) => {
                rows += 1;
                let header = POOLS[*format].header.as_deref().unwrap();
                spaced(&format!("{header} version"))
            }
            Line::Good(format, index) => {
                rows += 1;
                let rows = &POOLS[*format].rows;
                spaced(&rows[index.index(rows.len())])
            }
            Line::Garbage(bytes) => {
                rows += 1;
                bytes.clone()
            }
            Line::Blank(blank) => blank.as_bytes().to_vec(),
        };
        text.extend(bytes);
        text.extend_from_slice(if style.crlf { b"\r\n" } else { b"\n" });
    }
    if !style.last_feed {
        while text.last().is_some_and(|b| *b <= b' ') {
            text.pop();
        }
    }
    (text, rows, headers)
}

/// A log that a header starts, so that its rows are records.
fn readable_log() -> impl Strategy<Value = (Vec<u8>, u64, u64)> {
    let format = 0..FLOW_FORMATS;
    (format, any::<Index>(), vec(line(), 0..24), style()).prop_map(|(format, row, lines, style)| {
        let start = [Line::Header(format), Line::Good(format, row)];
        text_log(&[&start[..], &lines[..]].concat(), &style)
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compresses the data in parts cut at these places.
fn in_parts(data: &[u8], cuts: &[Index], compress: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(data.len() + 1)).collect();
    places.extend([0, data.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .flat_map(|part| compress(&data[part[0]..part[1]]))
        .collect()
}

fn assert_same(one: &Outcome, other: &Outcome) {
    assert!(
        one.error.is_none() && other.error.is_none(),
        "{one:?} {other:?}"
    );
    assert_eq!(one.items, other.items);
    let (mut one, other) = (one.counts.clone(), &other.counts);
    one.bytes_in = other.bytes_in;
    assert_eq!(&one, other);
}

// ---- Rows of chosen columns, for the comparisons of readers ----

/// Columns in any order, and rows of a token for each of them.
#[derive(Debug, Clone)]
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn token(field_type: Option<FieldType>) -> BoxedStrategy<String> {
    let number = prop_oneof![
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        0..=255_u64,
        Just(0),
        Just(u64::MAX)
    ];
    let own = match field_type {
        Some(FieldType::Integer(max)) => number.prop_map(move |n| n.min(max).to_string()).boxed(),
        Some(FieldType::Epoch) => prop_oneof![
            Just(1_795_191_600_u64),
            Just(1_795_191_600_123),
            Just(1_795_191_600_123_456),
            number
        ]
        .prop_map(|n| n.to_string())
        .boxed(),
        Some(FieldType::Address) => prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(|a| a.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|a| a.to_string()),
            Just("2001:DB8:0::1".to_owned())
        ]
        .boxed(),
        _ => "[!-~]{1,30}|[a-z]{2,5}-[0-9a-f]{4}|[é-ü]{1,4}".boxed(),
    };
    prop_oneof![20 => own, 3 => Just("-".to_owned())].boxed()
}

/// Tokens that are wrong for most columns.
fn odd_token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,21}",
        "[+-]?[0-9]{1,9}[.x]?",
        "0{1,9}[0-9]{1,9}",
        "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}",
        "[0-9a-f:]{2,12}",
        "NODATA|SKIPDATA|OK|None|--"
    ]
}

/// Tables of known and unknown columns; one token in `odd` is an odd one.
fn table(odd: u32) -> impl Strategy<Value = Table> {
    let fields: Vec<_> = (FIELDS.iter())
        .filter(|f| f.field != Field::LogStatus)
        .collect();
    let unknown = subsequence(vec!["zz-new", "a1", "later-field_2"], 0..=2);
    let known = subsequence(fields, 3..=14).prop_shuffle();
    (known, unknown, any::<bool>()).prop_flat_map(move |(known, unknown, status)| {
        let mut columns: Vec<_> = (known.iter())
            .map(|info| (info.name.to_owned(), token(Some(info.field_type))))
            .chain(unknown.iter().map(|name| ((*name).to_owned(), token(None))))
            .collect();
        if status {
            let words = prop_oneof![
                8 => Just("OK"), 2 => Just("NODATA"), 2 => Just("SKIPDATA"), 1 => Just("-")
            ];
            let words = words.prop_map(str::to_owned).boxed();
            columns.insert(columns.len() / 2, ("log-status".to_owned(), words));
        }
        let (names, own): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let tokens: Vec<_> = (own.into_iter())
            .map(|own| prop_oneof![odd => own, 1 => odd_token()].boxed())
            .collect();
        let idle = vec(Just("-".to_owned()), names.len());
        let row = prop_oneof![6 => tokens.boxed(), 1 => idle.boxed()];
        vec(row, 1..8).prop_map(move |rows| Table {
            names: names.clone(),
            rows,
        })
    })
}

impl Table {
    fn text(&self) -> String {
        let lines = std::iter::once(&self.names).chain(&self.rows);
        lines.map(|line| line.join(" ") + "\n").collect()
    }
}

// ---- Parquet, written column by column ----

/// How a column is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Int32,
    Uint32,
    Int64,
    Uint64,
    Double,
    Utf8,
}

/// A storage that holds all values of a column, the wanted one if it does.
fn storage(tokens: &[&str], field: Option<Field>, wanted: usize) -> Stored {
    let account = matches!(
        field,
        Some(Field::AccountId | Field::TgwSrcVpcAccountId | Field::TgwDstVpcAccountId)
    );
    // A number's text must come back from it; in account columns it has twelve digits.
    let exact = |t: &str, n: u64| {
        if account {
            format!("{n:012}") == t
        } else {
            n.to_string() == t
        }
    };
    let numbers = (tokens.iter().filter(|t| **t != "-"))
        .map(|t| t.parse::<u64>().ok().filter(|n| exact(t, *n)))
        .collect::<Option<Vec<u64>>>();
    let Some(numbers) = numbers else {
        return Stored::Utf8;
    };
    let most = numbers.into_iter().max().unwrap_or(0);
    let all = [
        (Stored::Int32, i32::MAX as u64),
        (Stored::Uint32, u64::from(u32::MAX)),
        (Stored::Int64, i64::MAX as u64),
        (Stored::Uint64, u64::MAX),
        (Stored::Double, 1 << 53),
        (Stored::Utf8, u64::MAX),
    ];
    let fit: Vec<_> = (all.iter())
        .filter(|(stored, limit)| most <= *limit && !(account && *stored == Stored::Double))
        .collect();
    fit[wanted % fit.len()].0
}

/// The table as Parquet: `choice` decides on storage, names, nulls and row groups.
fn parquet(table: &Table, choice: &[usize]) -> Vec<u8> {
    let choose = |index: usize| choice[index % choice.len()];
    let column =
        |index: usize| -> Vec<&str> { table.rows.iter().map(|row| row[index].as_str()).collect() };
    let stored: Vec<Stored> = (table.names.iter().enumerate())
        .map(|(i, name)| storage(&column(i), Field::from_name(name), choose(i)))
        .collect();
    let fields = table.names.iter().zip(&stored).enumerate();
    let fields = fields.map(|(index, (name, stored))| {
        let (physical, converted) = match stored {
            Stored::Int32 => (PhysicalType::INT32, ConvertedType::NONE),
            Stored::Uint32 => (PhysicalType::INT32, ConvertedType::UINT_32),
            Stored::Int64 => (PhysicalType::INT64, ConvertedType::NONE),
            Stored::Uint64 => (PhysicalType::INT64, ConvertedType::UINT_64),
            Stored::Double => (PhysicalType::DOUBLE, ConvertedType::NONE),
            Stored::Utf8 => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
        };
        let required = *stored == Stored::Utf8 && choose(index + 3).is_multiple_of(3);
        let name = match choose(index + 1) % 2 {
            0 => name.replace('-', "_"),
            _ => name.clone(),
        };
        let field = Type::primitive_type_builder(&name, physical)
            .with_converted_type(converted)
            .with_repetition(if required {
                Repetition::REQUIRED
            } else {
                Repetition::OPTIONAL
            });
        Arc::new(field.build().unwrap())
    });
    let schema = Type::group_type_builder("flows")
        .with_fields(fields.collect())
        .build()
        .unwrap();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::default()).unwrap();
    let group_rows = 1 + choose(5) % 9;
    for start in (0..table.rows.len()).step_by(group_rows) {
        let mut group = writer.next_row_group().unwrap();
        let mut index = 0;
        while let Some(mut open) = group.next_column().unwrap() {
            let tokens = column(index);
            let tokens = &tokens[start..(start + group_rows).min(tokens.len())];
            let utf8 = stored[index] == Stored::Utf8;
            // Texts are missing as null, as `-` and as nothing by turns, numbers as null.
            let required = utf8 && choose(index + 3).is_multiple_of(3);
            let null = |row: usize, t: &str| {
                t == "-" && !required && (!utf8 || choose(index + row) % 3 == 0)
            };
            let rows = || tokens.iter().enumerate();
            let levels: Vec<i16> = rows().map(|(row, t)| i16::from(!null(row, t))).collect();
            let levels = (!required).then_some(&levels[..]);
            let present = || rows().filter(|(row, t)| !null(*row, t));
            let numbers = || present().map(|(_, t)| t.parse::<u64>().unwrap());
            match open.untyped() {
                ColumnWriter::Int32ColumnWriter(w) => {
                    let values: Vec<i32> = numbers().map(|n| n as u32 as i32).collect();
                    w.write_batch(&values, levels, None)
                }
                ColumnWriter::Int64ColumnWriter(w) => {
                    let values: Vec<i64> = numbers().map(|n| n as i64).collect();
                    w.write_batch(&values, levels, None)
                }
                ColumnWriter::DoubleColumnWriter(w) => {
                    let values: Vec<f64> = numbers().map(|n| n as f64).collect();
                    w.write_batch(&values, levels, None)
                }
                ColumnWriter::ByteArrayColumnWriter(w) => {
                    let text = |(row, t): (usize, &&str)| match *t {
                        "-" if choose(index + row) % 3 == 1 => ByteArray::from(""),
                        text => ByteArray::from(text),
                    };
                    let values: Vec<ByteArray> = present().map(text).collect();
                    w.write_batch(&values, levels, None)
                }
                _ => panic!("no such column is made"),
            }
            .unwrap();
            open.close().unwrap();
            index += 1;
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

// ---- The laws ----

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Every line that is neither blank nor a header is a row, and every row is accounted for
    /// (which `read` asserts), whatever stands around it.
    #[test]
    fn rows_are_lines_that_are_neither_blank_nor_headers(
        lines in vec(line(), 0..40),
        style in style(),
    ) {
        let (text, rows, headers) = text_log(&lines, &style);
        let outcome = read(&text[..], &options());
        let counts = &outcome.counts;
        prop_assert_eq!((counts.rows, counts.headers), (rows, headers));
        prop_assert_eq!(counts.bytes_decoded, text.len() as u64);
        let garbage = lines.iter().filter(|l| matches!(l, Line::Garbage(_))).count() as u64;
        prop_assert!(counts.malformed() >= garbage);
        // An object none of whose rows can be read is said to be no log, and only such a one is.
        let hopeless = rows > 0 && counts.malformed() == rows;
        let refused = matches!(outcome.error, Some(ReadError::NotALog(_)));
        prop_assert_eq!((refused, outcome.error.is_some()), (hopeless, hopeless));
    }

    /// The same for firewall logs, where an entry may also be spread over lines or cut off.
    #[test]
    fn firewall_rows_are_entries(
        entries in vec((0..3_usize, any::<Index>(), 0..8_u8, any::<Index>()), 1..16),
        crlf in any::<bool>(),
    ) {
        let (mut lines, mut rows, mut malformed) = (Vec::new(), 0, 0);
        for (format, index, kind, cut) in &entries {
            let good = index.get(&POOLS[FLOW_FORMATS + format].rows);
            rows += 1;
            lines.push(good.clone());
            match kind {
                0 => lines.push(" ".to_owned()),
                1 => {
                    let entry: serde_json::Value = serde_json::from_str(good).unwrap();
                    lines.push(serde_json::to_string_pretty(&entry).unwrap());
                    rows += 1;
                }
                2 => {
                    // A cut entry is one row, and the next entry, on its own line, is safe.
                    lines.push(good[..1 + cut.index(good.len() - 1)].to_owned());
                    lines.push(good.clone());
                    (rows, malformed) = (rows + 2, malformed + 1);
                }
                3 => {
                    lines.push("[\"no entry\"]".to_owned());
                    (rows, malformed) = (rows + 1, malformed + 1);
                }
                _ => {}
            }
        }
        let text = lines.join(if crlf { "\r\n" } else { "\n" });
        let outcome = read(text.as_bytes(), &options());
        prop_assert!(outcome.error.is_none(), "{:?}", outcome.error);
        prop_assert_eq!((outcome.counts.rows, outcome.counts.malformed()), (rows, malformed));
        prop_assert_eq!(outcome.counts.bytes_decoded, text.len() as u64);
    }

    /// Neither the pieces input comes in, nor compression, nor where its members end, matter.
    #[test]
    fn any_split_of_the_input_reads_the_same(
        (text, rows, _) in readable_log(),
        sizes in vec(any::<u8>(), 1..6),
        cuts in vec(any::<Index>(), 0..5),
    ) {
        let options = options();
        let whole = read(&text[..], &options);
        prop_assert_eq!(whole.counts.rows, rows);
        let forms = [
            in_parts(&text, &cuts, gzip),
            in_parts(&text, &cuts, zstd),
            in_parts(&gzip(&text), &cuts, gzip),
            in_parts(&in_parts(&text, &cuts, zstd), &cuts, gzip),
        ];
        assert_same(&read(Pieces::new(&text, &sizes), &options), &whole);
        for form in &forms {
            assert_same(&read(&form[..], &options), &whole);
            assert_same(&read(Pieces::new(form, &sizes), &options), &whole);
        }
    }

    /// The reader finds what a parser of thirty lines finds, value by value, on the rows of the
    /// generator ...
    #[test]
    fn the_naive_parser_agrees_on_logs((text, ..) in readable_log()) {
        prop_assert_eq!(naive(&text), found(read(&text[..], &options())));
    }

    /// ... and on columns in any order with values that are often wrong.
    #[test]
    fn the_naive_parser_agrees_on_odd_values(table in table(9)) {
        let text = table.text();
        let outcome = read(text.as_bytes(), &options());
        if outcome.error.is_none() {
            prop_assert_eq!(naive(text.as_bytes()), found(outcome));
        } else {
            let expected = naive(text.as_bytes());
            prop_assert_eq!(expected.items.len() as u64, outcome.counts.malformed());
            prop_assert!(expected.items.iter().all(|i| matches!(i, Item::Malformed(_))));
        }
    }

    /// ... and when bytes that separate columns and lines are added and lost anywhere.
    #[test]
    fn the_naive_parser_agrees_on_lost_and_added_bytes(
        table in table(40),
        changes in vec((any::<Index>(), select(b" \n\r\t\0-0x ".to_vec()), 0..3_u8), 1..30),
    ) {
        let mut text = table.text().into_bytes();
        let header = table.names.join(" ").len() + 1;
        for (place, byte, kind) in changes {
            // After the header, most often at a separator, where it matters.
            let mut at = header + place.index(text.len() - header);
            if kind > 0 {
                let near = text[at..].iter().position(|b| *b <= b' ');
                at += near.unwrap_or(0);
            }
            match kind {
                0 | 1 => text.insert(at, byte),
                _ if text.len() > header + 1 => drop(text.remove(at)),
                _ => {}
            }
        }
        let outcome = read(&text[..], &options());
        if outcome.error.is_none() {
            prop_assert_eq!(naive(&text), found(outcome));
        }
    }

    /// Text and Parquet of the same rows are the same records, whatever the column types.
    #[test]
    fn text_and_parquet_agree(table in table(40), choice in vec(0..100_usize, 8..16)) {
        let text = read(table.text().as_bytes(), &options());
        let bytes = parquet(&table, &choice);
        let columns = read(&bytes[..], &options());
        prop_assert_eq!(text.error.is_some(), columns.error.is_some());
        prop_assert_eq!(columns.counts.rows, table.rows.len() as u64);
        // Lines are counted with the header, rows of Parquet from the first.
        let mut expected = text.items;
        for item in &mut expected {
            match item {
                Item::Flow(row, _) | Item::Firewall(row, _) | Item::Malformed(row) => *row -= 1,
            }
        }
        prop_assert_eq!(expected, columns.items);
        let all = |c: &telemetry::Counts| (c.no_data, c.skip_data, c.malformed(), c.newest);
        prop_assert_eq!(all(&text.counts), all(&columns.counts));
        prop_assert_eq!(text.counts.unknown_columns, columns.counts.unknown_columns);
    }
}

fn found(outcome: Outcome) -> Naive {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    Naive {
        items: outcome.items,
        headers: outcome.counts.headers,
        no_data: outcome.counts.no_data,
        skip_data: outcome.counts.skip_data,
    }
}

/// A header that makes no layout says why, and rows behind it are read by no other until the next header.
#[test]
fn a_header_that_is_refused_says_why() {
    let (pool, other) = (&POOLS[0], &POOLS[1]);
    let header = pool.header.as_ref().unwrap();
    let row = &pool.rows[0];
    let repeated = header.replacen("dstaddr", "srcaddr", 1);
    let known = FIELDS.iter().map(|field| field.name.to_owned());
    let unknown = (0..129).map(|number| format!("zz-{number}"));
    let many = known.chain(unknown).take(129).collect::<Vec<_>>().join(" ");
    for (refused, reason) in [
        (repeated.as_str(), "column \"srcaddr\" is named twice"),
        (
            many.as_str(),
            "129 columns are named, more than the 128 that are read",
        ),
    ] {
        let text = format!("{refused}\n{row}\n");
        let outcome = read(text.as_bytes(), &options());
        assert_eq!(outcome.counts.malformed(), 2);
        let error = outcome.error.unwrap().to_string();
        assert!(error.contains(reason), "{error}");
        // Neither the layout before it nor AWS's default format is that of its rows.
        let another = other.header.as_ref().unwrap();
        let good = &other.rows[0];
        let text = format!("{header}\n{row}\n{text}{another}\n{good}\n");
        let outcome = read(text.as_bytes(), &options());
        let reasons: Vec<_> = outcome.counts.malformed_by_reason().collect();
        assert_eq!(reasons, [("header", 2)]);
        assert_eq!((outcome.counts.records, outcome.counts.headers), (2, 2));
    }
}

/// An object that was cut anywhere is an error, never a shorter log: it will be read again.
#[test]
fn a_cut_object_is_never_read_with_success() {
    let pool = &POOLS[0];
    let header = pool.header.as_ref().unwrap();
    let text: String = (std::iter::once(header).chain(&pool.rows[..10]))
        .map(|line| line.clone() + "\n")
        .collect();
    let layout = Layout::from_format(header).unwrap();
    let table = Table {
        names: layout
            .columns()
            .iter()
            .map(|c| c.name.to_string())
            .collect(),
        rows: (pool.rows[..12].iter())
            .map(|row| row.split(' ').map(str::to_owned).collect())
            .collect(),
    };
    let forms = [
        ("gzip", gzip(text.as_bytes())),
        ("zstd", zstd(text.as_bytes())),
        ("gzip in gzip", gzip(&gzip(text.as_bytes()))),
        (
            "firewall in gzip",
            gzip(POOLS[FLOW_FORMATS].rows[..3].join("\n").as_bytes()),
        ),
        ("Parquet", parquet(&table, &[2, 4, 6, 8, 1, 4])),
    ];
    for (name, whole) in &forms {
        assert!(read(&whole[..], &options()).error.is_none(), "{name}");
        // Nothing at all is an empty object, not a cut one.
        for cut in 1..whole.len() {
            let outcome = read(&whole[..cut], &options());
            assert!(
                outcome.error.is_some(),
                "{name} cut after {cut} of {} bytes",
                whole.len()
            );
        }
    }
}

/// Of members one after the other, a cut between two leaves a good log of the first; any other
/// cut is an error.
#[test]
fn a_cut_between_members_leaves_the_rows_before_it() {
    let pool = &POOLS[0];
    for compress in [gzip, zstd] {
        let first =
            compress(format!("{}\n{}\n", pool.header.as_ref().unwrap(), pool.rows[0]).as_bytes());
        let second = compress(format!("{}\n", pool.rows[1]).as_bytes());
        let both = [&first[..], &second[..]].concat();
        for cut in 1..both.len() {
            let outcome = read(&both[..cut], &options());
            assert_eq!(outcome.error.is_none(), cut == first.len(), "{cut}");
        }
    }
}

/// An entry over very many lines takes no longer than its length: parsed anew after each line it
/// would take minutes.
#[test]
fn an_entry_of_many_lines_is_read_in_passing() {
    let numbers = "1,\n".repeat(20_000);
    let entry = format!(
        "{{\n\"firewall_name\":\"fw\",\n\"event_timestamp\":\"7\",\n\"event\":\n {{\"a\":[\n{numbers}1]}}}}\n"
    );
    let whole = read(entry.repeat(2).as_bytes(), &options());
    assert!(whole.error.is_none());
    assert_eq!((whole.counts.rows, whole.counts.records), (2, 2));
    let cut = &entry[..entry.len() - 8];
    let outcome = read(format!("{cut}\n{entry}").as_bytes(), &options());
    assert_eq!((outcome.counts.rows, outcome.counts.records), (2, 1));
}

/// Lines at the bound of what the reader holds are counted, handed out, and cost nothing else.
#[test]
fn lines_at_the_bound_take_nothing_with_them() {
    const BOUND: usize = 256 * 1024;
    let entry = r#"{"firewall_name":"fw","event_timestamp":"7","event":{}}"#;
    let flow = "2 10.0.0.1 7";
    for length in BOUND - 3..BOUND + 4 {
        // The length is that of the line without its line feed.
        let pad = "x".repeat(length - r#"{"a":""}"#.len());
        let pretty = format!("{{\n\"a\":\"{}\",\n\"b\":1\n}}", "x".repeat(length - 16));
        let logs = [
            (
                format!("{entry}\n{{\"a\":\"{pad}\"}}\n{entry}\n{entry}\n"),
                3,
                Some(1),
            ),
            (
                format!(
                    "version srcaddr bytes\n{flow}\n{}\n{flow}\n{flow}\n",
                    "x".repeat(length)
                ),
                3,
                Some(1),
            ),
            // What is left of an entry that is too long is malformed too.
            (format!("{entry}\n{pretty}\n{entry}\n{entry}\n"), 3, None),
        ];
        for (log, records, malformed) in logs {
            let outcome = read(log.as_bytes(), &options());
            assert!(outcome.error.is_none());
            assert_eq!(outcome.counts.records, records, "{length}");
            assert!(
                malformed.is_none_or(|m| m == outcome.counts.malformed()),
                "{length}"
            );
            assert_eq!(outcome.counts.bytes_decoded, log.len() as u64);
            let last = log.lines().count() as u64;
            let row = match outcome.items.last() {
                Some(Item::Flow(row, _) | Item::Firewall(row, _)) => *row,
                other => panic!("{other:?}"),
            };
            assert_eq!(row, last, "{length}");
        }
    }
}
