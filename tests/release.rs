//! What `.ci/release` builds: archives for both architectures, and functions that run. The architecture that is not this
//! machine's runs under QEMU.
//!
//! It takes minutes, so it runs when asked for:
//!
//! ```sh
//! rustup target add aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu
//! apt-get install qemu-user-static libc6-arm64-cross        # on Debian; qemu-user-static libc6-amd64-cross on Arm
//! tests/run --test end_to_end release:: -- --ignored --nocapture
//! ```

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
use e2e::programs::tools;
use e2e::project;
use e2e::s3_server::S3Server;
use serde_json::json;

use crate::forwarder::{golden, named, notification, written};

/// An architecture as Lambda calls it, as Rust does, what its ELF files say (`e_machine`), and its C library.
struct Architecture {
    name: &'static str,
    rust: &'static str,
    machine: u16,
    libraries: &'static str,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        name: "arm64",
        rust: "aarch64",
        machine: 183,
        libraries: "/usr/aarch64-linux-gnu",
    },
    Architecture {
        name: "x86_64",
        rust: "x86_64",
        machine: 62,
        libraries: "/usr/x86_64-linux-gnu",
    },
];

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
    let libraries = architecture.libraries;
    assert!(
        found.status.success() && Path::new(libraries).is_dir(),
        "{qemu} or {libraries} is missing; on Debian: apt-get install qemu-user-static libc6-arm64-cross"
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

async fn starts(collector: PathBuf) {
    let server = S3Server::empty(&["metadata"]).await;
    let settings = [("CLOUD_EXPORT_METADATA", "s3://metadata/network")];
    let function = Function::start_of(|| collector, &server, &settings).await;
    println!("   the collector: first poll after {:?}", function.init);
}

#[tokio::test]
#[ignore = "builds everything for two architectures, which takes minutes"]
async fn the_archives_of_both_architectures_have_programs_that_run() {
    let tools = tools().expect("the release is built with what tests/run installs");
    let listed = run(Command::new(project().join(".ci/release"))
        .current_dir(project())
        .envs(QUICK_RELEASE));
    println!("{listed}");
    let folders: Vec<&Path> = listed
        .lines()
        .filter_map(|line| {
            line.strip_suffix(" s)")?
                .rsplit_once(" (")
                .map(|(folder, _)| Path::new(folder))
        })
        .collect();
    assert_eq!(folders.len(), ARCHITECTURES.len());
    for (architecture, folder) in ARCHITECTURES.iter().zip(folders) {
        println!("{}", architecture.name);
        let name = format!(
            "cloud-export-{}-{}",
            env!("CARGO_PKG_VERSION"),
            architecture.name
        );
        assert_eq!(folder.file_name().unwrap().to_str(), Some(&*name));
        run(Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(folder));
        let work = tempfile::tempdir().unwrap();
        let mut programs = Vec::new();
        for (archive, program) in [
            ("flow-forwarder.zip", "flow-forwarder/bootstrap".to_owned()),
            (
                "metadata-collector.zip",
                "metadata-collector/bootstrap".to_owned(),
            ),
            (
                "cloud-export.tar.gz",
                format!("cloud-export/{name}/cloud-export"),
            ),
        ] {
            let to = work.path().join(archive.split_once('.').unwrap().0);
            fs::create_dir(&to).unwrap();
            unpack(&tools, &folder.join(archive), &to);
            let program = work.path().join(program);
            assert_eq!(
                program.metadata().unwrap().permissions().mode() & 0o777,
                0o755
            );
            let content = fs::read(&program).unwrap();
            assert_eq!(content[..4], *b"\x7fELF");
            assert_eq!(
                u16::from_le_bytes([content[18], content[19]]),
                architecture.machine
            );
            let glibc = glibc(&content);
            assert!(glibc <= NEWEST_GLIBC, "{archive} needs glibc 2.{glibc}");
            println!(
                "   {archive}: {} bytes unpacked, glibc 2.{glibc}",
                content.len()
            );
            programs.push(runnable(architecture, &program));
        }
        let [forwarder, collector, cloud_export] = programs.try_into().unwrap();
        forwards(forwarder).await;
        starts(collector).await;
        let version = run(Command::new(cloud_export).arg("--version"));
        assert_eq!(
            version.trim(),
            format!("cloud-export {}", env!("CARGO_PKG_VERSION"))
        );
    }
}
