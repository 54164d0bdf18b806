//! The database that revm's journal loads accounts from: the state as the running transaction finds it.

use alloy_primitives::{Address, B256, U256};
use revm::Database;
use revm::bytecode::Bytecode;
use revm::primitives::{AddressMap, B256Map, KECCAK_EMPTY};
use revm::state::{AccountId, AccountInfo};

use crate::access::{Ended, with_state};
use crate::canary::Canary;
use crate::state::{Holdings, Identity};

/// Codes that a worker remembers; past this number it forgets them all.
const REMEMBERED_CODES: usize = 4096;

/// From this use on a worker has a copy of a code of its own. revm counts references to code, several a call, and
/// workers that count in one place hold each other up; but a copy has to be analysed anew.
const USES_BEFORE_COPY: u32 = 32;

/// Code that a worker has met.
#[derive(Debug)]
struct KnownCode {
    code: Bytecode,
    uses: u32,
}

/// What an account was when the transaction first looked at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) identity: Identity,
    /// What the account held, as far as that is known.
    pub(crate) holdings: Holdings,
    pub(crate) figures: Figures,
}

/// What is known of the holdings of a loaded account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figures {
    /// They were read.
    Read,
    /// Nothing: the journal works with [`STAND_IN`]. What is paid to the account meanwhile is a credit that conflicts with
    /// nobody.
    Deferred,
    /// The account sends the transaction: the journal works with the [least](crate::assumed) that it can have.
    Assumed,
}

/// What the journal is given for holdings that nobody has asked for. It is not empty, as the account surely is not, or
/// will not be.
pub(crate) const STAND_IN: Holdings = Holdings { balance: U256::ZERO, nonce: 1 };

/// How the next account is to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loading {
    /// With balance and nonce.
    Whole,
    /// Without them where nobody can tell the difference until they are asked for.
    Deferred,
}

/// The state as the running transaction finds it.
#[derive(Debug)]
pub(crate) struct TransactionDatabase {
    pub(crate) loading: Loading,
    /// Whom the transaction itself pays: that account will not be empty, whatever it was.
    pub(crate) paid: Option<Address>,
    /// Who sends the transaction, and what is known of him without a look. Taken when he is loaded.
    sender: Option<(Address, Holdings)>,
    /// The accounts that the journal has loaded. [`AccountInfo::account_id`] counts from 0 here.
    pub(crate) loaded: Vec<Loaded>,
    /// Where in `loaded` the accounts are that do not exist.
    absent: AddressMap<usize>,
    /// From EIP-161 on an account that holds nothing is as good as absent.
    pub(crate) clears_empty_accounts: bool,
    /// Codes by their hash: what is found under a hash never changes.
    codes: B256Map<KnownCode>,
}

impl TransactionDatabase {
    pub(crate) fn new() -> Self {
        Self {
            loading: Loading::Whole,
            paid: None,
            sender: None,
            loaded: Vec::new(),
            absent: AddressMap::default(),
            clears_empty_accounts: true,
            codes: B256Map::default(),
        }
    }

    /// Forgets the accounts of the last transaction.
    pub(crate) fn begin(&mut self, paid: Option<Address>, sender: Option<(Address, Holdings)>) {
        self.paid = paid;
        self.sender = sender;
        self.loaded.clear();
        self.absent.clear();
        self.loading = Loading::Whole;
    }

    /// What is known of an account that the journal has loaded.
    pub(crate) fn loaded(&self, info: &AccountInfo, address: Address) -> Option<usize> {
        match info.account_id {
            Some(id) => Some(id.get()),
            // The journal keeps no number for accounts that did not exist.
            None => self.absent.get(&address).copied(),
        }
    }

    /// The holdings of an account that nobody has loaded.
    fn holdings(&mut self, address: Address, identity: &Identity) -> Result<(Holdings, Figures), Ended> {
        if self.can_defer(address, identity) {
            return Ok((STAND_IN, Figures::Deferred));
        }
        // Who has code may spend on the way.
        let sender = self.sender.take_if(|sender| sender.0 == address && !identity.has_code());
        let Some((_, least)) = sender else {
            return Ok((with_state(|state| state.holdings(address))?, Figures::Read));
        };
        let known = with_state(|state| state.holdings_unless_contended(address))?;
        Ok(known.map_or((least, Figures::Assumed), |holdings| (holdings, Figures::Read)))
    }

    /// Whether the account can be used without its balance and nonce for now.
    fn can_defer(&self, address: Address, identity: &Identity) -> bool {
        match self.loading {
            Loading::Whole => false,
            Loading::Deferred if self.clears_empty_accounts => {
                identity.is_surely_not_empty() || self.paid == Some(address)
            }
            // Before EIP-161 it matters whether the account exists, and not what it holds.
            Loading::Deferred => identity.exists,
        }
    }
}

