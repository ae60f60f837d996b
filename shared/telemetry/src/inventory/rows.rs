//! What a table shows of an entity, whatever its kind.

use std::fmt::Display;

use super::*;

/// A line about an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryRow<'i> {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: &'i str,
    /// Its name: the one its kind has, or its `Name` tag.
    pub name: Option<&'i str>,
    /// Whose it is.
    pub account: Option<&'i str>,
    /// Where it is.
    pub region: Option<&'i str>,
    /// Its VPC.
    pub vpc: Option<&'i str>,
    /// Its state, as AWS writes it.
    pub state: Option<&'i str>,
    /// Its tags.
    pub tags: &'i BTreeMap<String, String>,
    /// What else there is to say.
    pub what: String,
}

/// A kind of entity, as a table shows it.
pub trait Entity: Sized {
    /// The name its kind has; tags are another thing.
    fn own_name(_: &Resource<Self>) -> Option<&str> {
        None
    }

    /// The VPC it is in.
    fn vpc(_: &Resource<Self>) -> Option<&str> {
        None
    }

    /// Its state.
    fn state(_: &Resource<Self>) -> Option<&str> {
        None
    }

    /// What else there is to say.
    fn what(_: &Resource<Self>) -> String {
        String::new()
    }
}

impl<T: Entity> Resource<T> {
    /// The `Name` tag, or the name that its kind has.
    pub fn name(&self) -> Option<&str> {
        let tag = self.tags.get("Name").filter(|name| !name.is_empty());
        tag.map(String::as_str).or_else(|| T::own_name(self))
    }

    /// What a table shows of it.
    pub fn row(&self, kind: Kind) -> InventoryRow<'_> {
        InventoryRow {
            kind,
            id: &self.id,
            name: self.name(),
            account: self.account.as_deref(),
            region: self.region.as_deref(),
            vpc: T::vpc(self),
            state: T::state(self),
            tags: &self.tags,
            what: T::what(self),
        }
    }
}

/// A sentence in the making.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    /// A word, if there is one.
    fn word(mut self, word: Option<impl Display>) -> Self {
        self.0.extend(word.map(|word| word.to_string()));
        self
    }

    /// A label and a value, if there is one.
    fn said(self, label: &str, value: Option<impl Display>) -> Self {
        self.word(value.map(|value| format!("{label} {value}")))
    }

    /// Several values.
    fn list<T: Display>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.0
            .extend(values.into_iter().map(|value| value.to_string()));
        self
    }

    /// How many of something there are.
    fn number(mut self, count: usize, one: &str, many: &str) -> Self {
        match count {
            0 => {}
            1 => self.0.push(format!("1 {one}")),
            _ => self.0.push(format!("{count} {many}")),
        }
        self
    }

    /// A word, if something is so.
    fn when(self, so: bool, word: &str) -> Self {
        self.word(so.then_some(word))
    }

    fn end(self) -> String {
        self.0.join(" ")
    }
}

/// Two ends of something.
fn between(near: Option<&impl Display>, far: Option<&impl Display>) -> String {
    let shown = |end: Option<String>| end.unwrap_or_else(|| "?".to_owned());
    let (near, far) = (near.map(|e| e.to_string()), far.map(|e| e.to_string()));
    format!("{} - {}", shown(near), shown(far))
}

fn attached(attachments: &[GatewayAttachment]) -> Option<&GatewayAttachment> {
    attachments
        .iter()
        .find(|attachment| attachment.vpc.is_some())
}

/// What is shown of each kind; what is not said stays empty.
macro_rules! shown {
    ($( $entity:ident($e:ident) { $( $what:ident: $how:expr, )* } )+) => {$(
        impl Entity for $entity {
            $( shown!(@ $what $e $how); )*
        }
    )+};
    (@ name $e:ident $how:expr) => {
        fn own_name($e: &Resource<Self>) -> Option<&str> { $how }
    };
    (@ vpc $e:ident $how:expr) => {
        fn vpc($e: &Resource<Self>) -> Option<&str> { $how }
    };
    (@ state $e:ident $how:expr) => {
        fn state($e: &Resource<Self>) -> Option<&str> { $how }
    };
    (@ what $e:ident $how:expr) => {
        fn what($e: &Resource<Self>) -> String { $how.end() }
    };
}

