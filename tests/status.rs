//! The page of the status in a real browser: Chromium, without a screen and without a network.
//!
//! Without a Chromium the tests say that they are skipped. `STATUS_SCREENSHOTS=DIR` keeps what the browser drew.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::project;
use telemetry::status::{Status, page};

/// What Debian, Ubuntu, Alpine and Google call it.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Runs after the page is there, which its policy would forbid: tells the frame around it what it measures.
const PROBE: &str = r##"<script>addEventListener("load",function(){
var d=document.documentElement,s=function(e){return getComputedStyle(e)},q=function(p){return document.querySelector(p)};
var out={width:innerWidth,overflow:d.scrollWidth-d.clientWidth,ground:s(document.body).backgroundColor,ink:s(document.body).color,
row:s(q("tbody tr")).display,tables:document.querySelectorAll("table caption").length,headings:document.querySelectorAll("h1,h2").length,
loaded:performance.getEntriesByType("resource").length,old:!q("#old").hidden,
contrast:Math.min.apply(null,[].map.call(document.querySelectorAll("h1,h3,p,td,th,.tag,small,caption,a,dt,dd,summary"),contrast))};
function parse(c){return c.match(/[\d.]+/g).map(Number)}
function light(c){var p=c.slice(0,3).map(function(v){v/=255;return v<=.03928?v/12.92:Math.pow((v+.055)/1.055,2.4)});return .2126*p[0]+.7152*p[1]+.0722*p[2]}
function behind(e){for(;e;e=e.parentElement){var c=parse(s(e).backgroundColor);if(c.length<4||c[3]>0)return c}return [255,255,255]}
function contrast(e){var a=light(parse(s(e).color)),b=light(behind(e));return (Math.max(a,b)+.05)/(Math.min(a,b)+.05)}
parent.postMessage(Object.keys(out).map(function(k){return k+"="+out[k]}).join(";"),"*")})</script>"##;

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|directory| BROWSERS.iter().map(move |name| directory.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no Chromium; on Debian: apt-get install chromium");
    }
    found
}

/// A page, opened in a window.
struct Window<'a> {
    browser: &'a Path,
    file: &'a Path,
    width: u32,
    is_dark: bool,
}

