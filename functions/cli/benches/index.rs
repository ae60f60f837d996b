//! An index of a million interfaces: what it takes to open it, to keep it, and to look something up.
//!
//! ```text
//! cargo bench -p cloud-export --bench index              # 200 shards of 5,000 interfaces
//! cargo bench -p cloud-export --bench index -- 20        # 20 shards
//! ```

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use telemetry::index::{Holder, IndexUnit, Shard, shard};
use telemetry::inventory::InventoryBuilder;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Interfaces of a shard.
const INTERFACES: u32 = 5_000;
/// Lookups that are timed together.
const LOOKUPS: u32 = 2_000_000;

fn main() -> Outcome<()> {
    let shards: u32 = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
        .map_or(Ok(200), |count| count.parse())?;
    let files = (0..shards).map(file).collect::<Outcome<Vec<Bytes>>>()?;
    let size: usize = files.iter().map(Bytes::len).sum();
    println!(
        "{} interfaces in {shards} shards: {:.1} MB, {} bytes an interface",
        shards * INTERFACES,
        size as f64 / 1e6,
        size / (shards * INTERFACES) as usize
    );
    // As they would come over the network: memory of its own, not touched by this program before.
    let mut opened = Vec::new();
    let mut slowest = Duration::ZERO;
    let started = Instant::now();
    for file in &files {
        let clock = Instant::now();
        opened.push(Shard::open(Bytes::copy_from_slice(file))?);
        slowest = slowest.max(clock.elapsed());
    }
    let all = started.elapsed();
    println!(
        "opened, with a copy of the file: {:.3} ms a shard, the slowest {:.3} ms",
        all.as_secs_f64() * 1e3 / f64::from(shards),
        slowest.as_secs_f64() * 1e3
    );
    drop(files);
    if let Some(resident) = resident() {
        println!("resident memory with all of them open: {resident:.0} MB");
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u32
    };
    let mut found = 0_u32;
    let clock = Instant::now();
    for _ in 0..LOOKUPS {
        let (place, number) = (next() % shards, next() % INTERFACES);
        let id = id(place, number);
        found += u32::from(opened[place as usize].interface(id.as_bytes()).is_some());
    }
    report("an interface by its id", clock, found);
    let mut found = 0;
    let clock = Instant::now();
    for _ in 0..LOOKUPS {
        let (place, number) = (next() % shards, next() % INTERFACES);
        let holder = opened[place as usize].holder(0, address(number), 1_795_190_400);
        found += u32::from(matches!(black_box(holder), Holder::Interface(..)));
    }
    report("who has an address of a VPC", clock, found);
    Ok(())
}

fn report(what: &str, clock: Instant, found: u32) {
    let nanoseconds = clock.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKUPS);
    println!("{what}: {nanoseconds:.0} ns, {found} of {LOOKUPS} found, nothing memorised");
}

fn id(shard: u32, number: u32) -> String {
    format!("eni-0{shard:08x}{number:08x}")
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number * 7))
}

/// The shard of an account.
fn file(shard_number: u32) -> Outcome<Bytes> {
    let account = format!("{:012}", 100_000_000_000_u64 + u64::from(shard_number));
    let interfaces: Vec<Value> = (0..INTERFACES)
        .map(|number| {
            json!({
                "NetworkInterfaceId": id(shard_number, number), "VpcId": "vpc-1",
                "SubnetId": format!("subnet-{}", number % 18), "OwnerId": account,
                "InterfaceType": "interface", "Status": "in-use",
                "Groups": [{"GroupId": format!("sg-{}", number % 40)}],
                "PrivateIpAddresses": [{"PrivateIpAddress": address(number).to_string(), "Primary": true}],
                "Attachment": {"InstanceId": format!("i-0{shard_number:08x}{number:08x}"), "InstanceOwnerId": account},
                "TagSet": [{"Key": "team", "Value": format!("team-{}", number % 25)},
                    {"Key": "Name", "Value": format!("node-{number}")}],
            })
        })
        .collect();
    let document = json!({
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/8", "OwnerId": account}],
        "NetworkInterfaces": interfaces,
    });
    let mut builder = InventoryBuilder::new();
    let place = format!("aws_configs/accounts/{account}/us-east-1/answers.json");
    builder.add_path_document(&place, &document);
    let unit = IndexUnit {
        account: &account,
        region: "us-east-1",
        collected: 1_795_190_400,
    };
    Ok(shard(&builder.finish(), unit, None, 0).ok_or("the shard is too large")?)
}

/// Megabytes of memory that this process has, where Linux tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
