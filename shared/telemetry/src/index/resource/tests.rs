use super::*;
use crate::inventory::{InventoryBuilder, Origin, read_directory};
use serde_json::{Value, json};
use std::path::Path;

const ACCOUNT: &str = "111122223333";
const UUID: &str = "4eee8638-56a2-4b28-8375-7c8300dcfeab";

fn inventory(document: &Value) -> Inventory {
    let mut builder = InventoryBuilder::new();
    let origin = Origin {
        account: Some(ACCOUNT.to_owned()),
        region: Some("us-east-1".to_owned()),
        seen: None,
    };
    builder.add(document, origin);
    builder.finish()
}

/// What is behind an interface with these members, when the inventory has this besides.
fn behind_with(members: Value, mut besides: Value) -> Option<Behind> {
    let mut interface =
        json!({"NetworkInterfaceId": "eni-1", "OwnerId": ACCOUNT, "VpcId": "vpc-1"});
    let members = members.as_object().unwrap().clone();
    interface.as_object_mut().unwrap().extend(members);
    besides["NetworkInterfaces"] = json!([interface]);
    let inventory = inventory(&besides);
    behind(inventory.interfaces.get("eni-1").unwrap(), &inventory)
}

fn behind_of(members: Value) -> Option<Behind> {
    behind_with(members, json!({}))
}

fn is(resource_type: &'static str, id: &str, name: &str, service: &str) -> Option<Behind> {
    Some(Behind {
        resource_type,
        id: owned(Some(id)),
        name: owned(Some(name)),
        service: owned(Some(service)),
    })
}