impl Window<'_> {
    /// What the browser writes to standard output with further arguments.
    fn run(&self, arguments: &[String]) -> String {
        let profile = tempfile::tempdir().unwrap();
        let scheme = match self.is_dark {
            true => "--blink-settings=preferredColorScheme=0",
            false => "--blink-settings=preferredColorScheme=1",
        };
        let output = Command::new(self.browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-sync",
            ])
            .args([
                "--disable-component-update",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args([
                "--host-resolver-rules=MAP * ~NOTFOUND",
                "--force-color-profile=srgb",
                scheme,
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={},3400", self.width))
            .args(arguments)
            .arg(format!("file://{}", self.file.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "the browser ended with {}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the probe measured, in a frame: a window of the browser has a least width.
    fn measured(&self) -> BTreeMap<String, String> {
        let frame = self.file.with_file_name("frame.html");
        let (width, page) = (self.width, self.file.display());
        let html = format!(
            r#"<!DOCTYPE html><meta name="color-scheme" content="light dark"><body><script>
            onmessage=function(told){{document.body.dataset.probe=told.data}}</script>
            <iframe style="border:0;width:{width}px;height:3000px" src="file://{page}"></iframe>"#
        );
        std::fs::write(&frame, html).unwrap();
        let framed = Window {
            file: &frame,
            ..*self
        };
        let dom = framed.run(&[
            "--dump-dom".to_owned(),
            "--virtual-time-budget=5000".to_owned(),
        ]);
        let (_, rest) = dom.split_once("data-probe=\"").unwrap();
        let (probe, _) = rest.split_once('"').unwrap();
        let pairs = probe.split(';').map(|pair| pair.split_once('=').unwrap());
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Draws it into a directory, where one is wanted.
    fn draw(&self) {
        let Some(directory) = std::env::var_os("STATUS_SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let scheme = if self.is_dark { "dark" } else { "light" };
        let file = directory.join(format!("status-{}-{scheme}.png", self.width));
        self.run(&[format!("--screenshot={}", file.display())]);
    }
}

fn sample_page(now: &str) -> String {
    let document = project().join("shared/telemetry/tests/status/status.json");
    let status = Status::from_slice(&std::fs::read(document).unwrap()).unwrap();
    page(&status, now.parse().unwrap())
}

/// The page with the probe, which its policy would forbid.
fn probed(html: &str) -> String {
    let html = html.replacen("script-src '", "script-src 'unsafe-inline' '", 1);
    // A hash beside it makes browsers ignore 'unsafe-inline', so the page's own script comes by it too.
    let (before, rest) = html.split_once(" 'sha256-").unwrap();
    let (_, after) = rest.split_once('\'').unwrap();
    format!("{before}{after}").replacen("</body>", &format!("{PROBE}</body>"), 1)
}

#[test]
fn the_page_fits_and_reads_on_desks_and_phones_by_day_and_by_night() {
    let Some(browser) = browser() else { return };
    let work = tempfile::tempdir().unwrap();
    let (plain, file) = (
        work.path().join("index.html"),
        work.path().join("probed.html"),
    );
    let html = sample_page("2026-11-20T16:25:00Z");
    std::fs::write(&plain, &html).unwrap();
    std::fs::write(&file, probed(&html)).unwrap();
    let mut grounds = Vec::new();
    for (width, is_dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let window = Window {
            browser: &browser,
            file: &file,
            width,
            is_dark,
        };
        let measured = window.measured();
        let number = |name: &str| measured[name].parse::<f64>().unwrap();
        println!("{width} {is_dark}: {measured:?}");
        assert_eq!(
            (number("width"), number("overflow")),
            (f64::from(width), 0.0)
        );
        assert_eq!(number("loaded"), 0.0, "nothing is loaded");
        assert!(number("contrast") >= 4.5, "WCAG 2.2, 1.4.3: {measured:?}");
        assert_eq!((number("tables"), number("headings")), (3.0, 5.0));
        // Rows are cards where there is no room for a table.
        assert_eq!(measured["row"] == "block", width == 390);
        grounds.push((measured["ground"].clone(), measured["ink"].clone()));
        Window {
            file: &plain,
            ..window
        }
        .draw();
    }
    assert_eq!((&grounds[0], &grounds[1]), (&grounds[2], &grounds[3]));
    assert_ne!(grounds[0].0, grounds[1].0);
    assert_ne!(grounds[0].1, grounds[1].1);
}

#[test]
fn the_page_says_that_it_is_old_under_its_own_policy() {
    let Some(browser) = browser() else { return };
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("index.html");
    let html = sample_page("2026-11-20T16:25:00Z");
    for (after, is_old) in [("0", true), ("99999999999", false)] {
        let (before, rest) = html.split_once("data-after=\"").unwrap();
        let (_, rest) = rest.split_once('"').unwrap();
        std::fs::write(&file, format!("{before}data-after=\"{after}\"{rest}")).unwrap();
        let window = Window {
            browser: &browser,
            file: &file,
            width: 1280,
            is_dark: false,
        };
        let dom = window.run(&["--dump-dom".to_owned()]);
        for text in [
            "payments-prod",
            "Access error",
            "vpc-0e5507",
            "What to do:",
            "sandbox &lt;legacy&gt;",
        ] {
            assert!(dom.contains(text), "{text}");
        }
        let (_, remark) = dom.split_once("<p id=\"old\"").unwrap();
        let (remark, _) = remark.split_once('>').unwrap();
        // A script of other content than the policy's hash would not run.
        assert_eq!(!remark.contains("hidden"), is_old, "{remark}");
    }
}

#[test]
fn the_page_names_nothing_to_load() {
    let html = sample_page("2026-11-20T16:25:00Z");
    for forbidden in [
        "src=",
        "href=\"http",
        "url(",
        "@import",
        "<iframe",
        "<object",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_eq!(html.matches("href=").count(), 1, "the icon, which is empty");
}
