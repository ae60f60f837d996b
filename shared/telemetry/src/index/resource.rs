//! What is behind an interface: a load balancer, a NAT gateway, an endpoint, a function, a task.
//!
//! ```text
//! a task's description ─▶ the instance ─▶ description ─▶ tags ─▶ type ─▶ who made it ─┐ the first that tells
//!                                                                                   ▼
//!                                         the inventory's own entity ─▶ id, name, service
//! ```
//!
//! AWS's services say what an interface is for in its description, each in its own words. The tables below have
//! them as they were seen in describe answers, in the *Amazon EC2 User Guide* ("Requester-managed network
//! interfaces"), in the guides of the services and in AWS's managed policies, which name the tags a
//! service has to set. An interface that nothing is known of has nothing behind it: no guess is made.

mod pattern;

use std::collections::BTreeMap;

use crate::inventory::{Endpoint, EndpointType, Interface, Inventory, LoadBalancerType, Resource};
use pattern::named;

/// What an interface belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its type: one of [`RESOURCE_TYPES`].
    pub resource_type: &'static str,
    /// Its id or ARN.
    pub id: Option<String>,
    /// Its name: the tag `Name` of what has one, else what the service calls it.
    pub name: Option<String>,
    /// The service it belongs to: what an endpoint leads to (`com.amazonaws.us-east-1.ssm`), the cluster and
    /// service of an ECS task (`prod/checkout`), the cluster of an EKS node or pod, who made the interface
    /// of a service that is not known here.
    pub service: Option<String>,
}

/// Every type of resource, and what it means.
#[rustfmt::skip]
pub const RESOURCE_TYPES: &[(&str, &str)] = &[
    ("instance", "EC2 instance"),
    ("application-load-balancer", "Application Load Balancer"),
    ("network-load-balancer", "Network Load Balancer"),
    ("gateway-load-balancer", "Gateway Load Balancer"),
    ("classic-load-balancer", "Classic Load Balancer"),
    ("load-balancer", "Load balancer of a kind that is not told"),
    ("nat-gateway", "NAT gateway"),
    ("interface-endpoint", "Interface endpoint (PrivateLink)"),
    ("gateway-load-balancer-endpoint", "Endpoint of a Gateway Load Balancer"),
    ("firewall-endpoint", "Endpoint of a network firewall"),
    ("resource-endpoint", "Endpoint of a VPC resource"),
    ("service-network-endpoint", "Endpoint of a VPC Lattice service network"),
    ("resource-gateway", "VPC Lattice resource gateway"),
    ("transit-gateway-attachment", "Attachment of a transit gateway"),
    ("lambda-function", "Lambda function"),
    ("ecs-task", "ECS task"),
    ("eks-cluster", "Control plane of an EKS cluster"),
    ("eks-node", "Kubernetes node, with the addresses of its pods"),
    ("eks-pod", "Kubernetes pod with security groups of its own"),
    ("rds", "Database of RDS, Aurora, Neptune or DocumentDB"),
    ("rds-proxy", "RDS Proxy"),
    ("elasticache", "ElastiCache node"),
    ("redshift", "Redshift cluster"),
    ("opensearch-domain", "OpenSearch domain"),
    ("dax", "DynamoDB Accelerator cluster"),
    ("dms", "Database Migration Service"),
    ("msk-cluster", "MSK cluster"),
    ("msk-connector", "MSK Connect connector"),
    ("mq-broker", "Amazon MQ broker"),
    ("firehose-stream", "Data Firehose stream"),
    ("emr", "EMR cluster"),
    ("glue", "Glue connection"),
    ("efs-file-system", "EFS file system, at a mount target"),
    ("fsx-file-system", "FSx file system"),
    ("datasync", "DataSync task"),
    ("directory", "Directory Service directory"),
    ("workspaces", "WorkSpaces desktop"),
    ("sagemaker-notebook", "SageMaker notebook instance"),
    ("sagemaker-domain", "SageMaker Studio domain"),
    ("comprehend", "Comprehend"),
    ("quicksight", "QuickSight"),
    ("codebuild", "CodeBuild"),
    ("code-connections", "CodeConnections"),
    ("app-runner", "App Runner service"),
    ("api-gateway", "API Gateway VPC link"),
    ("global-accelerator", "Global Accelerator"),
    ("cloudfront-vpc-origin", "CloudFront VPC origin"),
    ("verified-access", "Verified Access endpoint"),
    ("client-vpn-endpoint", "Client VPN endpoint"),
    ("instance-connect-endpoint", "EC2 Instance Connect Endpoint"),
    ("resolver-endpoint", "Route 53 Resolver endpoint"),
    ("iot-rules", "IoT rules"),
    ("cloudhsm", "CloudHSM"),
    ("aws-service", "A service of AWS that is not known here"),
];