/// Descriptions as they were seen, and what they tell: type, id, name.
#[rustfmt::skip]
const SEEN: &[(&str, &str, &str, &str)] = &[
    ("arn:aws:ecs:us-east-1:799611636099:attachment/17fa1dc1-d5df-4735-9aba-0161045a28f9", "ecs-task", "arn:aws:ecs:us-east-1:799611636099:attachment/17fa1dc1-d5df-4735-9aba-0161045a28f9", ""),
    ("arn:aws-cn:ecs:cn-north-1:799611636099:attachment/17fa1dc1-d5df-4735-9aba-0161045a28f9", "ecs-task", "arn:aws-cn:ecs:cn-north-1:799611636099:attachment/17fa1dc1-d5df-4735-9aba-0161045a28f9", ""),
    ("aws-K8S-i-0e5f6eaf5507b2388", "eks-node", "i-0e5f6eaf5507b2388", ""),
    ("aws-k8s-trunk-eni", "eks-node", "", ""),
    ("aws-k8s-branch-eni", "eks-pod", "", ""),
    ("Amazon EKS prod-agents", "eks-cluster", "prod-agents", "prod-agents"),
    ("ELB app/player/64deb6688dcdede5", "application-load-balancer", "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/player/64deb6688dcdede5", "player"),
    ("ELB net/nlb/ab25f3ac807d0ea8", "network-load-balancer", "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/nlb/ab25f3ac807d0ea8", "nlb"),
    ("ELB gwy/inspection/0a1b2c3d4e5f6071", "gateway-load-balancer", "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/gwy/inspection/0a1b2c3d4e5f6071", "inspection"),
    ("ELB legacy-web", "classic-load-balancer", "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/legacy-web", "legacy-web"),
    ("Interface for NAT Gateway nat-07ab4846da51f4612", "nat-gateway", "nat-07ab4846da51f4612", ""),
    ("VPC Endpoint Interface vpce-0d0bf1465fda47013", "interface-endpoint", "vpce-0d0bf1465fda47013", ""),
    ("VPC Endpoint Interface: vpce-0f00567fa8477a1e6", "interface-endpoint", "vpce-0f00567fa8477a1e6", ""),
    ("Resource Gateway Interface rgw-0bba03f3d56060135", "resource-gateway", "rgw-0bba03f3d56060135", ""),
    ("Network Interface for Transit Gateway Attachment tgw-attach-0f832eb2ca4a975a4", "transit-gateway-attachment", "tgw-attach-0f832eb2ca4a975a4", ""),
    ("AWS Lambda VPC ENI-row-copier-prod-cron-40e783ec-6270-4ccd-8d18-6e0398788f51", "lambda-function", "", "row-copier-prod-cron"),
    ("AWS Lambda VPC ENI: e64bbb87-8b61-4bb7-8295-6975c39585a0", "lambda-function", "", ""),
    ("AWS Lambda VPC ENI-cost-digest", "lambda-function", "", "cost-digest"),
    ("RDSNetworkInterface", "rds", "", ""),
    ("Network interface for DBProxy proxy-1734138353499-db-1", "rds-proxy", "", "proxy-1734138353499-db-1"),
    ("ElastiCache redis-001", "elasticache", "", "redis-001"),
    ("ElastiCache+redis-001", "elasticache", "", "redis-001"),
    ("RedshiftNetworkInterface", "redshift", "", ""),
    ("ES gen2", "opensearch-domain", "", "gen2"),
    ("DAX sessions", "dax", "", "sessions"),
    ("DMSNetworkInterface", "dms", "", ""),
    ("DO NOT DELETE - Amazon MSK network interface for cluster arn:aws:kafka:eu-west-2:766176144542:cluster/kafka-cluster/6411a16c-75d7-48b0-afdb-8ed466fe2072-2.", "msk-cluster", "arn:aws:kafka:eu-west-2:766176144542:cluster/kafka-cluster/6411a16c-75d7-48b0-afdb-8ed466fe2072-2", "kafka-cluster"),
    ("Amazon MQ network interface for broker b-03a68f4f-b3f4-43d9-8b61-bcfde3d37c3c", "mq-broker", "b-03a68f4f-b3f4-43d9-8b61-bcfde3d37c3c", ""),
    ("Amazon Kinesis Firehose - 479366778816:payments-prod:1641374697543.", "firehose-stream", "", "payments-prod"),
    ("AWS ElasticMapReduce - j-2AXXXXXXGAPLF", "emr", "j-2AXXXXXXGAPLF", ""),
    ("Attached to Glue using role: arn:aws:iam::402683911681:role/etl-glue-role", "glue", "", ""),
    ("EFS mount target for fs-0dcdbf56073416b82 (fsmt-0852ce334db888836)", "efs-file-system", "fs-0dcdbf56073416b82", ""),
    ("EFS mount target for fs-038bf0f49474a6a1d", "efs-file-system", "fs-038bf0f49474a6a1d", ""),
    ("datasync task-0f1e2d3c", "datasync", "", "task-0f1e2d3c"),
    ("AWS created network interface for directory d-9067b141e8", "directory", "d-9067b141e8", ""),
    ("Created By Amazon Workspaces for AWS Account ID 111122223333", "workspaces", "", ""),
    ("Created By Amazon WorkSpaces for AWS Account ID 111122223333", "workspaces", "", ""),
    ("[Do not delete] Network Interface created to access resources in your VPC for SageMaker Notebook Instance [arn:aws:sagemaker:us-east-1:111122223333:notebook-instance/research]", "sagemaker-notebook", "arn:aws:sagemaker:us-east-1:111122223333:notebook-instance/research", "research"),
    ("[Do not delete] Network Interface created to access resources in your VPC for SageMaker Notebook Instance research", "sagemaker-notebook", "", ""),
    ("[DO NOT DELETE] ENI managed by SageMaker for Studio Domain(d-g7djlrunxivy) - a09d795df1d5926f328cb6564db19ab2", "sagemaker-domain", "d-g7djlrunxivy", ""),
    ("ENI managed by SageMaker for Studio Domain", "sagemaker-domain", "", ""),
    ("AWS CodeStar Connections", "code-connections", "", ""),
    ("AWSAppRunner ENI - 4eee8638-56a2-4b28-8375-7c8300dcfeab", "app-runner", "", ""),
    ("ENI managed by APIGateway", "api-gateway", "", ""),
    ("GlobalAccelerator managed ENI", "global-accelerator", "", ""),
    ("ClientVPN Endpoint resource", "client-vpn-endpoint", "", ""),
    ("ClientVPN Endpoint resource cvpn-endpoint-123456789123abcde", "client-vpn-endpoint", "cvpn-endpoint-123456789123abcde", ""),
    ("Route 53 Resolver: rslvr-in-55829d25693e4b729:rni-9494385465134fa5a", "resolver-endpoint", "rslvr-in-55829d25693e4b729", ""),
    ("CloudHSM Managed Interface", "cloudhsm", "", ""),
    ("CloudHsm ENI cluster-0a1b2c3d4e5", "cloudhsm", "", "cluster-0a1b2c3d4e5"),
];

