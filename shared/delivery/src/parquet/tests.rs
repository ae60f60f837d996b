//! What is written is read again by the `parquet` crate, and compared with the NDJSON of the same records.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field as ReadField;
use parquet::schema::types::Type;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use telemetry::change::{Change, ChangeKind, MemberChange};
use telemetry::enrichment::{Enricher, Level, Loaded, Options};
use telemetry::flow::field::FIELDS;
use telemetry::generate::{self, Generator, LogFormat};
use telemetry::index::{Directory, IndexUnit, Shard, directory_part, shard};
use telemetry::inventory::InventoryBuilder;
use telemetry::{LogReader, ReadOptions, Row};

use super::*;
use crate::datapoints::tests::{batch, estate};
use crate::encoding::Format;
use crate::ndjson::NdjsonEncoder;

pub(crate) type Rows = Vec<Map<String, Value>>;

// --- The way back ---------------------------------------------------------------------------------------------------

fn open(file: &[u8]) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap()
}

/// The rows of a file as the JSON that NDJSON has; times in the unit that it has them in.
pub(crate) fn read(file: &[u8]) -> Rows {
    fn value(field: &ReadField) -> Option<Value> {
        Some(match field {
            ReadField::Null => return None,
            ReadField::Bool(value) => json!(value),
            ReadField::Int(value) => json!(value),
            ReadField::Long(value) => json!(value),
            ReadField::ULong(value) => json!(value),
            ReadField::Double(value) => json!(value),
            ReadField::Str(value) => json!(value),
            ReadField::TimestampMillis(value) => {
                assert_eq!(value % 1000, 0);
                json!(value / 1000)
            }
            ReadField::TimestampMicros(value) => json!({ "microseconds": value }),
            ReadField::ListInternal(list) => list.elements().iter().filter_map(value).collect(),
            other => panic!("no column has {other:?}"),
        })
    }
    let reader = open(file);
    let rows = reader.get_row_iter(None).unwrap();
    let members = |row: parquet::record::Row| {
        let columns = row.get_column_iter();
        let there = columns.filter_map(|(name, field)| Some((name.clone(), value(field)?)));
        there.collect()
    };
    rows.map(|row| members(row.unwrap())).collect()
}

fn columns(file: &[u8]) -> Vec<String> {
    let reader = open(file);
    let schema = reader.metadata().file_metadata().schema().clone();
    let fields = schema.get_fields().iter();
    fields.map(|field| field.name().to_owned()).collect()
}

// --- The way there --------------------------------------------------------------------------------------------------