impl Database for TransactionDatabase {
    type Error = Ended;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Ended> {
        let identity = with_state(|state| state.identity(address))?;
        let (holdings, figures) = self.holdings(address, &identity)?;
        let id = self.loaded.len();
        self.loaded.push(Loaded { identity, holdings, figures });
        if !identity.exists && holdings.is_empty() {
            self.absent.insert(address, id);
            return Ok(None);
        }
        Ok(Some(AccountInfo {
            balance: holdings.balance,
            nonce: holdings.nonce,
            code_hash: identity.code_hash,
            account_id: AccountId::new(id),
            // Not even the empty code, which all threads share and count references to: the journal asks where it needs
            // it.
            code: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Ended> {
        if hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(known) = self.codes.get_mut(&hash) {
            known.uses = known.uses.saturating_add(1);
            if known.uses == USES_BEFORE_COPY && known.code.is_legacy() {
                known.code = Bytecode::new_legacy(known.code.original_bytes());
            }
            return Ok(known.code.clone());
        }
        let is_deployed =
            self.loaded.iter().any(|loaded| loaded.identity.is_deployed && loaded.identity.code_hash == hash);
        let code = with_state(|state| state.code(hash, is_deployed))?;
        if code.is_empty() && !Canary::RememberNoCode.sings() {
            // The account was read from an execution that is undone by now, and its code was made there. What comes of
            // this will not be valid, and must not be remembered: under this hash there is other code.
            return Ok(code);
        }
        if self.codes.len() >= REMEMBERED_CODES {
            self.codes.clear();
        }
        self.codes.insert(hash, KnownCode { code: code.clone(), uses: 0 });
        Ok(code)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Ended> {
        let generation = self.absent.get(&address).map_or(0, |&at| self.loaded[at].identity.generation);
        with_state(|state| state.slot(address, generation, slot))
    }

    fn storage_by_account_id(&mut self, address: Address, id: AccountId, slot: U256) -> Result<U256, Ended> {
        let generation = self.loaded[id.get()].identity.generation;
        with_state(|state| state.slot(address, generation, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Ended> {
        with_state(|state| state.block_hash(number))
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::bytes;

    use super::*;
    use crate::access::{Access, provide_state};

    /// Answers what it is asked for code with these, in turn, and nothing else.
    struct Codes(Vec<Bytecode>);

    impl Access for Codes {
        fn holdings(&mut self, address: Address) -> Result<Holdings, Ended> {
            panic!("the holdings of {address} are none of code's business")
        }

        fn holdings_unless_contended(&mut self, address: Address) -> Result<Option<Holdings>, Ended> {
            panic!("the holdings of {address} are none of code's business")
        }

        fn identity(&mut self, address: Address) -> Result<Identity, Ended> {
            panic!("the identity of {address} is none of code's business")
        }

        fn slot(&mut self, address: Address, _: u32, slot: U256) -> Result<U256, Ended> {
            panic!("slot {slot} of {address} is none of code's business")
        }

        fn code(&mut self, _: B256, _: bool) -> Result<Bytecode, Ended> {
            if self.0.is_empty() { Err(Ended) } else { Ok(self.0.remove(0)) }
        }

        fn block_hash(&mut self, number: u64) -> Result<B256, Ended> {
            panic!("the hash of block {number} is none of code's business")
        }
    }

    /// An account is read from an execution that has deployed its code; when the code is asked for, that execution is
    /// undone, and nothing is found. Deployed again, the code has the same hash.
    #[test]
    fn code_of_an_undone_execution_is_not_remembered() {
        let code = Bytecode::new_legacy(bytes!("5f5ff3"));
        let hash = code.hash_slow();
        let mut database = TransactionDatabase::new();
        let mut state = Codes(vec![Bytecode::default(), code.clone()]);
        let mut read = || provide_state(&mut state, || database.code_by_hash(hash));
        assert_eq!(read(), Ok(Bytecode::default()));
        assert_eq!(read(), Ok(code.clone()));
        // From here on nobody is asked: there is no third answer.
        for _ in 0..2 * USES_BEFORE_COPY {
            assert_eq!(read(), Ok(code.clone()));
        }
    }

    #[test]
    fn a_read_that_ends_the_execution_leaves_nothing_behind() {
        let code = Bytecode::new_legacy(bytes!("5f5ffd"));
        let hash = code.hash_slow();
        let mut database = TransactionDatabase::new();
        assert_eq!(provide_state(&mut Codes(Vec::new()), || database.code_by_hash(hash)), Err(Ended));
        assert_eq!(provide_state(&mut Codes(vec![code.clone()]), || database.code_by_hash(hash)), Ok(code));
    }
}