#[test]
fn every_description_tells_what_was_seen_with_it() {
    for (description, resource_type, id, name) in SEEN {
        let found = behind_of(json!({
            "Description": description, "RequesterManaged": true, "InterfaceType": "interface",
        }));
        assert_eq!(found, is(resource_type, id, name, ""), "{description}");
    }
}

#[test]
fn every_row_of_the_descriptions_was_seen() {
    let first = |text: &str| {
        let mut rows = DESCRIPTIONS.iter();
        rows.position(|(_, _, pattern)| named(pattern, text).is_some())
    };
    let mut used: Vec<usize> = SEEN.iter().filter_map(|(text, ..)| first(text)).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used, (0..DESCRIPTIONS.len()).collect::<Vec<_>>());
}

#[test]
fn every_type_has_its_meaning_once() {
    let tables = DESCRIPTIONS
        .iter()
        .map(|row| row.0)
        .chain(TAGS.iter().map(|row| row.0));
    let tables = tables.chain(TYPES.iter().map(|row| row.0));
    let tables = tables.chain(MAKERS.iter().map(|row| row.0));
    let joined = [
        "instance",
        "aws-service",
        "firewall-endpoint",
        "resource-endpoint",
        "service-network-endpoint",
    ];
    let mut used: Vec<&str> = tables.chain(joined).collect();
    used.sort_unstable();
    used.dedup();
    let mut known: Vec<&str> = RESOURCE_TYPES.iter().map(|(known, _)| *known).collect();
    known.sort_unstable();
    assert_eq!(known, used);
    for (known, meaning) in RESOURCE_TYPES {
        assert_eq!(known_type(known), Some(*known));
        assert!(
            known.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{known}"
        );
        assert!(!meaning.is_empty());
    }
    assert_eq!(known_type("no such type"), None);
}

#[test]
fn what_only_looks_like_it_is_nothing() {
    for description in [
        "",
        "Primary network interface",
        "my network interface",
        "ELB",
        "ELB app/shop",
        "ELB of the shop",
        "ELB app/shop/0a1b/2",
        "Interface for NAT Gateway",
        "Interface for NAT Gateway eni-1",
        "an Interface for NAT Gateway nat-07ab4846da51f4612",
        "VPC Endpoint Interface",
        "VPC Endpoint Interface eni-1",
        "AWS Lambda VPC ENI",
        "AWS Lambda VPC ENI: orders",
        "RDSNetworkInterface of orders",
        "old RDSNetworkInterface",
        "ElastiCache",
        "ElastiCache for the shop",
        "EFS mount target for backups",
        "Amazon EKS",
        "Amazon EKS cluster in prod",
        "aws-K8S-",
        "aws-K8S-eni-1",
        "arn:aws:ecs:us-east-1:799611636099:task/17fa1dc1",
        "arn:aws:ecs:us-east-1:7:attachment/1",
        "Created By Amazon Workspaces for AWS Account ID mine",
        "Route 53 Resolver: inbound",
        // What others may write as well, of an interface that AWS did not make.
        "ES gen2",
        "DAX sessions",
        "datasync task",
        "ELB legacy-web",
        "CloudHsm ENI 1",
    ] {
        let found = behind_of(json!({"Description": description, "RequesterId": ACCOUNT}));
        assert_eq!(found, None, "{description}");
    }
}

#[test]
fn an_instance_counts_before_what_is_written_on_its_interface() {
    let attached = |description: &str| json!({"Description": description, "Attachment": {"InstanceId": "i-1", "InstanceOwnerId": ACCOUNT}});
    for description in [
        "",
        "RDSNetworkInterface",
        "ELB app/shop/0a1b",
        "Amazon EKS notes",
    ] {
        assert_eq!(
            behind_of(attached(description)),
            is("instance", "i-1", "", ""),
            "{description}"
        );
    }
    let instances = json!({"Reservations": [{"OwnerId": ACCOUNT, "Instances": [
        {"InstanceId": "i-1", "Tags": [{"Key": "Name", "Value": "web-1"}]},
    ]}]});
    assert_eq!(
        behind_with(attached(""), instances),
        is("instance", "i-1", "web-1", "")
    );
}

