//! The first phase: looking for the ends of transactions, by batch headers alone.

use onrush_record::batch::BatchRef;

use super::{Cleaning, Phase};
use crate::compact::plan::end_of;
use crate::compact::survey;
use crate::error::{IoContext, Result};
use crate::scan::{Headers, Seen, after};
use crate::segment::damaged;

impl Cleaning {
    pub(super) fn survey(&mut self, upto: u64) -> Result<()> {
        let Phase::Survey { index, at } = &mut self.phase else { return Ok(()) };
        let rolled = self.plan.segments.len();
        let beyond = index.checked_sub(rolled);
        if beyond.is_some() && self.judge.survey.first_open().is_none_or(|at| at >= self.plan.limit)
        {
            return self.end_survey();
        }
        let (segment, end) = match beyond {
            None => (&self.plan.segments[*index], end_of(&self.plan.segments[*index])),
            Some(beyond) => match self.plan.beyond.get(beyond) {
                Some((segment, end)) => (segment, *end),
                None => return self.end_survey(),
            },
        };
        let file = self.claim.shared.open(segment)?;
        let path = segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, end.position);
        let mut here = at.unwrap_or(segment.base_point());
        let before = self.stats.bytes_read;
        let mut full = None;
        while here.position < end.position && before + headers.bytes_read < upto {
            let header = match headers.at(here)? {
                Seen::Batch(header) => header,
                Seen::Bad(reason) => {
                    return Err(damaged(segment, here.offset, end.offset, reason));
                }
            };
            let mut ends = None;
            if header.attributes.is_control() {
                let mut bytes = vec![0; header.total_len as usize];
                file.file().read_exact_at(&mut bytes, here.position).at("read", &path)?;
                let batch =
                    BatchRef::parse(&bytes).and_then(|batch| batch.verify().map(|()| batch));
                let batch = batch.map_err(|error| {
                    damaged(segment, here.offset, end.offset, error.to_string())
                })?;
                ends = survey::end_of(&batch);
            }
            if !self.judge.survey.note(&header, ends) {
                full = Some(header.base_offset);
                break;
            }
            here = after(here, &header);
        }
        self.stats.bytes_read += headers.bytes_read;
        if let Some(full) = full {
            self.plan.limit = self.plan.limit.min(full);
            return self.end_survey();
        }
        if here.position < end.position {
            *at = Some(here);
        } else {
            (*index, *at) = (*index + 1, None);
        }
        Ok(())
    }

    /// Nothing of a transaction is cleaned whose end is not known.
    fn end_survey(&mut self) -> Result<()> {
        let open = self.judge.survey.first_open();
        self.plan.limit = open.map_or(self.plan.limit, |open| self.plan.limit.min(open));
        let from = self.plan.dirty_from;
        let index = self.plan.segments.partition_point(|segment| end_of(segment).offset <= from);
        self.phase =
            if from < self.plan.limit { Phase::Map { index, source: None } } else { Phase::Done };
        Ok(())
    }
}