shown! {
    Account(a) {
        name: a.account_name.as_deref().or(a.alias.as_deref()),
        state: a.state.as_deref(),
        what: Words::default().said("alias", a.alias.as_ref()).said("organization", a.organization.as_ref()),
    }
    Organization(o) { what: Words::default().said("management account", o.management_account.as_ref()), }
    Region(r) { name: Some(r.region_name.as_str()), state: r.opt_in.as_deref(), }
    Zone(z) { name: z.zone_name.as_deref(), state: z.state.as_deref(), what: Words::default().word(z.zone_type.as_ref()), }
    Vpc(v) {
        vpc: Some(v.id.as_str()),
        state: v.state.as_deref(),
        what: Words::default().list(&v.cidrs).when(v.is_default, "default"),
    }
    Subnet(s) {
        vpc: s.vpc.as_deref(),
        state: s.state.as_deref(),
        what: Words::default().list(&s.cidrs).word(s.zone.as_ref()).word(s.zone_id.as_ref()),
    }
    Interface(i) {
        vpc: i.vpc.as_deref(),
        state: i.status.as_deref(),
        what: Words::default()
            .word(i.interface_type.as_ref())
            .list(i.addresses.iter().filter_map(|a| a.address))
            .list(i.addresses.iter().filter_map(|a| a.public))
            .list(&i.ipv6)
            .list(&i.prefixes)
            .word(i.attachment.as_ref().and_then(|a| a.instance.as_ref()))
            .word(Some(&i.description).filter(|text| !text.is_empty())),
    }
    Instance(i) {
        vpc: i.vpc.as_deref(),
        state: i.state.as_deref(),
        what: Words::default()
            .word(i.instance_type.as_ref())
            .word(i.private_address)
            .word(i.public_address)
            .word(i.subnet.as_ref()),
    }
    ElasticAddress(a) {
        what: Words::default()
            .word(a.public)
            .said("to", a.private)
            .said("of", a.interface.as_ref().or(a.instance.as_ref())),
    }
    SecurityGroup(g) {
        name: g.group_name.as_deref(),
        vpc: g.vpc.as_deref(),
        what: Words::default()
            .number(g.ingress.len(), "rule in", "rules in")
            .number(g.egress.len(), "rule out", "rules out")
            .word(g.description.as_ref()),
    }
    NetworkAcl(a) {
        vpc: a.vpc.as_deref(),
        what: Words::default()
            .when(a.is_default, "default")
            .number(a.entries.len(), "entry", "entries")
            .number(a.subnets.len(), "subnet", "subnets"),
    }
    RouteTable(t) {
        vpc: t.vpc.as_deref(),
        what: Words::default()
            .when(t.associations.iter().any(|a| a.main), "main")
            .number(t.routes.len(), "route", "routes")
            .list(t.associations.iter().filter_map(|a| a.subnet.as_ref().or(a.gateway.as_ref()))),
    }
    PrefixList(p) {
        name: p.list_name.as_deref(),
        state: p.state.as_deref(),
        what: Words::default()
            .word(p.family.as_ref())
            .number(p.entries.as_ref().map_or(0, Vec::len), "entry", "entries"),
    }
    InternetGateway(g) {
        vpc: attached(&g.attachments).and_then(|a| a.vpc.as_deref()),
        state: attached(&g.attachments).and_then(|a| a.state.as_deref()),
    }
    NatGateway(n) {
        vpc: n.vpc.as_deref(),
        state: n.state.as_deref(),
        what: Words::default()
            .word(n.connectivity.as_ref())
            .list(n.addresses.iter().filter_map(|a| a.public.or(a.private)))
            .word(n.subnet.as_ref()),
    }
    Endpoint(v) {
        vpc: v.vpc.as_deref(),
        state: v.state.as_deref(),
        what: Words::default().word(v.endpoint_type.as_ref()).word(v.service.as_ref().or(v.resource.as_ref())),
    }
    EndpointService(s) { name: s.service.as_deref(), state: s.state.as_deref(), what: Words::default().list(&s.types).word(s.private_dns.as_ref()), }
    Peering(p) {
        state: p.state.as_deref(),
        what: Words::default().word(Some(between(p.requester.vpc.as_ref(), p.accepter.vpc.as_ref()))),
    }
    VpnGateway(g) {
        vpc: attached(&g.attachments).and_then(|a| a.vpc.as_deref()),
        state: g.state.as_deref(),
        what: Words::default().said("AS", g.asn),
    }
    CustomerGateway(g) {
        name: g.device.as_deref(),
        state: g.state.as_deref(),
        what: Words::default().word(g.address).said("AS", g.asn),
    }
    VpnConnection(v) {
        state: v.state.as_deref(),
        what: Words::default()
            .word(Some(between(
                v.vpn_gateway.as_ref().or(v.transit_gateway.as_ref()).or(v.core_network.as_ref()),
                v.customer_gateway.as_ref(),
            )))
            .list(v.tunnels.iter().filter_map(|t| Some(format!("{} {}", t.outside?, t.status.as_deref()?)))),
    }
    TransitGateway(t) { state: t.state.as_deref(), what: Words::default().said("AS", t.asn).word(t.description.as_ref()), }
    TransitGatewayAttachment(a) {
        vpc: a.vpc.as_ref().and_then(|v| v.vpc.as_deref()),
        state: a.sides.first().and_then(|s| s.state.as_deref())
            .or(a.vpc.as_ref().and_then(|v| v.state.as_deref()))
            .or(a.peering.as_ref().and_then(|p| p.state.as_deref()))
            .or(a.connect.as_ref().and_then(|c| c.state.as_deref())),
        what: Words::default().list(a.sides.iter().map(|s| {
            let kind = s.resource_type.as_ref().map_or("?", AttachmentType::as_str);
            format!("{kind} {}", between(s.transit_gateway.as_ref(), s.resource.as_ref()))
        })),
    }
    TransitGatewayRouteTable(t) {
        state: t.state.as_deref(),
        what: Words::default()
            .word(t.transit_gateway.as_ref())
            .number(t.associations.len(), "association", "associations")
            .number(t.propagations.len(), "propagation", "propagations")
            .number(t.routes.len(), "route", "routes"),
    }
    TransitGatewayConnectPeer(p) {
        state: p.state.as_deref(),
        what: Words::default()
            .word(p.attachment.as_ref())
            .word(Some(between(p.transit_gateway_address.as_ref(), p.peer_address.as_ref()))),
    }
    DirectConnectGateway(g) { name: g.gateway_name.as_deref(), state: g.state.as_deref(), what: Words::default().said("AS", g.asn), }
    DirectConnectAssociation(a) {
        state: a.state.as_deref(),
        what: Words::default()
            .word(Some(between(a.direct_connect_gateway.as_ref(), a.gateway.as_ref().or(a.core_network.as_ref()))))
            .list(&a.allowed),
    }
    DirectConnectAttachment(a) {
        state: a.state.as_deref(),
        what: Words::default().word(Some(between(a.direct_connect_gateway.as_ref(), a.virtual_interface.as_ref()))),
    }
    VirtualInterface(v) {
        name: v.interface_name.as_deref(),
        state: v.state.as_deref(),
        what: Words::default()
            .word(v.interface_type.as_ref())
            .said("VLAN", v.vlan)
            .said("on", v.connection.as_ref())
            .said("to", v.direct_connect_gateway.as_ref().or(v.vpn_gateway.as_ref())),
    }
    DirectConnectConnection(c) {
        name: c.connection_name.as_deref(),
        state: c.state.as_deref(),
        what: Words::default().word(c.bandwidth.as_ref()).said("at", c.location.as_ref()).said("in", c.lag.as_ref()),
    }
    Lag(l) {
        name: l.lag_name.as_deref(),
        state: l.state.as_deref(),
        what: Words::default()
            .number(l.connections.len(), "connection", "connections")
            .said("of", l.bandwidth.as_ref())
            .said("at", l.location.as_ref()),
    }
    LoadBalancer(b) {
        name: b.balancer_name.as_deref(),
        vpc: b.vpc.as_deref(),
        state: b.state.as_deref(),
        what: Words::default()
            .word(b.balancer_type.as_ref())
            .word(b.scheme.as_ref())
            .list(b.listeners.iter().filter_map(|l| Some(format!("{}:{}", l.protocol.as_deref()?, l.port?))))
            .word(b.dns_name.as_ref()),
    }
    TargetGroup(g) {
        name: g.group_name.as_deref(),
        vpc: g.vpc.as_deref(),
        what: Words::default()
            .word(g.target_type.as_ref())
            .word(g.protocol.as_ref())
            .word(g.port)
            .number(g.targets.as_ref().map_or(0, Vec::len), "target", "targets"),
    }
    Firewall(f) {
        name: f.firewall_name.as_deref().or(f.details.as_ref().and_then(|d| d.firewall_name.as_deref())),
        vpc: f.details.as_ref().and_then(|d| d.vpc.as_deref()),
        state: f.details.as_ref().and_then(|d| d.state.as_deref()),
        what: Words::default().list(f.details.iter().flat_map(|d| &d.endpoints).filter_map(|e| e.endpoint.as_ref())),
    }
    FirewallPolicy(p) {
        name: p.policy_name.as_deref().or(p.details.as_ref().and_then(|d| d.policy_name.as_deref())),
        state: p.details.as_ref().and_then(|d| d.state.as_deref()),
        what: Words::default()
            .number(p.details.as_ref().map_or(0, |d| d.stateless.len()), "stateless rule group", "stateless rule groups")
            .number(p.details.as_ref().map_or(0, |d| d.stateful.len()), "stateful rule group", "stateful rule groups"),
    }
    RuleGroup(g) {
        name: g.group_name.as_deref(),
        state: g.state.as_deref(),
        what: Words::default().word(g.group_type.as_ref()).said("capacity", g.capacity),
    }
    GlobalNetwork(n) { state: n.state.as_deref(), what: Words::default().word(n.description.as_ref()), }
    CoreNetwork(n) {
        state: n.state.as_deref(),
        what: Words::default()
            .list(n.segments.iter().map(|s| &s.name))
            .list(n.edges.iter().map(|e| &e.region)),
    }
    CoreNetworkAttachment(a) {
        state: a.state.as_deref(),
        what: Words::default()
            .word(a.attachment_type.as_ref())
            .word(a.resource.as_ref())
            .said("in", a.segment.as_ref().or(a.function_group.as_ref()))
            .said("of", a.core_network.as_ref()),
    }
    CoreNetworkRouteTable(t) { what: Words::default().number(t.routes.len(), "route", "routes"), }
    FlowLog(l) {
        state: l.status.as_deref(),
        what: Words::default()
            .word(l.resource.as_ref())
            .word(l.traffic.as_ref())
            .said("to", l.destination.as_ref().or(l.log_group.as_ref()))
            .said("delivery", l.delivery.as_ref())
            .word(l.delivery_error.as_ref()),
    }
}
