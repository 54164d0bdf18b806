//! `weft`: executes TOS blocks in parallel and shows that the result is the sequential one.

#![expect(clippy::print_stderr, reason = "a command line program prints its errors")]

mod cli;

use std::process::ExitCode;

use mimalloc::MiMalloc;
use weft_node::memory::Counting;

/// Measured against the system's and jemalloc's: see the README's section on allocators. `weft compare` counts with it.
#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting(MiMalloc);

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("WEFT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weft: {error}");
            ExitCode::FAILURE
        }
    }
}
