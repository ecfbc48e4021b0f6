//! Why something of a transparency log is not taken.
//!
//! Must never know: what leaves say. Invariant: one condition, one code; [`LogFault::is_alarm`] holds exactly where the
//! log contradicts what it signed before.

/// What is wrong with a checkpoint, a tile or a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFault {
    /// Not a signed note (C2SP signed-note), too large, or with too many signatures.
    Note,
    /// The note's text is not a checkpoint (C2SP tlog-checkpoint), or has extension lines, which are not written here.
    Checkpoint,
    /// The checkpoint is of another log: another deployment's.
    Origin,
    /// No trusted ledger key has signed the checkpoint.
    Unsigned,
    /// Not a proof file (C2SP tlog-proof), or without what the leaf says.
    ProofForm,
    /// The index is not in the tree, or the tree is larger than any this log can have.
    Size,
    /// A tile is missing, truncated or too long.
    Tile,
    /// A tile is of the right size but does not lead to the root that was signed.
    TileContent,
    /// The inclusion proof does not lead from the leaf to the root that was signed.
    Inclusion,
    /// The consistency proof does not lead from the old tree to the new one.
    Consistency,
    /// The leaf speaks of something else than what it was held against.
    OtherLeaf,
    /// The log signed a smaller tree than one it signed before.
    Rollback,
    /// The log signed two trees of which neither continues the other.
    Fork,
}

impl LogFault {
    /// The log contradicts what it signed before: not an accident of transport, and provable to anybody.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::Rollback | Self::Fork)
    }

    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Note => "LOG_NOTE",
            Self::Checkpoint => "LOG_CHECKPOINT",
            Self::Origin => "LOG_ORIGIN",
            Self::Unsigned => "LOG_UNSIGNED",
            Self::ProofForm => "LOG_PROOF_FORM",
            Self::Size => "LOG_SIZE",
            Self::Tile => "LOG_TILE",
            Self::TileContent => "LOG_TILE_CONTENT",
            Self::Inclusion => "LOG_INCLUSION",
            Self::Consistency => "LOG_CONSISTENCY",
            Self::OtherLeaf => "LOG_OTHER_LEAF",
            Self::Rollback => "LOG_ROLLBACK",
            Self::Fork => "LOG_FORK",
        }
    }
}
