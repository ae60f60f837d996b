//! `cloud-export`: the functions on this machine, and what an operator asks for.

mod args;
mod backfill;
mod check;
mod collect;
mod dead_letters;
mod enrichment;
mod estate;
mod fields;
mod forwarding;
mod generate;
mod inventory;
mod metadata;
mod metrics;
mod parse;
mod policy;
mod progress;
mod queue;
mod replay;
mod run;
mod status;
mod summary;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser;
use tokio::runtime::Runtime;

/// Some objects or files were not done.
const SOME_FAILED: u8 = 1;

/// The command line or the configuration cannot be used; `clap` exits with the same.
const USAGE: u8 = 2;

/// Why a command stopped.
enum Stop {
    /// Some of the work failed, which the summary has told.
    SomeFailed,
    /// The command cannot be carried out as it was given.
    Usage(String),
    /// The command failed as a whole.
    Failed(String),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.verbose {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_env_filter("info")
            .init();
    }
    let result = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Backfill(arguments) => backfill::backfill(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Parse(arguments) => parse::parse(&arguments),
        Command::Fields(arguments) => fields::fields(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Collect(arguments) => collect::collect(&arguments),
        Command::Metrics(arguments) => metrics::metrics(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Inventory(arguments) => inventory::inventory(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Policy(arguments) => policy::policy(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::SomeFailed) => ExitCode::from(SOME_FAILED),
        Err(Stop::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(SOME_FAILED)
        }
        Err(Stop::Usage(message)) => {
            eprintln!("error: {message}\n\nFor more information, try '--help'.");
            ExitCode::from(USAGE)
        }
    }
}

/// The threads of commands that wait for the network or for files.
fn runtime() -> Result<Runtime, Stop> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Stop::Failed(format!("the program's threads could not be started: {e}")))
}

/// The value of an environment variable; `None` when it is not set, or empty.
fn environment(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
}
