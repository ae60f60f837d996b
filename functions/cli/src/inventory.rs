//! `cloud-export inventory`: what the collected metadata hold.

use serde_json::{Map, Value, json};
use telemetry::coverage::EndpointCoverage;
use telemetry::describe::state::State;
use telemetry::inventory::{Inventory, InventoryBuilder, InventoryRow, Kind, read_directory};
use telemetry::snapshot::Snapshot;

use crate::args::InventoryArguments;
use crate::metadata;
use crate::summary::{grouped, say, text_table};
use crate::{Stop, runtime};

/// Prints counts, or the resources that are asked for.
pub fn inventory(arguments: &InventoryArguments) -> Result<(), Stop> {
    if arguments.coverage {
        return coverage(arguments);
    }
    let kind = arguments.kind.as_deref().map(kind).transpose()?;
    let inventory = read(arguments)?;
    remarks(&inventory);
    let wanted = Wanted { kind, arguments };
    if wanted.is_everything() && !arguments.json {
        say(counts(&inventory).trim_end());
        return Ok(());
    }
    let rows: Vec<InventoryRow> = Kind::ALL
        .iter()
        .flat_map(|kind| inventory.rows(*kind))
        .filter(|row| wanted.fits(row))
        .collect();
    if arguments.json {
        rows.iter().for_each(|row| say(&row_json(row).to_string()));
    } else {
        say(table(&rows).trim_end());
        eprintln!("{} resources", grouped(rows.len() as u64));
    }
    Ok(())
}

fn kind(name: &str) -> Result<Kind, Stop> {
    Kind::named(name).ok_or_else(|| {
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.label()).collect();
        Stop::Usage(format!("--kind: {name:?} is none of {}", names.join(", ")))
    })
}

fn read(arguments: &InventoryArguments) -> Result<Inventory, Stop> {
    let mut builder = InventoryBuilder::new();
    if let Some(path) = &arguments.from {
        let reading = read_directory(path, &mut builder);
        for failed in &reading.failed {
            eprintln!("not read: {failed}");
        }
        if reading.documents == 0 {
            return Err(Stop::Usage(format!(
                "{} holds no document that can be read",
                path.display()
            )));
        }
        return Ok(builder.finish());
    }
    each_snapshot(arguments, |key, document| {
        builder.add_path_document(key, &document)
    })?;
    Ok(builder.finish())
}

/// Takes the document of each current snapshot, with its key.
fn each_snapshot(
    arguments: &InventoryArguments,
    mut take: impl FnMut(&str, Value),
) -> Result<(), Stop> {
    let url = metadata::url(arguments.metadata.as_ref())?;
    let taken = runtime()?.block_on(async {
        let store = metadata::open(&url).await;
        let keys = store.current_keys().await;
        let keys = keys.map_err(|error| Stop::Failed(error.to_string()))?;
        let mut taken = 0;
        for key in &keys {
            match store.document(key).await {
                Ok(Some(document)) => {
                    take(key, document);
                    taken += 1;
                }
                Ok(None) => {}
                Err(error) => eprintln!("not read: {error}"),
            }
        }
        Ok(taken)
    })?;
    match taken {
        0 => Err(Stop::Failed(format!(
            "there are no snapshots below {url}; cloud-export collect makes them"
        ))),
        _ => Ok(()),
    }
}

/// Prints how each call fared.
fn coverage(arguments: &InventoryArguments) -> Result<(), Stop> {
    let mut snapshots = Vec::new();
    each_snapshot(arguments, |key, mut document| {
        // Reports only: rows are many.
        if let Some(sections) = document.as_object_mut() {
            sections.retain(|section, _| section == "Collection");
        }
        match Snapshot::from_json(&document) {
            Ok(snapshot) => snapshots.push(snapshot),
            Err(error) => eprintln!("not read: {key}: {error}"),
        }
    })?;
    let covered = telemetry::coverage::coverage(&snapshots);
    if arguments.json {
        covered
            .iter()
            .for_each(|c| println!("{}", coverage_json(c)));
        return Ok(());
    }
    let number = |count: usize| match count {
        0 => String::new(),
        count => grouped(count as u64),
    };
    let rows: Vec<Vec<String>> = covered
        .iter()
        .map(|c| {
            let oldest = c
                .oldest
                .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
            let mut cells = vec![c.endpoint.name()];
            cells.extend(c.states.iter().map(|count| number(*count)));
            cells.extend([number(c.unasked), number(c.stale), number(c.rows)]);
            cells.push(oldest.unwrap_or_default());
            cells
        })
        .collect();
    let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
    let states = State::ALL.map(State::label);
    let header = [
        &["call"],
        &states[..],
        &["not asked", "stale", "rows", "oldest"],
    ]
    .concat();
    say(text_table(&header, &rows).trim_end());
    Ok(())
}