/// Whose interface a description counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Anybody's that is not attached to an instance: nobody else words it so.
    Any,
    /// Only what a service of AWS made: others might write this too.
    Aws,
    /// Also what is attached to an instance.
    Instance,
}
use Whose::{Any, Aws, Instance};

/// Descriptions, in the order they are tried: the type of resource, whose it counts for, the pattern.
#[rustfmt::skip]
const DESCRIPTIONS: &[(&str, Whose, &str)] = &[
    ("ecs-task", Instance, "{arn:<word>:ecs:<word>:<account>:attachment/<word>}"),
    ("eks-node", Instance, "aws-K8S-{i-<word>}"),
    ("eks-node", Instance, "aws-k8s-trunk-eni"),
    ("eks-pod", Instance, "aws-k8s-branch-eni"),
    ("eks-cluster", Any, "Amazon EKS {<name>}"),
    ("application-load-balancer", Any, "ELB {app/<name>/<word>}"),
    ("network-load-balancer", Any, "ELB {net/<name>/<word>}"),
    ("gateway-load-balancer", Any, "ELB {gwy/<name>/<word>}"),
    ("classic-load-balancer", Aws, "ELB {<name>}"),
    ("nat-gateway", Any, "Interface for NAT Gateway {nat-<word>}"),
    ("interface-endpoint", Any, "VPC Endpoint Interface {vpce-<word>}"),
    ("interface-endpoint", Any, "VPC Endpoint Interface: {vpce-<word>}"),
    ("resource-gateway", Any, "Resource Gateway Interface {rgw-<word>}"),
    ("transit-gateway-attachment", Any, "Network Interface for Transit Gateway Attachment {tgw-attach-<word>}"),
    ("lambda-function", Any, "AWS Lambda VPC ENI-<name>-<uuid>"),
    ("lambda-function", Any, "AWS Lambda VPC ENI: <uuid>"),
    ("lambda-function", Any, "AWS Lambda VPC ENI-<name>"),
    ("rds", Any, "RDSNetworkInterface"),
    ("rds-proxy", Any, "Network interface for DBProxy <name>"),
    ("elasticache", Any, "ElastiCache <name>"),
    ("elasticache", Any, "ElastiCache+<name>"),
    ("redshift", Any, "RedshiftNetworkInterface"),
    ("opensearch-domain", Aws, "ES <name>"),
    ("dax", Aws, "DAX <name>"),
    ("dms", Any, "DMSNetworkInterface"),
    ("msk-cluster", Any, "DO NOT DELETE - Amazon MSK network interface for cluster {arn:<word>:kafka:<word>:<account>:cluster/<name>/<uuid>-<digits>}."),
    ("mq-broker", Any, "Amazon MQ network interface for broker {b-<uuid>}"),
    ("firehose-stream", Any, "Amazon Kinesis Firehose - <account>:<name>:<digits>."),
    ("emr", Any, "AWS ElasticMapReduce<any> {j-<word>}"),
    ("glue", Any, "Attached to Glue using role: arn:<word>:iam::<account>:role/<any>"),
    ("efs-file-system", Any, "EFS mount target for {fs-<word>} (fsmt-<word>)"),
    ("efs-file-system", Any, "EFS mount target for {fs-<word>}"),
    ("datasync", Aws, "datasync <name>"),
    ("directory", Any, "AWS created network interface for directory {d-<word>}<any>"),
    ("workspaces", Any, "Created By Amazon Workspaces for AWS Account ID <account>"),
    ("sagemaker-notebook", Any, "[Do not delete] Network Interface created to access resources in your VPC for SageMaker Notebook Instance <any>{arn:<word>:sagemaker:<word>:<account>:notebook-instance/<name>}<any>"),
    ("sagemaker-notebook", Any, "[Do not delete] Network Interface created to access resources in your VPC for SageMaker Notebook Instance <any>"),
    ("sagemaker-domain", Any, "[DO NOT DELETE] ENI managed by SageMaker for Studio Domain({d-<word>}) - <any>"),
    ("sagemaker-domain", Any, "ENI managed by SageMaker for Studio Domain<any>"),
    ("code-connections", Any, "AWS CodeStar Connections<any>"),
    ("app-runner", Any, "AWSAppRunner ENI - <uuid>"),
    ("api-gateway", Any, "ENI managed by APIGateway"),
    ("global-accelerator", Any, "GlobalAccelerator managed ENI"),
    ("client-vpn-endpoint", Any, "ClientVPN Endpoint resource"),
    ("client-vpn-endpoint", Any, "ClientVPN Endpoint resource {cvpn-endpoint-<word>}"),
    ("resolver-endpoint", Any, "Route 53 Resolver: {rslvr-<word>}:rni-<word>"),
    ("cloudhsm", Any, "CloudHSM Managed Interface<any>"),
    ("cloudhsm", Aws, "CloudHsm ENI <name>"),
];