/// Calls with every record of a log.
fn each(log: &[u8], mut record: impl FnMut(&Record<'_>)) {
    let options = ReadOptions::new(std::env::temp_dir());
    let mut reader = LogReader::open(log, &options).unwrap();
    while let Some(row) = reader.next_row().unwrap() {
        if let Row::Record(found) = row {
            record(&found);
        }
    }
}

/// The records of a log in both encodings, rows of the second in the order of the first.
fn both(
    encoder: &mut ParquetEncoder,
    log: &[u8],
    enricher: Option<&mut Enricher>,
) -> (Vec<u8>, Rows) {
    let mut ndjson = NdjsonEncoder::default();
    let mut enricher = enricher;
    each(log, |record| match &mut enricher {
        Some(enricher) => {
            let enrichment = enricher.enrich(record);
            ndjson.write(record, Some(&enrichment));
            encoder.write(record, Some(&enrichment));
        }
        None => {
            ndjson.write(record, None);
            encoder.write(record, None);
        }
    });
    let lines = ndjson.bytes().split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let rows: Rows = lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    (encoder.take(Vec::new()).unwrap(), rows)
}

fn encoder() -> ParquetEncoder {
    ParquetEncoder::new(FieldSet::NONE).unwrap()
}

/// The rows as a file with such row groups has them.
fn in_groups(mut rows: Rows, group: usize) -> Rows {
    for rows in rows.chunks_mut(group) {
        rows.sort_by_key(|row| row.get("start").and_then(Value::as_u64).unwrap_or(u64::MAX));
    }
    rows
}

/// Asserts that both are equal, amounts as far as NDJSON has digits.
fn assert_same(read: Rows, expected: Rows) {
    assert_eq!(read.len(), expected.len());
    for (row, (mut read, mut expected)) in read.into_iter().zip(expected).enumerate() {
        let amount = |row: &mut Map<String, Value>| {
            row.remove("transfer_cost_usd").map(|a| a.as_f64().unwrap())
        };
        match (amount(&mut read), amount(&mut expected)) {
            (Some(read), Some(expected)) => assert!((read - expected).abs() < 1e-12),
            (read, expected) => assert_eq!(read, expected),
        }
        assert_eq!(read, expected, "row {row}");
    }
}

/// An enricher over the estate that generated logs tell of.
pub(crate) fn enricher(fields: FieldSet) -> Enricher {
    static INDEX: LazyLock<(Arc<Shard>, Arc<Directory>)> = LazyLock::new(|| {
        let mut builder = InventoryBuilder::new();
        builder.add_path_document(generate::ANSWERS_PATH, &generate::answers());
        let inventory = builder.finish();
        let unit = IndexUnit {
            account: "123456789012",
            region: "us-east-1",
            collected: 1_795_190_400,
        };
        let shard = Shard::open(shard(&inventory, unit, None, 0).unwrap()).unwrap();
        let directory = directory_part(&inventory, unit, None).unwrap();
        (
            Arc::new(shard),
            Arc::new(Directory::open(directory).unwrap()),
        )
    });
    let (shard, directory) = &*INDEX;
    let load = |_: &str, _: &str| Loaded::Ready(Arc::clone(shard));
    let directory = Loaded::Ready(Arc::clone(directory));
    Enricher::new(Arc::new(Options::new(fields)), directory, Box::new(load))
}

/// A generated log of so many rows.
pub(crate) fn generated(format: LogFormat, rows: usize) -> Vec<u8> {
    let mut generator = Generator::new(format, 5, 1_795_190_400);
    let mut log = generator
        .header()
        .map(|h| h + "\n")
        .unwrap_or_default()
        .into_bytes();
    for _ in 0..rows {
        generator.row(&mut log);
    }
    log
}

// --- Flows ----------------------------------------------------------------------------------------------------------

#[test]
fn enriched_flows_are_what_ndjson_says() {
    for (format, group) in [
        (LogFormat::VpcV2, 128),
        (LogFormat::VpcV11, 3000),
        (LogFormat::TransitGateway, 200),
    ] {
        for fields in [
            FieldSet::of(Level::Full).with_tags(["Name", "team"]),
            FieldSet::of(Level::Minimal),
        ] {
            let log = generated(format, 500);
            let mut enricher = enricher(fields.clone());
            let mut encoder = ParquetEncoder::new(fields).unwrap().with_group_rows(group);
            let (file, rows) = both(&mut encoder, &log, Some(&mut enricher));
            assert_same(read(&file), in_groups(rows, group));
            // The same records again, with texts and numbers already known.
            let (again, _) = both(&mut encoder, &log, Some(&mut enricher));
            assert!(file == again, "the same records are the same bytes");
        }
    }
}

/// Names of any fields, for both sides or one of them.
pub(crate) fn any_fields() -> impl Strategy<Value = String> {
    let flow = FlowField::ALL.iter().map(|field| field.name().to_owned());
    let sides = ["", "src_", "dst_"].map(|end| {
        let names = SideField::ALL.iter();
        names.map(move |field| format!("{end}{}", field.name()))
    });
    let names: Vec<String> = flow.chain(sides.into_iter().flatten()).collect();
    let most = names.len();
    prop::sample::subsequence(names, 0..most).prop_map(|names| names.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whichever_fields_are_chosen_both_say_the_same(fields in any_fields()) {
        let fields = FieldSet::parse(&fields).unwrap();
        for format in [LogFormat::VpcV5, LogFormat::VpcV11, LogFormat::TransitGateway] {
            let mut enricher = enricher(fields.clone());
            let mut encoder = ParquetEncoder::new(fields.clone()).unwrap();
            let (file, rows) = both(&mut encoder, &generated(format, 200), Some(&mut enricher));
            assert_same(read(&file), in_groups(rows, usize::MAX));
        }
    }
}

#[test]
fn columns_are_those_of_the_table_then_unknown_ones_then_enriched_ones() {
    let fields = FieldSet::parse("via, vpc_id, src_security_groups, transfer_cost_usd").unwrap();
    let mut encoder = ParquetEncoder::new(fields.with_tags(["team", "team"])).unwrap();
    let log = b"zz-new bytes aa-new srcaddr start\nx 1 y 10.0.0.1 1795190400\n";
    each(log, |record| encoder.write(record, None));
    let expected = "srcaddr bytes start aa_new zz_new src_vpc_id src_security_groups src_tag_team dst_vpc_id dst_tag_team via transfer_cost_usd";
    let file = encoder.take(Vec::new()).unwrap();
    assert_eq!(columns(&file).join(" "), expected);
    let reader = open(&file);
    let metadata = reader.metadata().file_metadata();
    assert_eq!(
        metadata.created_by(),
        Some(concat!("cloud-export version ", env!("CARGO_PKG_VERSION")))
    );
    let told = metadata.key_value_metadata().unwrap().iter();
    let told: Vec<_> = told
        .map(|pair| (&*pair.key, pair.value.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told[1..],
        [
            ("cloud-export.schema", "1"),
            ("cloud-export.records", "vpc-flow")
        ]
    );
}

#[test]
fn types_say_what_values_are() {
    let mut encoder = ParquetEncoder::new(FieldSet::of(Level::Full)).unwrap();
    let log = b"bytes srcport start srcaddr new\n1 2 3 10.0.0.1 x\n";
    each(log, |record| encoder.write(record, None));
    let file = encoder.take(Vec::new()).unwrap();
    let reader = open(&file);
    let schema = reader.metadata().file_metadata().schema();
    let told = |name: &str| {
        let field = schema
            .get_fields()
            .iter()
            .find(|field| field.name() == name)
            .unwrap();
        let logical = field
            .get_basic_info()
            .logical_type_ref()
            .map(|t| format!("{t:?}"));
        let physical = match &**field {
            Type::PrimitiveType { physical_type, .. } => physical_type.to_string(),
            Type::GroupType { .. } => "group".to_owned(),
        };
        format!("{physical} {}", logical.unwrap_or_default())
    };
    assert_eq!(told("srcport"), "INT32 ");
    assert!(told("bytes").starts_with("INT64 Integer") && told("bytes").contains("false"));
    assert!(told("start").contains("MILLIS") && told("start").contains("true"));
    assert_eq!(told("srcaddr"), "BYTE_ARRAY String");
    assert_eq!(told("new"), "BYTE_ARRAY String");
    assert_eq!(told("count_volume"), "BOOLEAN ");
    assert_eq!(told("transfer_cost_usd"), "DOUBLE ");
    assert_eq!(told("src_asn"), "INT64 ");
    assert_eq!(told("src_security_groups"), "group List");
}

#[test]
fn rows_are_sorted_by_time_and_statistics_hold() {
    let mut encoder = encoder().with_group_rows(4);
    let log = b"start srcport action\n30 1 ACCEPT\n- 2 -\n10 3 REJECT\n30 4 -\n5 - ACCEPT\n";
    each(log, |record| encoder.write(record, None));
    let file = encoder.take(Vec::new()).unwrap();
    let ports: Vec<_> = read(&file)
        .iter()
        .map(|row| row.get("srcport").cloned())
        .collect();
    let port = |port: u64| Some(json!(port));
    assert_eq!(ports, [port(3), port(1), port(4), port(2), None]);
    let reader = open(&file);
    let [first, second] = reader.metadata().row_groups() else {
        panic!("two row groups");
    };
    let sorting = first.sorting_columns().unwrap();
    assert_eq!(
        (
            sorting[0].column_idx,
            sorting[0].descending,
            sorting[0].nulls_first
        ),
        (1, false, false)
    );
    assert_eq!(first.column(1).column_path().string(), "start");
    let range = |group: &parquet::file::metadata::RowGroupMetaData, column: usize| {
        let statistics = group.column(column).statistics().unwrap();
        let (least, most) = (statistics.min_bytes_opt(), statistics.max_bytes_opt());
        (
            least.map(<[u8]>::to_vec),
            most.map(<[u8]>::to_vec),
            statistics.null_count_opt(),
        )
    };
    let time = |time: i64| Some((time * 1000).to_le_bytes().to_vec());
    assert_eq!(range(first, 1), (time(10), time(30), Some(1)));
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(range(first, 2), (text("ACCEPT"), text("REJECT"), Some(2)));
    assert_eq!(range(second, 0), (None, None, Some(1)));
}

#[test]
fn layouts_may_change_within_a_file() {
    let mut encoder = encoder().with_group_rows(2);
    let log = b"srcport start\n1 10\n2 11\n3 12\nstart dstport srcport tag-a\n13 4 5 x\n14 6 7 y\nsrcport start\n8 15\n";
    let (file, rows) = both(&mut encoder, log, None);
    assert_eq!(columns(&file), ["srcport", "dstport", "start", "tag_a"]);
    assert_same(read(&file), rows);
}

#[test]
fn a_record_of_another_kind_needs_a_file_of_its_own() {
    let mut encoder = ParquetEncoder::new(FieldSet::of(Level::Minimal)).unwrap();
    let logs: [&[u8]; 4] = [
        b"srcport start\n1 10\n",
        b"tgw-id start\ntgw-1 10\n",
        b"{\"firewall_name\":\"f\",\"event_timestamp\":1,\"event\":{}}",
        b"srcport src-vpc-id\n1 vpc-of-its-own\n",
    ];
    for (first, log) in logs.iter().enumerate() {
        for (second, other) in logs.iter().enumerate() {
            each(log, |record| {
                assert!(encoder.accepts(record));
                encoder.write(record, None);
                assert!(encoder.accepts(record));
            });
            each(other, |record| {
                assert_eq!(encoder.accepts(record), first == second)
            });
            let is_last = second == logs.len() - 1;
            if first != second && is_last {
                // Written all the same, it is not lost silently.
                each(other, |record| encoder.write(record, None));
                let error = encoder.take(Vec::new()).unwrap_err();
                assert!(error.to_string().contains("taken first"), "{error}");
            } else {
                assert_eq!(read(&encoder.take(Vec::new()).unwrap()).len(), 1);
            }
            assert!(encoder.is_empty());
        }
    }
}

#[test]
fn a_name_that_records_have_themselves_is_theirs() {
    let mut enricher = enricher(FieldSet::of(Level::Minimal));
    let mut encoder = ParquetEncoder::new(FieldSet::of(Level::Minimal)).unwrap();
    let log = b"srcaddr dstaddr src-vpc-id via start\n10.0.0.1 10.0.0.2 mine own 7\n";
    let (file, rows) = both(&mut encoder, log, Some(&mut enricher));
    assert_eq!(
        (&rows[0]["src_vpc_id"], &rows[0]["via"]),
        (&json!("mine"), &json!("own"))
    );
    assert_same(read(&file), rows);
}

#[test]
fn nothing_written_is_no_file_and_the_buffer_is_used_again() {
    let mut encoder = encoder();
    assert!(encoder.is_empty());
    assert_eq!(encoder.take(Vec::new()), Ok(Vec::new()));
    let (first, _) = both(&mut encoder, &generated(LogFormat::VpcV2, 10), None);
    each(&generated(LogFormat::VpcV2, 10), |record| {
        encoder.write(record, None)
    });
    assert!(!encoder.is_empty());
    let again = encoder.take(first.clone()).unwrap();
    assert_eq!(again, first);
    let (third, _) = both(&mut encoder, &generated(LogFormat::VpcV2, 10), None);
    assert_eq!(third, first);
}

#[test]
fn the_length_grows_and_is_about_what_is_taken() {
    let mut encoder = ParquetEncoder::new(FieldSet::of(Level::Standard))
        .unwrap()
        .with_group_rows(8192);
    let mut enricher = enricher(FieldSet::of(Level::Standard));
    let (mut lengths, mut rows) = (Vec::new(), 0);
    each(&generated(LogFormat::VpcV5, 30_000), |record| {
        let before = encoder.len();
        let enrichment = enricher.enrich(record);
        encoder.write(record, Some(&enrichment));
        rows += 1;
        // Where a row group ends, an estimate is replaced by what is true.
        assert!(encoder.len() > before || rows % 8192 == 0);
        lengths.push(encoder.len());
    });
    let taken = encoder.take(Vec::new()).unwrap().len();
    let told = *lengths.last().unwrap();
    assert!(
        told < taken * 13 / 10 && taken < told * 13 / 10,
        "{told} told, {taken} taken"
    );
}

#[test]
fn pages_are_cut_and_long_texts_kept() {
    let mut encoder = encoder();
    let mut log = b"srcport tag-a start\n".to_vec();
    let mut generator = 1_u64;
    for row in 0..4000 {
        generator = generator
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let text = format!("{generator:x}-").repeat(40);
        log.extend_from_slice(format!("{} {text} 7\n", row % 7).as_bytes());
    }
    let (file, rows) = both(&mut encoder, &log, None);
    assert_same(read(&file), rows);
    let reader = open(&file);
    let group = reader.metadata().row_group(0);
    let texts = group.column(2);
    assert_eq!(texts.column_path().string(), "tag_a");
    assert!(
        texts
            .encodings()
            .all(|encoding| encoding != Encoding::RLE_DICTIONARY)
    );
    assert!(texts.statistics().unwrap().min_bytes_opt().is_none());
    let group = reader.get_row_group(0).unwrap();
    let pages: Vec<usize> = group
        .get_column_page_reader(2)
        .unwrap()
        .map(|page| page.unwrap().buffer().len())
        .collect();
    assert!(
        pages.len() >= 2 && pages.iter().all(|page| *page < (1 << 20) + (1 << 12)),
        "{pages:?}"
    );
}

#[test]
fn memory_is_bounded_by_texts_too() {
    let mut encoder = encoder();
    let mut log = b"srcport tag-a\n".to_vec();
    let text = "x".repeat(20_000);
    for row in 0..1500 {
        log.extend_from_slice(format!("1 {row}{text}\n").as_bytes());
    }
    each(&log, |record| {
        encoder.write(record, None);
        assert!(encoder.records.text_bytes() < GROUP_BYTES + GROUP_BYTES / LOOKS * 2);
    });
    let file = encoder.take(Vec::new()).unwrap();
    assert!(open(&file).metadata().num_row_groups() > 1);
    assert_eq!(read(&file).len(), 1500);
}

/// Where there is an id there is a name, and one changes when the other does: their pages are made once.
#[test]
fn columns_that_change_together_have_the_same_pages() {
    let names = ["id", "name", "kind", "none"];
    let mut table = Table::new(names.map(|name| Column::new(name, ColumnType::Text)));
    for row in 0..40_u32 {
        let values = [
            format!("i-{row:04}"),
            format!("host {}", row * 7),
            format!("kind {}", row % 3),
        ];
        // The last row has a kind and nothing else.
        for (place, value) in values
            .iter()
            .enumerate()
            .skip(if row == 39 { 2 } else { 0 })
        {
            table.put(place, ColumnValue::Text(value));
        }
        table.end_row();
    }
    let mut writer = file::FileWriter::new(1).unwrap();
    let mut expected = Vec::new();
    for group in 0..2 {
        let rows: Vec<u32> = (0..5000).map(|row| row * (7 + group) % 40).collect();
        let mut recurring = Recurring::default();
        recurring.set(table.rows(), rows.iter().copied());
        let sources = names
            .iter()
            .zip(table.columns())
            .map(|(name, column)| Source {
                name,
                column,
                rows: Selection::Again(&recurring),
            });
        writer.write_group(rows.len(), sources, None).unwrap();
        expected.extend(rows.iter().map(|row| match row {
            39 => json!({"kind": "kind 0"}),
            row => json!({
                "id": format!("i-{row:04}"),
                "name": format!("host {}", row * 7),
                "kind": format!("kind {}", row % 3),
            }),
        }));
    }
    let schema = names.map(|name| (name, ColumnType::Text));
    let file = writer.finish(schema, [], Vec::new()).unwrap();
    let read: Vec<Value> = read(&file).into_iter().map(Value::Object).collect();
    assert_eq!(read, expected);
    for group in open(&file).metadata().row_groups() {
        let pages = |column: usize| {
            let chunk = group.column(column);
            let (start, size) = chunk.byte_range();
            let data = chunk.data_page_offset() as usize;
            file[data..(start + size) as usize].to_vec()
        };
        assert_eq!(pages(0), pages(1));
        assert_ne!(pages(0), pages(2));
        assert!(!pages(0).is_empty());
    }
}

/// What an encoder and an enricher did before shall not be seen: files are written again after a failure, by others.
#[test]
fn files_depend_on_their_records_alone() {
    let fields = FieldSet::of(Level::Standard).with_tags(["Name"]);
    let log = generated(LogFormat::VpcV5, 4000);
    let others = [
        generated(LogFormat::VpcV2, 3000),
        b"tgw-id start\ntgw-1 10\n".to_vec(),
        b"srcport start tag-a\n1 10 x\nstart srcport\n11 2\n".to_vec(),
    ];
    let new = || {
        let mut encoder = ParquetEncoder::new(fields.clone()).unwrap();
        encoder.group_bytes = 400_000;
        encoder
    };
    // Forgets now and then, and gives all numbers anew.
    let write = |encoder: &mut ParquetEncoder, enricher: &mut Enricher, log: &[u8], every| {
        let (mut rows, mut held) = (0, Vec::new());
        each(log, |record| {
            if rows % every == every - 1 {
                let folder = rows.to_string();
                enricher.begin(telemetry::enrichment::Origin {
                    folder,
                    ..Default::default()
                });
            }
            assert!(encoder.accepts(record));
            encoder.write(record, Some(&enricher.enrich(record)));
            held.push((encoder.sides.held(), encoder.facts.held()));
            rows += 1;
        });
        (encoder.take(Vec::new()).unwrap(), held)
    };
    let mut fresh = enricher(fields.clone());
    let (file, held) = write(&mut new(), &mut fresh, &log, usize::MAX);
    let groups = open(&file).metadata().row_groups().to_vec();
    let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
    assert!(rows.len() > 2 && rows[0] != rows[1], "{rows:?}");
    for every in [usize::MAX, 1000, 7] {
        let (mut encoder, mut enricher) = (new(), enricher(fields.clone()));
        for other in others.iter().chain([&log]) {
            write(&mut encoder, &mut enricher, other, every);
            let again = write(&mut encoder, &mut enricher, &log, every);
            assert!(again.1 == held, "the same rows are held");
            assert!(again.0 == file, "the same records are the same bytes");
            let rows = encoder.sides.table().rows();
            write(&mut encoder, &mut enricher, &log, every);
            assert_eq!(encoder.sides.table().rows(), rows, "sides stand once");
        }
    }
}

#[test]
fn our_own_reader_reads_them() {
    let log = generated(LogFormat::VpcV5, 500);
    let (file, mut rows) = both(&mut encoder(), &log, None);
    let mut ndjson = NdjsonEncoder::default();
    each(&file, |record| ndjson.write(record, None));
    let lines = ndjson
        .bytes()
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let again: Rows = lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    rows.sort_by_key(|row| row["start"].as_u64());
    assert_same(again, rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any columns, any values, any groups: what goes in comes out.
    #[test]
    fn rows_in_are_rows_out(
        chosen in prop::sample::subsequence((0..FIELDS.len()).collect::<Vec<_>>(), 1..20),
        unknown in 0_usize..3,
        seeds in prop::collection::vec(any::<u64>(), 1..200),
        group in 1_usize..80,
    ) {
        let mut names: Vec<String> = chosen.iter().map(|field| FIELDS[*field].name.to_owned()).collect();
        (0..unknown).for_each(|n| names.push(format!("x-{n}")));
        // A header must be half known.
        prop_assume!(names.len() >= 2 * unknown);
        let mut log = names.join(" ") + "\n";
        for seed in &seeds {
            let cells = names.iter().enumerate().map(|(place, name)| cell(*seed, place, name));
            log += &(cells.collect::<Vec<_>>().join(" ") + "\n");
        }
        let mut encoder = encoder().with_group_rows(group);
        let mut records = 0;
        each(log.as_bytes(), |_| records += 1);
        let (file, rows) = both(&mut encoder, log.as_bytes(), None);
        prop_assert_eq!(rows.len(), records);
        if records > 0 {
            assert_same(read(&file), in_groups(rows, group));
        } else {
            prop_assert!(file.is_empty());
        }
    }
}

/// A value for a column: few or many different ones, short and long, and now and then none.
fn cell(seed: u64, place: usize, name: &str) -> String {
    let mixed = (seed ^ (place as u64) << 17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = mixed ^ mixed >> 29;
    if mixed.is_multiple_of(7) && name != "log-status" {
        return "-".to_owned();
    }
    let info = FIELDS.iter().find(|info| info.name == name);
    match info.map(|info| info.field_type) {
        _ if name == "log-status" => "OK".to_owned(),
        Some(FieldType::Integer(max)) => {
            let bits = mixed % 64;
            ((seed >> bits) % max.saturating_add(1).max(1))
                .min(max)
                .to_string()
        }
        Some(FieldType::Epoch) => (1_795_190_400 + mixed % 90).to_string(),
        Some(FieldType::Address) if mixed.is_multiple_of(3) => {
            std::net::Ipv6Addr::from_bits(u128::from(mixed % 50) << 64 | 7).to_string()
        }
        Some(FieldType::Address) => std::net::Ipv4Addr::from_bits(seed as u32 % 5000).to_string(),
        _ if mixed.is_multiple_of(2) => format!("few-{}", mixed % 5),
        _ => format!("é{seed}").repeat(1 + (mixed % 9) as usize),
    }
}

// --- Firewall entries and changes -----------------------------------------------------------------------------------

#[test]
fn firewall_entries_have_columns_and_stand_whole() {
    let log = br#"{"firewall_name":"fw","availability_zone":"us-east-1a","event_timestamp":"1795191631","event":{"timestamp":"2026-11-20T16:20:31.006481+0000","flow_id":18446744073709551615,"event_type":"alert","src_ip":"2001:0db8::1","src_port":"443","dest_ip":"10.0.0.1","proto":"TCP","alert":{"action":"blocked","signature":"a \"b\"","severity":-3},"verdict":{"action":"drop"},"aws_category":"[\"News\",\"Sports\"]","tls_inspected":true}}
{"firewall_name":"fw","event_timestamp":1795191600,"event":{"netflow":{"pkts":3,"bytes":200,"start":"2026-11-20T16:20:00.204417+0000","tcp_flags":"1b"},"aws_category":[]}}
"#;
    // Enriched fields come before the entry's own where tables are filled, and behind them in the file.
    let mut encoder = ParquetEncoder::new(FieldSet::of(Level::Full)).unwrap();
    let (file, entries) = both(&mut encoder, log, None);
    let mut rows = read(&file);
    // In the order of time.
    for (row, entry) in rows.iter_mut().zip(entries.into_iter().rev()) {
        let whole: Value =
            serde_json::from_str(row.remove("entry").unwrap().as_str().unwrap()).unwrap();
        assert_eq!(whole, Value::Object(entry));
    }
    assert_eq!(
        Value::from_iter(rows),
        json!([
            {"event_timestamp": 1_795_191_600, "firewall_name": "fw", "packets": 3, "bytes": 200,
             "start": {"microseconds": 1_795_191_600_204_417_i64}, "tcp_flags": 27},
            {"event_timestamp": 1_795_191_631, "firewall_name": "fw", "availability_zone": "us-east-1a",
             "timestamp": {"microseconds": 1_795_191_631_006_481_i64}, "flow_id": u64::MAX, "event_type": "alert",
             "src_ip": "2001:db8::1", "src_port": 443, "dest_ip": "10.0.0.1", "proto": "TCP", "action": "drop",
             "signature": "a \"b\"", "aws_category": ["News", "Sports"], "tls_inspected": true},
        ])
    );
}

#[test]
fn the_action_of_an_entry_is_the_one_that_others_go_by() {
    let log: String = [
        r#"{"verdict":{"action":"drop"},"alert":{"action":"allowed"}}"#,
        r#"{"verdict":{"action":null},"alert":{"action":"blocked"}}"#,
        r#"{"verdict":{"action":1},"alert":{"action":"blocked"}}"#,
        r#"{"alert":{},"revocation_check":{"action":"DROP"}}"#,
        r#"{"event_type":"netflow"}"#,
    ]
    .map(|event| format!(r#"{{"firewall_name":"fw","event_timestamp":1,"event":{event}}}"#))
    .join("\n");
    let (mut encoder, mut expected) = (encoder(), Vec::new());
    each(log.as_bytes(), |record| {
        let Record::Firewall(entry) = record else {
            panic!("an entry")
        };
        expected.push(entry.action().map(Value::from));
        encoder.write(record, None);
    });
    let rows = read(&encoder.take(Vec::new()).unwrap());
    let shown: Vec<_> = rows.iter().map(|row| row.get("action").cloned()).collect();
    assert_eq!(shown, expected);
    assert_eq!(shown.iter().flatten().count(), 3);
}

/// A number that is no time is null, so that the column can be read: what reads it takes its statistics as well.
#[test]
fn what_is_no_time_of_an_entry_stands_in_the_entry_alone() {
    let times = [
        "1795191631",
        "1e300",
        "-5",
        "1795191631123",
        "99999999999999999999",
        "18446744073709551615",
    ];
    let entry = |time| format!(r#"{{"firewall_name":"fw","event_timestamp":{time},"event":{{}}}}"#);
    let log = times.map(entry).join("\n");
    let (file, entries) = both(&mut encoder(), log.as_bytes(), None);
    let rows = read(&file);
    let shown: Vec<Option<u64>> = rows
        .iter()
        .map(|row| row.get("event_timestamp")?.as_u64())
        .collect();
    // In the order of time, those without one last.
    let last = u64::MAX / 1_000_000_000;
    let time = Some(1_795_191_631);
    assert_eq!(shown, [time, time, Some(last), None, None, None]);
    let whole: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::from_str(row["entry"].as_str().unwrap()).unwrap())
        .collect();
    let order = [0, 3, 5, 1, 2, 4];
    assert_eq!(whole, order.map(|at| Value::Object(entries[at].clone())));
    assert_eq!(whole[3]["event_timestamp"], json!(1e300));
}

#[test]
fn every_column_of_firewall_entries_is_documented() {
    let documentation = include_str!("../../../../docs/parquet.md");
    for (name, ..) in firewall::COLUMNS {
        assert!(documentation.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn changes_are_rows() {
    let change = |kind, row: Option<Value>| Change {
        observed: "2026-11-20T16:20:00Z".parse().unwrap(),
        previously_observed: "2026-11-20T16:10:00.5Z".parse().unwrap(),
        account: "111111111111".to_owned(),
        region: "us-east-1".to_owned(),
        service: "ec2",
        operation: "DescribeVpcs",
        section: "Vpcs",
        resource: "vpc-1".to_owned(),
        owner: None,
        kind,
        members: vec![MemberChange {
            path: "CidrBlock".to_owned(),
            old: None,
            new: Some(json!("10.0.0.0/8")),
        }],
        row,
    };
    let mut encoder = RowsEncoder::new(&CHANGES).unwrap();
    assert_eq!(encoder.take(Vec::new()), Ok(Vec::new()));
    let changes = [
        change(ChangeKind::Created, Some(json!({"VpcId": "vpc-1"}))),
        change(ChangeKind::Changed, None),
    ];
    changes
        .iter()
        .for_each(|change| encoder.write_change(change));
    assert_ne!((encoder.is_empty(), encoder.len()), (false, 0));
    let rows = read(&encoder.take(Vec::new()).unwrap());
    assert!(encoder.is_empty());
    for (change, mut row) in changes.iter().zip(rows) {
        let mut expected = change.to_json();
        let record = expected.as_object_mut().unwrap();
        record.remove("type");
        for name in ["observed", "previously_observed"] {
            let time: jiff::Timestamp = record[name].as_str().unwrap().parse().unwrap();
            record[name] = json!({ "microseconds": time.as_microsecond() });
        }
        for name in ["members", "row"] {
            if let Some(text) = row.get_mut(name) {
                *text = serde_json::from_str(text.as_str().unwrap()).unwrap();
            }
        }
        assert_eq!(Value::from(row), expected);
    }
}

#[test]
fn datapoints_are_rows() {
    let estate = estate();
    let points = estate.datapoints();
    let ndjson = batch(&points, Format::Ndjson);
    let rows = read(&batch(&points, Format::Parquet));
    assert_eq!(rows.len(), points.len());
    let lines = std::str::from_utf8(&ndjson).unwrap().lines();
    for (line, mut row) in lines.zip(rows) {
        let mut expected: Value = serde_json::from_str(line).unwrap();
        let time: jiff::Timestamp = expected["time"].as_str().unwrap().parse().unwrap();
        expected["time"] = json!(time.as_second());
        for name in ["dimensions", "tags"] {
            if let Some(text) = row.get_mut(name) {
                *text = serde_json::from_str(text.as_str().unwrap()).unwrap();
            }
        }
        assert_eq!(Value::from(row), expected);
    }
}

proptest! {
    #[test]
    fn rows_are_sorted_by_counting_as_by_comparing(
        times in prop::collection::vec(
            prop_oneof![4 => 1000_u64..1040, 1 => Just(u64::MAX), 1 => 0..2 * MOST_TIMES],
            0..300,
        ),
    ) {
        let mut order = Order {
            keys: times.into_iter().zip(0..).collect(),
            ..Order::default()
        };
        let mut sorted = order.keys.clone();
        sorted.sort_unstable();
        order.sort_keys();
        prop_assert_eq!(order.own, sorted.iter().map(|(_, row)| *row).collect::<Vec<_>>());
    }
}
