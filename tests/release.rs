//! What `.ci/release` makes of one architecture: archives with their sums, and programs in them that run. Those that are not
//! of this machine's architecture run under QEMU.
//!
//! It takes minutes, so it runs when asked for:
//!
//! ```sh
//! rustup target add aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu
//! apt-get install qemu-user-static libc6-arm64-cross        # on Debian; qemu-user-static libc6-amd64-cross on Arm
//! tests/run --test end_to_end release:: -- --ignored --nocapture
//! ```
//!
//! It builds with little optimisation, and without any across crates. What is to be shipped is tested as it is, with the
//! folder that `.ci/release` made it in: `E2E_RELEASE=target/dist`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::binaries::Function;
use e2e::fault_server::{FaultServer, certificate};
use e2e::golden::Golden;
use e2e::programs::tools;
use e2e::project;
use e2e::s3_server::S3Server;
use serde_json::json;

use crate::collector::hands_accounts_on;
use crate::forwarder::{golden, named, notification, written};

/// Names the folder with the releases to test, from the root of the project, instead of a quick one that is built.
const RELEASE_TO_TEST: &str = "E2E_RELEASE";

/// An architecture as Lambda calls it, as Rust does, what its ELF files say (`e_machine`), and where Debian has its C
/// library for other architectures, in which package.
struct Architecture {
    name: &'static str,
    rust: &'static str,
    machine: u16,
    libraries: &'static str,
    package: &'static str,
}

const ARM64: Architecture = Architecture {
    name: "arm64",
    rust: "aarch64",
    machine: 183,
    libraries: "/usr/aarch64-linux-gnu",
    package: "libc6-arm64-cross",
};

const X86_64: Architecture = Architecture {
    name: "x86_64",
    rust: "x86_64",
    machine: 62,
    libraries: "/usr/x86_64-linux-gnu",
    package: "libc6-amd64-cross",
};

/// The release profile with what makes it slow to build left out.
const QUICK_RELEASE: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// The glibc of provided.al2023.
const NEWEST_GLIBC: u32 = 34;

/// Text, gzip, Zstandard, Parquet: what has C in it, or instructions of one architecture.
const SAMPLES: [&str; 3] = ["vpc-v2", "vpc-v2-zstd", "vpc-v5-parquet"];

/// Where the settings of a program are.
const SETTINGS: &str = "CLOUD_EXPORT_";

