//! Missing flow logs: the commands that create them, and what came of creating them.

use metadata_collector::cloud::{Cloud, Place};
use metadata_collector::sessions::Sessions;
use serde_json::{Map, Value, json};
use telemetry::describe::service::Service;
use telemetry::diagnosis::FlowLogOrder;

use super::Asked;

/// What came of one call.
#[derive(Debug, Default)]
pub struct Created {
    /// The new flow logs.
    pub ids: Vec<String>,
    /// What was not created: the resource and why, or why nothing was.
    pub failed: Vec<String>,
}

impl Created {
    /// Whether something was not created.
    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

/// Creates flow logs, one call after the other.
pub async fn create(
    cloud: &Asked,
    sessions: &Sessions<Asked>,
    orders: &[FlowLogOrder],
) -> Vec<Created> {
    let mut done = Vec::new();
    for order in orders {
        let created = one(cloud, sessions, order).await;
        done.push(created.unwrap_or_else(|failed| Created {
            failed: vec![failed],
            ..Created::default()
        }));
    }
    done
}

async fn one(
    cloud: &Asked,
    sessions: &Sessions<Asked>,
    order: &FlowLogOrder,
) -> Result<Created, String> {
    let session = sessions.session(&order.chain).await;
    let session = session.map_err(|failure| failure.to_string())?;
    let lane = cloud.lane(Place {
        account: order.account.clone(),
        region: order.region.clone(),
        service: Service::Ec2,
    });
    let parameters: Map<String, Value> = order.parameters();
    let answer = cloud
        .whole()
        .ask(&lane, &session.credentials, "CreateFlowLogs", &parameters)
        .await
        .map_err(|failure| {
            format!("{failure}. It takes ec2:CreateFlowLogs and logs:CreateLogDelivery, which the reader role has not: run the command with other credentials")
        })?;
    let list = |member: &str| {
        let list = answer.get(member).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let ids = list("FlowLogIds");
    let failed = list("Unsuccessful");
    let text = |value: &Value, member: &str| {
        let text = value.get(member).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let failed = failed.iter().map(|failed| {
        let error = failed.get("Error").cloned().unwrap_or_default();
        let [code, message] = ["Code", "Message"].map(|member| text(&error, member));
        format!("{}: {code}: {message}", text(failed, "ResourceId"))
    });
    Ok(Created {
        ids: ids
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect(),
        failed: failed.collect(),
    })
}

/// The commands, with what came of them where they were run.
pub fn text(orders: &[FlowLogOrder], done: &[Created]) -> String {
    if orders.is_empty() {
        return "# every VPC and transit gateway that was seen has a flow log to a bucket"
            .to_owned();
    }
    let mut text = String::new();
    let mut place = None;
    for (at, order) in orders.iter().enumerate() {
        if place != Some(&order.account) {
            let with = order
                .chain
                .last()
                .map(|hop| format!(", seen with {}", hop.role));
            text.push_str(&format!(
                "# account {}{}\n",
                order.account,
                with.unwrap_or_default()
            ));
            place = Some(&order.account);
        }
        text.push_str(&format!("{order}\n"));
        if let Some(created) = done.get(at) {
            let ids = created.ids.iter().map(|id| format!("# created {id}\n"));
            let failed = created.failed.iter();
            let failed = failed.map(|why| format!("# not created: {why}\n"));
            text.extend(ids.chain(failed));
        }
    }
    text
}

/// A call in the report, with what came of it where it was made.
pub fn to_json(order: &FlowLogOrder, done: Option<&Created>) -> Value {
    let mut described = json!({
        "account": order.account,
        "region": order.region,
        "resources": order.resources,
        "command": order.to_string(),
    });
    if let (Some(created), Some(members)) = (done, described.as_object_mut()) {
        members.insert("created".into(), json!(created.ids));
        members.insert("failed".into(), json!(created.failed));
    }
    described
}
