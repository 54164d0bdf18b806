//! The system calls: `docs/contracts.md` lists their arguments, results and prices.
//!
//! In each of them the order is: limits of lengths, price, memory, host. A length of zero makes no use of its address.

mod balance;
mod calls;
mod environment;
mod events;
mod hashing;
mod storage;

use solana_sbpf::program::{BuiltinFunctionDefinition, BuiltinProgram};

use super::context::{Context, Stop};

/// What a system call has for arguments: registers 1 to 5.
type Arguments = [u64; 5];

/// "There is none", where the result is a number.
const NONE: u64 = u64::MAX;
/// Bytes that are included in every price.
const FREE_BYTES: u64 = 256;
/// Bytes beyond those that cost one unit.
const BYTES_PER_UNIT: u64 = 4;

/// What `bytes` bytes cost that are read or written.
const fn surcharge(bytes: u64) -> u64 {
    bytes.saturating_sub(FREE_BYTES) / BYTES_PER_UNIT
}

impl Context {
    /// Takes a price and the surcharge for the bytes that will be read and written.
    fn charge_bytes(&mut self, price: u64, bytes: u64) -> Result<(), Stop> {
        self.charge(price.saturating_add(surcharge(bytes)))
    }

    /// The bytes at `address`.
    fn read(&mut self, address: u64, bytes: u64) -> Result<Vec<u8>, Stop> {
        // The length is a stranger's: large ones grow as they are read.
        let mut read = Vec::with_capacity(usize::try_from(bytes).unwrap_or(usize::MAX).min(4096));
        self.memory.read(address, bytes, &mut read)?;
        Ok(read)
    }

    /// Writes the part of `bytes` that fits into `capacity`; the length of all.
    fn write_fitting(&mut self, address: u64, capacity: u64, bytes: &[u8]) -> Result<u64, Stop> {
        let fitting = usize::try_from(capacity).unwrap_or(usize::MAX).min(bytes.len());
        self.memory.write(address, &bytes[..fitting])?;
        Ok(bytes.len() as u64)
    }
}

/// The part of `all` bytes that `length` bytes from `offset` are: where it starts, and how long it is.
fn slice(all: usize, offset: u64, length: u64) -> (usize, usize) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(all);
    (start, usize::try_from(length).unwrap_or(usize::MAX).min(all - start))
}

/// Ends the run if `length` is above `limit`.
fn limit(what: &str, length: u64, limit: usize) -> Result<(), Stop> {
    if length > limit as u64 {
        return Err(Stop::Fault(format!("{what} of {length} bytes; the limit is {limit}")));
    }
    Ok(())
}

/// Puts functions under their names into `$loader`.
macro_rules! system_calls {
    ($loader:expr; $($name:literal => $function:expr,)*) => {
        $({
            struct Definition;

            impl BuiltinFunctionDefinition<Context> for Definition {
                type Error = Stop;

                fn rust(context: &mut Context, a: u64, b: u64, c: u64, d: u64, e: u64) -> Result<u64, Stop> {
                    context.system_call([a, b, c, d, e], $function)
                }
            }

            // Two names with one hash are the only error; the tests would have met it.
            $loader.register_definition::<Definition>($name).expect("names have different hashes");
        })*
    };
}

/// Makes all system calls known.
pub(super) fn register(loader: &mut BuiltinProgram<Context>) {
    system_calls! { loader;
        "get_caller" => environment::caller,
        "get_signer" => environment::signer,
        "get_program_id" => environment::program_id,
        "get_block_hash" => environment::block_hash,
        "get_tx_hash" => environment::transaction_hash,
        "get_block_height" => environment::height,
        "get_topoheight" => environment::height,
        "get_block_timestamp" => environment::timestamp,
        "get_instant_random" => environment::instant_random,
        "get_input_data" => environment::input_data,
        "get_deposit" => environment::deposit,
        "storage_read" => storage::read,
        "storage_write" => storage::write,
        "storage_delete" => storage::delete,
        "storage_add" => storage::add,
        "tload" => storage::transient_read,
        "tstore" => storage::transient_write,
        "get_balance" => balance::balance,
        "transfer" => balance::transfer,
        "invoke" => calls::invoke,
        "get_return_data" => calls::return_data,
        "set_return_data" => calls::set_return_data,
        "get_external_code_size" => calls::code_size,
        "get_external_code_hash" => calls::code_hash,
        "get_external_code_copy" => calls::code_copy,
        "log0" => events::event::<0>,
        "log1" => events::event::<1>,
        "log2" => events::event::<2>,
        "log3" => events::event::<3>,
        "log4" => events::event::<4>,
        "log" => events::log,
        "log_u64" => events::log_numbers,
        "log_pubkey" => events::log_key,
        "log_compute_units" => events::log_units,
        "blake3" => hashing::blake3,
        "sha256" => hashing::sha256,
        "keccak256" => hashing::keccak256,
        "ripemd160" => hashing::ripemd160,
        "schnorr_verify" => hashing::schnorr_verify,
        "abort" => events::abort,
    }
}
