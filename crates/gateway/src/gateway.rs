//! What every use case stands on: the store, the workers, the keys, admission, the clock.
//!
//! Must never know: how requests arrive. Invariant: one value for one process; use cases are its methods, one file each.

use crate::{
    admit::Admission,
    authenticate::Credentials,
    call::Call,
    config,
    events::Events,
    fault::{internal, store_fault},
    inference::Inference,
    journal::Journal,
    ledger::Ledger,
    log::documents::Readers,
    measure,
    origin::Origins,
    status_lists::StatusLists,
};
use biometrics::TenantId;
use service::Clock;
use std::{future::Future, sync::Arc};
use store::{Store, StoreError, Tenant};
use tokio_util::task::TaskTracker;
use wire::Reason;

/// See the module.
pub(crate) struct Gateway {
    /// The database.
    pub(crate) store: Store,
    /// Public base address, without a trailing slash.
    pub(crate) public_url: String,
    /// This process's clock.
    pub(crate) clock: Clock,
    /// The workers.
    pub(crate) inference: Inference,
    /// What credentials are checked with.
    pub(crate) credentials: Credentials,
    /// The gate keeper.
    pub(crate) admission: Admission,
    /// Signs deletion proofs, status lists and checkpoints.
    pub(crate) ledger: Ledger,
    /// Where calls come from.
    pub(crate) origins: Origins,
    /// Where operators are told of what happened, if they are.
    pub(crate) events: Option<Arc<Events>>,
    /// Where deletions are kept in mind outside of the database; `None`: nowhere.
    pub(crate) journal: Option<Journal>,
    /// Which receipts were revoked, for everybody.
    pub(crate) status: StatusLists,
    /// Strangers who read the log.
    pub(crate) log_readers: Readers,
    /// How long-running work is done.
    pub(crate) jobs: config::Jobs,
    /// Work that goes on when its caller hangs up; the drain waits for it.
    pub(crate) tasks: TaskTracker,
}

impl Gateway {
    /// The tenant of an authenticated caller.
    pub(crate) async fn tenant(&self, id: TenantId) -> Result<Tenant, Reason> {
        let found = self.store.tenant(id).await.map_err(store_fault)?;
        found.ok_or_else(|| internal(&StoreError::Corrupt("tenants")))
    }

    /// Runs one use case, measures it, and shows a device no more than it may see.
    pub(crate) async fn answer<A>(
        &self,
        rpc: &'static str,
        call: &Call,
        work: impl Future<Output = Result<A, Reason>>,
    ) -> Result<A, Reason> {
        let begun = self.clock.monotonic();
        let answer = work.await;
        let outcome = answer.as_ref().map_or_else(Reason::code, |_| "OK");
        measure::rpc(rpc, outcome, self.clock.monotonic().saturating_sub(begun));
        answer.map_err(|reason| if call.caller.is_device() { reason.for_device() } else { reason })
    }
}
