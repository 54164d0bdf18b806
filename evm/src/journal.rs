//! revm's journal, with accounts whose balance and nonce are read only when somebody asks for them.
//!
//! A call loads its target, and most targets are only called or paid: their balance matters to nobody in the
//! transaction. Such an account is *deferred*: revm's own journal works on it with stand-ins (a balance of 0, on which
//! it adds what is paid), and what comes out is a credit. Before anything looks at the real figures they are read and
//! put in place ([`DeferringJournal::settle`]), so that nobody can tell the difference. That is sound because whatever
//! the journal has noted of a deferred account by then are differences (a transfer of so much), never totals.
//!
//! The sender of a transaction may be [*assumed*](crate::assumed) to have no more than he must have: that is a stand-in, too, and
//! what comes out says what must have been there. The one total that the journal notes of him, his balance before he
//! pays for the gas, is noted before the first checkpoint: nothing that goes on comes back behind it.
//!
//! | what | reads balance and nonce |
//! |---|---|
//! | sender | when loaded, unless he is assumed |
//! | authorities, creators, fee recipient where it is loaded already | when loaded |
//! | target of a call, beneficiary of a self-destruct, `EXTCODE*` | not where the account is known to be not empty |
//! | recipient of the transaction's own value | not at all |
//! | `BALANCE`, `SELFBALANCE` | when executed |
//! | whoever pays in a call, whatever is created or destroyed | when that happens |

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use revm::bytecode::Bytecode;
use revm::context::journal::{JournalEntry, JournalInner};
use revm::context_interface::context::{SStoreResult, SelfDestructResult, StateLoad};
use revm::context_interface::journaled_state::account::{JournaledAccount, JournaledAccountTr};
use revm::context_interface::journaled_state::{
    AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, JournalTr, TransferError,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{AddressMap, AddressSet, HashSet};
use revm::state::{Account, EvmState, TransactionId};

use crate::access::{Ended, with_state};
use crate::canary::Canary;
use crate::database::{Figures, Loading, TransactionDatabase};
use crate::state::Holdings;

type LoadError = JournalLoadError<Ended>;

/// The journal of a transaction.
#[derive(Debug)]
pub(crate) struct DeferringJournal {
    pub(crate) inner: JournalInner<JournalEntry>,
    pub(crate) database: TransactionDatabase,
    /// Whether the next account is loaded to be looked at.
    pub(crate) is_observing: bool,
    /// Nothing is deferred.
    pub(crate) is_exact: bool,
    /// A payment to a deferred account was too much for its balance, or the sender had not what was assumed of him. revm would
    /// have refused that at once: the transaction must be executed again, with nothing deferred or assumed.
    pub(crate) is_refuted: bool,
    /// The next account is loaded only to give it something.
    pub(crate) is_giving: bool,
    /// The fee of the transaction, for a fee recipient whose balance nobody has looked at.
    pub(crate) fee: Option<(Address, U256)>,
}

impl DeferringJournal {
    /// Makes the journal ready for a transaction that pays `paid`, whose `sender` has at least so much.
    pub(crate) fn begin(&mut self, paid: Option<Address>, sender: Option<(Address, Holdings)>, is_exact: bool) {
        self.database.begin(paid, sender);
        // It only tells transactions apart that share a journal, and there is an end to its numbers.
        self.inner.transaction_id = TransactionId::ZERO;
        self.is_exact = is_exact;
        self.is_observing = false;
        self.is_refuted = false;
        self.is_giving = false;
        self.fee = None;
    }

    /// What is loaded next need not be whole.
    fn deferring(&mut self) {
        self.database.loading = if self.is_exact { Loading::Whole } else { Loading::Deferred };
    }

    /// Puts the real balance and nonce of a loaded account in the place of stand-ins.
    pub(crate) fn settle(&mut self, address: Address) -> Result<(), Ended> {
        let Some(account) = self.inner.state.get_mut(&address) else { return Ok(()) };
        let Some(id) = account.info.account_id else { return Ok(()) };
        let Some(loaded) = self.database.loaded.get_mut(id.get()) else { return Ok(()) };
        if loaded.figures == Figures::Read || (loaded.figures == Figures::Assumed && Canary::BlindSender.sings()) {
            return Ok(());
        }
        let holdings = with_state(|state| state.holdings(address))?;
        let more = if loaded.figures == Figures::Deferred {
            // The stand-in's balance is 0, so the journal's is what has been paid so far.
            Some(holdings.balance)
        } else if holdings.nonce == loaded.holdings.nonce {
            // As much more than the journal has of the sender as he has more than he must have.
            holdings.balance.checked_sub(loaded.holdings.balance)
        } else {
            None
        };
        let Some(sum) = more.and_then(|more| more.checked_add(account.info.balance)) else {
            self.is_refuted = !Canary::FailAtOverflow.sings();
            return Err(Ended);
        };
        account.info.balance = sum;
        if loaded.figures == Figures::Deferred {
            account.info.nonce = holdings.nonce;
        }
        loaded.holdings = holdings;
        if !Canary::CreditTwice.sings() {
            loaded.figures = Figures::Read;
        }
        Ok(())
    }

    /// Whether the transaction has been executed as if its sender had the least that he must have.
    pub(crate) fn assumes(&self) -> bool {
        // The sender is loaded before anybody else.
        self.database.loaded.first().is_some_and(|loaded| loaded.figures == Figures::Assumed)
    }

    /// Whether the balance of a loaded account is what is assumed of the sender.
    fn is_assumed(&self, address: Address) -> bool {
        let id = self.inner.state.get(&address).and_then(|account| account.info.account_id);
        id.and_then(|id| self.database.loaded.get(id.get())).is_some_and(|loaded| loaded.figures == Figures::Assumed)
    }

    /// Pays the transaction's fee.
    pub(crate) fn pay_fee(&mut self, recipient: Address, fee: U256) -> Result<(), Ended> {
        let is_loaded = self.inner.state.get(&recipient).is_some_and(|account| {
            let loaded = self.database.loaded(&account.info, recipient).map(|at| self.database.loaded[at]);
            loaded.is_none_or(|loaded| loaded.figures == Figures::Read)
        });
        if !is_loaded && !self.is_exact {
            // Being paid nothing is an event, too: it clears an account that is empty (EIP-161), and creates one that
            // is not there (before EIP-161).
            let clears = self.database.clears_empty_accounts;
            let can_defer = (clears && (!fee.is_zero() || Canary::FeeOfNothing.sings())) || {
                let identity = with_state(|state| state.identity(recipient))?;
                if clears { identity.is_surely_not_empty() } else { identity.exists }
            };
            if can_defer {
                let is_lost = Canary::LostFee.sings() && self.inner.state.contains_key(&recipient);
                self.fee = (!is_lost).then_some((recipient, fee));
                return Ok(());
            }
        }
        self.load_account_mut(recipient)?.data.incr_balance(fee);
        Ok(())
    }

    /// Loads an account with balance and nonce.
    fn load_whole(&mut self, address: Address) -> Result<(), Ended> {
        self.database.loading = Loading::Whole;
        if self.is_giving { Ok(()) } else { self.settle(address) }
    }
}

impl JournalTr for DeferringJournal {
    type Database = TransactionDatabase;
    type State = EvmState;
    type JournaledAccount<'a> = JournaledAccount<'a, TransactionDatabase, JournalEntry>;

    fn new(database: TransactionDatabase) -> Self {
        Self {
            inner: JournalInner::new(),
            database,
            is_observing: false,
            is_exact: false,
            is_refuted: false,
            is_giving: false,
            fee: None,
        }
    }

    fn db_and_state(&self) -> (&TransactionDatabase, &EvmState) {
        (&self.database, &self.inner.state)
    }

    fn db_and_state_mut(&mut self) -> (&mut TransactionDatabase, &mut EvmState) {
        (&mut self.database, &mut self.inner.state)
    }

    fn sload_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        skip_cold_load: bool,
    ) -> Result<StateLoad<U256>, LoadError> {
        self.inner.sload_assume_account_present(&mut self.database, address, key, skip_cold_load)
    }

    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: U256,
        value: U256,
        skip_cold_load: bool,
    ) -> Result<StateLoad<SStoreResult>, LoadError> {
        self.inner.sstore_assume_account_present(&mut self.database, address, key, value, skip_cold_load)
    }

    fn tload(&mut self, address: Address, key: U256) -> U256 {
        self.inner.tload(address, key)
    }

    fn tstore(&mut self, address: Address, key: U256, value: U256) {
        self.inner.tstore(address, key, value);
    }

    fn log(&mut self, log: Log) {
        self.inner.log(log);
    }

    fn take_logs(&mut self) -> Vec<Log> {
        self.inner.take_logs()
    }

    fn logs(&self) -> &[Log] {
        &self.inner.logs
    }

    fn selfdestruct(
        &mut self,
        address: Address,
        target: Address,
        skip_cold_load: bool,
    ) -> Result<StateLoad<SelfDestructResult>, LoadError> {
        // All that `address` has is moved, so the figure must be known. What `target` has need not be.
        self.settle(address)?;
        self.deferring();
        self.inner.selfdestruct(&mut self.database, address, target, skip_cold_load)
    }

    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<U256>>) {
        self.inner.warm_addresses.set_access_list(access_list);
    }

    fn warm_coinbase_account(&mut self, address: Address) {
        self.inner.warm_addresses.set_coinbase(address);
    }

    fn warm_precompiles(&mut self, precompiles: &AddressSet) {
        self.inner.warm_addresses.set_precompile_addresses(precompiles);
    }

    fn precompile_addresses(&self) -> &AddressSet {
        self.inner.warm_addresses.precompiles()
    }

    fn set_spec_id(&mut self, spec_id: SpecId) {
        self.inner.cfg.spec = spec_id;
        self.database.clears_empty_accounts = spec_id.is_enabled_in(SpecId::SPURIOUS_DRAGON);
    }

    fn set_eip7708_config(&mut self, disabled: bool, eip8246_delayed_clear_disabled: bool) {
        self.inner.set_eip7708_config(disabled, eip8246_delayed_clear_disabled);
    }

    fn touch_account(&mut self, address: Address) {
        self.inner.touch(address);
    }

    fn transfer(&mut self, from: Address, to: Address, balance: U256) -> Result<Option<TransferError>, Ended> {
        self.load_account_mut(from)?;
        self.deferring();
        self.inner.load_account(&mut self.database, to)?;
        Ok(self.inner.transfer_loaded(from, to, balance))
    }

    fn transfer_loaded(&mut self, from: Address, to: Address, balance: U256) -> Option<TransferError> {
        // A transfer of nothing succeeds whatever the payer has, but to itself, where revm asks for the balance; any
        // balance will do then.
        // The sender has no code: what he pays is the transaction's value, and he has that.
        if !balance.is_zero() && !self.is_assumed(from) && self.settle(from).is_err() {
            // Whatever comes of this is discarded: the engine has ended the execution, or it begins anew.
            return Some(TransferError::OutOfFunds);
        }
        self.inner.transfer_loaded(from, to, balance)
    }

    #[expect(deprecated, reason = "part of the trait")]
    fn caller_accounting_journal_entry(&mut self, address: Address, old_balance: U256, bump_nonce: bool) {
        self.inner.caller_accounting_journal_entry(address, old_balance, bump_nonce);
    }

    fn balance_incr(&mut self, address: Address, balance: U256) -> Result<(), Ended> {
        self.load_whole(address)?;
        self.inner.balance_incr(&mut self.database, address, balance)
    }

    #[expect(deprecated, reason = "part of the trait")]
    fn nonce_bump_journal_entry(&mut self, address: Address) {
        self.inner.nonce_bump_journal_entry(address);
    }

    fn load_account(&mut self, address: Address) -> Result<StateLoad<&Account>, Ended> {
        self.load_whole(address)?;
        self.inner.load_account(&mut self.database, address)
    }

    fn load_account_with_code(&mut self, address: Address) -> Result<StateLoad<&Account>, Ended> {
        self.deferring();
        self.inner.load_code(&mut self.database, address)
    }

    fn load_account_delegated(&mut self, address: Address) -> Result<StateLoad<AccountLoad>, Ended> {
        self.deferring();
        self.inner.load_account_delegated(&mut self.database, address)
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip_cold_load: bool,
    ) -> Result<StateLoad<Self::JournaledAccount<'_>>, LoadError> {
        self.load_whole(address)?;
        self.inner.load_account_mut_optional(&mut self.database, address, skip_cold_load)
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Result<StateLoad<Self::JournaledAccount<'_>>, Ended> {
        self.load_whole(address)?;
        self.inner
            .load_account_mut_optional_code(&mut self.database, address, load_code, false)
            .map_err(JournalLoadError::unwrap_db_error)
    }

    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        self.inner.set_code_with_hash(address, code, hash);
    }

    fn code(&mut self, address: Address) -> Result<StateLoad<Bytes>, Ended> {
        let account = self.load_account_with_code(address)?;
        let code = account.info.code.as_ref().map(Bytecode::original_bytes).unwrap_or_default();
        Ok(StateLoad::new(code, account.is_cold))
    }

    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.inner.checkpoint()
    }

    fn checkpoint_commit(&mut self) {
        self.inner.checkpoint_commit();
    }

    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.inner.checkpoint_revert(checkpoint);
    }

    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        balance: U256,
        spec_id: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        // Both were loaded whole on the way here, but the created one may have been deferred before.
        if self.settle(caller).is_err() || self.settle(address).is_err() {
            return Err(TransferError::OutOfFunds);
        }
        self.inner.create_account_checkpoint(caller, address, balance, spec_id)
    }

    fn depth(&self) -> usize {
        self.inner.depth
    }

    fn commit_tx(&mut self) {
        self.inner.commit_tx();
    }

    fn discard_tx(&mut self) {
        self.inner.discard_tx();
    }

    fn finalize(&mut self) -> EvmState {
        self.inner.finalize()
    }

    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold_load: bool,
    ) -> Result<AccountInfoLoad<'_>, LoadError> {
        if self.is_observing {
            self.load_whole(address)?;
        } else {
            self.deferring();
        }
        let spec = self.inner.cfg.spec;
        let load = self.inner.load_account_optional(&mut self.database, address, load_code, skip_cold_load)?;
        Ok(AccountInfoLoad::new(&load.data.info, load.is_cold, load.state_clear_aware_is_empty(spec)))
    }
}
