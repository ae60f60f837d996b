//! Network interfaces and what runs behind them.

use super::LogFormat;
use super::estate::{ACCOUNT, REGION, SUBNETS_PER_VPC, VPC_IDS, VPCS, ZONE_IDS, ZONES};
use super::random::mix;
use super::text::{Text, boxed, pick};

const CLUSTERS: [&str; 3] = ["shop", "payments", "analytics"];

const ECS_SERVICES: [&str; 12] = [
    "checkout",
    "catalog",
    "cart",
    "search",
    "ledger",
    "refunds",
    "fraud",
    "invoices",
    "ingest",
    "reports",
    "exports",
    "scheduler",
];

const TEAMS: [&str; 6] = [
    "web%20platform",
    "payments",
    "data%2Fanalytics",
    "search%20%26%20discovery",
    "sre",
    "caf%C3%A9",
];

const STAGES: [&str; 3] = ["prod", "staging", "dev"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Instance,
    Node,
    Task,
    LoadBalancer,
    Endpoint,
    Nat,
    Transit,
    RegionalNat,
}

impl Role {
    fn interface_type(self) -> &'static str {
        match self {
            Role::Instance | Role::Node | Role::Task => "-",
            Role::LoadBalancer => "network_load_balancer",
            Role::Endpoint => "vpc_endpoint",
            Role::Nat => "nat_gateway",
            Role::Transit => "transit_gateway",
            Role::RegionalNat => "regional_nat_gateway",
        }
    }
}

/// A network interface, with the parts of its rows that never change already written.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) role: Role,
    pub(super) vpc: u32,
    pub(super) zone_index: u32,
    pub(super) public: bool,
    pub(super) port: u16,
    pub(super) serves_percent: u32,
    pub(super) v4: Text<15>,
    pub(super) v6: Text<39>,
    /// `version account-id interface-id `
    pub(super) head: Box<[u8]>,
    /// The same for rows without data, where some accounts are `unknown`.
    pub(super) idle_head: Box<[u8]>,
    /// ` vpc-id subnet-id instance-id `
    pub(super) owner: Box<[u8]>,
    /// ` region az-id sublocation-type sublocation-id `
    pub(super) zone: Box<[u8]>,
    /// The ten ECS fields, with a space before each.
    pub(super) container: Box<[u8]>,
    /// ` resource-id `
    pub(super) resource: Box<[u8]>,
    /// The six tags and the interface type, with a space before each and one after.
    pub(super) tags: Box<[u8]>,
    /// The fields of versions 7 to 11 in rows without data.
    pub(super) idle_tail: Box<[u8]>,
    /// The five next-hop fields when this interface is the next hop.
    pub(super) as_hop: Box<[u8]>,
}

/// The index of a gateway's interface: every seventh of the first 126 is one.
pub(super) fn gateway_index(vpc: u32, zone: u32, offset: u32) -> u32 {
    (vpc * ZONES + zone) * 7 + offset
}

