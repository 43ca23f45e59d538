//! A journal that is made when it is needed first: a broker without what it is about has no files
//! for it.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{Journal, Name};
use crate::services::Services;
use crate::{Error, Result};

/// A journal that may not be there yet.
#[derive(Debug)]
pub(crate) struct LazyJournal {
    services: Arc<Services>,
    name: Name,
    journal: RwLock<Option<Arc<Journal>>>,
    /// Why what it coordinates is disabled altogether, if it is.
    damaged: Option<Error>,
}

impl LazyJournal {
    /// Replays it, if it is there. That it does not open disables what it coordinates, and nothing
    /// else.
    pub(crate) fn open(
        services: &Arc<Services>,
        name: Name,
        clean: bool,
        apply: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Arc<LazyJournal>> {
        let (mut journal, mut damaged) = (None, None);
        if Journal::exists(services, name)? {
            match Journal::open(services, name, clean, apply) {
                Ok(opened) => journal = Some(Arc::new(opened)),
                Err(error) => {
                    tracing::error!(%error, "the {} is disabled, the rest goes on", name.shown());
                    damaged = Some(error);
                }
            }
        }
        let (services, journal) = (Arc::clone(services), RwLock::new(journal));
        Ok(Arc::new(LazyJournal { services, name, journal, damaged }))
    }

    pub(crate) fn get(&self) -> Option<Arc<Journal>> {
        self.journal.read().clone()
    }

    /// Refuses while what it coordinates is disabled.
    pub(crate) fn check(&self) -> Result<()> {
        match (&self.damaged, self.get()) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(journal)) => journal.check(),
            (None, None) => Ok(()),
        }
    }

    /// The journal, made now if it must be.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<Arc<Journal>> {
        self.check()?;
        if let Some(journal) = self.get() {
            return Ok(journal);
        }
        if self.services.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        let this = Arc::clone(self);
        // The I/O loop runs one job at a time: nobody else creates it meanwhile.
        let create = move || {
            if let Some(journal) = this.get() {
                return Ok(journal);
            }
            let nothing = &mut |_: &[u8]| Ok(());
            let journal = Arc::new(Journal::open(&this.services, this.name, false, nothing)?);
            *this.journal.write() = Some(Arc::clone(&journal));
            Ok(journal)
        };
        self.services.io.call(create).await
    }
}
