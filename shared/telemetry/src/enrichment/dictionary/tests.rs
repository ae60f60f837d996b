//! The page is complete, and its links lead somewhere.

use serde_json::json;

use super::*;

#[test]
fn every_heading_is_there_once_and_in_order() {
    let page = markdown();
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(headings, HEADINGS);
}

#[test]
fn every_link_within_the_page_leads_to_a_heading() {
    let page = markdown();
    let links = page.split("](#").skip(1);
    let links: Vec<&str> = links.filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > HEADINGS.len());
    let anchors = HEADINGS.map(anchor);
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "{link}");
    }
}

#[test]
fn every_row_of_a_table_has_as_many_cells_as_its_header() {
    let page = markdown();
    let mut cells = None;
    for line in page.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        if !line.starts_with('|') {
            assert_eq!(bars, 0, "{line}");
            cells = None;
        } else if let Some(expected) = cells {
            assert_eq!(bars, expected, "{line}");
        } else {
            cells = Some(bars);
        }
        assert!(!line.ends_with(' '), "{line:?}");
    }
}

#[test]
fn the_prices_are_those_that_a_table_may_have() {
    let keys: Vec<&str> = PRICES.iter().map(|(key, ..)| *key).collect();
    let table = json!({"date": "2026-11-21", "currency": "USD", "regions": {"us-east-1": {"no-such-price": 0}}});
    let error = PriceTable::from_slice(table.to_string().as_bytes()).unwrap_err();
    let known = format!("the keys known here are {}", keys.join(", "));
    assert!(error.to_string().ends_with(&known), "{error}");
}

#[test]
fn types_of_resources_are_named_once() {
    let types = RESOURCE_TYPES.iter().chain(FAR_TYPES);
    let mut names: Vec<&str> = types.map(|(name, _)| *name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn what_the_records_of_the_estate_have_is_in_the_page() {
    let flows = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/estate/flows");
    let files = std::fs::read_dir(flows).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let page = markdown();
    let has = |text: &str| assert!(page.contains(&format!("| `{text}` |")), "{text}");
    let mut records = 0;
    for file in files.filter(|path| path.to_string_lossy().ends_with(".golden.ndjson")) {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            records += 1;
            for (name, value) in row["added"].as_object().unwrap() {
                let mut prefixes = End::BOTH.iter().map(|end| end.prefix());
                let of_side = prefixes.find_map(|prefix| name.strip_prefix(prefix));
                let field = of_side.unwrap_or(name);
                if field.starts_with("tag_") {
                    continue;
                }
                has(field);
                let listed = [
                    "how",
                    "resource_type",
                    "gateway_type",
                    "via",
                    "scope",
                    "confidence",
                ];
                if listed.contains(&field) {
                    has(value.as_str().unwrap());
                }
            }
        }
    }
    assert!(records > 100);
}