impl Interface {
    pub(super) fn new(index: u32, format: LogFormat) -> Interface {
        let mixed = mix(u64::from(index));
        let dice = u32::try_from(mixed % 100).unwrap_or(0);
        let group = index / 7;
        let gateway = group < VPCS * ZONES;
        let role = match index % 7 {
            3 if gateway => Role::Nat,
            5 if gateway => Role::Transit,
            6 if index < 21 && format == LogFormat::VpcV11 => Role::RegionalNat,
            _ => match dice {
                0..=3 => Role::LoadBalancer,
                4..=8 => Role::Endpoint,
                9..=24 => Role::Task,
                25..=57 => Role::Node,
                _ => Role::Instance,
            },
        };
        let (vpc, zone_index, tier) = match role {
            Role::Nat => (group / ZONES, group % ZONES, 0),
            Role::Transit => (group / ZONES, group % ZONES, 2),
            Role::LoadBalancer => (
                u32::try_from((mixed >> 16) % 3).unwrap_or(0),
                index % ZONES,
                0,
            ),
            Role::RegionalNat => (group, 0, 0),
            _ => {
                let subnet = u32::try_from((mixed >> 16) % 54).unwrap_or(0);
                (subnet / SUBNETS_PER_VPC, subnet % ZONES, subnet / ZONES % 3)
            }
        };
        let subnet = tier * ZONES + zone_index;
        let public = tier == 0;
        let (port, serves_percent) = match role {
            Role::LoadBalancer | Role::Endpoint => (443, 95),
            Role::Nat | Role::Transit | Role::RegionalNat => (443, 0),
            Role::Node => (pick(&[8080, 8443, 9090, 30_443], dice % 4, 8080), 50),
            Role::Task => (pick(&[8080, 3000, 8000], dice % 3, 8080), 50),
            Role::Instance if public => (pick(&[443, 443, 80, 22], dice % 4, 443), 85),
            Role::Instance if tier == 2 => (pick(&[5432, 3306, 6379, 9092], dice % 4, 5432), 90),
            Role::Instance => (pick(&[8080, 443, 8443, 9200], dice % 4, 8080), 40),
        };

        // 2,048 addresses a subnet: the first four are reserved.
        let host = 4 + index % 2_040;
        let third = subnet * 8 + (host >> 8);
        let v4 = match vpc {
            0 => Text::v4(10, 20, third, host & 255),
            1 => Text::v4(10, 40, third, host & 255),
            _ => Text::v4(172, 20, third, host & 255),
        };
        let v6 = Text::new(&format!(
            "2001:db8:{:x}:{:x}::{:x}",
            vpc + 1,
            0x10 + subnet,
            0x100 + index
        ));

        let vpc_id = pick(&VPC_IDS, vpc, "-");
        let zone_id = pick(&ZONE_IDS, zone_index, "-");
        let subnet_id = format!(
            "subnet-0{:016x}",
            mix(0x5_0000 + u64::from(vpc * 18 + subnet))
        );
        let interface_id = format!("eni-0{:016x}", mix(0xe_0000 + u64::from(index)));
        let regional = role == Role::RegionalNat;
        let (interface_id, subnet_id) = if regional {
            ("-".to_owned(), "-".to_owned())
        } else {
            (interface_id, subnet_id)
        };
        let instance_id = match role {
            Role::Instance | Role::Node => {
                format!("i-0{:016x}", mix(0x1_0000 + u64::from(index)))
            }
            _ => "-".to_owned(),
        };
        let version = format.version();
        let idle_account = match role {
            Role::LoadBalancer | Role::Endpoint => "unknown",
            _ => ACCOUNT,
        };
        let resource = if regional {
            format!("nat-1{:016x}", mix(0x7_0000 + u64::from(index)))
        } else {
            "-".to_owned()
        };
        let kind = role.interface_type();
        Interface {
            index,
            role,
            vpc,
            zone_index,
            public,
            port,
            serves_percent,
            v4,
            v6,
            head: boxed(format!("{version} {ACCOUNT} {interface_id} ")),
            idle_head: boxed(format!("{version} {idle_account} {interface_id} ")),
            owner: boxed(format!(" {vpc_id} {subnet_id} {instance_id} ")),
            zone: boxed(format!(" {REGION} {zone_id} - - ")),
            container: boxed(container_fields(index, role, mixed)),
            resource: boxed(format!(" {resource} ")),
            tags: boxed(format!(" {} {kind} ", tag_fields(role, mixed))),
            idle_tail: boxed(format!(
                " - - - - - - - - - - - {resource} - - - - - - - {kind} - - - - -"
            )),
            as_hop: if regional {
                boxed(format!("- - {zone_id} {vpc_id} {kind}"))
            } else {
                boxed(format!(
                    "{interface_id} {subnet_id} {zone_id} {vpc_id} {kind}"
                ))
            },
        }
    }
}

/// The ten ECS fields, with a space before each.
fn container_fields(index: u32, role: Role, mixed: u64) -> String {
    if role != Role::Task {
        return " -".repeat(10);
    }
    let number = u32::try_from((mixed >> 24) % 12).unwrap_or(0);
    let service = pick(&ECS_SERVICES, number, "checkout");
    let cluster = pick(&CLUSTERS, number / 4, "shop");
    let task = format!(
        "{:016x}{:016x}",
        mix(0x2_0000 + u64::from(index)),
        mix(0x3_0000 + u64::from(index))
    );
    let base = format!("arn:aws:ecs:{REGION}:{ACCOUNT}");
    let fargate = mixed & 1 == 0;
    let (host, host_id) = if fargate {
        ("-".to_owned(), "-".to_owned())
    } else {
        let id = format!("{:016x}{:016x}", mix(mixed % 64), mix(mixed % 64 + 64));
        (format!("{base}:container-instance/{cluster}/{id}"), id)
    };
    let container = |number: u64| {
        if fargate {
            format!("{task}-{:010}", (mixed >> 32) + number)
        } else {
            let seed = u64::from(index) * 8 + number;
            format!(
                "{:016x}{:016x}{:016x}{:016x}",
                mix(seed),
                mix(seed ^ 0x10_0000),
                mix(seed ^ 0x20_0000),
                mix(seed ^ 0x30_0000)
            )
        }
    };
    let second = if mixed & 2 == 0 {
        "-".to_owned()
    } else {
        container(1)
    };
    // A task started by hand has no service.
    let service_name = if mixed & 0xf0 == 0 { "-" } else { service };
    format!(
        " {base}:cluster/{cluster} {cluster} {host} {host_id} {} {second} {service_name} \
         {base}:task-definition/{service}:{} {base}:task/{cluster}/{task} {task}",
        container(0),
        1 + (mixed >> 40) % 40,
    )
}

/// The six tag fields, with single spaces between them.
fn tag_fields(role: Role, mixed: u64) -> String {
    let team = pick(&TEAMS, u32::try_from((mixed >> 8) % 6).unwrap_or(0), "sre");
    let stage = pick(
        &STAGES,
        u32::try_from((mixed >> 12) % 3).unwrap_or(0),
        "prod",
    );
    match role {
        Role::Instance => format!("{team} {stage} {team} - - -"),
        Role::Node => format!("{team} {stage} - - eks%2Fnodes-{stage} {stage}"),
        Role::Task => format!("- - {team} {stage} - -"),
        _ => "- - - - - -".to_owned(),
    }
}
