//! What callers ask of quotas.

use std::time::Duration;

use crate::catalog::Change;
use crate::metadata::Record;
use crate::quota::{Allowance, QuotaEntity, QuotaKind, QuotaLimits};
use crate::{Broker, Error, Result};

/// Longest name of a client with a quota of its own, in bytes.
const CLIENT_MAX_LEN: usize = 32_767;
/// The most quotas there are.
const QUOTAS_MAX: usize = 10_000;

impl Broker {
    /// All quotas, in order of whose they are.
    pub fn quotas(&self) -> Vec<(QuotaEntity, QuotaLimits)> {
        self.inner.catalog.quotas().into_iter().collect()
    }

    /// Changes a quota; one that limits nothing any more is gone. Durable when this returns.
    ///
    /// # Errors
    /// A name that is too long, a rate of 0, or that the broker's metadata cannot be written.
    pub async fn alter_quota(
        &self,
        entity: QuotaEntity,
        change: impl FnOnce(&mut QuotaLimits),
        validate_only: bool,
    ) -> Result<()> {
        let invalid = |reason: &str| Error::InvalidRequest { reason: reason.to_owned() };
        if matches!(&entity, QuotaEntity::Client(name) if name.len() > CLIENT_MAX_LEN) {
            return Err(invalid("clients' names have at most 32767 bytes"));
        }
        let catalog = &self.inner.catalog;
        let changed = |before: QuotaLimits| {
            let mut limits = before;
            change(&mut limits);
            match limits.produce == Some(0) || limits.fetch == Some(0) {
                true => Err(invalid("a rate is 1 byte a second or more")),
                false => Ok(limits),
            }
        };
        if validate_only {
            let before = catalog.quotas().get(&entity).copied().unwrap_or_default();
            return changed(before).map(drop);
        }
        let mark = catalog.decide(|metadata| {
            let limits = changed(metadata.quotas.get(&entity).copied().unwrap_or_default())?;
            let mut table = metadata.quotas.clone();
            if !limits.is_empty() && !table.contains_key(&entity) && table.len() >= QUOTAS_MAX {
                return Err(invalid("there are 10000 quotas, which is the most there may be"));
            }
            match limits.is_empty() {
                true => table.remove(&entity),
                false => table.insert(entity.clone(), limits),
            };
            Ok((Record::QuotaSet { entity, limits }, Change::Quotas(table)))
        })?;
        catalog.finish(mark, || self.inner.settle()).await
    }

    /// Charges a client, by what it calls itself, for bytes that it sent or is sent. Tells how long
    /// it takes until all that it owes is paid for: a gateway has it wait for that.
    pub fn charge(&self, kind: QuotaKind, client: &str, bytes: u64) -> Duration {
        let services = &self.inner.services;
        if !services.quotas.is_limited() {
            return Duration::ZERO;
        }
        services.quotas.charge(services.clock.monotonic(), client, kind, bytes)
    }

    /// What a client may be given now, by what it calls itself. Nothing: it has no quota.
    pub fn allowance(&self, kind: QuotaKind, client: &str) -> Option<Allowance> {
        let services = &self.inner.services;
        if !services.quotas.is_limited() {
            return None;
        }
        services.quotas.allowance(services.clock.monotonic(), client, kind)
    }
}
