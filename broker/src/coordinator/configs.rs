//! Settings of single groups.

use std::sync::Arc;

use super::{Coordinator, append};
use crate::group::{GroupEvent, Groups};
use crate::{ConfigEntry, Result};

impl Coordinator {
    pub(crate) fn describe_config(&self, group: &str) -> Result<Vec<ConfigEntry>> {
        self.check()?;
        let state = self.state.lock();
        Ok(state.groups.config(group).describe(&state.groups.overrides(group)))
    }

    pub(crate) async fn configure(
        self: &Arc<Self>,
        group: &str,
        set: Vec<(String, String)>,
        unset: &[String],
        validate_only: bool,
    ) -> Result<()> {
        let judge =
            |groups: &Groups| -> Result<Option<GroupEvent>> { groups.configure(group, set, unset) };
        if validate_only {
            self.check()?;
            return judge(&self.state.lock().groups).map(drop);
        }
        let journal = self.ready().await?;
        let mark = {
            let mut state = self.state.lock();
            let event = judge(&state.groups)?;
            let mark = append(&journal, event.as_slice())?;
            event.iter().for_each(|event| state.groups.apply(event));
            mark
        };
        journal.wait(mark).await
    }

    /// The groups that were given settings of their own.
    pub(crate) fn configured(&self) -> Result<Vec<String>> {
        self.check()?;
        Ok(self.state.lock().groups.configured().map(str::to_owned).collect())
    }
}