#[test]
fn a_task_counts_before_the_instance_it_runs_on() {
    let arn = format!("arn:aws:ecs:us-east-1:{ACCOUNT}:attachment/{UUID}");
    let task = |tags: Value| {
        behind_of(json!({
            "Description": arn, "TagSet": tags,
            "Attachment": {"InstanceId": "i-1", "InstanceOwnerId": ACCOUNT},
        }))
    };
    let tags = json!([
        {"Key": "aws:ecs:clusterName", "Value": "prod"}, {"Key": "aws:ecs:serviceName", "Value": "checkout"},
    ]);
    assert_eq!(
        task(tags),
        is("ecs-task", &arn, "checkout", "prod/checkout")
    );
    let tags = json!([{"Key": "aws:ecs:clusterName", "Value": "prod"}, {"Key": "Name", "Value": "migration"}]);
    assert_eq!(task(tags), is("ecs-task", &arn, "migration", "prod"));
    assert_eq!(task(json!([])), is("ecs-task", &arn, "", ""));
}

#[test]
fn nodes_and_pods_tell_their_cluster() {
    let instances = || {
        json!({"Reservations": [{"OwnerId": ACCOUNT, "Instances": [{"InstanceId": "i-1", "Tags": [
            {"Key": "Name", "Value": "node-1"}, {"Key": "eks:cluster-name", "Value": "prod"},
        ]}]}]})
    };
    let attached = json!({"InstanceId": "i-1", "InstanceOwnerId": ACCOUNT});
    // The interface the node was launched with, one for its pods, and the trunk of its pods' own interfaces.
    for description in ["", "aws-K8S-i-1", "aws-k8s-trunk-eni"] {
        let members = json!({"Description": description, "Attachment": attached});
        let found = behind_with(members, instances());
        assert_eq!(
            found,
            is("eks-node", "i-1", "node-1", "prod"),
            "{description}"
        );
    }
    // Left behind by a node that is gone.
    let left = json!({"Description": "aws-K8S-i-2", "Status": "available", "TagSet": [
        {"Key": "cluster.k8s.amazonaws.com/name", "Value": "prod"},
        {"Key": "node.k8s.amazonaws.com/instance_id", "Value": "i-2"},
    ]});
    assert_eq!(behind_of(left), is("eks-node", "i-2", "", "prod"));
    let pod = json!({"Description": "aws-k8s-branch-eni", "InterfaceType": "branch", "TagSet": [
        {"Key": "vpcresources.k8s.aws/trunk-eni-id", "Value": "eni-2"},
        {"Key": "kubernetes.io/cluster/ironman", "Value": "owned"},
    ]});
    assert_eq!(behind_of(pod), is("eks-pod", "", "", "ironman"));
}

#[test]
fn load_balancers_are_those_of_the_inventory() {
    let start = format!("arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:loadbalancer");
    let arn = format!("{start}/app/shop/0a1b");
    let document = json!({
        "LoadBalancers": [
            {"LoadBalancerArn": arn, "LoadBalancerName": "shop", "Type": "application"},
        ],
        "LoadBalancerDescriptions": [{"LoadBalancerName": "old", "AvailabilityZones": ["us-east-1a"]}],
        "TagDescriptions": [{"ResourceArn": arn, "Tags": [{"Key": "team", "Value": "shop"}]}],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "OwnerId": ACCOUNT, "Description": "ELB app/shop/0a1b"},
            {"NetworkInterfaceId": "eni-2", "OwnerId": ACCOUNT, "Description": "ELB old", "RequesterId": "amazon-elb"},
        ],
    });
    let inventory = inventory(&document);
    let found = |id| behind(inventory.interfaces.get(id).unwrap(), &inventory);
    assert_eq!(
        found("eni-1"),
        is("application-load-balancer", &arn, "shop", "")
    );
    let classic = format!("{start}/old");
    assert_eq!(
        found("eni-2"),
        is("classic-load-balancer", &classic, "old", "")
    );
    for id in ["eni-1", "eni-2"] {
        assert!(tags_of(&found(id).unwrap(), &inventory).is_some());
    }
}

