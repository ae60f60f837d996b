//! The AWS services that are asked: their protocols, hosts and rates.

use super::partition::Partition;

/// How a service's requests and answers are written ("AWS protocols", *Smithy 2.0*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `ec2Query`: form parameters in, XML out.
    Ec2Query,
    /// `awsQuery`: form parameters in, XML with a result wrapper out.
    AwsQuery,
    /// `awsJson1_0` and `awsJson1_1`: JSON both ways, the operation in `X-Amz-Target`.
    AwsJson {
        /// `1.0` or `1.1`, as in the content type.
        version: &'static str,
        /// What stands before the operation in `X-Amz-Target`.
        target: &'static str,
    },
    /// `restJson1`: method, path, query and JSON body by operation.
    RestJson,
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Amazon EC2 and VPC.
    Ec2,
    /// AWS Direct Connect.
    DirectConnect,
    /// Elastic Load Balancing, Classic Load Balancers.
    ElasticLoadBalancing,
    /// Elastic Load Balancing v2: Application, Network and Gateway Load Balancers.
    ElasticLoadBalancingV2,
    /// AWS Network Firewall.
    NetworkFirewall,
    /// AWS Network Manager: Cloud WAN.
    NetworkManager,
    /// AWS Organizations.
    Organizations,
    /// AWS Identity and Access Management.
    Iam,
    /// Amazon SQS, which carries units of work to further invocations.
    Sqs,
    /// Amazon CloudWatch, whose metrics are asked for.
    CloudWatch,
}

/// A token bucket: how many calls at once, how many a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls that may be made at once after a pause.
    pub burst: f64,
    /// Calls a second after that.
    pub per_second: f64,
}

/// Where requests of a service go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Region that requests are signed for.
    pub signing_region: String,
}

/// What is known of a service.
#[derive(Debug, PartialEq)]
struct Facts {
    id: &'static str,
    signing: &'static str,
    host: &'static str,
    api_version: &'static str,
    protocol: Protocol,
    rate: Rate,
}

impl Service {
    /// Every service.
    pub const ALL: [Service; 10] = [
        Service::Ec2,
        Service::DirectConnect,
        Service::ElasticLoadBalancing,
        Service::ElasticLoadBalancingV2,
        Service::NetworkFirewall,
        Service::NetworkManager,
        Service::Organizations,
        Service::Iam,
        Service::Sqs,
        Service::CloudWatch,
    ];

    // EC2 publishes 100 calls at once and 20 a second for an account and region, shared by everybody
    // who calls there ("Request throttling for the Amazon EC2 API", *EC2 API Reference*): half is
    // left to them. The others publish little; 10 a second is what they are known to bear.
    const fn facts(self) -> Facts {
        const OTHERS: Rate = Rate {
            burst: 10.0,
            per_second: 5.0,
        };
        match self {
            Service::Ec2 => Facts {
                id: "ec2",
                signing: "ec2",
                host: "ec2",
                api_version: "2016-11-15",
                protocol: Protocol::Ec2Query,
                rate: Rate {
                    burst: 50.0,
                    per_second: 10.0,
                },
            },
            Service::DirectConnect => Facts {
                id: "directconnect",
                signing: "directconnect",
                host: "directconnect",
                api_version: "2012-10-25",
                protocol: Protocol::AwsJson {
                    version: "1.1",
                    target: "OvertureService",
                },
                rate: OTHERS,
            },
            Service::ElasticLoadBalancing => Facts {
                id: "elb",
                signing: "elasticloadbalancing",
                host: "elasticloadbalancing",
                api_version: "2012-06-01",
                protocol: Protocol::AwsQuery,
                rate: OTHERS,
            },
            Service::ElasticLoadBalancingV2 => Facts {
                id: "elbv2",
                signing: "elasticloadbalancing",
                host: "elasticloadbalancing",
                api_version: "2015-12-01",
                protocol: Protocol::AwsQuery,
                rate: OTHERS,
            },
            Service::NetworkFirewall => Facts {
                id: "network-firewall",
                signing: "network-firewall",
                host: "network-firewall",
                api_version: "2020-11-12",
                protocol: Protocol::AwsJson {
                    version: "1.0",
                    target: "NetworkFirewall_20201112",
                },
                rate: OTHERS,
            },
            Service::NetworkManager => Facts {
                id: "networkmanager",
                signing: "networkmanager",
                host: "networkmanager",
                api_version: "2019-07-05",
                protocol: Protocol::RestJson,
                rate: OTHERS,
            },
            Service::Organizations => Facts {
                id: "organizations",
                signing: "organizations",
                host: "organizations",
                api_version: "2016-11-28",
                protocol: Protocol::AwsJson {
                    version: "1.1",
                    target: "AWSOrganizationsV20161128",
                },
                // "Low": single digits a second.
                rate: Rate {
                    burst: 5.0,
                    per_second: 2.0,
                },
            },
            Service::Iam => Facts {
                id: "iam",
                signing: "iam",
                host: "iam",
                api_version: "2010-05-08",
                protocol: Protocol::AwsQuery,
                rate: OTHERS,
            },
            Service::Sqs => Facts {
                id: "sqs",
                signing: "sqs",
                host: "sqs",
                api_version: "2012-11-05",
                protocol: Protocol::AwsJson {
                    version: "1.0",
                    target: "AmazonSQS",
                },
                rate: Rate {
                    burst: 100.0,
                    per_second: 100.0,
                },
            },
            Service::CloudWatch => Facts {
                id: "cloudwatch",
                signing: "monitoring",
                host: "monitoring",
                api_version: "2010-08-01",
                // Beside CBOR, which newer SDKs choose, and the query protocol of old.
                protocol: Protocol::AwsJson {
                    version: "1.0",
                    target: "GraniteServiceVersion20100801",
                },
                // 25 calls of ListMetrics a second, 50 and more of GetMetricData ("CloudWatch service quotas",
                // *Amazon CloudWatch User Guide*): half of the lower is left to others.
                rate: Rate {
                    burst: 25.0,
                    per_second: 12.0,
                },
            },
        }
    }