fn run(command: &mut Command) -> String {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The newest minor version of glibc 2 that an ELF file names.
fn glibc(content: &[u8]) -> u32 {
    let name = b"GLIBC_2.";
    let after = content
        .windows(name.len())
        .enumerate()
        .filter_map(|(at, found)| (found == name).then_some(&content[at + name.len()..]));
    let minor = after.filter_map(|rest| {
        let digits: Vec<u8> = rest
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .collect();
        String::from_utf8(digits).unwrap().parse().ok()
    });
    minor.max().expect("it is linked with glibc")
}

/// What runs a program of the architecture on this machine: the program itself, or a script that gives it to QEMU.
fn runnable(architecture: &Architecture, program: &Path) -> PathBuf {
    if architecture.rust == std::env::consts::ARCH {
        return program.to_owned();
    }
    let qemu = format!("qemu-{}-static", architecture.rust);
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {qemu}")])
        .output()
        .unwrap();
    let Architecture {
        libraries, package, ..
    } = architecture;
    assert!(
        found.status.success() && Path::new(libraries).is_dir(),
        "{qemu} or {libraries} is missing; on Debian: apt-get install qemu-user-static {package}"
    );
    let qemu = String::from_utf8(found.stdout).unwrap();
    let script = program.with_extension("sh");
    let text = format!(
        "#!/bin/sh\nexec {} -L {libraries} {} \"$@\"\n",
        qemu.trim(),
        program.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// Unpacks an archive with Python, which keeps no permissions of zip files: those are asked for.
fn unpack(tools: &Path, archive: &Path, to: &Path) {
    const UNPACK: &str = "
import pathlib, sys, tarfile, zipfile
archive, to = sys.argv[1:]
if archive.endswith('.tar.gz'):
    tarfile.open(archive).extractall(to, filter='data')
else:
    for entry in zipfile.ZipFile(archive).infolist():
        file = pathlib.Path(zipfile.ZipFile(archive).extract(entry, to))
        file.chmod(entry.external_attr >> 16)
";
    run(Command::new(tools.join("bin/python"))
        .args(["-c", UNPACK])
        .args([archive, to]));
}

async fn forwards(binary: PathBuf) {
    let server = S3Server::with_samples().await;
    let mut function = Function::start_of(|| binary, &server, &[]).await;
    let objects = SAMPLES.map(named);
    let objects: Vec<(&str, &str)> = objects.iter().map(|(b, k)| (&**b, &**k)).collect();
    let answer = function.invoke(&notification(&objects)).await;
    assert_eq!(answer.response(), json!({"status": "done"}));
    assert!(written(&server) == golden(&SAMPLES));
    println!(
        "   the forwarder: first poll after {:?}, {} objects forwarded",
        function.init,
        SAMPLES.len()
    );
}

async fn collects(collector: PathBuf, tools: &Path) {
    let init = hands_accounts_on(move || collector, tools).await;
    println!("   the collector: first poll after {init:?}, three accounts collected");
}

/// The program on this machine's command line, without settings of this machine's.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with(SETTINGS)) {
        command.env_remove(name);
    }
    command
}

/// Lines in an order: objects are done in any.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

async fn answers(cloud_export: &Path) {
    let version = run(command(cloud_export).arg("--version"));
    assert_eq!(
        version.trim(),
        format!("cloud-export {}", env!("CARGO_PKG_VERSION"))
    );
    let event = "events/s3-everything.json";
    let records = run(command(cloud_export).args(["run", event]));
    let expected = Golden::at("functions/cli/tests/golden").read("samples-enriched.ndjson");
    assert!(sorted(&records) == sorted(&expected));
    // The cryptography is written for each architecture.
    let receiver = FaultServer::secure("good.pem").await;
    let authority = certificate("authority.pem");
    let destination = format!("{}#ca_bundle={}", receiver.url("/in"), authority.display());
    let program = cloud_export.to_owned();
    let sent = tokio::task::spawn_blocking(move || {
        run(command(&program).args(["run", event, "--destination", &destination]))
    });
    assert_eq!(sent.await.unwrap(), "");
    assert!(
        receiver
            .taken()
            .iter()
            .all(|request| !request.body.is_empty())
    );
    println!(
        "   cloud-export: {} records of the samples, {} requests over TLS",
        expected.lines().count(),
        receiver.taken().len()
    );
    assert_eq!(receiver.taken().len(), 10);
}

/// The folder of an architecture's release, which is built unless one is named.
fn release(architecture: &Architecture) -> PathBuf {
    let name = format!(
        "cloud-export-{}-{}",
        env!("CARGO_PKG_VERSION"),
        architecture.name
    );
    if let Some(folder) = std::env::var_os(RELEASE_TO_TEST) {
        return project().join(folder).join(name);
    }
    let listed = run(Command::new(project().join(".ci/release"))
        .arg(architecture.name)
        .current_dir(project())
        .envs(QUICK_RELEASE));
    println!("{listed}");
    let first = listed.lines().next().unwrap();
    let folder = PathBuf::from(first.rsplit_once(" (").unwrap().0);
    assert_eq!(folder.file_name().unwrap().to_str(), Some(&*name));
    folder
}

async fn runs(architecture: &Architecture) {
    let tools = tools().expect("the release is built with what tests/run installs");
    let folder = release(architecture);
    let name = folder.file_name().unwrap().to_str().unwrap();
    println!("{name}");
    run(Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&folder));
    let work = tempfile::tempdir().unwrap();
    let program = |archive: &str, inside: &str| {
        let to = work.path().join(archive);
        fs::create_dir(&to).unwrap();
        unpack(&tools, &folder.join(archive), &to);
        let program = to.join(inside);
        check(architecture, &program);
        runnable(architecture, &program)
    };
    let forwarder = program("flow-forwarder.zip", "bootstrap");
    let collector = program("metadata-collector.zip", "bootstrap");
    let cloud_export = program("cloud-export.tar.gz", &format!("{name}/cloud-export"));
    forwards(forwarder).await;
    collects(collector, &tools).await;
    answers(&cloud_export).await;
}

/// Asserts that a program may be executed, on its architecture, with the glibc of Lambda.
fn check(architecture: &Architecture, program: &Path) {
    let mode = program.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "{}", program.display());
    let content = fs::read(program).unwrap();
    assert_eq!(content[..4], *b"\x7fELF");
    let machine = u16::from_le_bytes([content[18], content[19]]);
    assert_eq!(machine, architecture.machine, "{}", program.display());
    let glibc = glibc(&content);
    println!(
        "   {}: {} bytes, glibc 2.{glibc}",
        program.display(),
        content.len()
    );
    assert!(glibc <= NEWEST_GLIBC);
}

#[tokio::test]
#[ignore = "builds everything, which takes minutes"]
async fn the_release_for_arm64_runs() {
    runs(&ARM64).await;
}

#[tokio::test]
#[ignore = "builds everything, which takes minutes"]
async fn the_release_for_x86_64_runs() {
    runs(&X86_64).await;
}