#[test]
fn a_load_balancer_is_found_where_account_and_region_are_not_known() {
    let arn = "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:loadbalancer/net/shop/0a1b";
    let mut builder = InventoryBuilder::new();
    let document = json!({
        "LoadBalancers": [{"LoadBalancerArn": arn, "LoadBalancerName": "shop", "Type": "network"}],
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "Description": "ELB net/shop/0a1b"},
            {"NetworkInterfaceId": "eni-2", "Description": "ELB net/shop/2"},
        ],
    });
    builder.add(&document, Origin::default());
    let inventory = builder.finish();
    let found = |id| behind(inventory.interfaces.get(id).unwrap(), &inventory);
    assert_eq!(found("eni-1"), is("network-load-balancer", arn, "shop", ""));
    assert_eq!(found("eni-2"), is("network-load-balancer", "", "shop", ""));
}

#[test]
fn nat_gateways_have_their_name_also_without_a_description() {
    let gateways = || {
        json!({"NatGateways": [{
            "NatGatewayId": "nat-1", "Tags": [{"Key": "Name", "Value": "egress-a"}],
            "NatGatewayAddresses": [{"NetworkInterfaceId": "eni-1"}],
        }]})
    };
    let described = json!({"Description": "Interface for NAT Gateway nat-1"});
    assert_eq!(
        behind_with(described, gateways()),
        is("nat-gateway", "nat-1", "egress-a", "")
    );
    let typed = json!({"InterfaceType": "nat_gateway"});
    assert_eq!(
        behind_with(typed.clone(), gateways()),
        is("nat-gateway", "nat-1", "egress-a", "")
    );
    assert_eq!(behind_of(typed), is("nat-gateway", "", "", ""));
}

#[test]
fn endpoints_tell_their_service_and_kind() {
    let endpoint = |kind: &str, service: Value| {
        let mut endpoint = json!({
            "VpcEndpointId": "vpce-1", "VpcEndpointType": kind, "NetworkInterfaceIds": ["eni-1"],
            "Tags": [{"Key": "Name", "Value": "an endpoint"}],
        });
        endpoint
            .as_object_mut()
            .unwrap()
            .extend(service.as_object().unwrap().clone());
        json!({"VpcEndpoints": [endpoint]})
    };
    let ssm = "com.amazonaws.us-east-1.ssm";
    let gwlb = "com.amazonaws.vpce.us-east-1.vpce-svc-1";
    let resource = "arn:aws:vpc-lattice:us-east-1:111122223333:resourceconfiguration/rcfg-1";
    let network = "arn:aws:vpc-lattice:us-east-1:111122223333:servicenetwork/sn-1";
    for (kind, service, resource_type, expected) in [
        (
            "Interface",
            json!({"ServiceName": ssm}),
            "interface-endpoint",
            ssm,
        ),
        (
            "GatewayLoadBalancer",
            json!({"ServiceName": gwlb}),
            "gateway-load-balancer-endpoint",
            gwlb,
        ),
        (
            "Resource",
            json!({"ResourceConfigurationArn": resource}),
            "resource-endpoint",
            resource,
        ),
        (
            "ServiceNetwork",
            json!({"ServiceNetworkArn": network}),
            "service-network-endpoint",
            network,
        ),
    ] {
        for members in [
            json!({"Description": "VPC Endpoint Interface vpce-1"}),
            json!({"Description": "not told", "InterfaceType": "vpc_endpoint"}),
        ] {
            let found = behind_with(members, endpoint(kind, service.clone()));
            assert_eq!(
                found,
                is(resource_type, "vpce-1", "an endpoint", expected),
                "{kind}"
            );
        }
    }
    // An endpoint that is not in the inventory.
    let members =
        |kind: &str| json!({"Description": "VPC Endpoint Interface vpce-2", "InterfaceType": kind});
    let found = behind_of(members("vpc_endpoint"));
    assert_eq!(found, is("interface-endpoint", "vpce-2", "", ""));
    let found = behind_of(members("gateway_load_balancer_endpoint"));
    assert_eq!(
        found,
        is("gateway-load-balancer-endpoint", "vpce-2", "", "")
    );
}

