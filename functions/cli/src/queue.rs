//! Queues, as this machine reaches them.

use flow_forwarder::message_queue::MessageQueue;
use invocation::aws;

use crate::Stop;

/// The queue at a URL.
pub async fn open(url: &str) -> Result<MessageQueue, Stop> {
    let queue = MessageQueue::new(url, &aws::sdk_config().await);
    queue.map_err(|error| Stop::Usage(format!("{url}: {error}")))
}
