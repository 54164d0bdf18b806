//! Which transaction types exist (spec 2.6).

/// The switch between the wire format of the vectors and the one that carries AI mining too.
///
/// The two cannot be told apart by the bytes: the vectors demand that opcode 6 is refused, the mining era assigns it.
/// So whoever decodes says which one is meant, and the default is the vectors'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Era {
    /// Opcode 6 is not assigned.
    #[default]
    Standard,
    /// Opcode 6 is [AI mining](super::AiMiningPayload). Everything else is as in [`Era::Standard`]: the envelope stays
    /// version T1, with its chain id and its other types.
    AiMining,
}
