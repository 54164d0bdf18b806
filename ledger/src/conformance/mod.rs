//! Runs the public conformance vectors of the ledger (spec 3.2, 9): files of cases, each with a state, transactions
//! and what must come of them.
//!
//! Execution is injected ([`Execute`]), so that the same cases run sequentially, or on any number of threads. What
//! the ledger has no rules for is reported as [`Verdict::NotSupported`], never as passed.

mod compare;
mod crypto_case;
mod model;
mod shield;
mod structured;

#[cfg(test)]
mod conformance_tests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;
use thiserror::Error;

use crate::error::TosError;
use crate::rules::{BlockContext, Receipt, finish_block};
use crate::signed::SignedTransaction;
use crate::state::{ChangeSet, Key, Value};
use crate::wire::Payload;
use crate::{hex, state};

use model::{Expected, JsonState, nullable};

/// A vector file that cannot be read at all.
#[derive(Debug, Error)]
pub enum VectorError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no vector file; the position is in `source`.
    #[error("{}: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// The text is JSON, but holds neither vectors nor accounts.
    #[error("{}: neither `test_vectors` nor `accounts`", path.display())]
    NoVectors {
        /// Which file.
        path: PathBuf,
    },
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as expected.
    Passed,
    /// Something is not.
    Failed {
        /// What, in words.
        reason: String,
    },
    /// The ledger has no rules for it.
    NotSupported {
        /// What is missing.
        why: String,
    },
}

/// What an execution gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// In order; may end at the first failure.
    pub receipts: Vec<Receipt>,
    /// The block's changes; empty when it was rejected.
    pub changes: ChangeSet,
}

/// Why an injected execution failed in itself.
pub type ExecuteError = Box<dyn Error + Send + Sync>;

/// Executes transactions as one block whose first failing transaction rejects it whole (spec 7.1).
///
/// Closures of the same signature do.
pub trait Execute {
    /// Executes `transactions` on `state`.
    ///
    /// # Errors
    /// When the machinery fails; a failing transaction is a receipt.
    fn execute(
        &mut self,
        transactions: &[SignedTransaction],
        state: &BTreeMap<Key, Value>,
        context: &BlockContext,
    ) -> Result<Execution, ExecuteError>;
}

impl<F> Execute for F
where
    F: FnMut(&[SignedTransaction], &BTreeMap<Key, Value>, &BlockContext) -> Result<Execution, ExecuteError>,
{
    fn execute(
        &mut self,
        transactions: &[SignedTransaction],
        state: &BTreeMap<Key, Value>,
        context: &BlockContext,
    ) -> Result<Execution, ExecuteError> {
        self(transactions, state, context)
    }
}

/// The cases of one file.
#[derive(Debug, Clone)]
pub struct VectorFile {
    cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    name: String,
    /// A case that cannot be understood fails alone, not its file.
    parsed: Result<RawCase, String>,
}

#[derive(Debug, Clone, Deserialize)]
struct RawCase {
    #[serde(default)]
    pre_state: Option<JsonState>,
    input: Json,
    #[serde(default, deserialize_with = "nullable")]
    expected: Json,
}

#[derive(Deserialize)]
struct RawFile {
    test_vectors: Option<Vec<Json>>,
    accounts: Option<Vec<Json>>,
}

