//! Assembles a contract: `cargo run -p weft-ledger --example assemble -- FILE.asm FILE.so`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use weft_ledger::contract::{ContractVm, Module, SbpfVm, assemble};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [source, target] = &arguments[..] else {
        eprintln!("usage: assemble FILE.asm FILE.so");
        return ExitCode::from(2);
    };
    match run(source, target) {
        Ok(module) => {
            println!("{target}: {} bytes, BLAKE3 {}", module.bytes().len(), module.hash());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(source: &str, target: &str) -> Result<Module, String> {
    let text = std::fs::read_to_string(source).map_err(|error| format!("{source}: {error}"))?;
    let module = Module::new(assemble(&text).map_err(|error| format!("{source}: {error}"))?);
    // What the assembler does not know: whether there are such system calls.
    SbpfVm::shared().check(&module).map_err(|error| format!("{source}: {error}"))?;
    std::fs::write(target, module.bytes()).map_err(|error| format!("{target}: {error}"))?;
    Ok(module)
}
