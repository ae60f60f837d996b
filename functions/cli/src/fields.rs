//! `cloud-export fields`: the dictionary of what enrichment adds.

use telemetry::enrichment::dictionary;
use telemetry::enrichment::field::{Level, ValueType};
use telemetry::enrichment::{FlowField, SideField};

use crate::Stop;
use crate::args::FieldsArguments;
use crate::summary::{say, text_table};

/// Prints the fields, in the order of delivery.
pub fn fields(arguments: &FieldsArguments) -> Result<(), Stop> {
    if arguments.markdown {
        say(dictionary::markdown().trim_end());
        return Ok(());
    }
    let level = arguments.level.as_deref().map(level).transpose()?;
    let chosen = |of: Level| level.is_none_or(|level| of <= level);
    let row = |name: String, kind: ValueType, level: Level, meaning: &str| {
        let kind = kind.label().to_owned();
        [name, kind, level.label().to_owned(), plain(meaning)]
    };
    let sides = SideField::ALL.iter().filter(|f| chosen(f.level()));
    let sides = sides.map(|f| {
        let name = format!("src_{0}, dst_{0}", f.name());
        row(name, f.value_type(), f.level(), f.meaning())
    });
    let flow = FlowField::ALL.iter().filter(|f| chosen(f.level()));
    let flow = flow.map(|f| row(f.name().to_owned(), f.value_type(), f.level(), f.meaning()));
    let rows: Vec<[String; 4]> = sides.chain(flow).collect();
    let rows: Vec<&[String]> = rows.iter().map(<[String; 4]>::as_slice).collect();
    say(text_table(&["field", "type", "from level", "meaning"], &rows).trim_end());
    Ok(())
}

/// A meaning without the links and marks of Markdown.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        let (named, after) = link.split_once(']').unwrap_or((link, ""));
        text.push_str(named);
        rest = after.split_once(')').map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    text.replace('`', "")
}

fn level(name: &str) -> Result<Level, Stop> {
    let level = Level::ALL.into_iter().find(|level| level.label() == name);
    level.ok_or_else(|| {
        let names = Level::ALL.map(Level::label);
        Stop::Usage(format!("--level: {name:?} is none of {}", names.join(", ")))
    })
}