impl VectorFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`VectorError`].
    pub fn read(path: &Path) -> Result<Self, VectorError> {
        let text = std::fs::read_to_string(path).map_err(|source| VectorError::Io { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file; `path` only names it in errors.
    ///
    /// # Errors
    /// [`VectorError::Json`], [`VectorError::NoVectors`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, VectorError> {
        let raw: RawFile =
            serde_json::from_str(text).map_err(|source| VectorError::Json { path: path.to_owned(), source })?;
        let cases = match raw {
            RawFile { test_vectors: Some(vectors), .. } => vectors.into_iter().map(Case::new).collect(),
            // The list of test identities: each is a statement about a key pair.
            RawFile { accounts: Some(accounts), .. } => accounts.into_iter().map(Case::identity).collect(),
            _ => return Err(VectorError::NoVectors { path: path.to_owned() }),
        };
        Ok(Self { cases })
    }

    /// The cases, in order.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }
}

impl Case {
    fn new(json: Json) -> Self {
        let name = json.get("name").and_then(Json::as_str).unwrap_or("(unnamed)").to_owned();
        Self { name, parsed: serde_json::from_value(json).map_err(|error| error.to_string()) }
    }

    fn identity(json: Json) -> Self {
        let name = json.get("name").and_then(Json::as_str).unwrap_or("(unnamed)").to_owned();
        let input = serde_json::json!({
            "kind": "ristretto255", "op": "public_key_from_private", "private_key": json.get("private_key"),
        });
        let expected = serde_json::json!({ "public_key": json.get("public_key") });
        Self { name, parsed: Ok(RawCase { pre_state: None, input, expected }) }
    }

    /// Its name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it.
    pub fn run(&self, executor: &mut dyn Execute) -> Verdict {
        match self.try_run(executor) {
            Ok(()) => Verdict::Passed,
            Err(verdict) => verdict,
        }
    }

    fn try_run(&self, executor: &mut dyn Execute) -> Result<(), Verdict> {
        let case = self.parsed.as_ref().map_err(|reason| failed(format!("the case is malformed: {reason}")))?;
        let kind = case.input.get("kind").and_then(Json::as_str).unwrap_or_default();
        match kind {
            "tx" => case.run_state(executor, std::slice::from_ref(&case.input), false),
            "block" => {
                let items = case.input.get("txs").and_then(Json::as_array);
                case.run_state(executor, items.ok_or_else(|| failed("no list `input.txs`"))?, true)
            }
            "tx_roundtrip" => case.run_roundtrip(),
            "ristretto255" | "vector_set" => crypto_case::run(&case.input, &case.expected),
            other => Err(Verdict::NotSupported { why: format!("kind {other:?}") }),
        }
    }
}

fn failed(reason: impl Into<String>) -> Verdict {
    Verdict::Failed { reason: reason.into() }
}

impl RawCase {
    fn expected(&self) -> Result<Expected, Verdict> {
        Expected::deserialize(&self.expected).map_err(|error| failed(format!("`expected` is malformed: {error}")))
    }

    /// Kinds `tx` and `block`.
    fn run_state(&self, executor: &mut dyn Execute, items: &[Json], is_block: bool) -> Result<(), Verdict> {
        let expected = self.expected()?;
        let (pre, context) = match &self.pre_state {
            Some(state) => state.load().map_err(|reason| failed(format!("`pre_state`: {reason}")))?,
            None => (BTreeMap::new(), BlockContext::default()),
        };
        // Everything is decoded before anything is executed (spec 7.1).
        let decoded: Result<Vec<_>, TosError> = items.iter().map(structured::transaction).collect();
        let (result, post) = match decoded {
            Err(error) => (Err(error), pre.clone()),
            Ok(transactions) => {
                supported(&transactions)?;
                execute(executor, &transactions, &pre, &context, is_block)?
            }
        };
        compare::outcome(&expected, result, &post).map_err(failed)
    }

    /// Kind `tx_roundtrip` (spec 2.5): nothing is verified but the bytes.
    fn run_roundtrip(&self) -> Result<(), Verdict> {
        let expected = self.expected()?;
        let text = self.input.get("wire_hex").and_then(Json::as_str).unwrap_or_default();
        let result = match hex::decode(text).map(|bytes| (crate::wire::Transaction::decode(&bytes), bytes)) {
            Err(_) | Ok((Err(_), _)) => Err(TosError::InvalidFormat),
            Ok((Ok(transaction), bytes)) if transaction.encode().as_ref() == Ok(&bytes) => Ok(()),
            Ok(_) => Err(TosError::NotImplemented),
        };
        compare::result(&expected, result).map_err(failed)
    }
}

fn supported(transactions: &[SignedTransaction]) -> Result<(), Verdict> {
    for signed in transactions {
        if let Payload::Opaque(opaque) = &signed.transaction().payload {
            return Err(Verdict::NotSupported { why: format!("opcode {} has no rules here", opaque.kind().opcode()) });
        }
    }
    Ok(())
}

type Executed = (Result<(), TosError>, BTreeMap<Key, Value>);

fn execute(
    executor: &mut dyn Execute,
    transactions: &[SignedTransaction],
    pre: &BTreeMap<Key, Value>,
    context: &BlockContext,
    is_block: bool,
) -> Result<Executed, Verdict> {
    let Execution { receipts, mut changes } = executor
        .execute(transactions, pre, context)
        .map_err(|error| failed(format!("the execution failed: {error}")))?;
    if let Some(error) = receipts.iter().find_map(|receipt| receipt.result.err()) {
        if !changes.is_empty() {
            return Err(failed(format!("a rejected block left {} changes behind", changes.len())));
        }
        return Ok((Err(error), pre.clone()));
    }
    if receipts.len() != transactions.len() {
        return Err(failed(format!("{} receipts for {} transactions", receipts.len(), transactions.len())));
    }
    if is_block {
        finish_block(context, &mut changes, |key| Ok::<_, Infallible>(pre.get(key).cloned()))
            .map_err(|error| failed(error.to_string()))?;
    }
    let mut post = pre.clone();
    state::apply_changes(&mut post, changes);
    Ok((Ok(()), post))
}
