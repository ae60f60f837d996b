//! `collect`, `inventory` and `policy` as a user meets them, on the shipped recorded estate.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::GzDecoder;
use serde_json::Value;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloud-export"));
    // The machine's own settings are not the test's.
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("CLOUD_EXPORT_")) {
        command.env_remove(name);
    }
    command
        .current_dir(project())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn lines_of_json(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout).lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every file below a directory, decompressed if it is compressed; what is no text in one of its own
/// is replaced.
fn contents(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut content = Vec::new();
        match path.extension().is_some_and(|extension| extension == "gz") {
            true => GzDecoder::new(&bytes[..])
                .read_to_end(&mut content)
                .unwrap(),
            false => (&bytes[..]).read_to_end(&mut content).unwrap(),
        };
        found.push((path, String::from_utf8_lossy(&content).into_owned()));
    }
    found
}

const TABLE: &str = "\
account       region     state     endpoints  rows  calls
123456789012  global     complete  3 ok       3     3
123456789012  us-east-1  complete  35 ok      76    35
210987654321  global     complete  3 ok       3     3
210987654321  us-east-1  complete  17 ok      30    17
";

#[test]
fn the_recorded_estate_is_collected_kept_and_listed() {
    let root = tempfile::tempdir().unwrap();
    let metadata = format!("file://{}", root.path().join("metadata").display());
    let changes = format!("file://{}", root.path().join("changes").display());
    let collect = |from: &str| {
        run(&[
            "collect",
            "--from",
            from,
            "--metadata",
            &metadata,
            "--destination",
            &changes,
        ])
    };
    let output = collect("samples/metadata");
    assert_eq!(text(&output.stdout), TABLE, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));

    // The key of the recorded VPN connection is in the records, and nowhere else.
    let key = "sample-key-that-is-never-stored";
    let recorded = contents(&project().join("samples/metadata"));
    assert!(recorded.iter().any(|(_, content)| content.contains(key)));
    let kept = contents(root.path());
    let of_kind = |kind: &str| {
        let paths = kept.iter().filter_map(|(path, _)| path.extension());
        paths.filter(|extension| *extension == kind).count()
    };
    assert_eq!(of_kind("gz"), 8, "four snapshots, each current and dated");
    assert_eq!(of_kind("idx"), 3, "two shards and the directory");
    assert_eq!(of_kind("json") + of_kind("html"), 2, "the status");
    for (path, content) in &kept {
        assert!(!content.contains(key), "{}", path.display());
    }
    assert!(kept.iter().any(|(_, content)| content.contains("REDACTED")));

    let inventory = |arguments: &[&str]| {
        let output = run(&[&["inventory", "--metadata", &metadata], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output
    };
    let counts = inventory(&[]);
    let line = |kind: &str| {
        let lines = text(&counts.stdout).lines();
        lines
            .filter(|line| line.split_whitespace().next() == Some(kind))
            .count()
    };
    assert_eq!(
        (line("interface"), line("transit-gateway"), line("lag")),
        (1, 1, 0)
    );
    let shared = lines_of_json(&inventory(&["--kind", "transit-gateway", "--json"]));
    assert_eq!(shared.len(), 1, "both accounts see it, and it is one");
    assert_eq!(shared[0]["account"], "123456789012");
    let named = lines_of_json(&inventory(&["--id", "i-0d4e5f60718293a4b", "--json"]));
    assert_eq!(named[0]["name"], "cart-cache");
    let of_vpc = inventory(&["--vpc", "vpc-0d4e5f60718293a4b", "--region", "us-east-1"]);
    assert!(text(&of_vpc.stdout).contains("eni-051b2c3d4e5f60718"));
    assert!(!text(&of_vpc.stdout).contains("vpc-0a1b2c3d4e5f60718"));

    let covered = lines_of_json(&inventory(&["--coverage", "--json"]));
    let call = |name: &str| covered.iter().find(|line| line["call"] == name).unwrap();
    assert_eq!(
        (covered.len(), &call("ec2:DescribeVpcs")["states"]["ok"]),
        (61, &2.into())
    );
    assert_eq!(call("organizations:ListAccounts")["not_asked"], 2);
    assert!(text(&inventory(&["--coverage"]).stdout).contains("ec2:DescribeVpcs"));

    // What is the same is no change; what is not, is told.
    assert_eq!(collect("samples/metadata").status.code(), Some(0));
    assert!(contents(&root.path().join("changes")).is_empty());
    let moved = root
        .path()
        .join("aws_configs/accounts/210987654321/us-east-1");
    std::fs::create_dir_all(&moved).unwrap();
    let recorded = "samples/metadata/aws_configs/accounts/210987654321/us-east-1/answers.json";
    let recorded = std::fs::read_to_string(project().join(recorded)).unwrap();
    let renamed = recorded.replace("cart-cache", "cart-cache-old");
    std::fs::write(moved.join("answers.json"), renamed).unwrap();
    assert_eq!(
        collect(root.path().join("aws_configs").to_str().unwrap())
            .status
            .code(),
        Some(0)
    );
    let told = contents(&root.path().join("changes"));
    assert_eq!(told.len(), 1, "{told:?}");
    let change: Value = serde_json::from_str(told[0].1.trim()).unwrap();
    assert_eq!(
        (
            &change["resource"],
            &change["kind"],
            &change["members"][0]["path"]
        ),
        (
            &"i-0d4e5f60718293a4b".into(),
            &"changed".into(),
            &"Tags[Name].Value".into()
        )
    );
}

#[test]
fn inventory_reads_what_the_aws_cli_prints() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("vpcs.json");
    std::fs::write(
        &file,
        r#"{"Vpcs": [{"VpcId": "vpc-1", "OwnerId": "123456789012", "CidrBlock": "10.0.0.0/16", "State": "available"}, {"State": "available"}]}"#,
    )
    .unwrap();
    let output = run(&[
        "inventory",
        "--from",
        file.to_str().unwrap(),
        "--kind",
        "vpc",
        "--json",
    ]);
    let rows = lines_of_json(&output);
    assert_eq!((rows.len(), &rows[0]["id"]), (1, &"vpc-1".into()));
    assert!(
        text(&output.stderr).contains("1 rows of Vpcs are left out"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn policies_are_json_and_name_what_they_allow() {
    let policy = |arguments: &[&str]| -> Value {
        let output = run(&[&["policy"], arguments].concat());
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let reader = policy(&[]);
    let actions = reader["Statement"][0]["Action"].as_array().unwrap();
    assert!(actions.contains(&"ec2:SearchTransitGatewayRoutes".into()));
    let role = "arn:aws:iam::*:role/cloud-export-reader";
    assert_eq!(
        policy(&["--assume", role])["Statement"][0]["Resource"][0],
        role
    );
    let hub = "arn:aws:iam::111111111111:role/hub";
    let trust = policy(&["--trust", hub, "--external-id", "x1"]);
    assert_eq!(
        trust["Statement"][0]["Condition"]["ArnEquals"]["aws:PrincipalArn"],
        hub
    );
}

#[test]
fn what_cannot_be_used_is_named_and_exits_with_2() {
    for (arguments, expected) in [
        (
            &["collect", "--accounts", "12"][..],
            "CLOUD_EXPORT_ACCOUNTS: \"12\" is not an account id",
        ),
        (
            &["collect", "--metadata", "stdout:"],
            "CLOUD_EXPORT_METADATA: \"stdout:\" is no place for objects",
        ),
        (
            &["collect", "--from", "functions"],
            "functions holds no document whose account and region are known",
        ),
        (
            &["inventory", "--kind", "router"],
            "--kind: \"router\" is none of account,",
        ),
        (
            &["policy", "--trust", "hub"],
            "--trust: \"hub\" is not the ARN of a role",
        ),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    let root = tempfile::tempdir().unwrap();
    let empty = format!("file://{}", root.path().display());
    let output = run(&["inventory", "--metadata", &empty]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cloud-export collect makes them"));
}

#[test]
fn the_status_of_a_run_is_printed_and_drawn() {
    let root = tempfile::tempdir().unwrap();
    let metadata = format!("file://{}", root.path().join("metadata").display());
    let none = run(&["status", "--metadata", &metadata]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no status/status.json below"));
    run(&[
        "collect",
        "--from",
        "samples/metadata",
        "--metadata",
        &metadata,
    ]);
    let printed = run(&["status", "--metadata", &metadata]);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stdout));
    let printed = text(&printed.stdout);
    for expected in ["no issues", "1 of 1 VPCs", "us-east-1  complete, 76 rows"] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    let json = lines_of_json(&run(&["status", "--metadata", &metadata, "--json"]));
    assert_eq!(json[0]["entries"].as_array().unwrap().len(), 6);
    assert_eq!(json[0]["issues"], serde_json::json!([]));
    let file = root.path().join("status.html");
    let drawn = run(&[
        "status",
        "--metadata",
        &metadata,
        "--html",
        file.to_str().unwrap(),
    ]);
    assert_eq!(drawn.status.code(), Some(0));
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .contains("123456789012")
    );
    // The account is not asked for any more, three times.
    let place = root.path().join("metadata/status/status.json");
    let mut document: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    let later = [
        "2099-01-01T00:00:00Z",
        "2099-01-01T01:00:00Z",
        "2099-01-01T02:00:00Z",
    ];
    document["exports"][0]["runs"] = later.to_vec().into();
    std::fs::write(&place, document.to_string()).unwrap();
    let stale = run(&["status", "--metadata", &metadata]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(
        text(&stale.stdout).starts_with("as of "),
        "{}",
        text(&stale.stdout)
    );
    assert!(text(&stale.stdout).contains("failing: Metadata: Runs come"));
}