/// Tags that services set on their interfaces: the type of resource, the tag, and whether its value is the id.
#[rustfmt::skip]
const TAGS: &[(&str, &str, bool)] = &[
    ("instance-connect-endpoint", "InstanceConnectEndpointId", true),
    ("fsx-file-system", "AmazonFSx.FileSystemId", true),
    ("verified-access", "VerifiedAccessManaged", false),
    ("resource-gateway", "VpcLatticeManaged", false),
    ("cloudfront-vpc-origin", "aws.cloudfront.vpcorigin", false),
    ("app-runner", "AWSAppRunnerManaged", false),
    ("msk-connector", "AmazonMSKConnectManaged", false),
    ("ecs-task", "aws:ecs:clusterName", false),
    ("eks-node", "node.k8s.amazonaws.com/instance_id", true),
];

/// What interfaces of a type belong to, when neither description nor tags tell.
#[rustfmt::skip]
const TYPES: &[(&str, &str)] = &[
    ("nat-gateway", "nat_gateway"),
    ("load-balancer", "load_balancer"),
    ("network-load-balancer", "network_load_balancer"),
    ("gateway-load-balancer", "gateway_load_balancer"),
    ("gateway-load-balancer-endpoint", "gateway_load_balancer_endpoint"),
    ("interface-endpoint", "vpc_endpoint"),
    ("transit-gateway-attachment", "transit_gateway"),
    ("lambda-function", "lambda"),
    ("efs-file-system", "efs"),
    ("quicksight", "quicksight"),
    ("global-accelerator", "global_accelerator_managed"),
    ("api-gateway", "api_gateway_managed"),
    ("iot-rules", "iot_rules_managed"),
    ("code-connections", "aws_codestar_connections_managed"),
    ("cloudfront-vpc-origin", "cloudfront_managed"),
    ("instance-connect-endpoint", "ec2_instance_connect_endpoint"),
];

/// What interfaces belong to by who made them, or whose what they are attached to is.
const MAKERS: &[(&str, &str)] = &[
    ("rds", "amazon-rds"),
    ("elasticache", "amazon-elasticache"),
    ("redshift", "amazon-redshift"),
    ("load-balancer", "amazon-elb"),
    ("lambda-function", "aws-lambda"),
    ("codebuild", "<any>:AWSCodeBuild-<any>"),
    ("comprehend", "<any>:Comprehend"),
];

