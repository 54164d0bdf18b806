//! What a contract may use (spec 8).

/// The bounds of a contract's execution. The default is the chain's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most compute units that a transaction's call may be given.
    pub gas: u64,
    /// Most contracts that call each other, the first one included.
    pub call_depth: usize,
    /// Most bytes of code that a transaction may load, over all its calls.
    pub code_bytes: usize,
    /// Most bytes of input of one call.
    pub input_bytes: usize,
    /// Most bytes of a storage key.
    pub key_bytes: usize,
    /// Most bytes of a storage value.
    pub value_bytes: usize,
    /// Most bytes of return data.
    pub return_bytes: usize,
    /// Most events of a transaction; more are an error of the transaction itself (spec 5.6).
    pub events: usize,
    /// Most bytes of one event's data.
    pub event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gas: 10_000_000,
            call_depth: 64,
            code_bytes: 128 * 1024,
            input_bytes: 1_000_000,
            key_bytes: 256,
            value_bytes: 4096,
            return_bytes: 4096,
            events: 1000,
            event_bytes: 4096,
        }
    }
}
