//! What is to be reached, and what one round reached.

use super::Workload;

/// Which side of the mark is good.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sense {
    /// At most that much.
    AtMost,
    /// At least that much.
    AtLeast,
    /// Told, not judged.
    Told,
}

/// A mark.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Goal {
    /// Which workload it belongs to.
    pub workload: Workload,
    /// What is measured.
    pub what: &'static str,
    /// In what unit.
    pub unit: &'static str,
    /// What it is divided by before it is judged; empty: nothing, it is judged as it is.
    pub against: &'static str,
    /// Which side is good.
    pub sense: Sense,
    /// What must be reached.
    pub must: f64,
    /// What is reached for.
    pub reach: f64,
}

impl Goal {
    /// At most `must`, better `reach`, times what the rung `against` takes.
    pub(super) const fn at_most(
        workload: Workload,
        what: &'static str,
        unit: &'static str,
        against: &'static str,
        [must, reach]: [f64; 2],
    ) -> Goal {
        Goal { workload, what, unit, against, sense: Sense::AtMost, must, reach }
    }

    /// At least `must`, better `reach`, times what the rung `against` gives.
    pub(super) const fn at_least(
        workload: Workload,
        what: &'static str,
        unit: &'static str,
        against: &'static str,
        [must, reach]: [f64; 2],
    ) -> Goal {
        Goal { workload, what, unit, against, sense: Sense::AtLeast, must, reach }
    }

    /// Something told beside the marks.
    pub(super) const fn told(
        workload: Workload,
        what: &'static str,
        unit: &'static str,
        against: &'static str,
    ) -> Goal {
        Goal { workload, what, unit, against, sense: Sense::Told, must: 0.0, reach: 0.0 }
    }

    /// What one round measured, and the rung beside it.
    pub(super) fn reading(self, value: f64, rung: f64) -> Reading {
        Reading { goal: self, value, rung }
    }

    /// What one round measured, where no rung applies.
    pub(super) fn absolute(self, value: f64) -> Reading {
        Reading { goal: self, value, rung: 1.0 }
    }
}

/// One round of one mark.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which mark.
    pub goal: Goal,
    /// What was measured.
    pub value: f64,
    /// What the rung measured in the same round; 1 where none applies.
    pub rung: f64,
}

impl Reading {
    /// What is judged.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.value / self.rung
    }
}