/// Tells what an interface belongs to from its description, tags, type, attachment and maker, and from
/// what else the inventory has. `None` when nothing tells.
pub fn behind(interface: &Resource<Interface>, inventory: &Inventory) -> Option<Behind> {
    let found = described(interface)
        .or_else(|| instance(interface))
        .or_else(|| tagged(interface))
        .or_else(|| typed(interface))
        .or_else(|| made(interface))?;
    Some(joined(found, interface, inventory))
}

/// The type of that name, if it is one of [`RESOURCE_TYPES`].
pub fn known_type(name: &str) -> Option<&'static str> {
    let mut types = RESOURCE_TYPES.iter().map(|(known, _)| *known);
    types.find(|known| *known == name)
}

/// The tags of a resource, where the inventory has it.
pub fn tags_of<'i>(
    behind: &Behind,
    inventory: &'i Inventory,
) -> Option<&'i BTreeMap<String, String>> {
    let id = behind.id.as_deref()?;
    let endpoint = || inventory.endpoints.get(id).map(|found| &found.tags);
    let balancer = || inventory.load_balancers.get(id).map(|found| &found.tags);
    match behind.resource_type {
        "instance" | "eks-node" => inventory.instances.get(id).map(|found| &found.tags),
        "nat-gateway" => inventory.nat_gateways.get(id).map(|found| &found.tags),
        "transit-gateway-attachment" => {
            let found = inventory.transit_gateway_attachments.get(id);
            found.map(|found| &found.tags)
        }
        kind if kind.ends_with("-endpoint") => endpoint(),
        kind if kind.ends_with("load-balancer") => balancer(),
        _ => None,
    }
}