#[test]
fn endpoints_of_firewalls_have_the_name_of_their_firewall() {
    let arn = format!("arn:aws:network-firewall:us-east-1:{ACCOUNT}:firewall/inspection");
    let firewall = || {
        json!({
            "VpcEndpoints": [{
                "VpcEndpointId": "vpce-1", "VpcEndpointType": "GatewayLoadBalancer",
                "ServiceName": "com.amazonaws.vpce.us-east-1.vpce-svc-1", "NetworkInterfaceIds": ["eni-1"],
            }],
            "FirewallDetails": [{
                "Firewall": {"FirewallName": "inspection", "FirewallArn": arn, "VpcId": "vpc-1"},
                "FirewallStatus": {"Status": "READY", "SyncStates": {"us-east-1a": {"Attachment": {
                    "SubnetId": "subnet-1", "EndpointId": "vpce-1", "Status": "READY",
                }}}},
            }],
        })
    };
    let service = "com.amazonaws.vpce.us-east-1.vpce-svc-1";
    let described = |id: &str| json!({"Description": format!("VPC Endpoint Interface {id}"), "InterfaceType": "gateway_load_balancer_endpoint"});
    let found = behind_with(described("vpce-1"), firewall());
    assert_eq!(
        found,
        is("firewall-endpoint", "vpce-1", "inspection", service)
    );
    let found = behind_with(
        json!({"InterfaceType": "gateway_load_balancer_endpoint"}),
        firewall(),
    );
    assert_eq!(
        found,
        is("firewall-endpoint", "vpce-1", "inspection", service)
    );
    let found = behind_with(described("vpce-9"), firewall());
    assert_eq!(
        found,
        is("gateway-load-balancer-endpoint", "vpce-9", "", "")
    );
}

#[test]
fn attachments_of_transit_gateways_have_their_name() {
    let attachments = json!({"TransitGatewayVpcAttachments": [{
        "TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1", "VpcId": "vpc-1",
        "Tags": [{"Key": "Name", "Value": "to-core"}],
    }]});
    let members =
        json!({"Description": "Network Interface for Transit Gateway Attachment tgw-attach-1"});
    let found = behind_with(members, attachments);
    assert_eq!(
        found,
        is("transit-gateway-attachment", "tgw-attach-1", "to-core", "")
    );
}

#[test]
fn tags_that_services_set_tell_them() {
    for (tag, value, resource_type, id) in [
        (
            "InstanceConnectEndpointId",
            "eice-0a1b",
            "instance-connect-endpoint",
            "eice-0a1b",
        ),
        (
            "AmazonFSx.FileSystemId",
            "fs-0a1b",
            "fsx-file-system",
            "fs-0a1b",
        ),
        ("VerifiedAccessManaged", "true", "verified-access", ""),
        ("VpcLatticeManaged", "true", "resource-gateway", ""),
        (
            "aws.cloudfront.vpcorigin",
            "enabled",
            "cloudfront-vpc-origin",
            "",
        ),
        ("AWSAppRunnerManaged", "true", "app-runner", ""),
        ("AmazonMSKConnectManaged", "true", "msk-connector", ""),
    ] {
        let found =
            behind_of(json!({"Description": "not told", "TagSet": [{"Key": tag, "Value": value}]}));
        assert_eq!(found, is(resource_type, id, "", ""), "{tag}");
    }
}

#[test]
fn types_tell_where_descriptions_do_not() {
    for (resource_type, own) in TYPES {
        let found = behind_of(json!({"Description": "not told", "InterfaceType": own}));
        assert_eq!(found, is(resource_type, "", "", ""), "{own}");
    }
    for own in [
        "interface",
        "efa",
        "efa-only",
        "trunk",
        "branch",
        "what comes next year",
    ] {
        let found = behind_of(json!({"Description": "not told", "InterfaceType": own}));
        assert_eq!(found, None, "{own}");
    }
}