    /// The name the AWS CLI and boto3 call the service by.
    pub const fn id(self) -> &'static str {
        self.facts().id
    }

    /// The service's name in signatures, which is also the prefix of its IAM actions.
    pub const fn signing_name(self) -> &'static str {
        self.facts().signing
    }

    /// The version of the service's API that requests name.
    pub const fn api_version(self) -> &'static str {
        self.facts().api_version
    }

    /// The protocol it is asked in.
    pub const fn protocol(self) -> Protocol {
        self.facts().protocol
    }

    /// How often it may be asked in one account and region.
    pub const fn rate(self) -> Rate {
        self.facts().rate
    }

    /// Where the service answers for a region of a partition; `None` where the partition lacks it.
    pub fn host(self, partition: &Partition, region: &str) -> Option<Host> {
        let regional = |region: &str| Host {
            name: format!("{}.{region}.{}", self.facts().host, partition.dns_suffix),
            signing_region: region.to_owned(),
        };
        match self {
            Service::Iam => Some(Host {
                name: partition.iam.0.to_owned(),
                signing_region: partition.iam.1.to_owned(),
            }),
            Service::Organizations => Some(regional(partition.organizations)),
            Service::NetworkManager => partition.network_manager.map(regional),
            _ => Some(regional(region)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition;
    use super::*;

    #[test]
    fn hosts_are_regional_but_for_the_services_that_are_not() {
        let host = |service: Service, region: &str| {
            service
                .host(partition::of_region(region).unwrap(), region)
                .map(|host| format!("{} {}", host.name, host.signing_region))
        };
        for (service, region, expected) in [
            (
                Service::Ec2,
                "eu-west-1",
                "ec2.eu-west-1.amazonaws.com eu-west-1",
            ),
            (
                Service::ElasticLoadBalancingV2,
                "cn-north-1",
                "elasticloadbalancing.cn-north-1.amazonaws.com.cn cn-north-1",
            ),
            (Service::Iam, "eu-west-1", "iam.amazonaws.com us-east-1"),
            (
                Service::Iam,
                "us-gov-east-1",
                "iam.us-gov.amazonaws.com us-gov-west-1",
            ),
            (
                Service::Organizations,
                "cn-north-1",
                "organizations.cn-northwest-1.amazonaws.com.cn cn-northwest-1",
            ),
            (
                Service::NetworkManager,
                "eu-west-1",
                "networkmanager.us-west-2.amazonaws.com us-west-2",
            ),
        ] {
            assert_eq!(host(service, region).unwrap(), expected);
        }
        assert_eq!(host(Service::NetworkManager, "cn-north-1"), None);
    }
}