fn of_type(resource_type: &'static str) -> Behind {
    Behind {
        resource_type,
        id: None,
        name: None,
        service: None,
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The instance an interface is attached to.
fn instance_of(interface: &Interface) -> Option<&str> {
    interface.attachment.as_ref()?.instance.as_deref()
}

/// Everybody who may have made an interface: who asked for it, who operates it, whose what it is attached to is.
fn makers(interface: &Interface) -> impl Iterator<Item = &str> {
    let attachment = interface.attachment.as_ref();
    let owner = attachment.and_then(|attachment| attachment.instance_owner.as_deref());
    let makers = [
        interface.operator.as_deref(),
        interface.requester.as_deref(),
        owner,
    ];
    makers.into_iter().flatten()
}

/// Whether a service of AWS made it.
fn is_of_aws(interface: &Interface) -> bool {
    let mut makers = makers(interface);
    interface.requester_managed
        || interface.operator.is_some()
        || makers.any(|maker| maker.starts_with("amazon-") || maker.starts_with("aws-"))
}

fn described(interface: &Resource<Interface>) -> Option<Behind> {
    let attached = instance_of(interface).is_some();
    let of_aws = is_of_aws(interface);
    let counts = |whose: Whose| match whose {
        Any => !attached,
        Aws => !attached && of_aws,
        Instance => true,
    };
    let mut rows = DESCRIPTIONS.iter().filter(|(_, whose, _)| counts(*whose));
    rows.find_map(|(resource_type, _, pattern)| {
        let named = named(pattern, &interface.description)?;
        Some(Behind {
            id: owned(named.id),
            name: owned(named.name),
            ..of_type(resource_type)
        })
    })
}

fn instance(interface: &Resource<Interface>) -> Option<Behind> {
    let id = owned(instance_of(interface));
    id.is_some().then(|| Behind {
        id,
        ..of_type("instance")
    })
}

fn tagged(interface: &Resource<Interface>) -> Option<Behind> {
    TAGS.iter().find_map(|(resource_type, tag, is_id)| {
        let value = interface.tags.get(*tag)?;
        Some(Behind {
            id: owned(Some(value).filter(|_| *is_id).map(String::as_str)),
            ..of_type(resource_type)
        })
    })
}

fn typed(interface: &Resource<Interface>) -> Option<Behind> {
    let own = interface.interface_type.as_ref()?.as_str();
    let (resource_type, _) = TYPES.iter().find(|(_, text)| *text == own)?;
    Some(of_type(resource_type))
}

fn made(interface: &Resource<Interface>) -> Option<Behind> {
    let known = makers(interface).find_map(|maker| {
        let mut known = MAKERS.iter();
        let (resource_type, _) = known.find(|(_, who)| named(who, maker).is_some())?;
        Some(of_type(resource_type))
    });
    if known.is_some() || !is_of_aws(interface) {
        return known;
    }
    // A bare account says no more than that it is one of AWS's, and `amazon-aws` nothing at all.
    let telling =
        |maker: &&str| *maker != "amazon-aws" && !maker.bytes().all(|byte| byte.is_ascii_digit());
    Some(Behind {
        service: owned(makers(interface).find(telling)),
        ..of_type("aws-service")
    })
}

/// Adds what the inventory has of it.
fn joined(found: Behind, interface: &Resource<Interface>, inventory: &Inventory) -> Behind {
    match found.resource_type {
        "instance" | "eks-node" => node(found, interface, inventory),
        "nat-gateway" => nat_gateway(found, interface, inventory),
        "interface-endpoint" | "gateway-load-balancer-endpoint" => {
            endpoint(found, interface, inventory)
        }
        "transit-gateway-attachment" => {
            let attachments = &inventory.transit_gateway_attachments;
            let known = found.id.as_deref().and_then(|id| attachments.get(id));
            let name = known.and_then(|known| name_in(&known.tags));
            Behind { name, ..found }
        }
        "ecs-task" => task(found, interface),
        "eks-pod" => Behind {
            service: cluster_of(&interface.tags),
            ..found
        },
        kind if kind.ends_with("load-balancer") => load_balancer(found, interface, inventory),
        _ => found,
    }
}

fn name_in(tags: &BTreeMap<String, String>) -> Option<String> {
    owned(tags.get("Name").map(String::as_str))
}

/// The Kubernetes cluster that tags tell of: the value of one, or the key of another.
fn cluster_of(tags: &BTreeMap<String, String>) -> Option<String> {
    let keys = [
        "cluster.k8s.amazonaws.com/name",
        "eks:cluster-name",
        "aws:eks:cluster-name",
    ];
    let named = keys.iter().find_map(|key| tags.get(*key));
    let marked = || {
        let mut keys = tags.keys();
        keys.find_map(|key| key.strip_prefix("kubernetes.io/cluster/"))
    };
    owned(named.map(String::as_str).or_else(marked))
}

/// An instance, and what it is in a Kubernetes cluster. The interface a node was launched with tells nothing of the
/// cluster, but its instance's tags do.
fn node(found: Behind, interface: &Resource<Interface>, inventory: &Inventory) -> Behind {
    let id = owned(instance_of(interface)).or(found.id);
    let known = id.as_deref().and_then(|id| inventory.instances.get(id));
    let cluster = known.and_then(|known| cluster_of(&known.tags));
    let cluster = cluster.or_else(|| cluster_of(&interface.tags));
    Behind {
        resource_type: match cluster {
            Some(_) => "eks-node",
            None => found.resource_type,
        },
        name: known.and_then(|known| name_in(&known.tags)),
        service: cluster,
        id,
    }
}

fn nat_gateway(found: Behind, interface: &Resource<Interface>, inventory: &Inventory) -> Behind {
    let gateways = &inventory.nat_gateways;
    let known = match &found.id {
        Some(id) => gateways.get(id),
        None => gateways.iter().find(|gateway| {
            let mut addresses = gateway.addresses.iter();
            addresses.any(|address| address.interface.as_ref() == Some(&interface.id))
        }),
    };
    Behind {
        name: known.and_then(|known| name_in(&known.tags)),
        id: found.id.or_else(|| known.map(|known| known.id.clone())),
        ..found
    }
}

/// A task has no id that AWS tells of an interface: the attachment's ARN is what `DescribeTasks` has as well.
fn task(found: Behind, interface: &Resource<Interface>) -> Behind {
    let tag = |key: &str| interface.tags.get(key).filter(|value| !value.is_empty());
    let (cluster, service) = (tag("aws:ecs:clusterName"), tag("aws:ecs:serviceName"));
    let name = service.cloned().or_else(|| name_in(&interface.tags));
    let service = match (cluster, service) {
        (Some(cluster), Some(service)) => Some(format!("{cluster}/{service}")),
        (cluster, service) => cluster.or(service).cloned(),
    };
    Behind {
        name,
        service,
        ..found
    }
}

fn endpoint(found: Behind, interface: &Resource<Interface>, inventory: &Inventory) -> Behind {
    let endpoints = &inventory.endpoints;
    let known: Option<&Resource<Endpoint>> = match &found.id {
        Some(id) => endpoints.get(id),
        None => endpoints
            .iter()
            .find(|endpoint| endpoint.interfaces.contains(&interface.id)),
    };
    let id = found.id.or_else(|| known.map(|known| known.id.clone()));
    // The owner of a firewall's endpoint is not always who can describe the endpoint.
    let firewall = inventory.firewalls.iter().find(|firewall| {
        let details = firewall.details.as_ref();
        let mut ends = details.into_iter().flat_map(|details| &details.endpoints);
        id.is_some() && ends.any(|end| end.endpoint == id)
    });
    let own = interface.interface_type.as_ref().map(|own| own.as_str());
    let told = known.and_then(|known| known.endpoint_type.as_ref());
    let resource_type = match (firewall, told) {
        (Some(_), _) => "firewall-endpoint",
        (_, Some(EndpointType::GatewayLoadBalancer)) => "gateway-load-balancer-endpoint",
        (_, Some(EndpointType::Resource)) => "resource-endpoint",
        (_, Some(EndpointType::ServiceNetwork)) => "service-network-endpoint",
        (_, None) if own == Some("gateway_load_balancer_endpoint") => {
            "gateway-load-balancer-endpoint"
        }
        _ => found.resource_type,
    };
    let firewall_name = firewall.and_then(|firewall| {
        let details = firewall.details.as_ref();
        let name = details.and_then(|details| details.firewall_name.clone());
        name.or_else(|| firewall.firewall_name.clone())
    });
    Behind {
        resource_type,
        name: firewall_name.or_else(|| known.and_then(|known| name_in(&known.tags))),
        service: known.and_then(|known| known.service.clone().or_else(|| known.resource.clone())),
        id,
    }
}

/// The description has the end of the ARN: `app/shop/0a1b`, or the name of a classic one.
fn load_balancer(found: Behind, interface: &Resource<Interface>, inventory: &Inventory) -> Behind {
    let Some(end) = found.id else { return found };
    let end = format!(":loadbalancer/{end}");
    let balancers = &inventory.load_balancers;
    let arn = match (&interface.region, &interface.account) {
        (Some(region), Some(account)) => {
            let partition = crate::describe::partition::of_region(region);
            let partition = partition.map_or("aws", |partition| partition.name);
            let arn = format!("arn:{partition}:elasticloadbalancing:{region}:{account}{end}");
            Some(arn)
        }
        _ => {
            let known = balancers.iter().find(|known| known.id.ends_with(&end));
            known.map(|known| known.id.clone())
        }
    };
    let known = arn.as_deref().and_then(|arn| balancers.get(arn));
    let kind = known.and_then(|known| known.balancer_type.as_ref());
    Behind {
        resource_type: match kind {
            Some(LoadBalancerType::Application) => "application-load-balancer",
            Some(LoadBalancerType::Network) => "network-load-balancer",
            Some(LoadBalancerType::Gateway) => "gateway-load-balancer",
            Some(LoadBalancerType::Classic) => "classic-load-balancer",
            _ => found.resource_type,
        },
        id: arn,
        ..found
    }
}

#[cfg(test)]
mod tests;