#[test]
fn who_made_an_interface_tells_the_service() {
    for (requester, resource_type, service) in [
        ("amazon-rds", "rds", ""),
        ("amazon-elasticache", "elasticache", ""),
        ("amazon-redshift", "redshift", ""),
        ("AROAEXAMPLE:AWSCodeBuild-4eee8638", "codebuild", ""),
        ("AROAEXAMPLE:Comprehend", "comprehend", ""),
        ("amazon-newservice", "aws-service", "amazon-newservice"),
        ("amazon-aws", "aws-service", ""),
    ] {
        let found = behind_of(json!({"Description": "not told", "RequesterId": requester}));
        assert_eq!(found, is(resource_type, "", "", service), "{requester}");
    }
    let managed = |members: Value| {
        let mut members = members;
        members["Description"] = json!("not told");
        members["RequesterManaged"] = json!(true);
        behind_of(members)
    };
    // An account of AWS, which tells no service.
    assert_eq!(
        managed(json!({"RequesterId": "727180483921"})),
        is("aws-service", "", "", "")
    );
    let operated = json!({"RequesterId": "727180483921", "Operator": {"Managed": true, "Principal": "eks.amazonaws.com"}});
    assert_eq!(
        managed(operated),
        is("aws-service", "", "", "eks.amazonaws.com")
    );
    let attached = json!({"Attachment": {"InstanceOwnerId": "amazon-elb"}});
    assert_eq!(managed(attached), is("load-balancer", "", "", ""));
    // Somebody of the account.
    let own = json!({"Description": "not told", "RequesterId": "AIDAEXAMPLE"});
    assert_eq!(behind_of(own), None);
}

#[test]
fn the_sample_tells_what_is_behind_its_interfaces() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/metadata/aws_configs");
    let mut builder = InventoryBuilder::new();
    assert!(read_directory(&root, &mut builder).failed.is_empty());
    let inventory = builder.finish();
    let found = inventory
        .interfaces
        .iter()
        .filter_map(|interface| behind(interface, &inventory));
    let mut types: Vec<&str> = found.map(|found| found.resource_type).collect();
    types.sort_unstable();
    types.dedup();
    assert_eq!(
        types,
        [
            "ecs-task",
            "firewall-endpoint",
            "instance",
            "interface-endpoint",
            "nat-gateway",
            "network-load-balancer",
            "transit-gateway-attachment",
        ]
    );
}

/// The JSON files of a tar archive, by their content alone.
fn documents(archive: &[u8]) -> Vec<Value> {
    let mut documents = Vec::new();
    let mut at = 0;
    while archive.get(at).is_some_and(|byte| *byte != 0) {
        let size = std::str::from_utf8(&archive[at + 124..at + 135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        let content = &archive[at + 512..at + 512 + size];
        documents.extend(serde_json::from_slice(content).ok());
        at += 512 + size.div_ceil(512) * 512;
    }
    documents
}

#[test]
fn interfaces_of_recorded_networks_tell_what_is_behind_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/describe/batfish");
    for (network, expected) in [
        (
            "test-load-balancer",
            &["instance x3", "network-load-balancer test-lb x2"][..],
        ),
        ("test-nat-gateway", &["instance x3", "nat-gateway x1"]),
        ("test-vpc-peering", &["instance x3"]),
        (
            "test-transit-gateway-multi-account",
            &["instance x2", "transit-gateway-attachment x2"],
        ),
    ] {
        let Ok(archive) = std::fs::read(root.join(format!("{network}.tar"))) else {
            println!("skipped: ../shared/data is not here");
            return;
        };
        let mut builder = InventoryBuilder::new();
        for document in documents(&archive) {
            builder.add(&document, Origin::default());
        }
        let inventory = builder.finish();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for interface in &inventory.interfaces {
            let found = behind(interface, &inventory).expect("each is attached to something");
            let is_balancer = found.resource_type.ends_with("load-balancer");
            let name = found
                .name
                .filter(|_| is_balancer)
                .map(|name| format!(" {name}"));
            let key = format!("{}{}", found.resource_type, name.unwrap_or_default());
            *counts.entry(key).or_default() += 1;
            if is_balancer {
                assert!(inventory.load_balancers.get(&found.id.unwrap()).is_some());
            }
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(key, count)| format!("{key} x{count}"))
            .collect();
        assert_eq!(counts, expected, "{network}");
    }
}
