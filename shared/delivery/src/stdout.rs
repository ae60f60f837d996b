//! Standard output: for people and pipes.

use std::io;

use telemetry::FailureClass;
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::sync::Mutex;

use crate::batch::Batch;
use crate::destination::{Confirmation, DeliveryError, Destination};

/// Writes batches to standard output, whole batches at a time.
#[derive(Debug)]
pub struct StdoutDestination {
    stdout: Mutex<Stdout>,
}

impl Default for StdoutDestination {
    fn default() -> StdoutDestination {
        StdoutDestination {
            stdout: Mutex::new(tokio::io::stdout()),
        }
    }
}

impl Destination for StdoutDestination {
    async fn deliver(&self, batch: &Batch) -> Result<Confirmation, DeliveryError> {
        let mut stdout = self.stdout.lock().await;
        let written = async {
            stdout.write_all(&batch.bytes).await?;
            stdout.flush().await?;
            Ok(Confirmation::default())
        };
        written.await.map_err(|error: io::Error| DeliveryError {
            class: FailureClass::Config,
            code: "stdout".to_owned(),
            destination: "stdout:".to_owned(),
            reason: format!("{error}; the program that reads the output may have ended"),
            retries: 0,
        })
    }
}