fn coverage_json(covered: &EndpointCoverage) -> Value {
    let states = State::ALL.iter().zip(covered.states);
    let states = states.filter(|(_, count)| *count > 0);
    let states: Map<String, Value> = states
        .map(|(state, count)| (state.label().to_owned(), json!(count)))
        .collect();
    json!({
        "call": covered.endpoint.name(),
        "section": covered.endpoint.section,
        "states": states,
        "not_asked": covered.unasked,
        "stale": covered.stale,
        "rows": covered.rows,
        "oldest": covered.oldest.map(|time| time.to_string()),
    })
}

/// What was not read, on standard error.
fn remarks(inventory: &Inventory) {
    for ((section, reason), unplaced) in &inventory.read.unplaced {
        eprintln!(
            "{} rows of {section} are left out: {reason}",
            unplaced.count
        );
    }
    for unreadable in &inventory.read.unreadable {
        eprintln!(
            "{} of {} could not be read in {} rows, such as {}",
            unreadable.path, unreadable.section, unreadable.count, unreadable.example
        );
    }
    for (section, rows) in &inventory.read.unknown {
        eprintln!("{rows} rows of {section} are not known here");
    }
}

/// What is asked for.
struct Wanted<'a> {
    kind: Option<Kind>,
    arguments: &'a InventoryArguments,
}

impl Wanted<'_> {
    fn is_everything(&self) -> bool {
        let InventoryArguments {
            account,
            region,
            vpc,
            id,
            ..
        } = self.arguments;
        self.kind.is_none()
            && [account, region, vpc, id]
                .iter()
                .all(|given| given.is_none())
    }

    fn fits(&self, row: &InventoryRow) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        let arguments = self.arguments;
        self.kind.is_none_or(|kind| kind == row.kind)
            && is(&arguments.account, row.account)
            && is(&arguments.region, row.region)
            && is(&arguments.vpc, row.vpc)
            && is(&arguments.id, Some(row.id))
    }
}

fn counts(inventory: &Inventory) -> String {
    let rows: Vec<[String; 2]> = Kind::ALL
        .iter()
        .map(|kind| (kind, inventory.count(*kind)))
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| [kind.label().to_owned(), grouped(count as u64)])
        .collect();
    let rows: Vec<&[String]> = rows.iter().map(<[String; 2]>::as_slice).collect();
    text_table(&["kind", "count"], &rows)
}

fn table(rows: &[InventoryRow]) -> String {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let rows: Vec<[String; 8]> = rows
        .iter()
        .map(|row| {
            [
                row.kind.label().to_owned(),
                row.id.to_owned(),
                text(row.name),
                text(row.account),
                text(row.region),
                text(row.vpc),
                text(row.state),
                row.what.clone(),
            ]
        })
        .collect();
    let rows: Vec<&[String]> = rows.iter().map(<[String; 8]>::as_slice).collect();
    let header = [
        "kind", "id", "name", "account", "region", "vpc", "state", "what",
    ];
    text_table(&header, &rows)
}

fn row_json(row: &InventoryRow) -> Value {
    let members = [
        ("kind", Some(row.kind.label())),
        ("id", Some(row.id)),
        ("name", row.name),
        ("account", row.account),
        ("region", row.region),
        ("vpc", row.vpc),
        ("state", row.state),
        (
            "what",
            Some(row.what.as_str()).filter(|what| !what.is_empty()),
        ),
    ];
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Value::Object(Map::from_iter(present))
}
